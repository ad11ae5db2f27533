"""Module 04 against Torch and scipy, by hand, on MiniLM, and on bad input."""

from __future__ import annotations

import numpy as np
import pytest

from course.autograd import no_grad
from course.data import movie_snippets
from course.methods.attention import (
    attention_flow,
    attention_rollout,
    attention_times_gradient,
    attention_weights,
    max_flow,
    multi_head_attention,
    received_attention,
)
from course.models import build, minilm_pieces
from course.nn import MultiHeadAttention, capture

torch = pytest.importorskip("torch")
sparse = pytest.importorskip("scipy.sparse")
optimize = pytest.importorskip("scipy.optimize")

from course.reference import attention as reference  # noqa: E402
from course.reference import networks  # noqa: E402

ATTENTION = [f"layers.{i}.self_attn.weights" for i in range(3)]


def random_attention(seed: int, layers: int = 3, heads: int = 2, t: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(t), (layers, heads, t))


def close(ours: np.ndarray, theirs: np.ndarray, tolerance: float = 1e-12) -> bool:
    return ours.shape == theirs.shape and np.abs(ours - theirs).max() <= tolerance


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 1e-6)])
@pytest.mark.parametrize("scale", [None, 1.0, 0.3])
@pytest.mark.parametrize("masked", [False, True])
def test_weights_equal_torch(masked, scale, dtype, tolerance):
    rng = np.random.default_rng(0)
    query, key = rng.normal(size=(2, 3, 4, 6)), rng.normal(size=(2, 3, 5, 6))
    mask = rng.random((2, 1, 4, 5)) < 0.6 if masked else None
    if masked:
        mask[..., 2] = True
    arrays = [query.astype(dtype), key.astype(dtype)]
    theirs = torch.nn.functional.scaled_dot_product_attention(
        *map(torch.tensor, arrays),
        torch.eye(5, dtype=getattr(torch, dtype)).expand(2, 3, 5, 5),
        attn_mask=None if mask is None else torch.tensor(mask),
        scale=scale,
    )
    ours = attention_weights(*arrays, mask, scale)
    assert ours.dtype == dtype
    assert close(ours, theirs.numpy(), tolerance)


def test_weights_by_hand():
    # x · (u, v, w) = (0, 2 ln 2, 2 ln 5), halved by √4: the weights are as 1 : 2 : 5.
    query = np.array([[2 * np.log(2), 2 * np.log(5), 0, 0]])
    key = np.array([[0.0, 0, 3, 0], [1, 0, 0, 0], [0, 1, 0, 7]])
    assert attention_weights(query, key) == pytest.approx(np.array([[1, 2, 5]]) / 8)
    assert attention_weights(query, key, scale=1.0) == pytest.approx(np.array([[1, 4, 25]]) / 30)
    masked = attention_weights(query, key, np.array([True, False, True]))
    assert masked == pytest.approx(np.array([[1, 0, 5]]) / 6)


def test_large_scores_do_not_overflow():
    big = np.array([[1e5, 0.0]])
    assert np.array_equal(attention_weights(big, np.array([[1.0, 0], [0, 1]])), [[1, 0]])


@pytest.mark.parametrize("masked", [False, True])
def test_heads_equal_torch_and_the_engine(masked):
    rng = np.random.default_rng(1)
    layer, x = MultiHeadAttention(12, 3, rng).to(np.float64), rng.normal(size=(2, 5, 12))
    layer.in_proj_bias.data, layer.out_proj.bias.data = rng.normal(size=36), rng.normal(size=12)
    mask = np.ones((2, 1, 1, 5), bool)
    mask[1, ..., 3:] = not masked
    state = layer.state_dict()
    names = ("in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias")
    ours = multi_head_attention(x, *(state[n] for n in names), 3, mask)
    twin = torch.nn.MultiheadAttention(12, 3, batch_first=True, dtype=torch.float64)
    twin.load_state_dict({n: torch.tensor(v) for n, v in state.items()})
    tx = torch.tensor(x)
    want = twin(tx, tx, tx, key_padding_mask=torch.tensor(~mask[:, 0, 0]))[0]
    assert close(ours, want.detach().numpy())
    with no_grad():
        assert close(ours, layer(type(layer.in_proj_weight)(x), mask).data)


