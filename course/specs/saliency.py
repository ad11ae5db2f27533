"""05 saliency: the gradient, its largest channel, its product with the input, and the way from a
word's vector to the word."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from course.autograd import Tensor, grad, log_softmax, rule, softmax
from course.grading.spec import Case, Exercise, Mistake, ModuleSpec, Network, Property
from course.methods import saliency
from course.methods.protocol import Model, Target
from course.specs._protocol import (
    HAND,
    HAND_INPUT,
    MANNERS,
    image_cases,
    in_torch,
    telling_targets,
)


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
        "M_ij = max_k |g_kij|: first the magnitude, then the maximum over the channel axis of "
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


# --- 05.4 aggregate_tokens -----------------------------------------------------------------


def token_cases(rng: np.random.Generator) -> list[Case]:
    # Two words whose vectors are the hand-sized image's pixels in reading order, with its gradient.
    e, g = np.array([[[3.0, 1.0], [1.0, 2.0]]]), np.array([[[3.0, -7.0], [4.0, -2.0]]])
    hand = {
        "sum": [[-4.0, 2.0]],
        "mean": [[-2.0, 1.0]],
        "l2": [[58**0.5, 20**0.5]],
        "dot": [[2.0, 0.0]],
    }
    cases = [
        Case(
            f"hand, {how}",
            {"gradients": g, "embeddings": e, "how": how},
            expected=np.array(values),
        )
        for how, values in hand.items()
    ]
    gradients, embeddings = rng.normal(size=(2, 3, 5, 4))
    # Of sentences with small gradients and large ones, scaling to 1 raises some and lowers others.
    gradients *= np.array([0.01, 0.1, 10])[:, None, None]
    return cases + [
        Case(how, {"gradients": gradients, "embeddings": embeddings, "how": how}) for how in hand
    ]


Aggregation = Callable[[np.ndarray, np.ndarray], np.ndarray]


def _tokens(name: str, **ways: Aggregation) -> Callable[..., np.ndarray]:
    """An answer that is right but for the given ways of aggregation; `all_` changes them all."""

    def answer(gradients: np.ndarray, embeddings: np.ndarray, how: str) -> np.ndarray:
        way = ways.get(how)
        if way is not None:
            return way(gradients, embeddings)
        right = saliency.aggregate_tokens(gradients, embeddings, how)
        return ways["all_"](right, embeddings) if "all_" in ways else right

    answer.__name__ = name
    return answer


def word_by_word(gradients: np.ndarray, embeddings: np.ndarray, how: str) -> np.ndarray:
    of_word = {
        "sum": lambda g, e: sum(g),
        "mean": lambda g, e: sum(g) / len(g),
        "l2": lambda g, e: sum(v * v for v in g) ** 0.5,
        "dot": lambda g, e: sum(a * b for a, b in zip(g, e, strict=True)),
    }[how]
    return np.array(
        [
            [of_word(g, e) for g, e in zip(gs, es, strict=True)]
            for gs, es in zip(gradients, embeddings, strict=True)
        ]
    )


AGGREGATE_TOKENS = Exercise(
    number="05.4",
    function=saliency.aggregate_tokens,
    reference=in_torch(saliency.aggregate_tokens),
    goal="Make one number a word of the gradient with respect to its vector, in four ways.",
    anchor="sec-saliency-tokens",
    points=2,
    cases=token_cases,
    mistakes=[
        Mistake(
            _tokens(
                "over_the_sentence",
                sum=lambda g, e: g.sum(axis=1),
                mean=lambda g, e: g.mean(axis=1),
                l2=lambda g, e: np.sqrt((g**2).sum(axis=1)),
                dot=lambda g, e: (g * e).sum(axis=1),
            ),
            "you add up over the words (axis 1); the numbers of one word's vector are axis 2",
        ),
        Mistake(
            _tokens("mean_is_a_sum", mean=lambda g, e: g.sum(axis=2)),
            'your "mean" is not divided by the length of the vector',
        ),
        Mistake(
            _tokens("mean_over_words", mean=lambda g, e: g.sum(axis=2) / g.shape[1]),
            'your "mean" is divided by the number of words, not by the length of the vector',
        ),
        Mistake(
            _tokens("sum_of_magnitudes", sum=lambda g, e: np.abs(g).sum(axis=2)),
            'you take magnitudes before the "sum"; it keeps signs, which is its weakness',
        ),
        Mistake(
            _tokens("square_of_length", l2=lambda g, e: (g**2).sum(axis=2)),
            'the square root is missing from "l2"',
        ),
        Mistake(
            _tokens("root_mean_square", l2=lambda g, e: np.sqrt((g**2).mean(axis=2))),
            'your "l2" is a root of a mean; the length of a vector is the root of the sum',
        ),
        Mistake(
            _tokens("city_block", l2=lambda g, e: np.abs(g).sum(axis=2)),
            'your "l2" adds magnitudes, which is the L1 norm; square, add, take the root',
        ),
        Mistake(
            _tokens("length_of_product", dot=lambda g, e: np.sqrt(((g * e) ** 2).sum(axis=2))),
            'your "dot" is the length of gradient × embedding; add its entries, with their signs',
        ),
        Mistake(
            _tokens("product_of_sums", dot=lambda g, e: g.sum(axis=2) * e.sum(axis=2)),
            "you add up gradient and embedding before the product; multiply entry by entry first",
        ),
        Mistake(
            _tokens("dot_of_magnitudes", dot=lambda g, e: (np.abs(g) * e).sum(axis=2)),
            "you drop the gradient's sign before the product",
        ),
        Mistake(
            _tokens(
                "cosine",
                dot=lambda g, e: (
                    (g * e).sum(axis=2) / np.linalg.norm(g, axis=2) / np.linalg.norm(e, axis=2)
                ),
            ),
            'your "dot" is the cosine of the angle between the two; do not divide by lengths',
        ),
        Mistake(
            _tokens("not_added", dot=lambda g, e: g * e),
            "you return the product for each number of a vector; add them up for each word",
        ),
        Mistake(
            _tokens("scaled_to_one", all_=lambda r, e: r / np.abs(r).max(axis=1, keepdims=True)),
            "you scale each sentence to 1; return raw values, scaling is for display",
        ),
        Mistake(
            _tokens("kept_axis", all_=lambda r, e: r[:, :, None]),
            "you keep the last axis with length 1; the answer is (N, T)",
        ),
    ],
    equivalents=[
        word_by_word,
        _tokens(
            "einsum",
            sum=lambda g, e: np.einsum("ntd->nt", g),
            dot=lambda g, e: np.einsum("ntd,ntd->nt", g, e),
        ),
        _tokens(
            "norm_of_linalg",
            l2=lambda g, e: np.linalg.norm(g, axis=-1),
            mean=lambda g, e: np.average(g, axis=-1),
        ),
        _tokens(
            "matrix_products",
            sum=lambda g, e: g @ np.ones(g.shape[2]),
            dot=lambda g, e: (g[:, :, None, :] @ e[:, :, :, None])[:, :, 0, 0],
        ),
        _tokens("single_precision", all_=lambda r, e: r.astype(np.float32)),
    ],
    equivalent_mutants={
        f'{change}f\'how must be "sum", "mean", "l2" or "dot", got {{how!r}}\'{end}': (
            "no exercise asks for a fifth way; the tests do"
        )
        for change, end in (("raise ", ""), ("without raise ValueError(", ")"))
    },
    hints=(
        "A word's vector has D numbers and none of them is the word. Four ways to make one number "
        "of D slopes: add them, average them, measure their length, or weigh each by how much of "
        "it there is, as gradient × input does.",
        "sum Σ_d g_d; mean Σ_d g_d / D; l2 √(Σ_d g_d²); dot Σ_d g_d e_d. D is the last axis.",
        'if how == "dot": return (gradients * ____).sum(axis=____)',
    ),
)


# --- 05.5 comprehensiveness ----------------------------------------------------------------


def removal_cases(rng: np.random.Generator) -> list[Case]:
    # Without its second word, the hand-sized example is (3, 1, 0, 0): h = (2, 2), S = (4, 2, 2).
    before = 1 / (1 + np.exp(2 - 9) + np.exp(6 - 9))
    after = 1 / (1 + 2 * np.exp(2 - 4))
    hand = Case(
        "hand",
        {
            "model": HAND,
            "x": HAND_INPUT.reshape(1, 2, 2),
            "target": 0,
            "scores": np.array([[0.3, 0.9]]),
            "mask": np.ones((1, 2), bool),
            "replacement": np.zeros(2),
            "fraction": 0.5,
        },
        expected=np.array([before - after]),
    )
    network = Network("small_text", seed=int(rng.integers(1 << 31)))
    x = 2 * rng.normal(size=(4, 9, 4))
    # Of 9, 6, 2 and 7 words, a third and a fifth, rounded down, up and to the nearest, differ.
    mask = np.arange(9) < np.array([9, 6, 2, 7])[:, None]
    scores = rng.permuted(np.linspace(-3, 2, 36)).reshape(4, 9) + np.where(mask, 0, 4)
    batch: dict[str, Any] = {
        "model": network,
        "x": x,
        "target": telling_targets(network, x, rng),
        "scores": scores,
        "mask": mask,
        "replacement": 2 * rng.normal(size=4),
    }
    single = {k: np.float32(batch[k]) for k in ("x", "replacement")}
    # An answer is one number a sentence: it takes many for every two mistakes to differ both ways.
    lengths = rng.integers(2, 8, size=(100, 1))
    many = {
        **batch,
        "x": 2 * rng.normal(size=(100, 7, 4)),
        "target": rng.integers(3, size=100),
        "scores": rng.normal(size=(100, 7)),
        "mask": np.arange(7) < lengths,
        "fraction": 0.3,
    }
    return [
        hand,
        Case("batch", batch),
        Case("a third", {**batch, "fraction": 0.34}),
        Case("one target", {**batch, "target": 1, "fraction": 0.6}),
        Case(
            "single precision",
            {**batch, **single, "model": Network("small_text", network.seed, "float32")},
            tolerance=1e-4,
        ),
        Case("many", many),
    ]


def _chosen(probability: np.ndarray, target: Target) -> np.ndarray:
    return probability[np.arange(len(probability)), target]


def _probabilities(model: Model, x: np.ndarray) -> np.ndarray:
    return softmax(model(Tensor(x))).data


def _top(scores: np.ndarray, mask: np.ndarray, fraction: float) -> np.ndarray:
    """True at each sentence's top tokens, found one sentence at a time."""
    top = np.zeros(mask.shape, bool)
    for n, words in enumerate(mask):
        places = np.flatnonzero(words)
        count = int(np.ceil(fraction * len(places)))
        top[n, places[np.argsort(scores[n, places])[::-1][:count]]] = True
    return top


