"""06 integrated gradients: the path, the integral along it, its test, its averages and parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from course.autograd import Tensor, grad, softmax
from course.grading.arguments import realise
from course.grading.spec import Case, Exercise, Mistake, ModuleSpec, Network, Property
from course.methods import integrated_gradients as library
from course.methods.protocol import Model, Target, score
from course.methods.quadrature import quadrature
from course.methods.saliency import gradient
from course.specs._protocol import HAND, HAND_INPUT, MANNERS, in_torch, telling_targets

Array = np.ndarray

# On the way from here to HAND_INPUT the first hidden unit of the lecture's network is off for the
# first fifth, since its input goes from -1 to 4; the second unit's stays at 5.
HAND_START = np.array([[[[-1.0, 2.0]], [[1.0, 0.0]]]])


def _like_image(numbers: list[float]) -> Array:
    return np.array(numbers).reshape(HAND_INPUT.shape)


# --- 06.1 straight_line_path ---------------------------------------------------------------


def path_cases(rng: np.random.Generator) -> list[Case]:
    quarter = _like_image([0.0, 1.75, 1.0, 0.5])
    hand = Case(
        "hand",
        {"baseline": HAND_START, "x": HAND_INPUT, "alphas": np.array([0.25, 1.0])},
        expected=np.stack([quarter, HAND_INPUT]),
    )
    baseline, x = rng.normal(size=(2, 2, 3, 8, 6))
    colour, alphas = rng.normal(size=(1, 3, 1, 1)), rng.uniform(size=5)
    return [
        hand,
        Case("batch", {"baseline": baseline, "x": x, "alphas": alphas}),
        Case("one colour", {"baseline": colour, "x": x, "alphas": alphas[:3]}),
        Case("black", {"baseline": np.zeros_like(x), "x": x, "alphas": alphas[1:]}),
    ]


def _path(name: str, at: Callable[[Array, Array, float], Array]) -> Callable[..., Array]:
    """An answer that makes the path point by point."""

    def answer(baseline: Array, x: Array, alphas: Array) -> Array:
        return np.stack([at(baseline, x, float(a)) for a in alphas])

    answer.__name__ = name
    return answer


def even_steps(baseline: Array, x: Array, alphas: Array) -> Array:
    return library.straight_line_path(baseline, x, np.linspace(0, 1, len(alphas)))


def batch_first(baseline: Array, x: Array, alphas: Array) -> Array:
    return library.straight_line_path(baseline, x, alphas).swapaxes(0, 1)


def one_long_batch(baseline: Array, x: Array, alphas: Array) -> Array:
    return np.concatenate(list(library.straight_line_path(baseline, x, alphas)))


def running_sum(baseline: Array, x: Array, alphas: Array) -> Array:
    return library.straight_line_path(baseline, x, np.cumsum(alphas))


def weighted_ends(baseline: Array, x: Array, alphas: Array) -> Array:
    a = alphas[:, None, None, None, None]
    return (1 - a) * baseline + a * x


def outer_product(baseline: Array, x: Array, alphas: Array) -> Array:
    return baseline + np.multiply.outer(alphas, x - baseline)


def contraction(baseline: Array, x: Array, alphas: Array) -> Array:
    return np.einsum("k,nchw->knchw", alphas, x - baseline) + baseline


def path_in_single_precision(baseline: Array, x: Array, alphas: Array) -> Array:
    return library.straight_line_path(baseline, x, alphas).astype(np.float32)


STRAIGHT_LINE_PATH = Exercise(
    number="06.1",
    function=library.straight_line_path,
    reference=in_torch(library.straight_line_path),
    goal="Mix a baseline and a batch of inputs: one mixture for each fraction of the way.",
    anchor="sec-ig-path",
    points=1,
    cases=path_cases,
    mistakes=[
        Mistake(
            _path("from_zero", lambda b, x, a: a * np.broadcast_to(x, x.shape)),
            "your path starts at zero; it starts at the baseline",
        ),
        Mistake(
            _path("backwards", lambda b, x, a: x + a * (b - x)),
            "your path runs from x to the baseline; α = 0 is the baseline",
        ),
        Mistake(
            _path("way_alone", lambda b, x, a: a * (x - b)),
            "you return how far to go from the baseline; add the baseline itself",
        ),
        Mistake(
            _path("baseline_kept", lambda b, x, a: b + a * x),
            "you add α x to the whole baseline; what is added is α (x - baseline)",
        ),
        Mistake(
            _path("halfway", lambda b, x, a: (b + a * x) / 2),
            "you average baseline and α x; weigh the two by 1 - α and α",
        ),
        Mistake(even_steps, "you ignore alphas and take even steps from 0 to 1"),
        Mistake(running_sum, "you add the fractions up; each is measured from the baseline"),
        Mistake(batch_first, "your first axis is the batch; the points of the path come first"),
        Mistake(one_long_batch, "you join points and examples in one axis; keep (K, N, ...)"),
        Mistake(
            _path("clipped", lambda b, x, a: np.clip(b + a * (x - b), 0, 1)),
            "you clip to [0, 1]; the inputs of a network may lie elsewhere",
        ),
    ],
    equivalents=[
        _path("point_by_point", lambda b, x, a: b + a * (x - b)),
        weighted_ends,
        outer_product,
        contraction,
        path_in_single_precision,
    ],
    equivalent_mutants={
        "alphas = np.asarray(alphas, x.dtype).reshape(-2, *[1] * x.ndim)": "NumPy reads every "
        "negative length as -1",
    },
    hints=(
        "Cross-fade from one picture to another: at α = 0 only the baseline is seen, at α = 1 only "
        "the input.",
        "γ(α) = x̄ + α (x - x̄). For all α at once, give alphas the shape (K, 1, ..., 1), with as "
        "many ones as x has axes; broadcasting does the rest.",
        "return baseline + alphas * (____ - ____)",
    ),
)


def _other_chunks(signature: str) -> dict[str, str]:
    """The mutants of a default chunk of 8, which no answer depends on."""
    why = "chunks change the memory, not the mean"
    return {f"def {signature.format(chunk)}:": why for chunk in (7, 9)}


# --- 06.2 integrated_gradients -------------------------------------------------------------


def integral_cases(rng: np.random.Generator) -> list[Case]:
    # The gradient is (0, -4, -2, -2) on the first fifth of the way and (3, -7, 4, -2) on the rest,
    # on average (2.4, -6.4, 2.8, -2); the way is (4, -1, 0, 2).
    hand = Case(
        "hand",
        {"model": HAND, "x": HAND_INPUT, "target": 1, "baseline": HAND_START, "steps": 5},
        expected=_like_image([9.6, 6.4, 0.0, -4.0]),
    )
    images = Network("small_cnn", seed=int(rng.integers(1 << 31)))
    words = Network("small_text", seed=int(rng.integers(1 << 31)))
    x, baseline = rng.normal(size=(4, 3, 8, 6)), 0.5 * rng.normal(size=(4, 3, 8, 6))
    vectors, padding = 2 * rng.normal(size=(2, 2, 5, 4))
    told = telling_targets(words, vectors, rng)
    single = Network("small_cnn", images.seed, "float32")
    sentence = {"model": words, "x": vectors, "target": told, "baseline": padding}
    return [
        hand,
        Case(
            "batch",
            {
                "model": images,
                "x": x,
                "target": telling_targets(images, x, rng),
                "baseline": baseline,
                "steps": 6,
            },
        ),
        Case("right", {**sentence, "steps": 4, "rule": "right"}),
        Case("trapezoid", {**sentence, "steps": 5, "rule": "trapezoid"}),
        Case("Gauss-Legendre", {**sentence, "target": 2, "steps": 3, "rule": "gauss_legendre"}),
        Case(
            "single precision",
            {
                "model": single,
                "x": np.float32(x[:2]),
                "target": 2,
                "baseline": np.float32(baseline[:2]),
                "steps": 3,
            },
            tolerance=1e-4,
        ),
    ]


Gradient = Callable[[Model, Array, Target], Array]


def _probability(model: Model, x: Array, target: Target) -> Array:
    inputs = Tensor(x, requires_grad=True)
    return grad(softmax(model(inputs))[np.arange(len(x)), target].sum(), inputs)


def _integral(
    name: str,
    slope: Gradient = gradient,
    nodes: Callable[[int, str], tuple[Array, Array]] = quadrature,
    start: Callable[[Array, Array], Array] = lambda b, x: b,
    term: Callable[[Array, float], Array] = lambda g, a: g,
    way: Callable[[Array, Array], Array] = lambda b, x: x - b,
) -> Callable[..., Array]:
    """An answer that adds up point by point, of which a mistake changes one part."""

    def answer(
        model: Model,
        x: Array,
        target: Target,
        baseline: Array,
        steps: int = 50,
        rule: str = "midpoint",
        chunk: int = 1,
    ) -> Array:
        total = np.zeros_like(x)
        for a, w in zip(*nodes(steps, rule), strict=True):
            begin = start(baseline, x)
            point = (begin + a * (x - begin)).astype(x.dtype)
            total = total + w * term(slope(model, point, target), a)
        return (way(baseline, x) * total).astype(x.dtype)

    answer.__name__ = name
    return answer


def _always(rule: str) -> Callable[[int, str], tuple[Array, Array]]:
    return lambda steps, asked: quadrature(steps, rule)


def _ends_at_full_weight(steps: int, rule: str) -> tuple[Array, Array]:
    return np.linspace(0, 1, steps), np.full(steps, 1 / steps)


def _summed(steps: int, rule: str) -> tuple[Array, Array]:
    nodes, weights = quadrature(steps, rule)
    return nodes, weights * steps


def _unweighted(steps: int, rule: str) -> tuple[Array, Array]:
    return quadrature(steps, rule)[0], np.full(steps, 1 / steps)


def _short_trapezoid(steps: int, rule: str) -> tuple[Array, Array]:
    nodes, weights = quadrature(steps, rule)
    return nodes, weights * ((steps - 1) / steps if rule == "trapezoid" else 1)


def _last_only(steps: int, rule: str) -> tuple[Array, Array]:
    return np.ones(1), np.ones(1)


def _first_target(model: Model, x: Array, target: Target) -> Array:
    return gradient(model, x, int(np.ravel(target)[0]))


def all_points_at_once(
    model: Model,
    x: Array,
    target: Target,
    baseline: Array,
    steps: int = 50,
    rule: str = "midpoint",
) -> Array:
    nodes, weights = quadrature(steps, rule)
    path = library.straight_line_path(baseline, x, nodes)
    targets = np.tile(np.broadcast_to(target, len(x)), steps)
    slopes = gradient(model, path.reshape(-1, *x.shape[1:]), targets)
    return (x - baseline) * np.tensordot(weights, slopes.reshape(path.shape), 1)


def one_by_one(model: Model, x: Array, target: Target, baseline: Array, **options: Any) -> Array:
    targets = np.broadcast_to(target, len(x))
    parts = [
        library.integrated_gradients(model, x[i : i + 1], int(c), baseline[i : i + 1], **options)
        for i, c in enumerate(targets)
    ]
    return np.concatenate(parts)


def from_the_other_end(
    model: Model,
    x: Array,
    target: Target,
    baseline: Array,
    steps: int = 50,
    rule: str = "midpoint",
) -> Array:
    mirrored = {"left": "right", "right": "left"}.get(rule, rule)
    return -library.integrated_gradients(model, baseline, target, x, steps, mirrored)


INTEGRATED_GRADIENTS = Exercise(
    number="06.2",
    function=library.integrated_gradients,
    reference=in_torch(library.integrated_gradients),
    goal="Average the gradient along the way from a baseline, by any rule of quadrature, and "
    "multiply by the way.",
    anchor="sec-ig-integral",
    points=4,
    cases=integral_cases,
    properties=(
        *MANNERS,
        Property(
            "completeness",
            case="hand",
            variations=(lambda a: {k: v for k, v in a.items() if k != "steps"},),
            # The unit starts at the end of a piece, of five and of fifty; S_1 goes from -10 to 2.
            holds=lambda one, two: abs(one.sum() - 12) < 1e-6 and abs(two.sum() - 12) < 1e-6,
            says="the entries add up to the change of the score along the path; yours do not",
        ),
    ),
    given=[library.straight_line_path],
    mistakes=[
        Mistake(
            _integral("way_missing", way=lambda b, x: np.ones_like(x)),
            "you return the average gradient; multiply it by x - baseline",
        ),
        Mistake(
            _integral("times_input", way=lambda b, x: x),
            "you multiply by x; the way is x - baseline, and a baseline need not be zero",
        ),
        Mistake(
            _integral("way_backwards", way=lambda b, x: b - x),
            "your way points from x to the baseline",
        ),
        Mistake(
            _integral("end_of_path", nodes=_last_only),
            "you look at the gradient at x alone; average it over the whole path",
        ),
        Mistake(
            _integral("path_from_zero", start=lambda b, x: np.zeros_like(x)),
            "your path starts at zero although you multiply by x - baseline",
        ),
        Mistake(
            _integral("baseline_ignored", start=lambda b, x: 0 * x, way=lambda b, x: x),
            "you ignore the baseline: this is the integral from zero",
        ),
        Mistake(
            _integral("summed", nodes=_summed),
            "you add up the gradients without dividing by the number of steps",
        ),
        Mistake(
            _integral("always_left", nodes=_always("left")),
            "you take the left ends of the pieces, whatever rule is asked for",
        ),
        Mistake(
            _integral("always_right", nodes=_always("right")),
            "you take the right ends of the pieces, whatever rule is asked for",
        ),
        Mistake(
            _integral("always_midpoint", nodes=_always("midpoint")),
            "you take the midpoints of the pieces, whatever rule is asked for",
        ),
        Mistake(
            _integral("ends_at_full_weight", nodes=_ends_at_full_weight),
            "you average over linspace(0, 1, steps): both ends count in full, which is no rule of "
            "quadrature, though one library ships it",
        ),
        Mistake(
            _integral("unweighted", nodes=_unweighted),
            "you look at the right points and weigh them alike; use the weights of the rule",
        ),
        Mistake(
            _integral("short_trapezoid", nodes=_short_trapezoid),
            "your trapezoid's weights add up to (steps - 1) / steps, as captum's do; they have to "
            "add up to 1",
        ),
        Mistake(
            _integral("through_the_mixture", term=lambda g, a: a * g),
            "you differentiate with respect to x through the mixture, which brings in a factor α; "
            "differentiate with respect to the mixed input",
        ),
        Mistake(
            _integral("average_magnitude", term=lambda g, a: np.abs(g)),
            "you average magnitudes; opposite slopes on the path have to cancel",
        ),
        Mistake(
            _integral("probability", slope=_probability),
            "you integrate the probability's gradient; explain the logit",
        ),
        Mistake(_integral("first_target", slope=_first_target), "you use the first target for all"),
    ],
    equivalents=[
        _integral("point_by_point"),
        all_points_at_once,
        one_by_one,
        from_the_other_end,
    ],
    equivalent_mutants={
        **_other_chunks(
            "integrated_gradients(model, x, target, baseline, steps=50, rule='midpoint', chunk={})"
        ),
        "points = (straight_line_path(baseline, x, a)[-1] for a in alphas)": "the path has one "
        "point",
    },
    hints=(
        "A slope at one place knows nothing of the rest of the way. Walk from the baseline to the "
        "input, look at the slope at many places, and take their weighted mean.",
        "IG = (x - x̄) · Σ_k w_k ∇S(x̄ + α_k (x - x̄)). `quadrature` gives α and w; `mean_over` "
        "takes the points one array after the other, the weights, and a function of (batch, rows), "
        "where targets[rows] are the batch's targets.",
        "points = (straight_line_path(baseline, x, a)[0] for a in ____)",
    ),
)


# --- 06.3 completeness_gap -----------------------------------------------------------------


def gap_cases(rng: np.random.Generator) -> list[Case]:
    hand = Case(
        "hand",
        {
            "model": HAND,
            "x": HAND_INPUT,
            "target": 1,
            "baseline": HAND_START,
            "attributions": _like_image([9.6, 6.4, 0.0, -3.0]),
        },
        expected=np.array([1.0]),  # 13 attributed, and the score goes from -10 to 2
    )
    network = Network("small_cnn", seed=int(rng.integers(1 << 31)))
    x, baseline, found = rng.normal(size=(3, 4, 3, 8, 6))
    batch = {
        "model": network,
        "x": x,
        "target": telling_targets(network, x, rng),
        "baseline": baseline,
        "attributions": found / 20,
    }
    return [hand, Case("batch", batch), Case("one target", {**batch, "target": 3})]


def _gap(
    name: str,
    total: Callable[[Array], Array] = lambda a: a.sum(axis=(1, 2, 3)),
    reads: Callable[[Model, Array, Target], Array] = score,
    combine: Callable[[Array, Array, Array], Array] = lambda a, end, start: a - (end - start),
) -> Callable[..., Array]:
    def answer(
        model: Model, x: Array, target: Target, baseline: Array, attributions: Array
    ) -> Array:
        end, start = reads(model, x, target), reads(model, baseline, target)
        return np.asarray(combine(total(attributions), end, start))

    answer.__name__ = name
    return answer


def _probability_score(model: Model, x: Array, target: Target) -> Array:
    return softmax(model(Tensor(x))).data[np.arange(len(x)), target]


def _predicted_score(model: Model, x: Array, target: Target) -> Array:
    return model(Tensor(x)).data.max(axis=1)


COMPLETENESS_GAP = Exercise(
    number="06.3",
    function=library.completeness_gap,
    reference=in_torch(library.completeness_gap),
    goal="Test an explanation: do its entries add up to the change of the score?",
    anchor="sec-ig-completeness",
    points=1,
    cases=gap_cases,
    properties=MANNERS,
    mistakes=[
        Mistake(
            _gap("without_baseline", combine=lambda a, end, start: a - end),
            "you compare with the score at x; compare with its change from the baseline",
        ),
        Mistake(
            _gap("scores_added", combine=lambda a, end, start: a - (end + start)),
            "you add the two scores; the change is their difference",
        ),
        Mistake(
            _gap("change_added", combine=lambda a, end, start: a + (end - start)),
            "you add the change to the sum; subtract it",
        ),
        Mistake(
            _gap("other_sign", combine=lambda a, end, start: end - start - a),
            "your gap has the opposite sign, as captum's has for LRP: here it is sum minus change",
        ),
        Mistake(
            _gap("magnitude", combine=lambda a, end, start: np.abs(a - (end - start))),
            "you return the magnitude; the sign says whether too much or too little is attributed",
        ),
        Mistake(
            _gap("relative", combine=lambda a, end, start: (a - end + start) / (end - start)),
            "you divide by the change; the gap is in the units of the score",
        ),
        Mistake(
            _gap("sum_of_magnitudes", total=lambda a: np.abs(a).sum(axis=(1, 2, 3))),
            "you add magnitudes; completeness is about the signed sum",
        ),
        Mistake(
            _gap("mean_of_entries", total=lambda a: a.mean(axis=(1, 2, 3))),
            "you average the entries; add them",
        ),
        Mistake(
            _gap("whole_batch", total=lambda a: a.sum()),
            "you add up the whole batch; each example has its own sum",
        ),
        Mistake(
            _gap("sum_alone", combine=lambda a, end, start: a),
            "you return the sum of the attributions; subtract the change of the score",
        ),
        Mistake(
            _gap("probability", reads=_probability_score),
            "you compare with the probability; the attributions explain the logit",
        ),
        Mistake(
            _gap("predicted_class", reads=_predicted_score),
            "you read the largest logit; read that of the target",
        ),
    ],
    equivalents=[
        _gap("sum_over_axes"),
        _gap("einsum", total=lambda a: np.einsum("nchw->n", a)),
        _gap("one_by_one", total=lambda a: np.array([one.sum() for one in a])),
        _gap("other_order", combine=lambda a, end, start: (a + start) - end),
    ],
    equivalent_mutants={
        "return attributions.reshape(len(x), -2).sum(axis=1) - change": "NumPy reads every "
        "negative length as -1",
    },
    hints=(
        "An explanation that claims to share out a change should share out all of it, and no "
        "more. So add it up and compare.",
        "gap = Σ_i A_i - (S_c(x) - S_c(x̄)), one number for each example; `score` reads S_c.",
        "return attributions.reshape(len(x), -1).sum(axis=1) - ____",
    ),
)


# --- 06.4 expected_gradients ---------------------------------------------------------------


def expected_cases(rng: np.random.Generator) -> list[Case]:
    # From zero both units are on: the product is (9, -7, 4, -4). A tenth of the way from
    # HAND_START the first is off: (0, -4, -2, -2) times (4, -1, 0, 2).
    hand = Case(
        "hand",
        {
            "model": HAND,
            "x": HAND_INPUT,
            "target": 1,
            "baselines": np.stack([np.zeros((2, 1, 2)), HAND_START[0]]),
            "alphas": np.array([0.5, 0.1]),
        },
        expected=_like_image([4.5, -1.5, 2.0, -4.0]),
    )
    network = Network("small_cnn", seed=int(rng.integers(1 << 31)))
    x, baselines = rng.normal(size=(4, 3, 8, 6)), rng.normal(size=(6, 3, 8, 6))
    batch = {
        "model": network,
        "x": x,
        "target": telling_targets(network, x, rng),
        "baselines": baselines,
        "alphas": rng.uniform(size=6),
    }
    return [
        hand,
        Case("batch", batch),
        Case("one target", {**batch, "target": 3, "alphas": 0.9 ** np.arange(6)}),
        Case(
            "single precision",
            {
                **batch,
                "model": Network("small_cnn", network.seed, "float32"),
                "x": np.float32(x),
                "baselines": np.float32(baselines),
            },
            tolerance=1e-4,
        ),
    ]


def _expected(
    name: str,
    slope: Gradient = gradient,
    at: Callable[[Array, Array, float], Array] = lambda b, x, a: b + a * (x - b),
    term: Callable[[Array, Array, Array], Array] = lambda b, x, g: (x - b) * g,
    combine: Callable[[Array], Array] = lambda terms: terms.mean(axis=0),
    draws: Callable[[Array, Array], tuple[Array, Array]] = lambda b, a: (b, a),
) -> Callable[..., Array]:
    def answer(
        model: Model, x: Array, target: Target, baselines: Array, alphas: Array, chunk: int = 1
    ) -> Array:
        pairs = zip(*draws(baselines, alphas), strict=True)
        terms = [term(b, x, slope(model, at(b, x, a).astype(x.dtype), target)) for b, a in pairs]
        return combine(np.stack(terms)).astype(x.dtype)

    answer.__name__ = name
    return answer


def mean_baseline(model: Model, x: Array, target: Target, baselines: Array, alphas: Array) -> Array:
    same = np.broadcast_to(baselines.mean(axis=0), baselines.shape)
    return library.expected_gradients(model, x, target, same, alphas)


def product_of_means(
    model: Model, x: Array, target: Target, baselines: Array, alphas: Array
) -> Array:
    points = zip(baselines, alphas, strict=True)
    slopes = [gradient(model, (b + a * (x - b)).astype(x.dtype), target) for b, a in points]
    return (x - baselines.mean(axis=0)) * np.mean(slopes, axis=0)


def in_one_batch(model: Model, x: Array, target: Target, baselines: Array, alphas: Array) -> Array:
    b, a = baselines[:, None], alphas.astype(x.dtype)[:, None, None, None, None]
    points = b + a * (x - b)
    targets = np.tile(np.broadcast_to(target, len(x)), len(alphas))
    slopes = gradient(model, points.reshape(-1, *x.shape[1:]), targets)
    return ((x - b) * slopes.reshape(points.shape)).mean(axis=0)


def each_example(model: Model, x: Array, target: Target, baselines: Array, alphas: Array) -> Array:
    targets = np.broadcast_to(target, len(x))
    maps = [
        library.expected_gradients(model, x[i : i + 1], int(c), baselines, alphas)
        for i, c in enumerate(targets)
    ]
    return np.concatenate(maps)


EXPECTED_GRADIENTS = Exercise(
    number="06.4",
    function=library.expected_gradients,
    reference=in_torch(library.expected_gradients),
    goal="Average over many baselines, looking at one point of the path from each.",
    anchor="sec-ig-expected",
    points=2,
    cases=expected_cases,
    properties=MANNERS,
    given=[library.straight_line_path, library.integrated_gradients],
    mistakes=[
        Mistake(
            mean_baseline,
            "you average the baselines first; the average photograph is one more baseline, not "
            "the average over baselines",
        ),
        Mistake(
            product_of_means,
            "you multiply the mean way by the mean gradient; each gradient has its own way",
        ),
        Mistake(
            _expected("way_missing", term=lambda b, x, g: g),
            "you average the gradients alone; multiply each by x minus its baseline",
        ),
        Mistake(
            _expected("times_input", term=lambda b, x, g: x * g),
            "you multiply by x; the way is x minus the baseline",
        ),
        Mistake(
            _expected("summed", combine=lambda terms: terms.sum(axis=0)),
            "you add the terms up; average them",
        ),
        Mistake(
            _expected("backwards", at=lambda b, x, a: x + a * (b - x)),
            "you count α from x; α = 0 is the baseline",
        ),
        Mistake(
            _expected("at_the_input", at=lambda b, x, a: x),
            "you look at the gradient at x; look at it on the path, at α",
        ),
        Mistake(
            _expected("halfway", draws=lambda b, a: (b, np.full(len(b), 0.5))),
            "you look halfway for every baseline; use the given alphas",
        ),
        Mistake(
            _expected(
                "every_pair", draws=lambda b, a: (np.repeat(b, len(a), axis=0), np.tile(a, len(b)))
            ),
            "you combine every baseline with every α; they come in pairs",
        ),
        Mistake(
            _expected("first_baseline", draws=lambda b, a: (np.repeat(b[:1], len(a), axis=0), a)),
            "you use the first baseline for all alphas",
        ),
        Mistake(
            _expected("probability", slope=_probability),
            "you use the probability's gradient; explain the logit",
        ),
    ],
    equivalents=[
        _expected("point_by_point"),
        _expected("in_reverse", draws=lambda b, a: (b[::-1], a[::-1])),
        in_one_batch,
        each_example,
    ],
    equivalent_mutants={
        **_other_chunks("expected_gradients(model, x, target, baselines, alphas, chunk={})"),
        "return mean_over(on_batch, pairs)": "chunks change the memory, not the mean",
        **{
            f"pairs = (np.stack([straight_line_path(b, x, a)[{i}], x - b], axis=1) for b, a in "
            f"zip(baselines.astype(x.dtype), alphas{strict}))": why
            for i, strict, why in (
                (-1, ", strict=True", "the path has one point"),
                (0, "", "no case has more of one than of the other"),
                (0, ", strict=False", "no case has more of one than of the other"),
            )
        },
    },
    hints=(
        "No single baseline says nothing. Take many, and since an average is wanted anyway, one "
        "random point from each path is as good as a whole path from a few.",
        "EG = mean_k (x - x̄_k) · ∇S(x̄_k + α_k (x - x̄_k)). The product stands inside the mean, so "
        "let each point carry its way along: np.stack([point, way], axis=1) is (N, 2, ...).",
        "return ways * gradient(model, ____, targets[____])",
    ),
)


# --- 06.5 split_integrated_gradients -------------------------------------------------------


def split_cases(rng: np.random.Generator) -> list[Case]:
    # S_1 stays at -10 until α = 0.2 and then rises by 15 α, to 2. It has risen by 0.15 · 12 = 1.8
    # at 0.32, so of ten points the fourth is the first beyond: the cut is at 0.4. Up to there the
    # first unit is on half the time, and from there always.
    before = [1.6 * 1.5, -0.4 * -5.5, 0.0, 0.8 * -2]
    after = [2.4 * 3, -0.6 * -7, 0.0, 1.2 * -2]
    hand = Case(
        "hand",
        {
            "model": HAND,
            "x": HAND_INPUT,
            "target": 1,
            "baseline": HAND_START,
            "share": 0.15,
            "steps": 10,
        },
        expected=np.stack([_like_image(before), _like_image(after)]),
    )
    words = Network("small_text", seed=int(rng.integers(1 << 31)))
    x, baseline = 3 * rng.normal(size=(2, 4, 5, 4))
    target = telling_targets(words, x, rng)
    # Two examples are turned round where needed: of two the score rises, of two it falls.
    model = words_model(words)
    rises = score(model, x, target) > score(model, baseline, target)
    turn = rises != (np.arange(4) % 2 == 0)
    x[turn], baseline[turn] = baseline[turn], x[turn].copy()
    batch = {
        "model": words,
        "x": x,
        "target": target,
        "baseline": baseline,
        "share": 0.6,
        "steps": 7,
    }
    single = Network("small_text", words.seed, "float32")
    return [
        hand,
        Case("batch", batch),
        Case("one target", {**batch, "target": 2, "share": 0.9, "steps": 5}),
        Case("cut at once", {**batch, "share": 0.02, "steps": 3}),
        Case("as usual", {k: v for k, v in batch.items() if k not in ("share", "steps")}),
        Case(
            "single precision",
            {**batch, "model": single, "x": np.float32(x), "baseline": np.float32(baseline)},
            tolerance=1e-4,
        ),
    ]


def words_model(network: Network) -> Model:
    return realise({"model": network})["model"]


Cut = Callable[[Array, Array, float], Array]  # of scores (K, N), start (N,) and share: (N,) ints


def _first_reached(scores: Array, start: Array, share: float) -> Array:
    made = (scores - start) / (scores[-1] - start)
    return np.array([next(k for k, m in enumerate(one) if m >= share) for one in made.T])


def _split(
    name: str,
    cut: Cut = _first_reached,
    parts: Callable[[Array, Array], Any] = lambda before, after: np.stack([before, after]),
    after_from_cut: bool = True,
) -> Callable[..., Array]:
    def answer(
        model: Model,
        x: Array,
        target: Target,
        baseline: Array,
        share: float = 0.95,
        steps: int = 50,
    ) -> Array:
        path = [
            (baseline + k / steps * (x - baseline)).astype(x.dtype) for k in range(1, steps + 1)
        ]
        scores = np.stack([score(model, point, target) for point in path])
        at = cut(scores, score(model, baseline, target), share)
        middle = np.stack([path[int(k)][n] for n, k in enumerate(at)])
        before = library.integrated_gradients(model, middle, target, baseline, steps)
        begin = middle if after_from_cut else baseline
        after = library.integrated_gradients(model, x, target, begin, steps)
        return parts(before, after)

    answer.__name__ = name
    return answer


def _share_of_path(scores: Array, start: Array, share: float) -> Array:
    return np.full(scores.shape[1], int(np.ceil(share * len(scores))) - 1)


def _share_of_score(scores: Array, start: Array, share: float) -> Array:
    return (scores >= share * scores[-1]).argmax(axis=0)


def _rising_only(scores: Array, start: Array, share: float) -> Array:
    return (scores - start >= share * (scores[-1] - start)).argmax(axis=0)


def _last_below(scores: Array, start: Array, share: float) -> Array:
    return np.maximum(_first_reached(scores, start, share) - 1, 0)


def _one_late(scores: Array, start: Array, share: float) -> Array:
    return np.minimum(_first_reached(scores, start, share) + 1, len(scores) - 1)


def _first_of_batch(scores: Array, start: Array, share: float) -> Array:
    return np.full(scores.shape[1], _first_reached(scores, start, share)[0])


def _what_is_left(scores: Array, start: Array, share: float) -> Array:
    return _first_reached(scores, start, 1 - share)


def split_one_by_one(
    model: Model,
    x: Array,
    target: Target,
    baseline: Array,
    share: float = 0.95,
    steps: int = 50,
) -> Array:
    halves = [
        library.split_integrated_gradients(
            model, x[i : i + 1], int(c), baseline[i : i + 1], share, steps
        )
        for i, c in enumerate(np.broadcast_to(target, len(x)))
    ]
    return np.concatenate(halves, axis=1)


def _by_division(scores: Array, start: Array, share: float) -> Array:
    return ((scores - start) / (scores[-1] - start) >= share).argmax(axis=0)


def _signed(scores: Array, start: Array, share: float) -> Array:
    sign = np.sign(scores[-1] - start)
    return (sign * scores >= sign * (start + share * (scores[-1] - start))).argmax(axis=0)


SPLIT_INTEGRATED_GRADIENTS = Exercise(
    number="06.5",
    function=library.split_integrated_gradients,
    reference=in_torch(library.split_integrated_gradients),
    goal="Cut the path where the score has made its change, and integrate before and after.",
    anchor="sec-ig-split",
    points=3,
    cases=split_cases,
    properties=(
        Property(
            "batch",
            case="batch",
            variations=next(p for p in MANNERS if p.name == "batch").variations,
            holds=lambda all_, first, last: (
                np.allclose(all_[:, :1], first, rtol=1e-4)
                and np.allclose(all_[:, 3:], last, rtol=1e-4)
            ),
            says="an input explained alone is cut elsewhere than in a batch; cut each by itself",
        ),
        Property(
            "completeness",
            case="hand",
            variations=(),
            holds=lambda parts: abs(parts[0].sum() - 3) < 1e-6 and abs(parts[1].sum() - 9) < 1e-6,
            says="each part adds up to its own share of the change; yours do not",
        ),
    ),
    given=[library.straight_line_path, library.integrated_gradients],
    mistakes=[
        Mistake(
            _split("share_of_path", cut=_share_of_path),
            "you cut at that share of the path; cut where the score has made that share of its "
            "change",
        ),
        Mistake(
            _split("share_of_score", cut=_share_of_score),
            "you compare with a share of the final score; the score did not start at zero",
        ),
        Mistake(
            _split("rising_only", cut=_rising_only),
            "you wait for the score to be high enough, but it may fall along the path; then wait "
            "for it to be low enough",
        ),
        Mistake(
            _split("one_early", cut=_last_below),
            "you cut at the last point before the share is reached; cut at the first that has it",
        ),
        Mistake(_split("one_late", cut=_one_late), "you cut one point too late"),
        Mistake(
            _split("first_of_batch", cut=_first_of_batch),
            "you cut the whole batch where its first example is to be cut",
        ),
        Mistake(
            _split("remaining_share", cut=_what_is_left),
            "you cut where 1 - share is reached; the part before the cut makes the share",
        ),
        Mistake(
            _split("swapped", parts=lambda before, after: np.stack([after, before])),
            "your parts are swapped; the one before the cut comes first",
        ),
        Mistake(
            _split("whole_after", after_from_cut=False),
            "your second part starts at the baseline again; it starts at the cut",
        ),
        Mistake(
            _split("before_alone", parts=lambda before, after: before),
            "you return the part before the cut only; return both, in an array (2, N, ...)",
        ),
        Mistake(
            _split("parts_added", parts=lambda before, after: before + after),
            "you add the parts up, and have Integrated Gradients again; keep them apart",
        ),
        Mistake(
            _split("batch_first", parts=lambda before, after: np.stack([before, after], axis=1)),
            "your first axis is the batch; the two parts come first",
        ),
    ],
    equivalents=[
        _split("one_point_a_time"),
        _split("by_division", cut=_by_division),
        _split("signed_scores", cut=_signed),
        _split(
            "single_precision",
            parts=lambda before, after: np.float32(np.stack([before, after])),
        ),
        split_one_by_one,
    ],
    equivalent_mutants={
        "alphas = np.arange(0, steps + 1) / steps": "the baseline has made no share of the change",
        "scores = [score(model, point, target) for point in path]": "a list minus an array is an "
        "array",
        "done = -(scores - score(model, baseline, target))": "both sides' signs change",
        "done = score(model, baseline, target) - scores": "both sides' signs change",
        "reached = done * np.sign(done[-1]) > share * np.abs(done[-1])": "no point of a case has "
        "made exactly the share",
        "reached = done / np.sign(done[-1]) >= share * np.abs(done[-1])": "1 / ±1 is ±1",
        "reached = done * np.sign(done[-2]) >= share * np.abs(done[-1])": "in no case does the "
        "last step undo the change",
    },
    hints=(
        "An integral over a path is the sum of the integrals over its pieces. Find where the score "
        "has done its work, and that place is the end of one path and the start of another.",
        "Of the points γ(k / steps), k = 1 ... steps, the first with S ≥ S(x̄) + share (S(x) - "
        "S(x̄)). For each example it is another: argmax of an array of booleans finds the first "
        "True, and path[first, np.arange(N)] picks a point for each example.",
        "before = integrated_gradients(model, ____, target, baseline, steps)",
    ),
)


SPEC = ModuleSpec(
    number="06",
    name="integrated_gradients",
    title="Integrated Gradients: the whole way instead of the last step",
    summary="A gradient knows the neighbourhood. Follow it from an input that says nothing to the "
    "one to be explained, and what it collects adds up to the change of the score.",
    exercises=(
        STRAIGHT_LINE_PATH,
        INTEGRATED_GRADIENTS,
        COMPLETENESS_GAP,
        EXPECTED_GRADIENTS,
        SPLIT_INTEGRATED_GRADIENTS,
    ),
)
