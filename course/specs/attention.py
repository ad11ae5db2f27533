"""04 attention: weights, heads, rollout, and attention times its gradient."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np

from course import autograd as F  # noqa: N812
from course.autograd import Tensor, grad, log_softmax, softmax
from course.grading.spec import Case, Exercise, Mistake, ModuleSpec, Network, Property
from course.methods import attention
from course.methods.protocol import Target
from course.nn import Module, capture
from course.specs._protocol import MANNERS, in_torch, telling_targets

Array = np.ndarray


def _shares(scores: Array, axis: Any = -1) -> Array:
    """The softmax of any scores, however large."""
    e = np.exp(scores - scores.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


# --- 04.1 attention_weights ----------------------------------------------------------------

# The lecture's x and the keys u, v, w: products (0, 2 ln 2, 2 ln 5), halved by √4, so that the
# weights are as 1 : 2 : 5.
HAND_QUERY = np.array([[2 * np.log(2), 2 * np.log(5), 0, 0]])
HAND_KEYS = np.array([[0.0, 0, 3, 0], [1, 0, 0, 0], [0, 1, 0, 7]])


def weights_cases(rng: np.random.Generator) -> list[Case]:
    hand = {"query": HAND_QUERY, "key": HAND_KEYS, "mask": None, "scale": None}
    query, key = rng.normal(size=(2, 3, 4, 6)), rng.normal(size=(2, 3, 5, 6))
    # Every query may look somewhere, and may not look somewhere, so that a mask upside down shows.
    mask = np.stack([rng.permutation([True, True, True, False, False]) for _ in range(8)])
    plain = {"query": query, "key": key, "mask": None, "scale": None}
    single = {"query": query[0].astype(np.float32), "key": key[0].astype(np.float32)}
    return [
        Case("hand", hand, expected=np.array([[1, 2, 5]]) / 8),
        Case("heads", plain),
        Case("scale", {**plain, "scale": 0.25}),
        Case("mask", {**plain, "mask": mask.reshape(2, 1, 4, 5)}),
        Case("large scores", {**plain, "query": 2000 * query[:1], "key": key[:1]}),
        Case("single precision", {**single, "mask": None, "scale": None}, tolerance=1e-4),
    ]


def _weights(
    name: str,
    change: Callable[[Array, Array | None], Array] = lambda scores, mask: _shares(
        scores if mask is None else np.where(mask, scores, -np.inf)
    ),
    factor: Callable[[Array, Array, float | None], float] = lambda query, key, scale: (
        query.shape[-1] ** -0.5 if scale is None else scale
    ),
) -> Callable[..., Array]:
    """An answer with another factor before the products, or another way from scores to weights."""

    def answer(
        query: Array, key: Array, mask: Array | None = None, scale: float | None = None
    ) -> Array:
        return change(factor(query, key, scale) * (query @ np.swapaxes(key, -1, -2)), mask)

    answer.__name__ = name
    return answer


def _masked(scores: Array, mask: Array | None) -> Array:
    return scores if mask is None else np.where(mask, scores, -np.inf)


def keys_ask(
    query: Array, key: Array, mask: Array | None = None, scale: float | None = None
) -> Array:
    turned = None if mask is None else np.swapaxes(mask, -1, -2)
    return attention.attention_weights(key, query, turned, scale)


def einsum(
    query: Array, key: Array, mask: Array | None = None, scale: float | None = None
) -> Array:
    products = np.einsum("...td,...sd->...ts", query, key)
    return _shares(_masked(products * (query.shape[-1] ** -0.5 if scale is None else scale), mask))


def engine(
    query: Array, key: Array, mask: Array | None = None, scale: float | None = None
) -> Array:
    if scale is None:
        keys = np.broadcast_to(key, (*query.shape[:-2], *key.shape[-2:]))
        _, weights = F.scaled_dot_product_attention(Tensor(query), Tensor(keys), Tensor(keys), mask)
        return weights.data
    return softmax(Tensor(_masked(scale * (query @ key.swapaxes(-1, -2)), mask))).data


def row_by_row(
    query: Array, key: Array, mask: Array | None = None, scale: float | None = None
) -> Array:
    scores = _masked(
        (query.shape[-1] ** -0.5 if scale is None else scale) * (query @ np.swapaxes(key, -1, -2)),
        mask,
    )
    rows = [np.exp(r - r.max()) for r in scores.reshape(-1, scores.shape[-1])]
    return np.array([r / r.sum() for r in rows]).reshape(scores.shape)


ATTENTION_WEIGHTS = Exercise(
    number="04.1",
    function=attention.attention_weights,
    reference=in_torch(attention.attention_weights),
    goal="Turn queries and keys into attention: scaled products, masked, and a softmax over keys.",
    anchor="sec-attention-weights",
    points=2,
    cases=weights_cases,
    properties=(
        Property(
            "shift",
            case="heads",
            variations=(lambda a: {**a, "key": a["key"] + 3.0},),
            holds=lambda one, shifted: np.allclose(one, shifted, rtol=1e-4, atol=1e-6),
            says="the same vector added to every key changes nothing that a query can tell "
            "apart, so the weights must stay; yours do not",
        ),
        Property(
            "shares",
            case="mask",
            variations=(),
            holds=lambda one: np.allclose(one.sum(axis=-1), 1, rtol=1e-4),
            says="the weights that a query gives must add up to 1; yours do not",
        ),
    ),
    mistakes=[
        Mistake(
            _weights("unscaled", factor=lambda q, k, s: 1.0 if s is None else s),
            "you do not divide the products by √d; scale=None means 1/√d",
        ),
        Mistake(
            _weights(
                "divided_by_width", factor=lambda q, k, s: 1 / q.shape[-1] if s is None else s
            ),
            "you divide by the width d; it is its square root",
        ),
        Mistake(
            _weights(
                "number_of_keys", factor=lambda q, k, s: k.shape[-2] ** -0.5 if s is None else s
            ),
            "you scale by the number of keys; d is the width of a vector, the last axis",
        ),
        Mistake(
            _weights("scale_ignored", factor=lambda q, k, s: q.shape[-1] ** -0.5),
            "you scale by 1/√d even when another scale is given",
        ),
        Mistake(
            _weights(
                "scale_divides", factor=lambda q, k, s: q.shape[-1] ** -0.5 if s is None else 1 / s
            ),
            "you divide by scale; the products are multiplied by it",
        ),
        Mistake(
            _weights("over_queries", lambda s, m: _shares(_masked(s, m), -2)),
            "your softmax runs over the queries: the columns sum to 1; each query shares out "
            "its own attention, so the rows must",
        ),
        Mistake(
            _weights("over_all_pairs", lambda s, m: _shares(_masked(s, m), (-2, -1))),
            "your softmax runs over all pairs at once; each query has a softmax of its own",
        ),
        Mistake(
            _weights("scores", lambda s, m: s),
            "you return the scores; a softmax over the keys is missing",
        ),
        Mistake(
            _weights("mask_afterwards", lambda s, m: _shares(s) * (1 if m is None else m)),
            "you mask after the softmax, so what is left no longer sums to 1; mask the scores",
        ),
        Mistake(
            _weights("masked_to_zero", lambda s, m: _shares(s if m is None else s * m)),
            "you set masked scores to 0, and exp(0) is 1: they still get attention; use -inf",
        ),
        Mistake(
            _weights(
                "mask_upside_down", lambda s, m: _shares(_masked(s, None if m is None else ~m))
            ),
            "your mask is upside down: here True means that a query may look",
        ),
        Mistake(_weights("mask_ignored", lambda s, m: _shares(s)), "you do not use the mask"),
        Mistake(
            keys_ask,
            "your rows are keys and your columns queries; the answer is (..., T, S), a row a query",
        ),
    ],
    equivalents=[
        einsum,
        engine,
        row_by_row,
        _weights(
            "log_first",
            lambda s, m: np.exp(log_softmax(Tensor(_masked(s, m))).data),
        ),
        _weights("very_negative", lambda s, m: _shares(s if m is None else np.where(m, s, -1e30))),
        _weights("single_precision", lambda s, m: _shares(_masked(s, m)).astype(np.float32)),
    ],
    hints=(
        "A product of two vectors says how well they fit. The softmax turns one query's fits into "
        "shares of 1; what may not be seen must have a share of exactly 0.",
        "α_ij = exp(s_ij) / Σ_k exp(s_ik) with s = scale · Q Kᵀ. A masked score is -∞. Subtract "
        "each row's largest score before exp: the shares stay, and nothing overflows.",
        "scores = scale * (query @ np.swapaxes(key, ____, ____)); shares / shares.sum(axis=____, "
        "keepdims=True)",
    ),
    equivalent_mutants={
        "scores = scale * (query @ np.swapaxes(key, -2, -1))": "swapping is symmetric",
        "shares = -np.exp(scores)": "the sign cancels in the quotient",
    },
)


# --- 04.2 multi_head_attention -------------------------------------------------------------

# Two heads of width 1: the first sees the first number of each token, the second the second.
HAND_LAYER: dict[str, Any] = {
    "x": np.array([[[0.0, 1], [1, 2]]]),
    "in_proj_weight": np.concatenate([np.eye(2) * np.log(2), np.eye(2), np.eye(2)]),
    "in_proj_bias": np.zeros(6),
    "out_proj_weight": np.array([[6.0, 0], [6, 15]]),
    "out_proj_bias": np.zeros(2),
    "num_heads": 2,
    "mask": None,
}


def heads_cases(rng: np.random.Generator) -> list[Case]:
    # The heads give ((1/2, 5/3), (2/3, 9/5)); the last layer makes (6a, 6a + 15b) of (a, b).
    by_hand = np.array([[[3.0, 28], [4, 31]]])
    layer = {
        "x": rng.normal(size=(3, 5, 12)),
        "in_proj_weight": rng.normal(size=(36, 12)) / 3,
        "in_proj_bias": rng.normal(size=36),
        "out_proj_weight": rng.normal(size=(12, 12)) / 3,
        "out_proj_bias": rng.normal(size=12),
        "num_heads": 3,
        "mask": None,
    }
    mask = rng.random((3, 1, 5, 5)) < 0.6
    mask |= np.eye(5, dtype=bool)
    single = {k: v.astype(np.float32) if isinstance(v, np.ndarray) else v for k, v in layer.items()}
    return [
        Case("hand", HAND_LAYER, expected=by_hand),
        Case("three heads", layer),
        Case("mask", {**layer, "num_heads": 2, "mask": mask}),
        Case("single precision", {**single, "num_heads": 4}, tolerance=1e-4),
    ]


def _split(part: Array, num_heads: int) -> Array:
    n, t, d = part.shape
    return part.reshape(n, t, num_heads, d // num_heads).swapaxes(1, 2)


def _join(heads: Array) -> Array:
    n, h, t, d = heads.shape
    return heads.swapaxes(1, 2).reshape(n, t, h * d)


def _heads(
    name: str,
    project: Callable[..., Array] = lambda x, w, b: x @ w.T + b,
    split: Callable[[Array, int], Array] = _split,
    mix: Callable[..., Array] = lambda q, k, v, mask: attention.attention_weights(q, k, mask) @ v,
    join: Callable[[Array], Array] = _join,
    finish: Callable[..., Array] = lambda x, joined, w, b: joined @ w.T + b,
) -> Callable[..., Array]:
    """An answer with one of the five steps done otherwise."""

    def answer(
        x: Array,
        in_proj_weight: Array,
        in_proj_bias: Array,
        out_proj_weight: Array,
        out_proj_bias: Array,
        num_heads: int,
        mask: Array | None = None,
    ) -> Array:
        packed = project(x, in_proj_weight, in_proj_bias)
        q, k, v = (split(part, num_heads) for part in np.split(packed, 3, axis=2))
        return finish(x, join(mix(q, k, v, mask)), out_proj_weight, out_proj_bias)

    answer.__name__ = name
    return answer


def _tokens_as_heads(part: Array, num_heads: int) -> Array:
    n, t, d = part.shape
    return part.reshape(n, num_heads, t, d // num_heads)


def _interleaved(part: Array, num_heads: int) -> Array:
    n, t, d = part.shape
    return part.reshape(n, t, d // num_heads, num_heads).transpose(0, 3, 1, 2)


def _loosely(heads: Array) -> Array:
    n, h, t, d = heads.shape
    return np.ascontiguousarray(heads).reshape(n, t, h * d)


def _by_heads_and_tokens(q: Array, k: Array, v: Array, mask: Array | None) -> Array:
    n, h, t, _ = q.shape
    allowed = np.ones((n, h, t, t), bool) if mask is None else np.broadcast_to(mask, (n, h, t, t))
    mixed = np.empty_like(v)
    for i, j in np.ndindex(n, h):
        mixed[i, j] = attention.attention_weights(q[i, j], k[i, j], allowed[i, j]) @ v[i, j]
    return mixed


def _summed_heads(
    x: Array,
    in_proj_weight: Array,
    in_proj_bias: Array,
    out_proj_weight: Array,
    out_proj_bias: Array,
    num_heads: int,
    mask: Array | None = None,
) -> Array:
    """Each head through its own columns of the last layer: a sum instead of a row of heads."""
    d = x.shape[2]
    width, y = d // num_heads, np.zeros_like(x) + out_proj_bias
    for h in range(num_heads):
        q, k, v = (
            x @ in_proj_weight[rows].T + in_proj_bias[rows]
            for rows in (
                np.arange(part * d + h * width, part * d + (h + 1) * width) for part in range(3)
            )
        )
        own = (
            mask
            if mask is None
            else np.broadcast_to(mask, (len(x), num_heads, *mask.shape[2:]))[:, h]
        )
        y += (
            attention.attention_weights(q, k, own)
            @ v
            @ out_proj_weight[:, h * width : (h + 1) * width].T
        )
    return y


MULTI_HEAD_ATTENTION = Exercise(
    number="04.2",
    function=attention.multi_head_attention,
    reference=in_torch(attention.multi_head_attention),
    goal="Run attention in several heads side by side, as a transformer's layer does.",
    anchor="sec-attention-heads",
    points=3,
    cases=heads_cases,
    properties=(
        Property(
            "order",
            case="three heads",
            variations=(lambda a: {**a, "x": a["x"][:, ::-1].copy()},),
            holds=lambda one, turned: np.allclose(one[:, ::-1], turned, rtol=1e-4, atol=1e-6),
            says="attention knows no order: tokens turned round must give the answer turned round",
        ),
        Property(
            "batch",
            case="three heads",
            variations=(lambda a: {**a, "x": a["x"][1:2]},),
            holds=lambda all_, one: np.allclose(all_[1:2], one, rtol=1e-4, atol=1e-6),
            says="a sentence alone gets another answer than in a batch; treat each by itself",
        ),
    ),
    given=[attention.attention_weights],
    mistakes=[
        Mistake(
            _heads("tokens_as_heads", split=_tokens_as_heads),
            "you reshape (N, T, D) straight to (N, H, T, D/H), which deals tokens out to heads; "
            "reshape to (N, T, H, D/H), then swap the middle axes",
        ),
        Mistake(
            _heads("interleaved_heads", split=_interleaved),
            "your heads own every H-th number; head h owns D/H numbers in a row",
        ),
        Mistake(
            _heads("not_swapped_back", join=_loosely),
            "you join the heads without swapping heads and tokens back first",
        ),
        Mistake(
            _heads(
                "whole_width_scale",
                mix=lambda q, k, v, m: (
                    attention.attention_weights(q, k, m, (q.shape[1] * q.shape[3]) ** -0.5) @ v
                ),
            ),
            "you scale by the whole width D; a head's queries have width D/H",
        ),
        Mistake(
            _heads(
                "queries_and_keys_swapped",
                mix=lambda q, k, v, m: attention.attention_weights(k, q, m) @ v,
            ),
            "your queries and keys are swapped; the first third of in_proj makes queries",
        ),
        Mistake(
            _heads(
                "values_first",
                mix=lambda q, k, v, m: attention.attention_weights(k, v, m) @ q,
            ),
            "you take the thirds of in_proj as values, queries, keys; the order is queries, keys, "
            "values",
        ),
        Mistake(
            _heads(
                "keys_mixed",
                mix=lambda q, k, v, m: attention.attention_weights(q, k, m) @ k,
            ),
            "you average the keys; it is the values that are averaged",
        ),
        Mistake(
            _heads("one_head", split=lambda part, h: part[:, None]),
            "you use one head of the whole width, whatever num_heads says",
        ),
        Mistake(
            _heads("no_input_bias", project=lambda x, w, b: x @ w.T), "in_proj_bias is missing"
        ),
        Mistake(
            _heads("no_output_bias", finish=lambda x, joined, w, b: joined @ w.T),
            "out_proj_bias is missing",
        ),
        Mistake(
            _heads("no_output_layer", finish=lambda x, joined, w, b: joined),
            "out_proj is missing: it mixes what the heads found",
        ),
        Mistake(
            _heads("output_not_transposed", finish=lambda x, joined, w, b: joined @ w + b),
            "you multiply by out_proj_weight; Torch's Linear multiplies by its transpose",
        ),
        Mistake(
            _heads("residual_added", finish=lambda x, joined, w, b: x + joined @ w.T + b),
            "you add x; the residual connection is the block's, not the attention's",
        ),
        Mistake(
            _heads(
                "mask_ignored",
                mix=lambda q, k, v, m: attention.attention_weights(q, k) @ v,
            ),
            "you do not pass the mask on",
        ),
    ],
    equivalents=[
        _heads("by_heads_and_tokens", mix=_by_heads_and_tokens),
        _summed_heads,
        _heads(
            "concatenated", join=lambda heads: np.concatenate(list(heads.swapaxes(0, 1)), axis=-1)
        ),
        _heads(
            "einsum",
            project=lambda x, w, b: np.einsum("ntd,ed->nte", x, w) + b,
            mix=lambda q, k, v, m: np.einsum(
                "nhij,nhjd->nhid", attention.attention_weights(q, k, m), v
            ),
        ),
        _heads(
            "single_precision",
            finish=lambda x, joined, w, b: (joined @ w.T + b).astype(np.float32),
        ),
    ],
    hints=(
        "Nothing new happens inside a head: it is attention on a slice of the width. The work is "
        "to make the slices, let NumPy treat (N, H) as a batch, and put the slices back in a row.",
        "packed = x Wᵀ + b is (N, T, 3D); cut it into Q, K, V; each (N, T, D) becomes "
        "(N, T, H, D/H), then (N, H, T, D/H). After α V, swap back and reshape to (N, T, D).",
        "part.reshape(n, t, ____, ____).swapaxes(____, ____)",
    ),
    equivalent_mutants={
        "query, key, value = (part.reshape(n, t, num_heads, d // num_heads).swapaxes(2, 1) "
        "for part in np.split(packed, 3, axis=2))": "swapping is symmetric",
        "joined = heads.swapaxes(2, 1).reshape(n, t, d)": "swapping is symmetric",
    },
)


# --- 04.3 attention_rollout ----------------------------------------------------------------

# One sentence of two tokens, two layers, two heads. A_1 = ((1, 0), (1/2, 1/2)), and
# A_2 = ((3/4, 1/4), (1/8, 7/8)).
HAND_ROLLOUT = np.array(
    [
        [[[1.0, 0], [1, 0]], [[1, 0], [1, 0]]],
        [[[1.0, 0], [0.5, 0.5]], [[0, 1], [0, 1]]],
    ]
)


def rollout_cases(rng: np.random.Generator) -> list[Case]:
    by_hand = np.array([[7 / 8, 1 / 8], [9 / 16, 7 / 16]])
    deep = rng.dirichlet(np.full(5, 0.5), (4, 3, 5))
    single = rng.dirichlet(np.full(6, 0.5), (3, 2, 6)).astype(np.float32)
    return [
        Case("hand", {"attention": HAND_ROLLOUT}, expected=by_hand),
        Case("four layers", {"attention": deep}),
        Case("one layer", {"attention": deep[:1]}),
        Case("single precision", {"attention": single}, tolerance=1e-4),
    ]


def _mixing(a: Array) -> Array:
    return 0.5 * a.mean(axis=1) + 0.5 * np.eye(a.shape[-1])


def _rollout(name: str, answer_: Callable[[Array], Array]) -> Callable[[Array], Array]:
    def answer(attention: Array) -> Array:
        return answer_(attention)

    answer.__name__ = name
    return answer


def _product(mixing: Any) -> Array:
    """The layers' matrices multiplied, the last on the left."""
    return reduce(lambda below, layer: layer @ below, mixing)