def _removing(
    name: str,
    choose: Callable[[np.ndarray, np.ndarray, float], np.ndarray] = _top,
    replace: Callable[[np.ndarray, np.ndarray], np.ndarray] = lambda x, r: r,
    compare: Callable[[np.ndarray, np.ndarray, Target], np.ndarray] = (
        lambda before, after, target: _chosen(before, target) - _chosen(after, target)
    ),
    outputs: Callable[[Model, np.ndarray], np.ndarray] = _probabilities,
) -> Callable[..., np.ndarray]:
    """An answer in four steps, of which a mistake changes one."""

    def answer(
        model: Model,
        x: np.ndarray,
        target: Target,
        scores: np.ndarray,
        mask: np.ndarray,
        replacement: np.ndarray,
        fraction: float = 0.2,
    ) -> np.ndarray:
        gone = choose(scores, mask, fraction)
        without: np.ndarray = np.where(gone[:, :, None], replace(x, replacement), x)
        return compare(outputs(model, x), outputs(model, without.astype(x.dtype)), target)

    answer.__name__ = name
    return answer


def _counted(count: Callable[[float], float]) -> Callable[..., np.ndarray]:
    def choose(scores: np.ndarray, mask: np.ndarray, fraction: float) -> np.ndarray:
        ranks = (-np.where(mask, scores, -np.inf)).argsort(axis=1).argsort(axis=1)
        return ranks < np.array([[count(fraction * words)] for words in mask.sum(axis=1)])

    return choose


