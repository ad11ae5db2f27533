"""07 smoothgrad: explanations of noisy copies, their mean, mean square, variance and movement."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from course.grading.spec import Case, Exercise, Function, Mistake, ModuleSpec, Network
from course.methods import smoothgrad as library
from course.methods.protocol import Method, Model, Target
from course.methods.saliency import gradient
from course.specs._protocol import HAND, HAND_INPUT, MANNERS, in_torch, telling_targets

Array = np.ndarray

# Copies of HAND_INPUT at which both hidden units of the lecture's network are on, the first is
# off, and both are on again. The gradient of S_1 is (3, -7, 4, -2), (0, -4, -2, -2) and (3, -7, 4,
# -2).
HAND_NOISE = np.array([[0.0, 0, 0, 0], [-2, 1, -2, 1], [1, 1, 1, 1]]).reshape(3, 1, 2, 1, 2)


def _cases(rng: np.random.Generator, expected: list[float]) -> list[Case]:
    """A hand-sized case, a batch, two other methods, one target, and single precision."""
    hand = {"model": HAND, "x": HAND_INPUT, "target": 1, "noise": HAND_NOISE}
    network = Network("small_cnn", seed=int(rng.integers(1 << 31)))
    x, noise = rng.normal(size=(4, 3, 8, 6)), 0.6 * rng.normal(size=(5, 4, 3, 8, 6))
    batch = {
        "model": network,
        "x": x,
        "target": telling_targets(network, x, rng),
        "noise": noise,
    }
    product = Function("course.methods.saliency.gradient_times_input")
    pixels = Function("course.methods.saliency.saliency_map")
    single = {
        "model": Network("small_cnn", network.seed, "float32"),
        "x": np.float32(x[:2]),
        "target": 2,
        "noise": np.float32(noise[:4, :2]),
    }
    return [
        Case("hand", hand, expected=np.array(expected).reshape(HAND_INPUT.shape)),
        Case("batch", batch),
        Case("times the input", {**batch, "noise": noise[1:4], "method": product}),
        Case("one number a pixel", {**batch, "noise": noise[:2], "method": pixels}),
        Case("one target", {**batch, "target": 3, "noise": noise[2:]}),
        Case("single precision", single, tolerance=1e-4),
    ]


def _of_copies(
    name: str,
    combine: Callable[[Array], Array],
    at: Callable[[Array, Array], Array] = lambda x, e: x + e,
    draws: Callable[[Array], Array] = lambda noise: noise,
    every: Method | None = None,
) -> Callable[..., Array]:
    """An answer that stacks the explanations of the copies, of which a mistake changes one part."""

    def answer(
        model: Model,
        x: Array,
        target: Target,
        noise: Array,
        method: Method = gradient,
        chunk: int = 1,
    ) -> Array:
        explain = every or method
        maps = [explain(model, at(x, e).astype(x.dtype), target) for e in draws(noise)]
        return combine(np.stack(maps)).astype(x.dtype)

    answer.__name__ = name
    return answer


def _beside_clean(name: str, combine: Callable[[Array, Array], Array]) -> Callable[..., Array]:
    """An answer that also looks at the explanation of x itself."""

    def answer(
        model: Model,
        x: Array,
        target: Target,
        noise: Array,
        method: Method = gradient,
        chunk: int = 1,
    ) -> Array:
        maps = np.stack([method(model, x + e, target) for e in noise])
        return combine(maps, method(model, x, target))

    answer.__name__ = name
    return answer


def _in_one_batch(name: str, combine: Callable[[Array], Array]) -> Callable[..., Array]:
    """A right answer that explains all copies at once."""

    def answer(
        model: Model, x: Array, target: Target, noise: Array, method: Method = gradient
    ) -> Array:
        targets = np.tile(np.broadcast_to(target, len(x)), len(noise))
        maps = method(model, (x + noise).reshape(-1, *x.shape[1:]), targets)
        return combine(maps.reshape(len(noise), len(x), *maps.shape[1:]))

    answer.__name__ = name
    return answer


def _one_by_one(name: str, combine: Callable[[Array], Array]) -> Callable[..., Array]:
    """A right answer that takes one example after the other."""

    def answer(
        model: Model, x: Array, target: Target, noise: Array, method: Method = gradient
    ) -> Array:
        targets = np.broadcast_to(target, len(x))
        found = []
        for i, c in enumerate(targets):
            one = slice(i, i + 1)
            maps = [method(model, x[one] + e, int(c)) for e in noise[:, one]]
            found.append(combine(np.stack(maps))[0])
        return np.stack(found)

    answer.__name__ = name
    return answer


def _first_target(name: str, combine: Callable[[Array], Array]) -> Callable[..., Array]:
    right = _of_copies(name, combine)

    def answer(
        model: Model,
        x: Array,
        target: Target,
        noise: Array,
        method: Method = gradient,
        chunk: int = 1,
    ) -> Array:
        return right(model, x, int(np.ravel(target)[0]), noise, method)

    answer.__name__ = name
    return answer


def _mean(maps: Array) -> Array:
    return maps.mean(axis=0)


def _mean_square(maps: Array) -> Array:
    return (maps**2).mean(axis=0)


def _variance(maps: Array) -> Array:
    return maps.var(axis=0)


def _running_mean(maps: Array) -> Array:
    mean = np.zeros(maps.shape[1:])
    for k, m in enumerate(maps, start=1):
        mean += (m - mean) / k
    return mean


def _copies_mixed_up(combine: Callable[[Array], Array]) -> list[Mistake]:
    """What goes wrong before anything is averaged, and how each answer then looks."""
    return [
        Mistake(
            _of_copies("noise_ignored", combine, at=lambda x, e: x),
            "you explain the input itself each time; explain x + noise",
        ),
        Mistake(
            _of_copies("noise_alone", combine, at=lambda x, e: e),
            "you explain the noise; add it to x first",
        ),
        Mistake(
            _of_copies("noise_subtracted", combine, at=lambda x, e: x - e),
            "you subtract the noise; with the noise that you are given, that is another sample",
        ),
        Mistake(
            _of_copies("noise_multiplied", combine, at=lambda x, e: x * (1 + e)),
            "you scale the input by the noise; it is added",
        ),
        Mistake(
            _of_copies("noise_added_up", combine, draws=lambda noise: noise.cumsum(axis=0)),
            "you add each noise to the last copy; each is added to x",
        ),
        Mistake(
            _of_copies("clipped", combine, at=lambda x, e: np.clip(x + e, 0, 1)),
            "you clip the copies to [0, 1]; the inputs of a network may lie elsewhere",
        ),
        Mistake(
            _of_copies("shared_noise", combine, draws=lambda noise: 0 * noise + noise[:, :1]),
            "you give the first example's noise to the whole batch; noise[k, n] is for example n",
        ),
        Mistake(
            _of_copies(
                "last_without_noise",
                combine,
                draws=lambda noise: np.concatenate([noise[:-1], 0 * noise[-1:]]),
            ),
            "your last copy has no noise, as zennit's has; all K copies have",
        ),
        Mistake(
            _of_copies(
                "clean_copy_too",
                combine,
                draws=lambda noise: np.concatenate([noise, 0 * noise[:1]]),
            ),
            "you count the input itself as one more copy; average over the noisy ones only",
        ),
        Mistake(
            _of_copies("always_gradient", combine, every=gradient),
            "you explain every copy by its gradient; use the method that you are given",
        ),
        Mistake(
            _first_target("first_target", combine), "you use the first target for the whole batch"
        ),
    ]


def _memory_only(name: str) -> dict[str, str]:
    """The mutants of a default chunk of 8, which no answer depends on."""
    signature = "def {}(model, x, target, noise, method=gradient, chunk={}):"
    return {
        signature.format(name, chunk): "chunks change the memory, not the mean" for chunk in (7, 9)
    }


# --- 07.1 smoothgrad -----------------------------------------------------------------------


def smoothgrad_cases(rng: np.random.Generator) -> list[Case]:
    return _cases(rng, [2, -6, 2, -2])


def mean_input(
    model: Model, x: Array, target: Target, noise: Array, method: Method = gradient
) -> Array:
    return method(model, x + noise.mean(axis=0), target)


SMOOTHGRAD = Exercise(
    number="07.1",
    function=library.smoothgrad,
    reference=in_torch(library.smoothgrad),
    goal="Explain noisy copies of the input, by any method, and average the explanations.",
    anchor="sec-smoothgrad",
    points=2,
    cases=smoothgrad_cases,
    properties=MANNERS,
    mistakes=[
        *_copies_mixed_up(_mean),
        Mistake(
            _of_copies("mean_magnitude", lambda maps: np.abs(maps).mean(axis=0)),
            "you average magnitudes, as captum's NoiseTunnel does with its Saliency as it comes; "
            "keep the signs, so that what jumps to and fro cancels",
        ),
        Mistake(
            _of_copies("magnitude_of_mean", lambda maps: np.abs(_mean(maps))),
            "you take the magnitude of the mean; SmoothGrad keeps its sign, magnitudes are for "
            "display",
        ),
        Mistake(
            _of_copies("mean_square", _mean_square),
            "you average squares, as some libraries do unasked; that is exercise 07.2",
        ),
        Mistake(
            _of_copies("summed", lambda maps: maps.sum(axis=0)),
            "you add the explanations up; divide by how many there are",
        ),
        Mistake(
            _of_copies("median", lambda maps: np.median(maps, axis=0)),
            "you take the median of the copies; the method takes the mean",
        ),
        Mistake(
            _beside_clean("mean_change", lambda maps, clean: _mean(maps) - clean),
            "you return by how much the explanation changes; return the mean itself",
        ),
        Mistake(
            mean_input,
            "you average the copies and explain the average; explain first, then average",
        ),
    ],
    equivalents=[
        _of_copies("stacked", _mean),
        _of_copies("running_mean", _running_mean),
        _of_copies("reversed_order", _mean, draws=lambda noise: noise[::-1]),
        _in_one_batch("in_one_batch", _mean),
        _one_by_one("one_by_one", _mean),
    ],
    equivalent_mutants=_memory_only("smoothgrad"),
    hints=(
        "One gradient shows one linear piece of the network. Look at many pieces around the input "
        "and keep what they have in common: what they do not agree on cancels.",
        "E_sg = 1/K Σ_k E(x + ε_k). noise[k] has the shape of x. A plain loop and a mean over its "
        "results is enough; `mean_over` does the same in bounded memory.",
        "np.mean([method(model, ____, target) for epsilon in noise], axis=____)",
    ),
)


# --- 07.2 smoothgrad_squared ---------------------------------------------------------------


def squared_cases(rng: np.random.Generator) -> list[Case]:
    return _cases(rng, [6, 38, 12, 4])  # (9 + 0 + 9) / 3, (49 + 16 + 49) / 3, ...


SMOOTHGRAD_SQUARED = Exercise(
    number="07.2",
    function=library.smoothgrad_squared,
    reference=in_torch(library.smoothgrad_squared),
    goal="Average the squares of the noisy copies' explanations, so that nothing cancels.",
    anchor="sec-smoothgrad-squares",
    points=1,
    cases=squared_cases,
    properties=MANNERS,
    given=[library.smoothgrad],
    mistakes=[
        *_copies_mixed_up(_mean_square),
        Mistake(
            _of_copies("square_of_mean", lambda maps: _mean(maps) ** 2),
            "you square the mean; square each explanation, then average",
        ),
        Mistake(
            _of_copies("plain_mean", _mean), "you average the explanations; average their squares"
        ),
        Mistake(
            _of_copies("mean_magnitude", lambda maps: np.abs(maps).mean(axis=0)),
            "you average magnitudes; average squares",
        ),
        Mistake(
            _of_copies("root", lambda maps: np.sqrt(_mean_square(maps))),
            "you take the root at the end; the method leaves the squares",
        ),
        Mistake(
            _of_copies("variance", _variance),
            "you subtract the mean before you square; that is exercise 07.3",
        ),
        Mistake(
            _of_copies("signed_squares", lambda maps: (maps * np.abs(maps)).mean(axis=0)),
            "your squares keep the sign of the explanation; a square is positive",
        ),
        Mistake(
            _of_copies("summed", lambda maps: (maps**2).sum(axis=0)),
            "you add the squares up; divide by how many there are",
        ),
        Mistake(
            _of_copies("half_squares", lambda maps: _mean(maps) * maps[-1]),
            "you multiply the mean by the last explanation; multiply each by itself",
        ),
    ],
    equivalents=[
        _of_copies("stacked", _mean_square),
        _of_copies("by_the_identity", lambda maps: maps.var(axis=0) + maps.mean(axis=0) ** 2),
        _of_copies("einsum", lambda maps: np.einsum("k...,k...->...", maps, maps) / len(maps)),
        _in_one_batch("in_one_batch", _mean_square),
        _one_by_one("one_by_one", _mean_square),
    ],
    equivalent_mutants=_memory_only("smoothgrad_squared"),
    hints=(
        "Where the gradient is large but points now up, now down, SmoothGrad shows nothing. To "
        "see that something is going on there, take the sign away before averaging.",
        "E_sg² = 1/K Σ_k E(x + ε_k)²: the square is inside the mean. It is SmoothGrad of another "
        "method, one that squares what `method` returns.",
        "def squared(model, copies, targets): return method(model, copies, targets) ** ____",
    ),
)


# --- 07.3 vargrad --------------------------------------------------------------------------


def variance_cases(rng: np.random.Generator) -> list[Case]:
    return _cases(rng, [2, 2, 8, 0])  # about the mean (2, -6, 2, -2)


def noise_variance(
    model: Model, x: Array, target: Target, noise: Array, method: Method = gradient
) -> Array:
    return noise.var(axis=0)


def _per_map(maps: Array) -> Array:
    axes = tuple(range(2, maps.ndim))
    return ((maps - maps.mean(axis=axes, keepdims=True)) ** 2).mean(axis=0)


VARGRAD = Exercise(
    number="07.3",
    function=library.vargrad,
    reference=in_torch(library.vargrad),
    goal="Take the variance of the noisy copies' explanations, number by number.",
    anchor="sec-smoothgrad-squares",
    points=2,
    cases=variance_cases,
    properties=MANNERS,
    given=[library.smoothgrad, library.smoothgrad_squared],
    mistakes=[
        *(m for m in _copies_mixed_up(_variance) if m.name != "noise_ignored"),  # that is all zero
        Mistake(
            _of_copies("sample_variance", lambda maps: maps.var(axis=0, ddof=1)),
            "you divide by K - 1; divide by K, so that SmoothGrad² = VarGrad + SmoothGrad squared",
        ),
        Mistake(
            _of_copies("standard_deviation", lambda maps: maps.std(axis=0)),
            "you return the standard deviation; the variance is its square",
        ),
        Mistake(
            _of_copies("uncentred", _mean_square),
            "you do not subtract the mean; that is exercise 07.2",
        ),
        Mistake(
            _beside_clean("around_clean", lambda maps, clean: ((maps - clean) ** 2).mean(axis=0)),
            "you measure from the explanation of x itself; measure from the copies' mean",
        ),
        Mistake(
            _of_copies("of_magnitudes", lambda maps: np.abs(maps).var(axis=0)),
            "you take the variance of magnitudes; keep the signs",
        ),
        Mistake(
            _of_copies("absolute_deviation", lambda maps: np.abs(maps - _mean(maps)).mean(axis=0)),
            "you average distances from the mean; average their squares",
        ),
        Mistake(
            _of_copies("summed", lambda maps: len(maps) * maps.var(axis=0)),
            "you add the squared deviations up; divide by K",
        ),
        Mistake(
            _of_copies("negative", lambda maps: -maps.var(axis=0)),
            "you subtract the mean of the squares from the square of the mean; it is the other way",
        ),
        Mistake(
            _of_copies("mean_not_squared", lambda maps: _mean_square(maps) - _mean(maps)),
            "you subtract the mean; in the identity its square is subtracted",
        ),
        Mistake(
            _of_copies("around_each_map", _per_map),
            "you subtract each map's mean over its pixels; subtract each pixel's over the copies",
        ),
        Mistake(noise_variance, "you return the variance of the noise; the method's is wanted"),
    ],
    equivalents=[
        _of_copies("stacked", _variance),
        _of_copies("by_the_identity", lambda maps: _mean_square(maps) - _mean(maps) ** 2),
        _of_copies(
            "pairs",
            lambda maps: ((maps[:, None] - maps[None]) ** 2).mean(axis=(0, 1)) / 2,
        ),
        _in_one_batch("in_one_batch", _variance),
        _one_by_one("one_by_one", _variance),
    ],
    equivalent_mutants={
        **_memory_only("vargrad"),
        "return mean_over(lambda copies, rows: (mean[rows] - method(model, copies, targets[rows])) "
        "** 2, (x + epsilon for epsilon in noise), np.ones(len(noise)), chunk)": "squares have no "
        "sign",
    },
    hints=(
        "Half of what the squares show is the mean, which you know already. Subtract it: what is "
        "left says where the copies disagree.",
        "E_vg = 1/K Σ_k (E(x + ε_k) - E_sg)². The mean comes from a first pass over the copies; "
        "in `mean_over`, mean[rows] is the mean that belongs to each copy of the batch.",
        "(method(model, copies, targets[rows]) - ____) ** 2",
    ),
)


# --- 07.4 max_sensitivity ------------------------------------------------------------------


def sensitivity_cases(rng: np.random.Generator) -> list[Case]:
    # The explanation (3, -7, 4, -2), of length √78, moves by (0, 0, 0, 0), (-3, 3, -6, 0) and
    # (0, 0, 0, 0); the second is √54 long.
    hand, batch, *others = _cases(rng, [0, 0, 0, 0])
    # The first example is black, where both units are off and the gradient is zero. Its second
    # copy switches the first unit on: the gradient there is 3 w_1 = (3, -3, 6, 0).
    dead = {
        **hand.arguments,
        "x": np.stack([np.zeros((2, 1, 2)), HAND_INPUT[0]]),
        "noise": np.array(
            [
                [[-1.0, -1, -1, -1], [-2, 1, -2, 1]],
                [[2, -1, 0, 0], [1, 1, 1, 1]],
            ]
        ).reshape(2, 2, 2, 1, 2),
    }
    return [
        Case("hand", hand.arguments, expected=np.array([np.sqrt(54 / 78)])),
        Case("dead units", dead, expected=np.array([np.sqrt(54), np.sqrt(54 / 78)])),
        batch,
        *others,
    ]


def _movement(
    name: str,
    size: Callable[[Array], Array] = lambda v: np.linalg.norm(v, axis=-1),
    combine: Callable[[Array], Array] = lambda moved: moved.max(axis=0),
    change: Callable[[Array, Array], Array] = lambda after, before: after - before,
    divide: Callable[[Array, Array, Array, Array], Array] | None = None,
    draws: Callable[[Array], Array] = lambda noise: noise,
) -> Callable[..., Array]:
    """An answer with vectors (K, N, D) before and after; a mistake changes one part.

    divide: of the sizes of change (K, N), of E(x) (N,), of E(x + δ) (K, N) and of δ (K, N).
    """

    def ratio(moved: Array, length: Array, after: Array, noise: Array) -> Array:
        return moved / np.where(length > 0, length, 1)

    def answer(
        model: Model, x: Array, target: Target, noise: Array, method: Method = gradient
    ) -> Array:
        before = method(model, x, target).reshape(len(x), -1)
        given = draws(noise)
        after = np.stack([method(model, x + d, target).reshape(len(x), -1) for d in given])
        noises = size(given.reshape(len(given), len(x), -1))
        moved = size(change(after, before))
        return combine((divide or ratio)(moved, size(before), size(after), noises))

    answer.__name__ = name
    return answer


def _guarded(length: Array) -> Array:
    return np.where(length > 0, length, 1)


def whole_batch(
    model: Model, x: Array, target: Target, noise: Array, method: Method = gradient
) -> Array:
    before = method(model, x, target)
    moved = [np.linalg.norm(method(model, x + d, target) - before) for d in noise]
    return np.full(len(x), max(moved) / np.linalg.norm(before))


def same_copy_for_all(
    model: Model, x: Array, target: Target, noise: Array, method: Method = gradient
) -> Array:
    before = method(model, x, target).reshape(len(x), -1)
    after = np.stack([method(model, x + d, target).reshape(len(x), -1) for d in noise])
    moved = np.linalg.norm(after - before, axis=2)
    return moved[moved.sum(axis=1).argmax()] / _guarded(np.linalg.norm(before, axis=1))


def always_gradient(
    model: Model, x: Array, target: Target, noise: Array, method: Method = gradient
) -> Array:
    return library.max_sensitivity(model, x, target, noise)


def first_target(
    model: Model, x: Array, target: Target, noise: Array, method: Method = gradient
) -> Array:
    return library.max_sensitivity(model, x, int(np.ravel(target)[0]), noise, method)


def loops(model: Model, x: Array, target: Target, noise: Array, method: Method = gradient) -> Array:
    found = []
    for i, c in enumerate(np.broadcast_to(target, len(x))):
        before = method(model, x[i : i + 1], int(c))
        length = float(np.sqrt((before**2).sum())) or 1.0
        largest = 0.0
        for d in noise[:, i : i + 1]:
            moved = method(model, x[i : i + 1] + d, int(c)) - before
            largest = max(largest, float(np.sqrt((moved**2).sum())))
        found.append(largest / length)
    return np.array(found)


def all_copies_at_once(
    model: Model, x: Array, target: Target, noise: Array, method: Method = gradient
) -> Array:
    targets = np.tile(np.broadcast_to(target, len(x)), len(noise))
    after = method(model, (x + noise).reshape(-1, *x.shape[1:]), targets)
    before = method(model, x, target).reshape(len(x), -1)
    moved = np.linalg.norm(after.reshape(len(noise), *before.shape) - before, axis=2)
    return moved.max(axis=0) / _guarded(np.linalg.norm(before, axis=1))


MAX_SENSITIVITY = Exercise(
    number="07.4",
    function=library.max_sensitivity,
    reference=in_torch(library.max_sensitivity),
    goal="Measure how far an explanation moves when the input hardly does.",
    anchor="sec-max-sensitivity",
    points=2,
    cases=sensitivity_cases,
    properties=MANNERS[:1],
    given=[library.smoothgrad, library.smoothgrad_squared, library.vargrad],
    mistakes=[
        Mistake(
            _movement("mean", combine=lambda moved: moved.mean(axis=0)),
            "you average over the copies; take the largest",
        ),
        Mistake(
            _movement("smallest", combine=lambda moved: moved.min(axis=0)),
            "you take the copy that moves the explanation least; take the most",
        ),
        Mistake(
            _movement("first_copy", combine=lambda moved: moved[0]),
            "you look at the first copy alone",
        ),
        Mistake(
            _movement("absolute", divide=lambda moved, length, after, noise: moved),
            "you do not divide by the length of E(x); without that, a map in other units gets "
            "another number",
        ),
        Mistake(
            _movement(
                "relative_to_noise",
                divide=lambda moved, length, after, noise: moved / _guarded(noise),
            ),
            "you divide by the length of the noise, which bounds a slope; divide by that of E(x)",
        ),
        Mistake(
            _movement(
                "relative_to_moved",
                divide=lambda moved, length, after, noise: moved / _guarded(after),
            ),
            "you divide by the length of the moved explanation; divide by that of E(x)",
        ),
        Mistake(
            _movement("squared_lengths", size=lambda v: (v**2).sum(axis=-1)),
            "you forget the root of the lengths",
        ),
        Mistake(
            _movement("city_block", size=lambda v: np.abs(v).sum(axis=-1)),
            "you add magnitudes (L1); lengths are Euclidean",
        ),
        Mistake(
            _movement("largest_entry", size=lambda v: np.abs(v).max(axis=-1)),
            "you compare largest entries; lengths are Euclidean",
        ),
        Mistake(
            _movement("of_magnitudes", change=lambda after, before: np.abs(after) - np.abs(before)),
            "you compare magnitudes; a number that changes its sign has moved",
        ),
        Mistake(
            _movement(
                "lengths_compared",
                divide=lambda moved, length, after, noise: (
                    np.abs(after - length) / _guarded(length)
                ),
            ),
            "you compare the lengths of the two explanations; take the length of their difference",
        ),
        Mistake(
            _movement("not_compared", change=lambda after, before: after),
            "you take the length of the moved explanation; subtract E(x) first",
        ),
        Mistake(
            _movement("noise_subtracted", draws=lambda noise: -noise),
            "you subtract the noise; with the noise that you are given, that is another sample",
        ),
        Mistake(whole_batch, "you take the whole batch for one vector; each example has its own"),
        Mistake(
            same_copy_for_all,
            "you take the copy that is worst for the batch; each example has its own worst",
        ),
        Mistake(
            always_gradient,
            "you explain by the gradient; use the method that you are given",
        ),
        Mistake(first_target, "you use the first target for the whole batch"),
    ],
    equivalents=[
        _movement("stacked"),
        loops,
        all_copies_at_once,
        _movement("reversed_order", draws=lambda noise: noise[::-1]),
    ],
    equivalent_mutants={
        "return -method(model, inputs, target).reshape(len(x), -1)": "lengths have no sign",
        "moved = [np.linalg.norm(before - explain(x + d), axis=1) for d in noise]": "lengths have "
        "no sign",
        "return method(model, inputs, target).reshape(len(x), -2)": "NumPy reads every negative "
        "length as -1",
    },
    hints=(
        "If two photographs that nobody can tell apart get different explanations, at least one of "
        "them is hard to believe. Try many small changes, and report the worst.",
        "max_k ‖E(x + δ_k) - E(x)‖ / ‖E(x)‖, one number for each example: flatten each "
        "explanation, (N, ...) to (N, D), and take norms along axis 1. Where E(x) is all zero, "
        "divide by 1.",
        "moved = [np.linalg.norm(explain(x + d) - ____, axis=1) for d in noise]",
    ),
)


SPEC = ModuleSpec(
    number="07",
    name="smoothgrad",
    title="SmoothGrad: the neighbourhood instead of the point",
    summary="A gradient jumps where a ReLU switches. Average it over noisy copies of the input, "
    "and measure what that buys.",
    exercises=(SMOOTHGRAD, SMOOTHGRAD_SQUARED, VARGRAD, MAX_SENSITIVITY),
)