def _normalised(a: Array) -> Array:
    return a / a.sum(axis=-1, keepdims=True)


def walks(attention: Array) -> Array:
    """From each output token down, token by token."""
    mixing, t = _mixing(attention), attention.shape[-1]
    found = np.zeros((t, t))
    for output in range(t):
        share = np.eye(t)[output]
        for layer in mixing[::-1]:
            share = sum(share[i] * layer[i] for i in range(t))
        found[output] = share
    return found


ATTENTION_ROLLOUT = Exercise(
    number="04.3",
    function=attention.attention_rollout,
    reference=in_torch(attention.attention_rollout),
    goal="Multiply the layers' averages, residual connections included, into one average of the "
    "input tokens.",
    anchor="sec-attention-rollout",
    points=2,
    cases=rollout_cases,
    properties=(
        Property(
            "rows",
            case="four layers",
            variations=(),
            holds=lambda rollout: np.allclose(rollout.sum(axis=-1), 1, rtol=1e-4),
            says="an average of averages is an average: each row must sum to 1; yours do not",
        ),
        Property(
            "nobody looks",
            case="four layers",
            variations=(lambda a: {"attention": np.zeros_like(a["attention"]) + np.eye(5)},),
            holds=lambda _, alone: np.allclose(alone, np.eye(5), atol=1e-6),
            says="where each token looks at itself only, the rollout must be the identity",
        ),
    ),
    mistakes=[
        Mistake(
            _rollout("no_residual", lambda a: _product(a.mean(axis=1))),
            "the residual connection is missing: half of each token goes past the attention",
        ),
        Mistake(
            _rollout("first_layer_on_the_left", lambda a: _product(_mixing(a)[::-1])),
            "your product has the first layer on the left; outputs are rows, so the last layer "
            "stands there",
        ),
        Mistake(
            _rollout("not_normalised", lambda a: _product(2 * _mixing(a))),
            "you add the identity and do not halve, so that rows sum to 2 after each layer",
        ),
        Mistake(
            _rollout(
                "strongest_head",
                lambda a: _product(_normalised(a.max(axis=1) + np.eye(a.shape[-1]))),
            ),
            "you take the strongest head; the paper takes their mean",
        ),
        Mistake(
            _rollout("first_head", lambda a: _product(_mixing(a[:, :1]))),
            "you look at the first head only",
        ),
        Mistake(
            _rollout(
                "each_head_alone",
                lambda a: np.mean(
                    [_product(_mixing(a[:, [h]])) for h in range(a.shape[1])], axis=0
                ),
            ),
            "you roll out each head alone and average then; heads mix after every layer, so "
            "average first",
        ),
        Mistake(
            _rollout("mean_of_layers", lambda a: _mixing(a).mean(axis=0)),
            "you average the layers; they act one after the other, so they multiply",
        ),
        Mistake(
            _rollout("last_layer", lambda a: _mixing(a)[-1]),
            "you return the last layer's mixture; its inputs are mixtures themselves",
        ),
        Mistake(
            _rollout(
                "residual_at_the_end", lambda a: _mixing(_product(a.mean(axis=1))[None, None])[0]
            ),
            "you add the identity once, after the product; every layer has its residual connection",
        ),
        Mistake(
            _rollout("entry_by_entry", lambda a: np.prod(_mixing(a), axis=0)),
            "you multiply entry by entry; mixtures of mixtures are matrix products",
        ),
        Mistake(
            _rollout("inputs_by_outputs", lambda a: _product(_mixing(a)).T),
            "your rows are inputs and your columns outputs; the answer is outputs by inputs",
        ),
        Mistake(
            _rollout("all_layers", lambda a: np.cumprod(_mixing(a), axis=0)),
            "you return something for each layer; the answer is one (T, T) for the last",
        ),
    ],
    equivalents=[
        walks,
        _rollout("downwards", lambda a: reduce(np.matmul, _mixing(a)[::-1])),
        _rollout("chain", lambda a: np.linalg.multi_dot([*_mixing(a)[::-1], np.eye(a.shape[-1])])),
        _rollout(
            "normalised",
            lambda a: _product(_normalised(a.sum(axis=1) + a.shape[1] * np.eye(a.shape[-1]))),
        ),
        _rollout("single_precision", lambda a: _product(_mixing(a)).astype(np.float32)),
    ],
    hints=(
        "A layer replaces each token by a mixture: half what it was, half the mean of what its "
        "heads collected. The next layer mixes those mixtures.",
        "A_l = ½ mean_h W_lh + ½ I, then A_L ⋯ A_2 A_1: start with the identity and multiply each "
        "layer's A from the left.",
        "rollout = ____ @ ____, once a layer, the first layer first",
    ),
    equivalent_mutants={
        "identity = np.eye(attention.shape[-1])": "double precision is as good",
        "identity = np.eye(attention.shape[-2], dtype=attention.dtype)": "both axes have length T",
    },
)