def test_the_functions_are_what_minilm_does():
    """Queries and keys of each layer, from the layer's own input, to the attention it captured."""
    model = build("minilm", dtype=np.float64)
    pieces = minilm_pieces()
    ids = pieces.encode_batch(movie_snippets().texts[:600:30])
    names = [*ATTENTION, "norm", "layers.0", "layers.1", *(f"layers.{i}.self_attn" for i in "012")]
    with no_grad():
        _, captured = capture(model, ids, names)
    mask = (ids != 0)[:, None, None]
    for i, x in enumerate(captured[name].data for name in ("norm", "layers.0", "layers.1")):
        own = model.layers[i].self_attn
        packed = x @ own.in_proj_weight.data.T + own.in_proj_bias.data
        query, key, _ = (
            part.reshape(*x.shape[:2], 12, 32).transpose(0, 2, 1, 3)
            for part in np.split(packed, 3, axis=2)
        )
        assert close(attention_weights(query, key, mask), captured[ATTENTION[i]].data, 1e-9)
        parameters = [p.data for p in own.parameters()]
        assert [p.ndim for p in parameters] == [2, 1, 2, 1]
        whole = multi_head_attention(x, *parameters, 12, mask)
        assert close(whole, captured[f"layers.{i}.self_attn"].data, 1e-9)


def test_rollout_by_hand():
    # A_1 = ((1, 0), (1/2, 1/2)) and A_2 = ((3/4, 1/4), (0, 1)), the second on the left.
    first = np.array([[[1.0, 0], [1, 0]], [[1, 0], [1, 0]]])
    second = np.array([[[1.0, 0], [0, 1]], [[0, 1], [0, 1]]])
    rollout = attention_rollout(np.stack([first, second]))
    assert rollout.tolist() == [[0.875, 0.125], [0.5, 0.5]]


def test_rollout_is_a_product_and_its_rows_are_averages():
    attention = random_attention(0, layers=4)
    rollout = attention_rollout(attention)
    assert rollout.sum(axis=1) == pytest.approx(1)
    halves = attention_rollout(attention[2:]) @ attention_rollout(attention[:2])
    assert close(rollout, halves)
    nobody_looks = np.tile(np.eye(5), (3, 2, 1, 1))
    assert np.array_equal(attention_rollout(nobody_looks), np.eye(5))


def torch_rollout(attention):
    return reference.attention_rollout(torch.tensor(attention)).numpy()


def test_rollout_equals_torch():
    assert close(attention_rollout(random_attention(3)), torch_rollout(random_attention(3)))


def scipy_flow(capacity: np.ndarray, source: int, sink: int) -> float:
    """Scipy's flows are of whole numbers."""
    whole = sparse.csr_array(np.round(capacity * 1e6).astype(np.int32))
    return sparse.csgraph.maximum_flow(whole, source, sink).flow_value / 1e6


@pytest.mark.parametrize("seed", range(4))
def test_max_flow_equals_scipy(seed):
    rng = np.random.default_rng(seed)
    capacity = rng.random((9, 9)) * (rng.random((9, 9)) < 0.4)
    np.fill_diagonal(capacity, 0)
    assert max_flow(capacity, 0, 8) == pytest.approx(scipy_flow(capacity, 0, 8), abs=1e-4)


def test_max_flow_can_take_back_what_it_sent():
    # The shortest path 0-1-4-5 takes the pipe 1-4 that 0-3-4 needs, and is turned back.
    capacity = np.zeros((6, 6))
    for i, j in [(0, 1), (1, 4), (4, 5), (1, 2), (2, 5), (0, 3), (3, 4)]:
        capacity[i, j] = 1
    assert max_flow(capacity, 0, 5) == 2
    assert max_flow(capacity, 5, 0) == 0


def test_flow_equals_a_linear_programme():
    attention, output = random_attention(5, layers=2, t=4), 1
    flows = attention_flow(attention, output)
    mixing = 0.5 * attention.mean(axis=1) + 0.5 * np.eye(4)
    edges = [(layer, i, j) for layer in (0, 1) for i in range(4) for j in range(4)]
    room = [mixing[edge] for edge in edges]
    for sink in range(4):
        # What leaves the output is worth 1; no node keeps anything, save the sink.
        value = [-(layer == 1 and i == output) for layer, i, _ in edges]
        balance = [
            [(layer == 1 and j == node) - (layer == 0 and i == node) for layer, i, j in edges]
            for node in range(4)
        ]
        others = [[layer == 0 and j == k for layer, _, j in edges] for k in range(4) if k != sink]
        elsewhere = [[layer == 1 and i != output for layer, i, _ in edges]]
        rules = np.array(balance + others + elsewhere, float)
        best = optimize.linprog(
            value, A_eq=rules, b_eq=0 * rules[:, 0], bounds=[(0, r) for r in room]
        )
        assert flows[sink] == pytest.approx(-best.fun, abs=1e-9)


def test_flow_is_at_least_the_rollout_and_at_most_all():
    attention = random_attention(6, layers=3, t=6)
    flow, rollout = attention_flow(attention, 2), attention_rollout(attention)[2]
    assert (flow >= rollout - 1e-12).all()
    assert flow.max() <= 1 + 1e-12


def test_attention_times_gradient_by_hand():
    # α = ((1/2, 1/2), (1/3, 2/3)), values (1, 2), and S_1 = 12 · ½ Σ_ij α_ij v_j = 19.
    found = attention_times_gradient(
        build("hand_attention", dtype=np.float64),
        np.array([[[0.0], [1.0]]]),
        1,
        "self_attn.weights",
    )
    assert found == pytest.approx(np.array([[[3, 6], [2, 8]]]), rel=1e-7)


