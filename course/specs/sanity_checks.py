"""10 sanity checks: networks destroyed from the top, measures of likeness and their null, and two
methods: one that fails and one that was made to pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import numpy as np

from course.autograd import Tensor, grad, softmax
from course.grading.spec import Case, Exercise, Function, Mistake, ModuleSpec, Network
from course.methods import backprop_rules, sanity_checks, similarity
from course.methods.protocol import Method, Model, Target
from course.methods.saliency import gradient
from course.nn import Module, layers_from_top
from course.specs._protocol import (
    HAND,
    HAND_INPUT,
    MANNERS,
    image_cases,
    in_torch,
    telling_targets,
)

Array = np.ndarray
Draw = Callable[[Module, np.random.Generator], None]


# --- 10.1 reinitialize_from_top ------------------------------------------------------------


HAND_WEIGHTS = np.array([1.0, -1, 2, 0, 0, 2, 1, 1, 1, 1, 3, -2, -1, 2])


def network_cases(rng: np.random.Generator) -> list[Case]:
    """The trained network has biases, which a new layer has not."""
    seeds = [int(s) for s in rng.integers(1, 1 << 31, 4)]
    trained = Network("mnist_gap")
    return [
        Case("nothing", {"model": HAND, "count": 0, "seed": 4}, expected=HAND_WEIGHTS),
        Case("output layer", {"model": HAND, "count": 1, "seed": seeds[0]}),
        Case("two of four", {"model": trained, "count": 2, "seed": seeds[1]}),
        Case("both layers", {"model": Network("hand_pooled"), "count": 2, "seed": seeds[2]}),
        Case("all", {"model": Network("small_cnn", seeds[3]), "count": 3, "seed": seeds[3]}),
    ]


def _redrawn(
    name: str,
    chosen: Callable[[list[str], int], Sequence[str]] = lambda names, count: names[:count],
    draw: Draw = lambda layer, rng: layer.reset_parameters(rng),  # type: ignore[attr-defined]
    generator: Callable[[int, int], int | None] = lambda seed, i: None,
) -> Callable[[Module, int, int], Module]:
    """An answer that draws the chosen layers anew, of which a mistake changes one part.

    generator: the seed of a generator of its own for the i-th layer drawn, from the call's seed.
    """

    def answer(model: Module, count: int, seed: int) -> Module:
        copy, rng = deepcopy(model), np.random.default_rng(seed)
        layers = dict(copy.named_modules())
        for i, name in enumerate(chosen(layers_from_top(copy), count)):
            own = generator(seed, i)
            draw(layers[name], rng if own is None else np.random.default_rng(own))
        return copy

    answer.__name__ = name
    return answer


def _weight_only(new: Callable[[Array, np.random.Generator], Array], bias: bool = True) -> Draw:
    """Draws the weight by a formula and sets the bias to zero, or lets it be."""

    def draw(layer: Module, rng: np.random.Generator) -> None:
        weight: Tensor = layer.weight  # type: ignore[attr-defined]
        weight.data = new(weight.data, rng).astype(weight.dtype)
        if bias and getattr(layer, "bias", None) is not None:
            layer.bias.data = np.zeros_like(layer.bias.data)  # type: ignore[attr-defined]

    return draw


def _he(weight: Array, rng: np.random.Generator) -> Array:
    bound = np.sqrt(6 / np.prod(weight.shape[1:]))
    return rng.uniform(-bound, bound, weight.shape).astype(np.float32)


def by_states(model: Module, count: int, seed: int) -> Module:
    """Draw all, then put the lower layers back."""
    ruined = _redrawn("all", lambda names, _: names)(model, count, seed)
    kept = set(layers_from_top(model)[count:])
    old = model.state_dict()
    state = {
        k: old[k] if k.rpartition(".")[0] in kept else v for k, v in ruined.state_dict().items()
    }
    return ruined.load_state_dict(state)


def by_modules(model: Module, count: int, seed: int) -> Module:
    copy, rng = deepcopy(model), np.random.default_rng(seed)
    able = [m for _, m in copy.named_modules() if hasattr(m, "reset_parameters")]
    for layer in able[::-1][:count]:
        layer.reset_parameters(rng)
    return copy


REINITIALIZE = Exercise(
    number="10.1",
    function=sanity_checks.reinitialize_from_top,
    reference=in_torch(sanity_checks.reinitialize_from_top),
    goal="Copy a network and draw its topmost layers anew, each by its own rule. (The grader looks "
    "at the parameters of the network that you return, one after the other.)",
    anchor="sec-sanity-reinitialize",
    points=2,
    cases=network_cases,
    mistakes=[
        Mistake(
            _redrawn("from_the_bottom", lambda names, count: names[::-1][:count]),
            "you begin at the input; begin at the output layer",
        ),
        Mistake(
            _redrawn("one_layer", lambda names, count: names[count - 1 : count]),
            "you draw one layer anew; all layers above it belong to the cascade too",
        ),
        Mistake(
            _redrawn("the_others", lambda names, count: names[count:]),
            "you keep the topmost layers and draw the others anew; it is the other way round",
        ),
        Mistake(
            _redrawn("one_too_many", lambda names, count: names[: count + 1]),
            "you draw one layer too many; count 0 changes nothing",
        ),
        Mistake(
            _redrawn("upwards", lambda names, count: names[:count][::-1]),
            "you draw the right layers, but the lowest of them first; the output layer is the "
            "first to draw, so that a larger count leaves its weights as they were",
        ),
        Mistake(
            _redrawn("seeded_again", generator=lambda seed, i: seed),
            "you start the generator anew for each layer, so that layers get the same numbers; "
            "one generator serves them all",
        ),
        Mistake(
            _redrawn("next_seed", generator=lambda seed, i: seed + i),
            "each of your layers has a generator of its own, with a seed of its own; one generator "
            "serves them all",
        ),
        Mistake(
            _redrawn("bias_kept", draw=_weight_only(_he, bias=False)),
            "you keep the trained biases; reset_parameters sets them to zero",
        ),
        Mistake(
            _redrawn(
                "shuffled",
                draw=_weight_only(lambda w, rng: rng.permuted(w.ravel()).reshape(w.shape)),
            ),
            "you shuffle the trained weights; draw new ones by the layer's own rule",
        ),
        Mistake(
            _redrawn("standard_normal", draw=_weight_only(lambda w, rng: rng.normal(size=w.shape))),
            "you draw from the standard normal distribution; let each layer draw by its own rule, "
            "reset_parameters",
        ),
        Mistake(
            _redrawn("zeros", draw=_weight_only(lambda w, rng: np.zeros_like(w))),
            "you set weights to zero; a network of zeros is not a random network",
        ),
        Mistake(
            _redrawn("noise_added", draw=_weight_only(lambda w, rng: w + _he(w, rng), bias=False)),
            "you add noise to the trained weights; they have to be gone",
        ),
    ],
    equivalents=[
        by_states,
        by_modules,
        _redrawn("own_formula", draw=_weight_only(_he)),
        _redrawn("by_position", lambda names, count: [names[i] for i in range(count)]),
    ],
    equivalent_mutants=dict.fromkeys(
        (
            "without if not 0 <= count <= len(names):",
            "if not -1 <= count <= len(names):",
            "without raise ValueError(f'count must be 0 to {len(names)}, got {count}')",
            "raise f'count must be 0 to {len(names)}, got {count}'",
            "raise ValueError(f'count must be 0 to {names}, got {count}')",
        ),
        "no exercise asks for an impossible count; the tests do",
    ),
    hints=(
        "What the network has learned is in its layers. Wipe it out from the output down, and "
        "leave the network that you were given as it is: others still need it.",
        "deepcopy(model) is a network of its own. layers_from_top(model) names the layers that can "
        "draw their weights, the output first; dict(copy.named_modules()) finds a layer by name.",
        "for name in layers_from_top(model)[:count]: layers[name].____(rng)",
    ),
)


# --- 10.2 cascading_randomization ----------------------------------------------------------

# At (3, 1, 1, 2), class 1 of the hand-sized network: the gradient, and its product with x.
HAND_GRADIENT = np.array([3.0, -7, 4, -2]).reshape(HAND_INPUT.shape)
PRODUCT = Function("course.methods.saliency.gradient_times_input")


def cascade_cases(rng: np.random.Generator) -> list[Case]:
    hand = {"model": HAND, "x": HAND_INPUT, "target": 1, "seed": 3, "counts": [0]}
    network = Network("small_cnn", seed=int(rng.integers(1 << 31)))
    x = rng.normal(size=(3, 3, 8, 6))
    batch = {
        "model": network,
        "x": x,
        "target": telling_targets(network, x, rng),
        "seed": int(rng.integers(1, 1 << 31)),
    }
    return [
        Case("hand", hand, expected=HAND_GRADIENT[None]),
        Case("batch", batch),
        Case("times the input", {**batch, "method": PRODUCT, "counts": [0, 1]}),
        Case("some steps", {**batch, "x": x[:2], "target": 3, "counts": (3, 1)}),
        Case(
            "single precision",
            {
                **batch,
                "model": Network("small_cnn", network.seed, "float32"),
                "x": np.float32(x),
                "counts": (0, 2),
            },
            tolerance=1e-4,
        ),
    ]


Ruin = Callable[[Module, int, int], Module]


def _cascade(
    name: str,
    ruin: Ruin = sanity_checks.reinitialize_from_top,
    explain: Callable[[Method, Module, Array, Target], Array] = lambda f, m, x, c: f(m, x, c),
    steps: Callable[[list[int]], list[int]] = lambda counts: counts,
    combine: Callable[[list[Array]], Array] = np.stack,
) -> Callable[..., Array]:
    """An answer that is right but for one part."""

    def answer(
        model: Module,
        x: Array,
        target: Target,
        seed: int,
        method: Method = gradient,
        counts: Sequence[int] | None = None,
    ) -> Array:
        given = range(len(layers_from_top(model)) + 1) if counts is None else counts
        return combine(
            [explain(method, ruin(model, k, seed), x, target) for k in steps(list(given))]
        )

    answer.__name__ = name
    return answer


def _new_prediction(method: Method, model: Module, x: Array, target: Target) -> Array:
    return method(model, x, model(Tensor(x)).data.argmax(axis=1))


def step_by_step(
    model: Module,
    x: Array,
    target: Target,
    seed: int,
    method: Method = gradient,
    counts: Sequence[int] | None = None,
) -> Array:
    """Ruin what is already ruined: the same seed draws the layers above as before."""
    total = len(layers_from_top(model))
    maps, network = [method(model, x, target)], model
    for k in range(1, total + 1):
        network = sanity_checks.reinitialize_from_top(network, k, seed)
        maps.append(method(network, x, target))
    return np.stack(maps)[list(range(total + 1) if counts is None else counts)]


def _bottom_up(model: Module, count: int, seed: int) -> Module:
    return _redrawn("", lambda names, k: names[::-1][:k])(model, count, seed)


def _one_alone(model: Module, count: int, seed: int) -> Module:
    return _redrawn("", lambda names, k: names[k - 1 : k] if k else [])(model, count, seed)


CASCADE = Exercise(
    number="10.2",
    function=sanity_checks.cascading_randomization,
    reference=in_torch(sanity_checks.cascading_randomization),
    goal="Explain the same images, for the same classes, while the network is destroyed layer by "
    "layer from the output down.",
    anchor="sec-sanity-cascade",
    points=2,
    cases=cascade_cases,
    given=[sanity_checks.reinitialize_from_top],
    mistakes=[
        Mistake(
            _cascade("new_prediction", explain=_new_prediction),
            "at each step you explain what the ruined network predicts; keep asking for target",
        ),
        Mistake(
            _cascade("from_the_bottom", ruin=_bottom_up),
            "you destroy the network from the input up; this test starts at the output",
        ),
        Mistake(
            _cascade("one_alone", ruin=_one_alone),
            "at each step you draw one layer only; that is independent randomisation",
        ),
        Mistake(
            _cascade(
                "other_seeds",
                ruin=lambda m, k, s: sanity_checks.reinitialize_from_top(m, k, s + k),
            ),
            "each step has a seed of its own, so the layers above change again; hand the same seed "
            "to every step",
        ),
        Mistake(
            _cascade("trained_left_out", steps=lambda counts: [k for k in counts if k] or counts),
            "the maps of the trained network, count 0, are missing",
        ),
        Mistake(
            _cascade("last_left_out", steps=lambda counts: counts[:-1] or counts),
            "the last step, with all of its layers drawn anew, is missing",
        ),
        Mistake(
            _cascade("backwards", steps=lambda counts: counts[::-1]),
            "your steps come in the opposite order",
        ),
        Mistake(
            _cascade("images_first", combine=lambda maps: np.stack(maps, axis=1)),
            "you put the images first; the first axis is that of the steps",
        ),
        Mistake(
            _cascade("one_after_the_other", combine=np.concatenate),
            "you string the steps together; stack them along a new first axis",
        ),
        Mistake(
            _cascade("magnitudes", explain=lambda f, m, x, c: np.abs(f(m, x, c))),
            "you take magnitudes; return the maps as the method gives them",
        ),
        Mistake(
            _cascade("always_the_gradient", explain=lambda f, m, x, c: gradient(m, x, c)),
            "you always use the gradient; use the method that is handed in",
        ),
        Mistake(
            _cascade("differences", combine=lambda maps: np.stack(maps) - maps[0]),
            "you subtract the first maps; return the maps themselves",
        ),
        Mistake(
            _cascade("trained_throughout", ruin=lambda m, k, s: m),
            "you explain the trained network at every step; explain the copy that is ruined",
        ),
        Mistake(
            _cascade("first_target", explain=lambda f, m, x, c: f(m, x, int(np.ravel(c)[0]))),
            "you use the first target for the whole batch",
        ),
    ],
    equivalents=[
        step_by_step,
        _cascade("own_networks", ruin=_redrawn("own")),
        _cascade("from_modules", ruin=by_modules),
        _cascade("joined", combine=lambda maps: np.concatenate([m[None] for m in maps])),
        _cascade(
            "image_by_image",
            explain=lambda f, m, x, c: np.concatenate(
                [f(m, x[i : i + 1], int(t)) for i, t in enumerate(np.broadcast_to(c, len(x)))]
            ),
        ),
        _cascade("single_precision", combine=lambda maps: np.stack(maps).astype(np.float32)),
    ],
    hints=(
        "Two things stay the same while the network falls apart: the image and the class that is "
        "asked about. Everything that changes in the map then comes from the weights.",
        "maps[k] = method(reinitialize_from_top(model, counts[k], seed), x, target); without "
        "counts, k runs from 0 to the number of layers.",
        "np.stack([method(reinitialize_from_top(____, k, seed), x, target) for k in counts])",
    ),
)


# --- 10.3 rank_correlation -----------------------------------------------------------------


def rank_cases(rng: np.random.Generator) -> list[Case]:
    """Continuous values, many ties, a support. Values of ties are not evenly spaced, so that
    correlating them is not correlating their ranks."""
    # Ranks (1, 2.5, 2.5, 4) and (1, 3, 2, 4): 4.5 / sqrt(4.5 * 5).
    hand = {"a": np.array([[1.0, 2, 2, 3]]), "b": np.array([[1.0, 3, 2, 4]])}
    a = rng.normal(size=(3, 1, 6, 5))
    b = np.sign(a + rng.normal(size=a.shape)) * rng.exponential(size=a.shape) + 0.1 * rng.normal(
        size=a.shape
    )
    tied = np.array([-3.0, 0, 0, 0.5, 7])
    ta, tb = tied[rng.integers(0, 5, (2, 4, 1, 6, 5))]
    tb = np.where(rng.random(tb.shape) < 0.6, ta, tb)
    support = rng.random(ta.shape) < 0.5
    # Many maps, alike and opposed: else two mistakes at once may look like one of them.
    ma = tied[rng.integers(0, 5, (60, 1, 6, 5))]
    mb = (ma * rng.uniform(-1, 1, (60, 1, 1, 1)) + 2 * rng.normal(size=ma.shape)).round()
    many = {"a": ma, "b": mb, "support": rng.random(ma.shape) < 0.7}
    return [
        Case("hand", hand, expected=np.array([np.sqrt(0.9)])),
        Case("no ties", {"a": a, "b": b}),
        Case("ties", {"a": ta, "b": tb}),
        Case("support", {"a": a, "b": b, "support": support[:3]}),
        Case("support and ties", {"a": ta, "b": tb, "support": support}),
        Case("many", many),
        Case("single precision", {"a": np.float32(ta), "b": np.float32(tb)}, tolerance=1e-4),
    ]


def average_ranks(values: Array) -> Array:
    """Half of the places that are below, and half of those that are not above."""
    ordered = np.sort(values)
    return (
        np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")
    ) / 2


def pairwise_ranks(values: Array) -> Array:
    return np.sign(values[:, None] - values).sum(axis=1)


def looped_ranks(values: Array) -> Array:
    ordered = sorted(values)
    places: dict[float, list[int]] = {}
    for i, v in enumerate(ordered):
        places.setdefault(v, []).append(i)
    return np.array([sum(places[v]) / len(places[v]) for v in values])


def _pearson(r: Array, s: Array) -> float:
    return float(np.corrcoef(r, s)[0, 1])


def _six_d_squared(r: Array, s: Array) -> float:
    n = len(r)
    return float(1 - 6 * ((r - s) ** 2).sum() / (n * (n * n - 1)))


def _kendall(a: Array, b: Array) -> float:
    one, other = (np.sign(v[:, None] - v) for v in (a, b))
    return float((one * other).sum() / np.sqrt((one**2).sum() * (other**2).sum()))


def _cosine(r: Array, s: Array) -> float:
    return float(r @ s / np.sqrt((r @ r) * (s @ s)))


def _ranked(
    name: str,
    ranks: Callable[[Array], Array] = average_ranks,
    likeness: Callable[[Array, Array], float] = _pearson,
    take: Callable[[Array, Array | None], Array] = lambda m, k: m.ravel() if k is None else m[k],
    after: Callable[[Array], Array] = lambda found: found,
) -> Callable[..., Array]:
    def answer(a: Array, b: Array, support: Array | None = None) -> Array:
        keep = [None] * len(a) if support is None else list(support)
        return after(
            np.array(
                [
                    likeness(ranks(take(m, k)), ranks(take(n, k)))
                    for m, n, k in zip(a, b, keep, strict=True)
                ]
            )
        )

    answer.__name__ = name
    return answer


def whole_batch(a: Array, b: Array, support: Array | None = None) -> Array:
    keep = np.ones(a.shape, bool) if support is None else support
    return np.full(len(a), _pearson(average_ranks(a[keep]), average_ranks(b[keep])))


def ranked_before_choosing(a: Array, b: Array, support: Array | None = None) -> Array:
    """Ranks in the whole map, of which the supported ones are compared."""
    keep = np.ones(a.shape, bool) if support is None else support
    return np.array(
        [
            _pearson(
                average_ranks(m.ravel())[k.ravel()],
                average_ranks(n.ravel())[k.ravel()],
            )
            for m, n, k in zip(a, b, keep, strict=True)
        ]
    )


RANK_CORRELATION = Exercise(
    number="10.3",
    function=similarity.rank_correlation,
    reference=in_torch(similarity.rank_correlation),
    goal="Spearman's correlation of two batches of maps, map by map, where equal values share "
    "their mean rank.",
    anchor="sec-sanity-rank",
    points=3,
    cases=rank_cases,
    mistakes=[
        Mistake(
            _ranked("ties_by_position", lambda v: v.argsort(kind="stable").argsort()),
            "equal values get different ranks, by where they stand (argsort of argsort); they "
            "share the mean of their places",
        ),
        Mistake(
            _ranked("argsort_once", lambda v: v.argsort(kind="stable")),
            "argsort gives the places of the values in order, not the ranks of the places",
        ),
        Mistake(
            _ranked("dense_ranks", lambda v: np.unique(v, return_inverse=True)[1]),
            "you number the different values; a rank counts all values below, and equal ones share "
            "the mean of their places",
        ),
        Mistake(
            _ranked("lowest_place", lambda v: np.searchsorted(np.sort(v), v, "left")),
            "equal values all get the first of their places; they share the mean",
        ),
        Mistake(
            _ranked("highest_place", lambda v: np.searchsorted(np.sort(v), v, "right")),
            "equal values all get the last of their places; they share the mean",
        ),
        Mistake(
            _ranked("six_d_squared", likeness=_six_d_squared),
            "1 - 6 Σd² / n(n² - 1) holds without ties only; take Pearson's correlation of ranks",
        ),
        Mistake(
            _ranked("values_not_ranks", lambda v: v),
            "you correlate the values; correlate their ranks",
        ),
        Mistake(
            _ranked("kendall", lambda v: v, _kendall),
            "you count pairs in the same order, which is Kendall's tau; correlate ranks",
        ),
        Mistake(
            _ranked("not_centred", likeness=_cosine),
            "subtract the mean of the ranks before you multiply",
        ),
        Mistake(
            _ranked("of_magnitudes", lambda v: average_ranks(np.abs(v))),
            "you take magnitudes; signs count here, and the caller may take magnitudes",
        ),
        Mistake(
            _ranked("squared", after=lambda r: r * np.abs(r)),
            "you square the correlation",
        ),
        Mistake(
            _ranked("support_ignored", take=lambda m, k: m.ravel()),
            "you compare all places; only those in the support count",
        ),
        Mistake(
            _ranked("zeros_outside", take=lambda m, k: (m if k is None else m * k).ravel()),
            "outside of the support you compare zeros with zeros, and their ties agree; leave "
            "those places out",
        ),
        Mistake(
            ranked_before_choosing,
            "you rank the whole map before you choose; rank the chosen places among themselves",
        ),
        Mistake(whole_batch, "you rank the whole batch together; compare map by map"),
    ],
    equivalents=[
        _ranked("searchsorted"),
        _ranked("pairs_compared", pairwise_ranks),
        _ranked("looped", looped_ranks),
        _ranked("from_zero", lambda v: average_ranks(v) - 1),
        _ranked("single_precision", after=lambda r: r.astype(np.float32)),
    ],
    equivalent_mutants={
        **dict.fromkeys(
            (
                "return -(last - (sizes - 1) / 2)[group]",
                "return ((sizes - 1) / 2 - last)[group]",
            ),
            "both maps are ranked from the top; their order is compared, not its direction",
        ),
        **dict.fromkeys(
            (
                "return (last - (sizes + 1) / 2)[group]",
                "return (last - sizes / 2)[group]",
                "return (last - (sizes - 2) / 2)[group]",
                "return (last - (sizes - 0) / 2)[group]",
            ),
            "ranks from another number on; their mean is taken off",
        ),
        **dict.fromkeys(
            (
                "found.append(r @ s / length if length >= 0 else np.nan)",
                "found.append(r @ s / length if length > 1 else np.nan)",
                "found.append(r @ s / length if length > -1 else np.nan)",
            ),
            "no case has a constant map, whose answer is not finite; the tests do",
        ),
        "found.append(s @ r / length if length > 0 else np.nan)": "the product is symmetric",
    },
    hints=(
        "A rank is a place in the order. Where several values are equal, no one of them is first: "
        "all get the mean of the places that they fill. Maps are full of ties, most of them at 0.",
        "ρ = Σ (r - r̄)(s - s̄) / √(Σ (r - r̄)² Σ (s - s̄)²), r and s the ranks of the two maps, on "
        "the support. np.unique with return_inverse and return_counts finds equal values.",
        "last = sizes.cumsum(); ranks = (last - (sizes - ____) / 2)[group]",
    ),
)


# --- 10.4 ssim -----------------------------------------------------------------------------


def ssim_cases(rng: np.random.Generator) -> list[Case]:
    """Flat images by hand; random ones, higher than wide; another range and another window."""
    # No variance: (2 μ_a μ_b + c₁) / (μ_a² + μ_b² + c₁) with c₁ = 0.0001 for μ = (0, 1), (½, 1).
    black, grey, white = (np.full((1, 11, 11), v) for v in (0.0, 0.5, 1.0))
    hand = {"a": np.concatenate([black, grey]), "b": np.concatenate([white, white])}
    a = rng.random((3, 15, 13))
    b = 0.7 * a + 0.3 * rng.random(a.shape)
    faint = {"a": 0.1 * a, "b": 0.1 * b[::-1]}  # where the constants weigh
    return [
        Case("hand", hand, expected=np.array([0.0001 / 1.0001, 1.0001 / 1.2501])),
        Case("images", {"a": a, "b": b}),
        Case("faint images", faint),
        Case("range 2", {"a": a, "b": b, "data_range": 2.0}),
        Case("narrow window", {"a": a, "b": b[::-1], "sigma": 0.8}),
        Case("wide window", {"a": a, "b": b, "sigma": 1.6}),
        Case("single precision", {"a": np.float32(a), "b": np.float32(b)}, tolerance=1e-3),
    ]


def _gaussian(sigma: float, reach: int) -> Array:
    line = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    window = np.outer(line, line)
    return window / window.sum()


def _flat(sigma: float, reach: int) -> Array:
    return np.full((2 * reach + 1,) * 2, 1 / (2 * reach + 1) ** 2)


Formula = Callable[..., Array]


def _formula(ma: Array, mb: Array, va: Array, vb: Array, cov: Array, c1: float, c2: float) -> Array:
    luminance = (2 * ma * mb + c1) / (ma**2 + mb**2 + c1)
    return luminance * (2 * cov + c2) / (va + vb + c2)


def _structural(
    name: str,
    window: Callable[[float, int], Array] = _gaussian,
    reach: Callable[[float], int] = lambda sigma: int(3.5 * sigma + 0.5),
    formula: Formula = _formula,
    sample: bool = True,
    constants: Callable[[float], tuple[float, float]] = lambda L: (
        (0.01 * L) ** 2,
        (0.03 * L) ** 2,
    ),
    border: str | None = None,
    after: Callable[[Array], Array] = lambda found: found.mean(axis=(1, 2)),
    before: Callable[[Array], Array] = lambda images: images,
) -> Callable[..., Array]:
    """An answer that looks at each window, and takes deviations from its mean there."""

    def answer(a: Array, b: Array, sigma: float = 1.5, data_range: float = 1.0) -> Array:
        r = reach(sigma)
        weights = window(sigma, r)
        views = []
        for images in (before(a), before(b)):
            if border:
                images = np.pad(images, ((0, 0), (r, r), (r, r)), mode=border)  # type: ignore[call-overload]
            views.append(np.lib.stride_tricks.sliding_window_view(images, weights.shape, (1, 2)))
        ma, mb = ((v * weights).sum(axis=(-1, -2)) for v in views)
        da, db = views[0] - ma[..., None, None], views[1] - mb[..., None, None]
        scale = weights.size / (weights.size - 1) if sample else 1
        va, vb, cov = (
            scale * (p * weights).sum(axis=(-1, -2)) for p in (da * da, db * db, da * db)
        )
        return after(formula(ma, mb, va, vb, cov, *constants(data_range)))

    answer.__name__ = name
    return answer


def without_windows(a: Array, b: Array, sigma: float = 1.5, data_range: float = 1.0) -> Array:
    """One mean and one variance for the whole image."""
    n = a[0].size
    a, b = a.reshape(len(a), -1), b.reshape(len(b), -1)
    ma, mb = a.mean(axis=1), b.mean(axis=1)
    cov = ((a - ma[:, None]) * (b - mb[:, None])).sum(axis=1) / (n - 1)
    va, vb = a.var(axis=1, ddof=1), b.var(axis=1, ddof=1)
    return _formula(ma, mb, va, vb, cov, (0.01 * data_range) ** 2, (0.03 * data_range) ** 2)


def by_convolution(a: Array, b: Array, sigma: float = 1.5, data_range: float = 1.0) -> Array:
    """Two passes with a line, by np.convolve."""
    r = int(3.5 * sigma + 0.5)
    line = np.exp(-0.5 * (np.arange(-r, r + 1) / sigma) ** 2)
    line /= line.sum()

    def blur(images: Array) -> Array:
        for axis in (1, 2):
            images = np.apply_along_axis(np.convolve, axis, images, line, "valid")
        return images

    size = (2 * r + 1) ** 2
    ma, mb = blur(a), blur(b)
    va, vb, cov = (
        size / (size - 1) * (blur(p) - m)
        for p, m in ((a * a, ma * ma), (b * b, mb * mb), (a * b, ma * mb))
    )
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    return _formula(ma, mb, va, vb, cov, c1, c2).mean(axis=(1, 2))


def _one_quotient(
    ma: Array, mb: Array, va: Array, vb: Array, cov: Array, c1: float, c2: float
) -> Array:
    return (2 * ma * mb + c1) * (2 * cov + c2) / ((ma * ma + mb * mb + c1) * (va + vb + c2))


SSIM = Exercise(
    number="10.4",
    function=similarity.ssim,
    reference=in_torch(similarity.ssim),
    goal="Structural similarity of two batches of images, as scikit-image computes it with a "
    "Gaussian window.",
    anchor="sec-sanity-ssim",
    points=3,
    cases=ssim_cases,
    mistakes=[
        Mistake(
            _structural("flat_window", _flat),
            "all pixels of your window weigh the same; they are weighed by a Gaussian",
        ),
        Mistake(
            _structural("seven_by_seven", _flat, lambda sigma: 3),
            "your window is 7 x 7 pixels that weigh the same, scikit-image's default; here it is a "
            "Gaussian that ends at 3.5 sigma",
        ),
        Mistake(
            _structural("three_sigma", reach=lambda sigma: int(3 * sigma + 0.5)),
            "your window ends at 3 sigma; it ends at 3.5",
        ),
        Mistake(
            _structural("sigma_is_variance", lambda s, r: _gaussian(np.sqrt(s), r)),
            "you use sigma as the variance of the window; its square is the variance",
        ),
        Mistake(
            _structural("population_covariance", sample=False),
            "you divide by the number of pixels; sample covariances divide by one less",
        ),
        Mistake(
            _structural("border_reflected", border="reflect"),
            "you average over all pixels, those whose window leaves the image too; only windows "
            "that lie inside count",
        ),
        Mistake(
            _structural("border_of_zeros", border="constant"),
            "windows that leave the image see zeros; only windows that lie inside count",
        ),
        Mistake(
            _structural("constants_not_squared", constants=lambda L: (0.01 * L, 0.03 * L)),
            "the constants are squares: c₁ = (0.01 L)², c₂ = (0.03 L)²",
        ),
        Mistake(
            _structural("range_ignored", constants=lambda L: (0.0001, 0.0009)),
            "your constants do not depend on data_range: c₁ = (0.01 L)², c₂ = (0.03 L)²",
        ),
        Mistake(
            _structural(
                "constants_swapped", constants=lambda L: ((0.03 * L) ** 2, (0.01 * L) ** 2)
            ),
            "c₁ and c₂ are swapped",
        ),
        Mistake(
            _structural(
                "luminance_only",
                formula=lambda ma, mb, va, vb, cov, c1, c2: (
                    (2 * ma * mb + c1) / (ma**2 + mb**2 + c1)
                ),
            ),
            "the second factor, of covariance and variances, is missing",
        ),
        Mistake(
            _structural(
                "structure_only",
                formula=lambda ma, mb, va, vb, cov, c1, c2: (2 * cov + c2) / (va + vb + c2),
            ),
            "the first factor, of the means, is missing",
        ),
        Mistake(
            _structural(
                "standard_deviations",
                formula=lambda ma, mb, va, vb, cov, c1, c2: _formula(
                    ma, mb, np.sqrt(np.abs(va)), np.sqrt(np.abs(vb)), cov, c1, c2
                ),
            ),
            "you add standard deviations below; the formula has their squares",
        ),
        Mistake(without_windows, "you take means over the whole image; take them in each window"),
        Mistake(
            _structural("batch_mean", after=lambda found: np.full(len(found), found.mean())),
            "you average over the batch; return one number an image",
        ),
        Mistake(
            _structural("map_of_similarity", after=lambda found: found),
            "you return the similarity at each pixel; average it over each image",
        ),
        Mistake(
            _structural(
                "stretched",
                before=similarity.unit_range,
            ),
            "you stretch the images to [0, 1]; take them as they are, the caller does that",
        ),
    ],
    equivalents=[
        _structural("deviations"),
        by_convolution,
        _structural("one_quotient", formula=_one_quotient),
        _structural(
            "image_by_image",
            after=lambda found: np.array([float(m.mean()) for m in found]),
        ),
        _structural(
            "single_precision", after=lambda found: found.mean(axis=(1, 2)).astype(np.float32)
        ),
    ],
    equivalent_mutants={
        "offsets = -np.arange(-reach, reach + 1)": "the window is symmetric",
        "window = -np.exp(-0.5 * (offsets / sigma) ** 2)": "its sum changes its sign too",
        **dict.fromkeys(
            (
                "window /= -window.sum()",
                "views = -np.lib.stride_tricks.sliding_window_view(images, len(window), axis)",
                "images = -(views @ window)",
            ),
            "two passes turn the sign twice",
        ),
    },
    hints=(
        "Compare two images window by window: are they equally bright there, and do they vary "
        "together? Both answers are near 1 for like windows; multiply them and average.",
        "(2 μ_a μ_b + c₁)(2 σ_ab + c₂) / ((μ_a² + μ_b² + c₁)(σ_a² + σ_b² + c₂)). Local means are "
        "weighed by the window; σ_ab = n/(n-1) (mean(ab) - μ_a μ_b), n the window's pixels.",
        "cov = sample * (local_mean(a * b) - ____)",
    ),
)


# --- 10.5 masked_noise_null ----------------------------------------------------------------


def null_cases(rng: np.random.Generator) -> list[Case]:
    # |noise| on the support: (3, 1, 0, 0) and (1, 2, 0, 0), ranks (4, 3, 1.5, 1.5) and
    # (3, 4, 1.5, 1.5): 3.5 / 4.5.
    hand = {
        "support": np.array([[True, True, False, False]]),
        "noise": np.array([[[3.0, -1, 5, 2]], [[1.0, 2, -9, 9]]]),
    }
    noise = rng.normal(size=(2, 4, 1, 7, 6))
    support = rng.random(noise[0].shape) < np.array([0.2, 0.5, 0.8, 0.6]).reshape(4, 1, 1, 1)
    # Many maps, alike and opposed: else two mistakes at once may look like one of them.
    many = rng.normal(size=(2, 60, 1, 6, 5))
    many[1] += rng.uniform(-2, 2, (60, 1, 1, 1)) * np.abs(many[0])
    shares = np.linspace(0.2, 0.8, 60).reshape(-1, 1, 1, 1)
    return [
        Case("hand", hand, expected=np.array([7 / 9])),
        Case("masks", {"support": support, "noise": noise}),
        Case("other noise", {"support": support[::-1], "noise": noise[::-1] ** 3}),
        Case("many", {"support": rng.random(many[0].shape) < shares, "noise": many}),
    ]


def _null(
    name: str, pair: Callable[[Array, Array], tuple[Array, ...]], measure: Any = None
) -> Callable[..., Array]:
    """An answer that compares a pair of maps, made of the support and the noise."""

    def answer(support: Array, noise: Array) -> Array:
        return (measure or similarity.rank_correlation)(*pair(support, noise))

    answer.__name__ = name
    return answer


def _pearson_of_maps(a: Array, b: Array) -> Array:
    return np.array([_pearson(m.ravel(), n.ravel()) for m, n in zip(a, b, strict=True)])


NULL = Exercise(
    number="10.5",
    function=sanity_checks.masked_noise_null,
    reference=in_torch(sanity_checks.masked_noise_null),
    goal="How alike are two maps of noise under one mask? The number beside which every absolute "
    "correlation has to be read.",
    anchor="sec-sanity-null",
    points=1,
    cases=null_cases,
    given=[similarity.rank_correlation],
    mistakes=[
        Mistake(
            _null("signed", lambda s, n: (n[0] * s, n[1] * s)),
            "you keep the signs; this is the null of the absolute correlation",
        ),
        Mistake(
            _null("no_mask", lambda s, n: (np.abs(n[0]), np.abs(n[1]))),
            "the mask is missing: without it, two maps of noise do not correlate",
        ),
        Mistake(
            _null("on_the_support", lambda s, n: (np.abs(n[0]), np.abs(n[1]), s)),
            "you compare on the support only; the null is what the zeros outside of it add",
        ),
        Mistake(
            _null("inverted_mask", lambda s, n: (np.abs(n[0] * ~s), np.abs(n[1] * ~s))),
            "your mask is the wrong way round: the noise is zero on the support",
        ),
        Mistake(
            _null("one_masked", lambda s, n: (np.abs(n[0] * s), np.abs(n[1]))),
            "you mask one of the two maps; both lie under the mask",
        ),
        Mistake(
            _null("same_noise", lambda s, n: (np.abs(n[0] * s), np.abs(n[0] * s))),
            "you compare the first map with itself; the two are independent",
        ),
        Mistake(
            _null("noise_and_mask", lambda s, n: (np.abs(n[0] * s), s * 1.0)),
            "you compare a map with the mask; compare the two maps",
        ),
        Mistake(
            _null("pearson", lambda s, n: (np.abs(n[0] * s), np.abs(n[1] * s)), _pearson_of_maps),
            "you correlate values; the null is a rank correlation",
        ),
        Mistake(
            _null("noise_squared_first", lambda s, n: (n[0] * n[1] * s, n[1] * s)),
            "the two maps of noise are independent; do not multiply one by the other",
        ),
    ],
    equivalents=[
        _null("where", lambda s, n: tuple(np.where(s, np.abs(n), 0))),
        _null("squares", lambda s, n: tuple((n * s) ** 2)),
        _null("multiplied_later", lambda s, n: tuple(s * np.abs(n))),
        _null("roots", lambda s, n: tuple(np.sqrt(np.abs(n)) * s)),
    ],
    equivalent_mutants={
        "one, other = -np.abs(noise * support)": "both maps in the opposite order",
        "one, other = np.abs(noise / support)": "infinite outside of the mask instead of zero: "
        "the ties are at the other end of both orders",
        "return rank_correlation(other, one)": "the correlation is symmetric",
    },
    hints=(
        "A method that multiplies by the input is zero wherever the input is, whatever the network "
        "does. Build two maps that have that in common, and nothing else.",
        "ρ(|n₁| · m, |n₂| · m) with the rank correlation of exercise 10.3 and the mask m.",
        "one, other = np.abs(noise * ____)",
    ),
)


# --- 10.6 guided_relu ----------------------------------------------------------------------


def relu_cases(rng: np.random.Generator) -> list[Case]:
    g, x = np.array([2.0, -3, 4, -5, 6]), np.array([1.0, 4, -1, -2, 0])
    hand = {"g": g, "y": np.maximum(x, 0), "x": x}
    gs, xs = rng.normal(size=(2, 3, 4, 6, 5))
    xs = np.where(rng.random(xs.shape) < 0.1, 0, xs)
    single = [v.astype(np.float32) for v in (gs, np.maximum(xs, 0), xs)]
    return [
        Case("hand", hand, expected=np.array([2.0, 0, 0, 0, 0])),
        Case("feature maps", {"g": gs, "y": np.maximum(xs, 0), "x": xs}),
        Case("units", {"g": gs[0, 0], "y": np.maximum(xs[0, 0], 0), "x": xs[0, 0]}),
        Case("single precision", dict(zip("gyx", single, strict=True))),
    ]


def _relu(name: str, way: Callable[[Array, Array, Array], Array]) -> Callable[..., Array]:
    def answer(g: Array, y: Array, x: Array) -> Array:
        return way(g, y, x)

    answer.__name__ = name
    return answer


def one_by_one(g: Array, y: Array, x: Array) -> Array:
    values = [a if a > 0 and b > 0 else 0.0 for a, b in zip(g.flat, x.flat, strict=True)]
    return np.reshape(values, g.shape)


GUIDED_RELU = Exercise(
    number="10.6",
    function=backprop_rules.guided_relu,
    reference=in_torch(backprop_rules.guided_relu),
    goal="The one line that turns the gradient into guided backpropagation.",
    anchor="sec-sanity-guided",
    points=1,
    cases=relu_cases,
    mistakes=[
        Mistake(
            _relu("plain_relu", lambda g, y, x: g * (x > 0)),
            "negative gradients pass; this is the ordinary ReLU",
        ),
        Mistake(
            _relu("deconvnet", lambda g, y, x: g * (g > 0)),
            "you do not look at the forward pass; this is the rule of DeconvNet",
        ),
        Mistake(
            _relu("everything", lambda g, y, x: g),
            "everything passes; the rule stops negative gradients, and units that were off",
        ),
        Mistake(
            _relu("zero_is_on", lambda g, y, x: g * (g > 0) * (x >= 0)),
            "a unit whose input is exactly 0 is off; x > 0",
        ),
        Mistake(
            _relu("negative_gradients", lambda g, y, x: g * (g < 0) * (x > 0)),
            "you keep the negative gradients; guided backpropagation keeps the positive ones",
        ),
        Mistake(
            _relu("off_units", lambda g, y, x: g * (g > 0) * (x <= 0)),
            "you keep the units that were off; keep those that were on",
        ),
        Mistake(
            _relu("magnitude", lambda g, y, x: np.abs(g) * (x > 0)),
            "you turn negative gradients round; they are to stop",
        ),
        Mistake(
            _relu("times_activation", lambda g, y, x: np.maximum(g, 0) * y),
            "you multiply by the activation; the rule only asks whether it was positive",
        ),
        Mistake(
            _relu("either", lambda g, y, x: g * ((g > 0) | (x > 0))),
            "a gradient passes if either condition holds; both have to",
        ),
        Mistake(
            _relu("same_sign", lambda g, y, x: g * (g * x > 0)),
            "where gradient and input are both negative, their product is positive; ask each by "
            "itself",
        ),
        Mistake(
            _relu("only_the_mask", lambda g, y, x: ((g > 0) & (x > 0)) * 1.0),
            "you return the mask; multiply it by the gradient",
        ),
    ],
    equivalents=[
        _relu("by_the_result", lambda g, y, x: np.maximum(g, 0) * (y > 0)),
        _relu("where", lambda g, y, x: np.where((g > 0) & (x > 0), g, 0)),
        _relu("clipped", lambda g, y, x: np.clip(g, 0, None) * np.sign(y)),
        _relu("heaviside", lambda g, y, x: np.heaviside(x, 0) * (g + np.abs(g)) / 2),
        one_by_one,
        _relu("single_precision", lambda g, y, x: (g * (g > 0) * (x > 0)).astype(np.float32)),
    ],
    equivalent_mutants={"return g * (g >= 0) * (x > 0)": "a gradient of 0 stays 0"},
    hints=(
        "The gradient stops at a ReLU that was off. Guided backpropagation stops it in one more "
        "case: where it is negative itself.",
        "R^l = 1[R^(l+1) > 0] · 1[z^l > 0] · R^(l+1), with g for R^(l+1) and x for z^l.",
        "return g * (g > ____) * (____ > 0)",
    ),
)


# --- 10.7 competitive_gradients ------------------------------------------------------------

# Gradient times input of the three labels: (3, 1, 3, 2), (9, -7, 4, -4) and (-3, 5, 0, 4).
VOTES_BY_HAND = {0: [0.0, 0, 0, 0], 1: [9.0, -7, 4, -4], 2: [-3.0, 5, 0, 4]}


def competition_cases(rng: np.random.Generator) -> list[Case]:
    hand = [
        Case(
            f"hand, class {c}",
            {"model": HAND, "x": HAND_INPUT, "target": c},
            expected=np.array(VOTES_BY_HAND[c]).reshape(HAND_INPUT.shape),
        )
        for c in (2, 0)
    ]
    return [*hand, *image_cases(rng)]


def _votes(model: Model, x: Array, by: Callable[[Array, Array], Array]) -> Array:
    """Of each label: (classes, N, ...)."""
    classes = model(Tensor(x)).shape[1]
    return np.stack([by(x, gradient(model, x, c)) for c in range(classes)])


def _own(votes: Array, target: Target) -> Array:
    return votes[target, np.arange(votes.shape[1])]


def _wins(own: Array, votes: Array) -> Array:
    return ((own > 0) & (own == votes.max(axis=0))) | ((own < 0) & (own == votes.min(axis=0)))


def _competing(
    name: str,
    wins: Callable[[Array, Array], Array] = _wins,
    by: Callable[[Array, Array], Array] = lambda x, g: x * g,
    kept: Callable[[Array, Array, Array], Array] = lambda x, own, mask: np.where(mask, own, 0),
    ask: Callable[[Model, Array, Target], Target] = lambda model, x, target: target,
) -> Callable[..., Array]:
    def answer(model: Model, x: Array, target: Target) -> Array:
        votes = _votes(model, x, by)
        own = _own(votes, ask(model, x, target))
        return kept(x, own, wins(own, votes))

    answer.__name__ = name
    return answer


def by_gradient_alone(model: Model, x: Array, target: Target) -> Array:
    """The winner is multiplied by the input afterwards: where the input is negative, so are the
    product and the order."""
    gradients = _votes(model, x, lambda x, g: g)
    own = _own(gradients, target)
    return np.where(_wins(own, gradients), x * own, 0)


def of_probabilities(model: Model, x: Array, target: Target) -> Array:
    inputs = Tensor(x, requires_grad=True)
    p = softmax(model(inputs))
    votes = np.stack(
        [x * grad(p[:, c].sum(), inputs, retain_graph=True) for c in range(p.shape[1])]
    )
    own = _own(votes, target)
    return np.where(_wins(own, votes), own, 0)


def by_argmax(model: Model, x: Array, target: Target) -> Array:
    votes = _votes(model, x, lambda x, g: x * g)
    targets = np.broadcast_to(target, len(x)).reshape(-1, *[1] * (x.ndim - 1))
    own = _own(votes, target)
    most = (votes.argmax(axis=0) == targets) & (own > 0)
    least = (votes.argmin(axis=0) == targets) & (own < 0)
    return own * (most | least)


def _against_each(own: Array, votes: Array) -> Array:
    most, least = own > 0, own < 0
    for other in votes:
        most, least = most & (own >= other), least & (own <= other)
    return most | least


COMPETITION = Exercise(
    number="10.7",
    function=backprop_rules.competitive_gradients,
    reference=in_torch(backprop_rules.competitive_gradients),
    goal="Gradient times input, kept only where the target's entry beats every other label's.",
    anchor="sec-sanity-competition",
    points=2,
    cases=competition_cases,
    properties=MANNERS,
    mistakes=[
        Mistake(
            _competing("no_competition", lambda own, votes: own != 0),
            "nobody competes: this is gradient times input. (In Python, `a > 0 & b` means "
            "`a > (0 & b)`; write `(a > 0) & b`.)",
        ),
        Mistake(
            _competing("winners_only", lambda own, votes: (own > 0) & (own == votes.max(axis=0))),
            "negative entries that are the smallest of all labels' are missing",
        ),
        Mistake(
            _competing(
                "sign_ignored",
                lambda own, votes: (own == votes.max(axis=0)) | (own == votes.min(axis=0)),
            ),
            "an entry that is the largest must be positive too, and the smallest negative",
        ),
        Mistake(
            _competing("by_magnitude", lambda own, votes: np.abs(own) == np.abs(votes).max(axis=0)),
            "labels compete with magnitudes; positive entries compete to be the largest, negative "
            "ones to be the smallest",
        ),
        Mistake(
            _competing("gradient_returned", by=lambda x, g: g),
            "the input is missing; labels compete with gradient times input",
        ),
        Mistake(
            _competing(
                "above_the_mean",
                lambda own, votes: (
                    ((own > 0) & (own > votes.mean(axis=0)))
                    | ((own < 0) & (own < votes.mean(axis=0)))
                ),
            ),
            "an entry has to beat every other label, not their mean",
        ),
        Mistake(
            _competing("mask_returned", kept=lambda x, own, mask: mask * 1.0),
            "you return where the target wins; return its entries there",
        ),
        Mistake(
            _competing("losers_kept", kept=lambda x, own, mask: np.where(mask, 0, own)),
            "you keep the entries that lose; keep those that win",
        ),
        Mistake(
            _competing("magnitudes", kept=lambda x, own, mask: np.where(mask, np.abs(own), 0)),
            "you return magnitudes; entries keep their signs",
        ),
        Mistake(
            _competing(
                "predicted_class",
                ask=lambda model, x, target: model(Tensor(x)).data.argmax(axis=1),
            ),
            "you explain the class that the network predicts; explain the class in target",
        ),
        Mistake(
            _competing("first_target", ask=lambda model, x, target: int(np.ravel(target)[0])),
            "you use the first target for the whole batch",
        ),
        Mistake(
            of_probabilities,
            "you differentiate the probabilities; labels compete with their logits",
        ),
    ],
    equivalents=[
        _competing("every_label_explained"),
        by_gradient_alone,
        by_argmax,
        _competing("label_by_label", _against_each),
        _competing("by_product", kept=lambda x, own, mask: own * mask),
        _competing(
            "single_precision",
            kept=lambda x, own, mask: np.where(mask, own, 0).astype(np.float32),
        ),
    ],
    equivalent_mutants={
        "seeds = np.eye(logits.shape[1])": "ones are the same number in both precisions",
        "return np.where(least | most, own, 0)": "the order of the two does not matter",
        **dict.fromkeys(
            (
                "most = (own == votes.max(axis=0)) & (own > 0)",
                "least = (own == votes.min(axis=0)) & (own < 0)",
            ),
            "the order of the two does not matter",
        ),
        **dict.fromkeys(
            (
                "most = (own >= 0) & (own == votes.max(axis=0))",
                "least = (own <= 0) & (own == votes.min(axis=0))",
            ),
            "an entry of 0 stays 0",
        ),
    },
    hints=(
        "Compute gradient times input for every label, not just for the target. A pixel votes for "
        "the label that it helps most and against the one that it hurts most; let the target keep "
        "only the votes that are its own.",
        "h^y = x ⊙ ∂S_y/∂x. Keep h_i^c where h_i^c > 0 is the largest of all h_i^y, or h_i^c < 0 "
        "the smallest. `grad(logits, inputs, seed, retain_graph=True)` with a one-hot row for each "
        "image differentiates one label.",
        "most = (own > 0) & (own == votes.____(axis=0))",
    ),
)


SPEC = ModuleSpec(
    number="10",
    name="sanity_checks",
    title="Sanity checks: does the map depend on the network?",
    summary="Destroy a network layer by layer, look at what its explanations make of it, and "
    "measure by how much.",
    exercises=(
        REINITIALIZE,
        CASCADE,
        RANK_CORRELATION,
        SSIM,
        NULL,
        GUIDED_RELU,
        COMPETITION,
    ),
)