def _batch_threshold(scores: np.ndarray, mask: np.ndarray, fraction: float) -> np.ndarray:
    ranked = np.sort(scores[mask])[::-1]
    return mask & (scores >= ranked[int(np.ceil(fraction * mask.sum())) - 1])


def _top_anywhere(scores: np.ndarray, mask: np.ndarray, fraction: float) -> np.ndarray:
    ranks = (-scores).argsort(axis=1).argsort(axis=1)
    return ranks < np.ceil(fraction * mask.sum(axis=1, keepdims=True))


def _drop_of_predicted(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    predicted = before.argmax(axis=1)
    return _chosen(before, predicted) - _chosen(after, predicted)


def _places_for_ranks(scores: np.ndarray, mask: np.ndarray, fraction: float) -> np.ndarray:
    order = (-np.where(mask, scores, -np.inf)).argsort(axis=1)
    return order < np.ceil(fraction * mask.sum(axis=1, keepdims=True))


def _by_threshold(scores: np.ndarray, mask: np.ndarray, fraction: float) -> np.ndarray:
    gone = np.zeros(mask.shape, bool)
    for n, words in enumerate(mask):
        ranked = sorted(scores[n, words], reverse=True)
        gone[n] = words & (scores[n] >= ranked[int(np.ceil(fraction * words.sum())) - 1])
    return gone


def _by_partition(scores: np.ndarray, mask: np.ndarray, fraction: float) -> np.ndarray:
    gone = np.zeros(mask.shape, bool)
    for n, words in enumerate(mask):
        ranked, count = np.where(words, scores[n], -np.inf), -int(-fraction * words.sum() // 1)
        gone[n, np.argpartition(ranked, -count)[-count:]] = True
    return gone


COMPREHENSIVENESS = Exercise(
    number="05.5",
    function=saliency.comprehensiveness,
    reference=in_torch(saliency.comprehensiveness),
    goal="Take away each sentence's highest-scored words: how far does the probability of the "
    "class fall?",
    anchor="sec-saliency-comprehensiveness",
    points=3,
    cases=removal_cases,
    properties=MANNERS,
    mistakes=[
        Mistake(
            _removing("drop_of_logit", outputs=lambda model, x: model(Tensor(x)).data),
            "you compare logits; comprehensiveness is defined by the probability",
        ),
        Mistake(
            _removing("lowest_removed", choose=lambda s, m, f: _top(-s, m, f)),
            "you remove the words of the lowest scores",
        ),
        Mistake(
            _removing("sufficiency", choose=lambda s, m, f: m & ~_top(s, m, f)),
            "you keep the top words and remove the others: that is sufficiency, its counterpart",
        ),
        Mistake(
            _removing("largest_magnitude", choose=lambda s, m, f: _top(np.abs(s), m, f)),
            "you rank by magnitude; a word with a strong negative score speaks against the class",
        ),
        Mistake(
            _removing("always_zeros", replace=lambda x, r: np.zeros_like(r)),
            "you put zeros in place of a word; put the vector in replacement there",
        ),
        Mistake(
            _removing("replacement_added", replace=lambda x, r: x + r),
            "you add the replacement to the word; it stands instead of the word",
        ),
        Mistake(
            _removing(
                "padding_counted",
                choose=lambda s, m, f: _counted(lambda n: np.ceil(f * m.shape[1]))(s, m, f) & m,
            ),
            "you take the fraction of the padded length; count only the words that mask shows",
        ),
        Mistake(
            _removing("padding_removed", choose=_top_anywhere),
            "you let padding take part in the ranking; only words can be removed",
        ),
        Mistake(
            _removing("rounded_down", choose=_counted(np.floor)),
            "you round the number of words down; a fifth of two words is one word",
        ),
        Mistake(
            _removing("rounded", choose=_counted(np.round)),
            "you round the number of words to the nearest; round up",
        ),
        Mistake(
            _removing("places_for_ranks", choose=_places_for_ranks),
            "argsort gives the places in order of rank, not each place's rank; sort it once more",
        ),
        Mistake(
            _removing("batch_threshold", choose=_batch_threshold),
            "you rank the words of the whole batch together; rank each sentence by itself",
        ),
        Mistake(
            _removing("probability_left", compare=lambda b, a, t: _chosen(a, t)),
            "you return the probability that is left; return how far it fell",
        ),
        Mistake(
            _removing("relative_drop", compare=lambda b, a, t: 1 - _chosen(a, t) / _chosen(b, t)),
            "you divide by the first probability; the drop is a plain difference",
        ),
        Mistake(
            _removing("predicted_class", compare=lambda b, a, t: _drop_of_predicted(b, a)),
            "you follow the class that the network predicts; follow the class in target",
        ),
        Mistake(
            _removing("best_afterwards", compare=lambda b, a, t: _chosen(b, t) - a.max(axis=1)),
            "you compare with the largest probability afterwards; follow the same class",
        ),
    ],
    equivalents=[
        _removing("one_sentence_a_time"),
        _removing("by_threshold", choose=_by_threshold),
        _removing("by_partition", choose=_by_partition),
        _removing("double_argsort", choose=_counted(np.ceil)),
        _removing(
            "single_precision",
            compare=lambda b, a, t: (_chosen(b, t) - _chosen(a, t)).astype(np.float32),
        ),
    ],
    equivalent_mutants={
        "rank = (-ranked).argsort(axis=1, kind='stable').argsort()": "the last axis is axis 1",
        "rank = (-ranked).argsort(kind='stable').argsort(axis=1)": "the last axis is axis 1",
        "rank = (-ranked).argsort().argsort(axis=1)": "the last axis is axis 1, and no case ties",
        "rank = (-ranked).argsort(axis=1).argsort(axis=1)": "no case has words that tie",
        "count = fraction * mask.sum(axis=1, keepdims=True)": "whole ranks are less than 1.2 if "
        "and only if they are less than 2",
    },
    hints=(
        "If the scores are right, the words that they point at carry the answer, and without them "
        "the network should be less sure. Rank the words of each sentence, replace the first "
        "fifth, ask again.",
        "p_c(x) - p_c(x without its top ⌈fraction · words⌉ words). Give padding the score -∞, so "
        "that it comes last. The rank of each place is argsort().argsort() of the negated scores.",
        "without = np.where((rank < count)[:, :, None], ____, x)",
    ),
)


SPEC = ModuleSpec(
    number="05",
    name="saliency",
    title="Saliency: the gradient as an explanation",
    summary="How would the score change if a pixel did? One backward pass answers for all pixels.",
    exercises=(
        GRADIENT,
        SALIENCY_MAP,
        GRADIENT_TIMES_INPUT,
        AGGREGATE_TOKENS,
        COMPREHENSIVENESS,
    ),
)