def test_attention_times_gradient_is_what_scaling_a_head_would_do():
    """Σ_ij R_ij is the derivative of the score with respect to a factor on all the attention."""
    rng = np.random.default_rng(2)
    model, x = build("small_transformer", 1, np.float64), rng.normal(size=(1, 5, 8))
    found = attention_times_gradient(model, x, 3, "layers.1.self_attn.weights").sum()
    out_proj = model.layers[1].self_attn.out_proj.weight
    packed = model.layers[1].self_attn
    values = slice(16, 24)
    slope = []
    for step in (1e-4, -1e-4):
        weight, bias = packed.in_proj_weight.data.copy(), packed.in_proj_bias.data.copy()
        packed.in_proj_weight.data[values] *= 1 + step  # α(V + dV) is (α + dα)V
        packed.in_proj_bias.data[values] *= 1 + step
        with no_grad():
            slope.append(model(type(out_proj)(x)).data[0, 3])
        packed.in_proj_weight.data, packed.in_proj_bias.data = weight, bias
    assert found == pytest.approx((slope[0] - slope[1]) / 2e-4, rel=1e-5)


@pytest.mark.parametrize("layer", ["layers.0.self_attn.weights", "layers.1.self_attn.weights"])
def test_attention_times_gradient_equals_torch(layer):
    model = build("small_transformer", 4, np.float64)
    twin = networks.build("small_transformer", model.state_dict(), "float64")
    x, target = np.random.default_rng(3).normal(size=(3, 4, 8)), np.array([1, 4, 2])
    ours = attention_times_gradient(model, x, target, layer)
    theirs = reference.attention_times_gradient(twin, torch.tensor(x), torch.tensor(target), layer)
    assert close(ours, theirs.numpy())


def test_received_attention():
    attention = np.array([[[[1.0, 0], [0.5, 0.5]], [[1, 0], [0, 1]]]])
    assert received_attention(attention).tolist() == [[0.625, 0.375]]


ROWS = random_attention(0)
Q = np.ones((3, 4))
LAYER = (np.ones((1, 2, 4)), np.ones((12, 4)), np.ones(12), np.ones((4, 4)), np.ones(4))
BAD = {
    "a list": (attention_weights, ([[1.0]], Q), TypeError, "query must be a floating-point array"),
    "integers": (attention_weights, (Q, np.ones((2, 4), int)), TypeError, "got int64"),
    "a vector": (attention_weights, (np.ones(4), Q), ValueError, "(..., T, d), got shape (4,)"),
    "widths": (attention_weights, (Q, np.ones((3, 5))), ValueError, "one width, got 4 and 5"),
    "nan": (attention_weights, (Q, Q * np.nan), ValueError, "key must be finite, got 12 NaN"),
    "mask of numbers": (attention_weights, (Q, Q, np.zeros((3, 3))), TypeError, "got float64"),
    "mask too long": (
        attention_weights,
        (Q, Q, np.ones((3, 9), bool)),
        ValueError,
        "broadcast to (3, 3), got shape (3, 9)",
    ),
    "all masked": (
        attention_weights,
        (Q, Q, ~np.eye(3, dtype=bool) & False),
        ValueError,
        "at least",
    ),
    "no batch": (
        multi_head_attention,
        (Q, *LAYER[1:], 2),
        ValueError,
        "(N, T, D), got shape (3, 4)",
    ),
    "heads": (multi_head_attention, (*LAYER, 3), ValueError, "num_heads must divide 4, got 3"),
    "one matrix": (
        multi_head_attention,
        (LAYER[0], np.ones((4, 4)), *LAYER[2:], 2),
        ValueError,
        "in_proj_weight must be (12, 4) for vectors of width 4, got (4, 4)",
    ),
    "one layer": (attention_rollout, (ROWS[0],), ValueError, "got shape (2, 5, 5)"),
    "not square": (attention_rollout, (ROWS[..., :4],), ValueError, "got shape (3, 2, 5, 4)"),
    "scores": (attention_rollout, (ROWS * 2,), ValueError, "sums from 2 to 2"),
    "no such token": (attention_flow, (ROWS, 5), ValueError, "from 0 to 4, got 5"),
}


@pytest.mark.parametrize("bad", BAD)
def test_bad_input_gets_one_clear_sentence(bad):
    function, arguments, error, says = BAD[bad]
    with pytest.raises(error) as caught:
        function(*arguments)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_layer_that_is_not_there_is_named():
    with pytest.raises(KeyError, match=r"no layer is called 'layers\.7'"):
        attention_times_gradient(
            build("small_transformer"), np.zeros((1, 3, 8), np.float32), 0, "layers.7"
        )
