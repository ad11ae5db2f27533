"""05 saliency: the gradient, its largest channel, and its product with the input."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from course.autograd import Tensor, grad, log_softmax, rule, softmax
from course.grading.spec import Case, Exercise, Mistake, ModuleSpec, Property
from course.methods import saliency
from course.methods.protocol import Model, Target
from course.specs._protocol import HAND, HAND_INPUT, MANNERS, image_cases, in_torch


def _gradient_of(score: Callable[[Tensor], Tensor], model: Model, x: np.ndarray) -> np.ndarray:
    inputs = Tensor(x, requires_grad=True)
    return grad(score(model(inputs)), inputs)


# Inputs above 2 and far below 1: what multiplies by them is another map, in either direction. The
# third leaves the first hidden unit silent; no target is the predicted class.
STRONG = np.array([[2.5, 2.0, 2.0, 3.5], [4.0, 2.0, 3.0, 2.0], [2.0, 5.0, 1.0, 2.0]])
STRONG_AND_FAINT = np.concatenate([STRONG, STRONG / 20]).reshape(6, 2, 1, 2)
STRONG_TARGETS = np.array([1, 2, 1, 1, 2, 1])


def _cases(by_hand: np.ndarray) -> Callable[[np.random.Generator], list[Case]]:
    """The hand-sized network on the lecture's input, with the answer worked out; the images that
    every method is tried on; and inputs strong and faint."""
    hand = {"model": HAND, "x": HAND_INPUT, "target": 1}
    strong = {"model": HAND, "x": STRONG_AND_FAINT, "target": STRONG_TARGETS}
    return lambda rng: [
        Case("hand", hand, expected=by_hand),
        *image_cases(rng),
        Case("strong and faint", strong),
    ]


def _product(
    name: str, combine: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> Callable[[Model, np.ndarray, Target], np.ndarray]:
    """An answer that computes the right gradient and combines it with the input."""

    def answer(model: Model, x: np.ndarray, target: Target) -> np.ndarray:
        return combine(x, saliency.gradient(model, x, target))

    answer.__name__ = name
    return answer


def _from_gradient(
    name: str, reduce: Callable[[np.ndarray], np.ndarray]
) -> Callable[[Model, np.ndarray, Target], np.ndarray]:
    """An answer that computes the right gradient and then does `reduce` with it."""
    return _product(name, lambda x, g: reduce(g))


# --- 05.1 gradient -------------------------------------------------------------------------

# Both hidden units are active, so S_1 = 3 h_1 - 2 h_2 has the gradient 3 w_1 - 2 w_2,
# with w_1 = (1, -1, 2, 0) and w_2 = (0, 2, 1, 1).
GRADIENT_BY_HAND = np.array([[[[3.0, -7.0]], [[4.0, -2.0]]]])


def probability(model: Model, x: np.ndarray, target: Target) -> np.ndarray:
    return _gradient_of(lambda s: softmax(s)[np.arange(len(x)), target].sum(), model, x)


def log_probability(model: Model, x: np.ndarray, target: Target) -> np.ndarray:
    return _gradient_of(lambda s: log_softmax(s)[np.arange(len(x)), target].sum(), model, x)


def predicted_class(model: Model, x: np.ndarray, target: Target) -> np.ndarray:
    return _gradient_of(lambda s: s.max(dim=1).values.sum(), model, x)


def all_classes(model: Model, x: np.ndarray, target: Target) -> np.ndarray:
    return _gradient_of(lambda s: s.sum(), model, x)


def every_target(model: Model, x: np.ndarray, target: Target) -> np.ndarray:
    return _gradient_of(lambda s: s[:, target].sum(), model, x)


def batch_mean(model: Model, x: np.ndarray, target: Target) -> np.ndarray:
    return _gradient_of(lambda s: s[np.arange(len(x)), target].mean(), model, x)


def first_target(model: Model, x: np.ndarray, target: Target) -> np.ndarray:
    return saliency.gradient(model, x, int(np.ravel(target)[0]))


def magnitude(model: Model, x: np.ndarray, target: Target) -> np.ndarray:
    return np.abs(saliency.gradient(model, x, target))


def descent(model: Model, x: np.ndarray, target: Target) -> np.ndarray:
    return -saliency.gradient(model, x, target)


def normalised(model: Model, x: np.ndarray, target: Target) -> np.ndarray:
    g = saliency.gradient(model, x, target)
    return g / np.abs(g).max(axis=tuple(range(1, g.ndim)), keepdims=True)


def guided(model: Model, x: np.ndarray, target: Target) -> np.ndarray:
    with rule(relu=lambda g, y, z: g * (z > 0) * (g > 0)):
        return saliency.gradient(model, x, target)


def one_by_one(model: Model, x: np.ndarray, target: Target) -> np.ndarray:
    targets = np.broadcast_to(target, len(x))
    maps = [
        _gradient_of(lambda s, c=c: s[0, c], model, x[i : i + 1])  # type: ignore[misc]
        for i, c in enumerate(targets)
    ]
    return np.concatenate(maps)


def one_hot_seed(model: Model, x: np.ndarray, target: Target) -> np.ndarray:
    inputs = Tensor(x, requires_grad=True)
    logits = model(inputs)
    seed = np.zeros(logits.shape)
    seed[np.arange(len(x)), target] = 1
    return grad(logits, inputs, seed)


def one_hot_product(model: Model, x: np.ndarray, target: Target) -> np.ndarray:
    def score(logits: Tensor) -> Tensor:
        return (logits * (np.arange(logits.shape[1]) == np.reshape(target, (-1, 1)))).sum()

    return _gradient_of(score, model, x)


def backward_method(model: Model, x: np.ndarray, target: Target) -> np.ndarray:
    inputs = Tensor(x, requires_grad=True)
    model(inputs)[np.arange(len(x)), target].sum().backward()
    assert inputs.grad is not None
    return inputs.grad


def single_precision(model: Model, x: np.ndarray, target: Target) -> np.ndarray:
    return saliency.gradient(model, x, target).astype(np.float32)


GRADIENT = Exercise(
    number="05.1",
    function=saliency.gradient,
    reference=in_torch(saliency.gradient),
    goal="Differentiate the logit of a class with respect to every pixel, for a whole batch.",
    anchor="sec-saliency-gradient",
    points=3,
    cases=_cases(GRADIENT_BY_HAND),
    properties=MANNERS,
    mistakes=[
        Mistake(
            probability,
            "your map is exactly what you get by differentiating the softmax probability; "
            "saliency uses the logit",
        ),
        Mistake(
            log_probability,
            "your map is the gradient of the log-probability, which mixes in every other class; "
            "use the logit itself",
        ),
        Mistake(
            predicted_class,
            "you explain the class that the network predicts; explain the class in target",
        ),
        Mistake(
            all_classes,
            "you differentiate the sum of all logits; pick the logit of the target first",
        ),
        Mistake(
            every_target,
            "you take every target for every image, as logits[:, target] does; pair image i with "
            "target[i]",
        ),
        Mistake(
            batch_mean,
            "your maps shrink as the batch grows: sum the scores over the batch, do not average",
        ),
        Mistake(first_target, "you use the first target for the whole batch"),
        Mistake(magnitude, "you return the magnitude; the gradient keeps its sign"),
        Mistake(descent, "your sign is that of a loss going down; the score itself goes up"),
        Mistake(normalised, "you scale each map to 1; return raw values, scaling is for display"),
        Mistake(
            guided,
            "you drop negative gradients at each ReLU: that is guided backpropagation (module 08)",
        ),
    ],
    equivalents=[one_by_one, one_hot_seed, one_hot_product, backward_method, single_precision],
    hints=(
        "A network is a function of its input as much as of its weights. Put the input on the "
        "tape, run the model, and walk back from one number to the input. Images in a batch do not "
        "touch each other, so one number is enough for all of them: the sum of their scores.",
        "R = ∂(Σ_n S_{n, target[n]}) / ∂x. `logits` has the shape (N, classes); indexing it with "
        "two integer arrays of length N picks one entry a row.",
        "score = logits[np.arange(len(x)), ____].sum(), then grad(score, ____)",
    ),
)


# --- 05.2 saliency_map ---------------------------------------------------------------------


# |(3, -7)| and |(4, -2)|, the larger of each pixel's two channels.
MAP_BY_HAND = np.array([[[4.0, 7.0]]])


def map_of_probability(model: Model, x: np.ndarray, target: Target) -> np.ndarray:
    return np.abs(probability(model, x, target)).max(axis=1)


def map_of_product(model: Model, x: np.ndarray, target: Target) -> np.ndarray:
    return np.abs(x * saliency.gradient(model, x, target)).max(axis=1)


SALIENCY_MAP = Exercise(
    number="05.2",
    function=saliency.saliency_map,
    reference=in_torch(saliency.saliency_map),
    goal="Reduce the gradient to one non-negative number a pixel: the largest magnitude over "
    "the colour channels.",
    anchor="sec-saliency-map",
    points=2,
    cases=_cases(MAP_BY_HAND),
    properties=MANNERS,
    given=[saliency.gradient],
    mistakes=[
        Mistake(
            _from_gradient("signed_maximum", lambda g: g.max(axis=1)),
            "you take the largest signed value; take the magnitude first, then the maximum",
        ),
        Mistake(
            _from_gradient("magnitude_of_maximum", lambda g: np.abs(g.max(axis=1))),
            "you take the magnitude after the maximum; a strong negative channel is lost",
        ),
        Mistake(
            _from_gradient("channel_sum", lambda g: np.abs(g).sum(axis=1)),
            "you add the channels' magnitudes, as some libraries do; the paper takes the maximum",
        ),
        Mistake(
            _from_gradient("channel_mean", lambda g: np.abs(g).mean(axis=1)),
            "you average the channels' magnitudes; the paper takes the maximum",
        ),
        Mistake(
            _from_gradient("channel_norm", lambda g: np.sqrt((g**2).sum(axis=1))),
            "you take the Euclidean length over channels; it correlates with the maximum, "
            "but it is another map",
        ),
        Mistake(
            _from_gradient("magnitude_of_sum", lambda g: np.abs(g.sum(axis=1))),
            "you add the channels before taking the magnitude, so opposite signs cancel",
        ),
        Mistake(
            _from_gradient("first_channel", lambda g: np.abs(g[:, 0])),
            "you look at the first channel only",
        ),
        Mistake(
            _from_gradient(
                "scaled_to_one",
                lambda g: np.abs(g).max(axis=1) / np.abs(g).max(axis=(1, 2, 3))[:, None, None],
            ),
            "you scale each map to 1; return raw values, scaling is for display",
        ),
        Mistake(
            _from_gradient("kept_channel", lambda g: np.abs(g).max(axis=1, keepdims=True)),
            "you keep the channel axis with length 1; the map is (N, H, W)",
        ),
        Mistake(
            _from_gradient("batch_axis", lambda g: np.abs(g).max(axis=0)),
            "you take the maximum over the batch (axis 0); the channels are axis 1",
        ),
        Mistake(
            map_of_probability,
            "your map is exactly what you get by differentiating the softmax probability; "
            "saliency uses the logit",
        ),
        Mistake(map_of_product, "you multiply by the input; that is exercise 05.3"),
    ],
    equivalents=[
        _from_gradient("two_sided", lambda g: np.maximum(g.max(axis=1), -g.min(axis=1))),
        _from_gradient("root_of_square", lambda g: np.sqrt((g**2).max(axis=1))),
        _from_gradient(
            "pixel_loops",
            lambda g: np.array(
                [
                    [
                        [max(abs(v) for v in n[:, i, j]) for j in range(n.shape[2])]
                        for i in range(n.shape[1])
                    ]
                    for n in g
                ]
            ),
        ),
        _from_gradient("sorted_last", lambda g: np.sort(np.abs(g), axis=1)[:, -1]),
        _from_gradient("single_precision", lambda g: np.abs(g).max(axis=1).astype(np.float32)),
    ],
    hints=(
        "A colour image has three derivatives at each pixel, one a channel. The map asks how much "
        "the pixel can matter at most, whichever way and in whichever channel.",
        "M_ij = max_c |g_cij|: first the magnitude, then the maximum over the channel axis of "
        "an array (N, C, H, W).",
        "return np.abs(gradient(model, x, target)).max(axis=____)",
    ),
)


# --- 05.3 gradient_times_input -------------------------------------------------------------


# x = (3, 1, 1, 2) times (3, -7, 4, -2).
PRODUCT_BY_HAND = np.array([[[[9.0, -7.0]], [[4.0, -4.0]]]])


def times_probability(model: Model, x: np.ndarray, target: Target) -> np.ndarray:
    return x * probability(model, x, target)


def times_predicted(model: Model, x: np.ndarray, target: Target) -> np.ndarray:
    return x * predicted_class(model, x, target)


GRADIENT_TIMES_INPUT = Exercise(
    number="05.3",
    function=saliency.gradient_times_input,
    reference=in_torch(saliency.gradient_times_input),
    goal="Multiply the gradient by the input, entry by entry, and keep the sign.",
    anchor="sec-saliency-times-input",
    points=1,
    cases=_cases(PRODUCT_BY_HAND),
    properties=(
        *MANNERS,
        Property(
            "completeness",
            case="hand",
            variations=(lambda a: {**a, "x": 2 * a["x"]},),
            # S_1 = 3 * 4 - 2 * 5 at the hand-sized input, and the network has no biases.
            holds=lambda one, two: abs(one.sum() - 2) < 1e-6 and abs(two.sum() - 4) < 1e-6,
            says="in a ReLU network without biases the entries add up to the logit; yours do not",
        ),
    ),
    given=[saliency.gradient],
    mistakes=[
        Mistake(
            _product("gradient_alone", lambda x, g: g), "the input is missing from your product"
        ),
        Mistake(
            _product("input_alone", lambda x, g: x), "the gradient is missing from your product"
        ),
        Mistake(
            _product("product_magnitude", lambda x, g: np.abs(x * g)),
            "you return the magnitude; the product keeps its sign",
        ),
        Mistake(
            _product("gradient_magnitude", lambda x, g: x * np.abs(g)),
            "you drop the gradient's sign before the product",
        ),
        Mistake(
            _product("input_magnitude", lambda x, g: np.abs(x) * g),
            "you drop the input's sign before the product",
        ),
        Mistake(_product("gradient_squared", lambda x, g: x * g * g), "the gradient enters twice"),
        Mistake(_product("input_squared", lambda x, g: x * x * g), "the input enters twice"),
        Mistake(
            _product("input_plus_gradient", lambda x, g: x + g), "you add; the method multiplies"
        ),
        Mistake(
            _product("channels_added", lambda x, g: (x * g).sum(axis=1, keepdims=True)),
            "you add the channels; the answer has one entry for each number of x",
        ),
        Mistake(
            _product("centred_input", lambda x, g: (x - x.mean(axis=(1, 2, 3), keepdims=True)) * g),
            "you subtract the image's mean first; that is a product with another input",
        ),
        Mistake(
            times_probability, "you use the probability's gradient; the method uses the logit's"
        ),
        Mistake(times_predicted, "you explain the predicted class; explain the class in target"),
    ],
    equivalents=[
        _product("other_order", lambda x, g: g * x),
        _product("einsum", lambda x, g: np.einsum("nchw,nchw->nchw", x, g)),
        _product(
            "one_example_a_time", lambda x, g: np.stack([a * b for a, b in zip(x, g, strict=True)])
        ),
        _product("minus_twice", lambda x, g: -(x * -g)),
        _product("single_precision", lambda x, g: (x * g).astype(np.float32)),
    ],
    hints=(
        "A slope says what one unit more would do. To ask what the pixel contributes as it is, "
        "weigh the slope by how much of the pixel there is.",
        "R_i = x_i · ∂S_c/∂x_i, entry by entry; nothing is summed.",
        "return x * ____",
    ),
)


SPEC = ModuleSpec(
    number="05",
    name="saliency",
    title="Saliency: the gradient as an explanation",
    summary="How would the score change if a pixel did? One backward pass answers for all pixels.",
    exercises=(GRADIENT, SALIENCY_MAP, GRADIENT_TIMES_INPUT),
)