# --- 04.4 attention_times_gradient ---------------------------------------------------------


def product_cases(rng: np.random.Generator) -> list[Case]:
    # α = ((1/2, 1/2), (1/3, 2/3)), values (1, 2), and S_1 = 12 · ½ Σ_ij α_ij v_j.
    by_hand = np.array([[[3.0, 6], [2, 8]]])
    hand = {"model": Network("hand_attention"), "x": np.array([[[0.0], [1]]]), "target": 1}
    network = Network("small_transformer", seed=int(rng.integers(1 << 31)))
    x, last = rng.normal(size=(4, 5, 8)), "layers.1.self_attn.weights"
    targets = telling_targets(network, x, rng)
    single = Network("small_transformer", network.seed, "float32")
    return [
        Case("hand", {**hand, "layer": "self_attn.weights"}, expected=by_hand),
        Case("batch", {"model": network, "x": x, "target": targets, "layer": last}),
        Case(
            "first layer",
            {"model": network, "x": x[:2], "target": 3, "layer": "layers.0.self_attn.weights"},
        ),
        Case(
            "single precision",
            {"model": single, "x": x[:2].astype(np.float32), "target": 2, "layer": last},
            tolerance=1e-4,
        ),
    ]


def _of_target(logits: Tensor, target: Target) -> Tensor:
    return logits[np.arange(len(logits)), target].sum()


def _times_gradient(
    name: str,
    combine: Callable[[Array, Array], Array] = lambda a, g: (a * g).sum(axis=1),
    score: Callable[[Tensor, Target], Tensor] = _of_target,
) -> Callable[..., Array]:
    """An answer that explains another score, or combines attention and gradient otherwise."""

    def answer(model: Module, x: Array, target: Target, layer: str) -> Array:
        logits, captured = capture(model, Tensor(x), [layer])
        return combine(captured[layer].data, grad(score(logits, target), captured[layer]))

    answer.__name__ = name
    return answer


def first_target(model: Module, x: Array, target: Target, layer: str) -> Array:
    return attention.attention_times_gradient(model, x, int(np.ravel(target)[0]), layer)


def one_by_one(model: Module, x: Array, target: Target, layer: str) -> Array:
    pairs = zip(x, np.broadcast_to(target, len(x)), strict=True)
    return np.concatenate(
        [attention.attention_times_gradient(model, e[None], int(c), layer) for e, c in pairs]
    )


ATTENTION_TIMES_GRADIENT = Exercise(
    number="04.4",
    function=attention.attention_times_gradient,
    reference=in_torch(attention.attention_times_gradient),
    goal="Weigh each attention weight by what it does to a class's score, and add the heads up.",
    anchor="sec-attention-gradient",
    points=2,
    cases=product_cases,
    properties=(
        *MANNERS,
        Property(
            "completeness",
            case="hand",
            variations=(lambda a: {**a, "x": 2 * a["x"]},),
            # For tokens (0, 2): α = ((1/2, 1/2), (1/17, 16/17)) and values (1, 3).
            holds=lambda one, two: (
                abs(one.sum() - 19) < 1e-5 and abs(two.sum() - 6 * 83 / 17) < 1e-5
            ),
            says="where the score is linear in the attention, the entries add up to the score; "
            "yours do not",
        ),
    ),
    mistakes=[
        Mistake(
            _times_gradient("attention_alone", lambda a, g: a.sum(axis=1)),
            "the gradient is missing from your product",
        ),
        Mistake(
            _times_gradient("gradient_alone", lambda a, g: g.sum(axis=1)),
            "the attention is missing from your product",
        ),
        Mistake(
            _times_gradient("heads_averaged", lambda a, g: (a * g).mean(axis=1)),
            "you average over the heads; their contributions add up",
        ),
        Mistake(
            _times_gradient("sums_multiplied", lambda a, g: a.sum(axis=1) * g.sum(axis=1)),
            "you add the heads up before the product; each head's attention goes with its own "
            "gradient",
        ),
        Mistake(
            _times_gradient("positive_part", lambda a, g: np.maximum(a * g, 0).sum(axis=1)),
            "you drop negative products, as Chefer et al. (2021) do; here the sign is kept",
        ),
        Mistake(
            _times_gradient("magnitudes", lambda a, g: np.abs(a * g).sum(axis=1)),
            "you add magnitudes; here the sign is kept",
        ),
        Mistake(
            _times_gradient("first_head", lambda a, g: (a * g)[:, 0]),
            "you look at the first head only",
        ),
        Mistake(
            _times_gradient("heads_kept", lambda a, g: a * g),
            "you keep the heads' axis; the answer is (N, T, T), added over heads",
        ),
        Mistake(
            _times_gradient("to_and_from", lambda a, g: (a * g).sum(axis=1).swapaxes(1, 2)),
            "your axes are turned: the second is the token that looks, the third what it looks at",
        ),
        Mistake(
            _times_gradient("queries_added", lambda a, g: (a * g).sum(axis=(1, 2))),
            "you add over the looking tokens too; the answer is (N, T, T)",
        ),
        Mistake(
            _times_gradient(
                "probability", score=lambda logits, target: _of_target(softmax(logits), target)
            ),
            "you differentiate the softmax probability; the score is the logit",
        ),
        Mistake(
            _times_gradient("predicted_class", score=lambda logits, target: logits.amax(1).sum()),
            "you explain the class that the network predicts; explain the class in target",
        ),
        Mistake(
            _times_gradient("all_classes", score=lambda logits, target: logits.sum()),
            "you differentiate the sum of all logits; pick the logit of the target first",
        ),
        Mistake(
            _times_gradient("every_target", score=lambda logits, target: logits[:, target].sum()),
            "you take every target for every sentence, as logits[:, target] does; pair sentence i "
            "with target[i]",
        ),
        Mistake(
            _times_gradient(
                "batch_mean",
                score=lambda logits, target: logits[np.arange(len(logits)), target].mean(),
            ),
            "your answer shrinks as the batch grows: sum the scores over the batch",
        ),
        Mistake(first_target, "you use the first target for the whole batch"),
    ],
    equivalents=[
        one_by_one,
        _times_gradient("einsum", lambda a, g: np.einsum("nhij,nhij->nij", a, g)),
        _times_gradient(
            "head_by_head", lambda a, g: sum(a[:, h] * g[:, h] for h in range(a.shape[1]))
        ),
        _times_gradient(
            "one_hot",
            score=lambda logits, target: (
                logits * (np.arange(logits.shape[1]) == np.reshape(target, (-1, 1)))
            ).sum(),
        ),
        _times_gradient("single_precision", lambda a, g: (a * g).sum(axis=1).astype(np.float32)),
    ],
    hints=(
        "A layer in the middle can be differentiated with respect to just as the input can. "
        "`capture` gives the output together with a hidden layer's, on one tape.",
        "R_ij = Σ_h α_hij · ∂S_c/∂α_hij. The captured attention is a Tensor (N, heads, T, T), and "
        "axis 1 is the heads.",
        "logits, captured = capture(model, Tensor(x), [____]); "
        "(attention.data * grad(____, attention)).sum(axis=____)",
    ),
)


SPEC = ModuleSpec(
    number="04",
    name="attention",
    title="Attention: averages that look like explanations",
    summary="A network that averages shows its weights. What do they say about its answer?",
    exercises=(
        ATTENTION_WEIGHTS,
        MULTI_HEAD_ATTENTION,
        ATTENTION_ROLLOUT,
        ATTENTION_TIMES_GRADIENT,
    ),
)
