"""01 autograd: the rules of single operations, and the walk that chains them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from graphlib import TopologicalSorter
from typing import Any

import numpy as np

from course.autograd import VJP, Tensor, grad, record, relu, softmax
from course.autograd.activations import relu_vjp, softmax_vjp
from course.autograd.elementwise import mul_vjp_a
from course.autograd.linear import matmul_vjp_a, matmul_vjp_b
from course.autograd.spatial import conv_vjp_x
from course.autograd.tensor import unbroadcast
from course.grading.spec import Answer, Case, Exercise, Mistake, ModuleSpec, Property
from course.methods.autograd import backward, conv2d_vjp_x, tape_of, topological_order
from course.specs._protocol import in_torch

Array = np.ndarray
TORCH = "course.reference.autograd"


def _named(name: str, answer: Answer) -> Answer:
    answer.__name__ = name
    return answer


def _mistake(name: str, answer: Answer, diagnosis: str) -> Mistake:
    return Mistake(_named(name, answer), diagnosis)


def _single(arguments: dict[str, Any]) -> dict[str, Any]:
    """The same arguments in single precision."""
    return {k: v.astype(np.float32) if isinstance(v, Array) else v for k, v in arguments.items()}


def _rounded(function: Answer) -> Answer:
    """The right answer, in single precision."""
    return _named("single_precision", lambda **arguments: function(**arguments).astype(np.float32))


# --- 01.1 mul_vjp_a ------------------------------------------------------------------------


def _product(g: Array, a: Array, b: Array) -> dict[str, Any]:
    return {"g": g, "y": a * b, "a": a, "b": b}


def mul_cases(rng: np.random.Generator) -> list[Case]:
    # g * b = (1 * 2, -2 * 5).
    hand = _product(np.array([1.0, -2.0]), np.array([3.0, -1.0]), np.array([2.0, 5.0]))
    batch = _product(*rng.normal(size=(3, 3, 4)))
    row = _product(rng.normal(size=(4, 3)), rng.normal(size=(4, 3)), rng.normal(size=3))
    return [
        Case("hand", hand, expected=np.array([2.0, -10.0])),
        Case("batch", batch),
        Case("one row for all", row),
        Case("single precision", _single(batch), tolerance=1e-4),
    ]


def _entry_by_entry(g: Array, y: Array, a: Array, b: Array) -> Array:
    pairs = zip(g.ravel(), np.broadcast_to(b, g.shape).ravel(), strict=True)
    return np.array([p * q for p, q in pairs]).reshape(g.shape)


MUL = Exercise(
    number="01.1",
    function=mul_vjp_a,
    reference=in_torch(mul_vjp_a, TORCH),
    goal="Pass the gradient of a product back to its first factor.",
    anchor="sec-autograd-rules",
    points=1,
    cases=mul_cases,
    mistakes=[
        _mistake(
            "other_factor",
            lambda g, y, a, b: g * a,
            "you multiply by a itself; where a grows, the product grows b times as much",
        ),
        _mistake(
            "local_only",
            lambda g, y, a, b: b,
            "you return the local derivative alone; the chain rule multiplies it by g",
        ),
        _mistake(
            "passed_through",
            lambda g, y, a, b: g,
            "you hand g on as it is; that is the rule of a sum",
        ),
        _mistake(
            "times_result",
            lambda g, y, a, b: g * y,
            "you multiply by the result y; the derivative of a * b with respect to a is b",
        ),
        _mistake(
            "divided",
            lambda g, y, a, b: g / b,
            "you divide by b: that undoes the product, it does not differentiate it",
        ),
        _mistake(
            "both_factors",
            lambda g, y, a, b: g * (a + b),
            "you add the shares of both factors; this rule is about a only",
        ),
        _mistake(
            "summed",
            lambda g, y, a, b: (g * b).sum(),
            "you add up all entries; each entry of a gets its own",
        ),
        _mistake("added", lambda g, y, a, b: g + b, "you add where the chain rule multiplies"),
    ],
    equivalents=[
        _named("other_order", lambda g, y, a, b: b * g),
        _named("minus_twice", lambda g, y, a, b: -(-g * b)),
        _named("einsum", lambda g, y, a, b: np.einsum("...,...->...", g, b)),
        _entry_by_entry,
        _rounded(mul_vjp_a),
    ],
    hints=(
        "g says how much the score moves if y does. How much does y = a * b move if a does, while "
        "b stands still? Multiply the two.",
        "∂y/∂a = b, entry by entry, so the answer is g · b.",
        "return g * ____",
    ),
)


# --- 01.2 relu_vjp -------------------------------------------------------------------------


def relu_cases(rng: np.random.Generator) -> list[Case]:
    x, g = np.array([2.0, -1.0, 0.0, 3.0]), np.array([5.0, 7.0, -4.0, -2.0])
    hand = {"g": g, "y": np.maximum(x, 0), "x": x}
    x = rng.normal(size=(3, 4, 5))
    x[0] = 0
    batch = {"g": rng.normal(size=x.shape), "y": np.maximum(x, 0), "x": x}
    return [
        # The first and last entries pass; at 0 the derivative is 0.
        Case("hand", hand, expected=np.array([5.0, 0.0, 0.0, -2.0])),
        Case("batch", batch),
        Case("single precision", _single(batch), tolerance=1e-4),
    ]


def _masked_copy(g: Array, y: Array, x: Array) -> Array:
    out = g.copy()
    out[x <= 0] = 0
    return out


RELU = Exercise(
    number="01.2",
    function=relu_vjp,
    reference=in_torch(relu_vjp, TORCH),
    goal="Pass a gradient back through a ReLU, with derivative 0 at the corner.",
    anchor="sec-autograd-rules",
    points=1,
    cases=relu_cases,
    mistakes=[
        _mistake(
            "gradient_rectified",
            lambda g, y, x: g * (g > 0),
            "you keep the positive gradients; the ReLU's input decides, not g. (What you wrote is "
            "the DeconvNet's rule, module 08)",
        ),
        _mistake(
            "guided",
            lambda g, y, x: g * (x > 0) * (g > 0),
            "you drop negative gradients as well: that is guided backpropagation (module 08)",
        ),
        _mistake(
            "open_at_zero",
            lambda g, y, x: g * (x >= 0),
            "you let the gradient pass at x = 0; by convention, Torch's too, the derivative is 0",
        ),
        _mistake(
            "slope_only",
            lambda g, y, x: 1.0 * (x > 0),
            "you return the slope alone; the chain rule multiplies it by g",
        ),
        _mistake("passed_through", lambda g, y, x: g, "you hand g on as if no ReLU stood there"),
        _mistake(
            "times_result",
            lambda g, y, x: g * y,
            "you multiply by the result; its slope is 1 wherever x is positive",
        ),
        _mistake(
            "negative_side",
            lambda g, y, x: g * (x < 0),
            "your mask is the wrong way round: the ReLU is open where x is positive",
        ),
        _mistake(
            "signed",
            lambda g, y, x: g * np.sign(x),
            "you multiply by the sign of x: that is the rule of the absolute value",
        ),
        _mistake(
            "leaky",
            lambda g, y, x: g * np.where(x > 0, 1, 0.01),
            "you let a hundredth pass where x is negative: that is a leaky ReLU",
        ),
    ],
    equivalents=[
        _named("by_result", lambda g, y, x: g * (y > 0)),
        _named("where", lambda g, y, x: np.where(x > 0, g, 0)),
        _named("half_sign", lambda g, y, x: g * (np.sign(x) > 0.5)),
        _masked_copy,
        _rounded(relu_vjp),
    ],
    hints=(
        "A ReLU is two straight lines: flat on the left, of slope 1 on the right. Which one the "
        "entry was on is written in x.",
        "∂y/∂x = 1 where x > 0, else 0; multiply by g.",
        "return g * (____ > 0)",
    ),
)


# --- 01.3 and 01.4 matmul_vjp_a, matmul_vjp_b ------------------------------------------------


def _matrices(*rows: Any) -> dict[str, Any]:
    g, a, b = (np.array(r, float) for r in rows)
    return {"g": g, "y": a @ b, "a": a, "b": b}


OBLONG = _matrices([[1, 2, 0], [0, 1, -1]], [[1, 0, 2, 1], [3, 1, 0, 0]], np.eye(4, 3) * 2)


def _oblong(want: Sequence[Any]) -> Property:
    """What the cases do not have, so that a forgotten transpose is not just an error there."""
    return Property(
        "oblong",
        case="hand",
        variations=(lambda arguments: OBLONG,),
        holds=lambda one, other: other.shape == np.shape(want) and np.allclose(other, want),
        says="your answer is wrong for matrices that are not square",
    )


def matmul_a_cases(rng: np.random.Generator) -> list[Case]:
    # g bᵀ = (5 * 3 + -2 * -1, 5 * 2 + -2 * 4).
    hand = _matrices([[5, -2]], [[1, 2]], [[3, -1], [2, 4]])
    batch = _matrices(*(rng.normal(size=(3, n, 3)) for n in (2, 2, 3)))
    layer = _matrices(
        rng.normal(size=(4, 2, 3)), rng.normal(size=(4, 2, 3)), rng.normal(size=(3, 3))
    )
    return [
        Case("hand", hand, expected=np.array([[17.0, 2.0]])),
        Case("one matrix an example", batch),
        Case("the same matrix for all", layer),
        Case("single precision", _single(batch), tolerance=1e-4),
    ]


def matmul_b_cases(rng: np.random.Generator) -> list[Case]:
    # aᵀ g = (1 * 2 + 3 * -1, 2 * 2 + -1 * -1).
    hand = _matrices([[2], [-1]], [[1, 2], [3, -1]], [[5], [-2]])
    batch = _matrices(*(rng.normal(size=(3, 3, n)) for n in (2, 3, 2)))
    layer = _matrices(*(rng.normal(size=(4, n)) for n in (3, 4, 3)))
    return [
        Case("hand", hand, expected=np.array([[-1.0], [5.0]])),
        Case("one matrix an example", batch),
        Case("a layer", layer),
        Case("single precision", _single(batch), tolerance=1e-4),
    ]


def _t(x: Array) -> Array:
    return x.swapaxes(-1, -2)


def _matmul_a_sums(g: Array, y: Array, a: Array, b: Array) -> Array:
    """Column by column: b's rows say how far each entry of a is read."""
    columns = [(g * b[..., k : k + 1, :]).sum(axis=-1) for k in range(b.shape[-2])]
    return np.stack(columns, axis=-1)


def _matmul_b_sums(g: Array, y: Array, a: Array, b: Array) -> Array:
    rows = [(a[..., k : k + 1] * g).sum(axis=-2) for k in range(a.shape[-1])]
    return np.stack(rows, axis=-2)


MATMUL_A = Exercise(
    number="01.3",
    function=matmul_vjp_a,
    reference=in_torch(matmul_vjp_a, TORCH),
    goal="Pass the gradient of a matrix product back to the left factor, the activations.",
    anchor="sec-autograd-matmul",
    points=1,
    cases=matmul_a_cases,
    properties=(_oblong([[2, 4, 0, 0], [0, 2, -2, 0]]),),
    mistakes=[
        _mistake("not_transposed", lambda g, y, a, b: g @ b, "you forget to transpose b"),
        _mistake(
            "all_axes_reversed",
            lambda g, y, a, b: g @ b.T,
            ".T reverses all axes of a batch of matrices; swap only the last two",
        ),
        _mistake(
            "other_factor",
            lambda g, y, a, b: _t(a) @ g,
            "this is the gradient of the right factor, b; asked for is that of a",
        ),
        _mistake(
            "local_only",
            lambda g, y, a, b: np.ones_like(g) @ _t(b),
            "g does not enter; the chain rule multiplies by it",
        ),
        _mistake(
            "result_transposed",
            lambda g, y, a, b: _t(g @ _t(b)),
            "your answer is transposed; a gradient has the shape of what it belongs to",
        ),
        _mistake(
            "inverted",
            lambda g, y, a, b: g @ np.linalg.inv(b),
            "you multiply by the inverse of b, which undoes the product; its derivative needs the "
            "transpose",
        ),
        _mistake(
            "times_result",
            lambda g, y, a, b: (g * y) @ _t(b),
            "you multiply g by the result first; a product is linear in a, so y plays no part",
        ),
        _mistake(
            "magnitudes",
            lambda g, y, a, b: g @ _t(np.abs(b)),
            "you use the magnitudes of b; a negative weight turns the gradient's sign",
        ),
    ],
    equivalents=[
        _named("einsum", lambda g, y, a, b: np.einsum("...nm,...km->...nk", g, b)),
        _named("turned_round", lambda g, y, a, b: _t(b @ _t(g))),
        _named("moved_axes", lambda g, y, a, b: np.matmul(g, np.moveaxis(b, -1, -2))),
        _matmul_a_sums,
        _rounded(matmul_vjp_a),
    ],
    hints=(
        "Entry a[n, k] is read by every y[n, m], each time with the weight b[k, m]. So it collects "
        "the gradient of a whole row of y. The shapes leave one way only to write that.",
        "(∂a)[n, k] = Σ_m g[n, m] b[k, m]: g of shape (n, m) times b transposed, (m, k).",
        "return g @ b.swapaxes(____, ____)",
    ),
    equivalent_mutants={"return g @ b.swapaxes(-2, -1)": "two axes swapped, named the other way"},
)

MATMUL_B = Exercise(
    number="01.4",
    function=matmul_vjp_b,
    reference=in_torch(matmul_vjp_b, TORCH),
    goal="Pass the gradient of a matrix product back to the right factor, the weights.",
    anchor="sec-autograd-matmul",
    points=1,
    cases=matmul_b_cases,
    properties=(_oblong([[1, 5, -3], [0, 1, -1], [2, 4, 0], [1, 2, 0]]),),
    mistakes=[
        _mistake("not_transposed", lambda g, y, a, b: a @ g, "you forget to transpose a"),
        _mistake(
            "all_axes_reversed",
            lambda g, y, a, b: a.T @ g,
            ".T reverses all axes of a batch of matrices; swap only the last two",
        ),
        _mistake(
            "other_factor",
            lambda g, y, a, b: g @ _t(b),
            "this is the gradient of the left factor, a; asked for is that of b",
        ),
        _mistake(
            "local_only",
            lambda g, y, a, b: _t(a) @ np.ones_like(g),
            "g does not enter; the chain rule multiplies by it",
        ),
        _mistake(
            "result_transposed",
            lambda g, y, a, b: _t(_t(a) @ g),
            "your answer is transposed; a gradient has the shape of what it belongs to",
        ),
        _mistake(
            "averaged",
            lambda g, y, a, b: _t(a) @ g / a.shape[-2],
            "you average over the rows; every row adds its share. (A loss that is a mean has the "
            "1/n in g already)",
        ),
        _mistake(
            "inverted",
            lambda g, y, a, b: np.linalg.inv(a) @ g,
            "you multiply by the inverse of a, which undoes the product; its derivative needs the "
            "transpose",
        ),
        _mistake(
            "times_result",
            lambda g, y, a, b: _t(a) @ (g * y),
            "you multiply g by the result first; a product is linear in b, so y plays no part",
        ),
    ],
    equivalents=[
        _named("einsum", lambda g, y, a, b: np.einsum("...nk,...nm->...km", a, g)),
        _named("turned_round", lambda g, y, a, b: _t(_t(g) @ a)),
        _named(
            "outer_products",
            lambda g, y, a, b: (a[..., :, :, None] * g[..., :, None, :]).sum(axis=-3),
        ),
        _matmul_b_sums,
        _rounded(matmul_vjp_b),
    ],
    hints=(
        "Weight b[k, m] is used once for every row n, on the activation a[n, k], and its uses add "
        "up. The shapes leave one way only to write that.",
        "(∂b)[k, m] = Σ_n a[n, k] g[n, m]: a transposed, (k, n), times g of shape (n, m).",
        "return a.swapaxes(____, ____) @ g",
    ),
    equivalent_mutants={"return a.swapaxes(-2, -1) @ g": "two axes swapped, named the other way"},
)


# --- 01.5 softmax_vjp ----------------------------------------------------------------------


def _softmax(x: Array, dim: int) -> Array:
    e = np.exp(x - x.max(axis=dim, keepdims=True))
    return e / e.sum(axis=dim, keepdims=True)


def softmax_cases(rng: np.random.Generator) -> list[Case]:
    def arguments(shape: tuple[int, ...], dim: int) -> dict[str, Any]:
        x = 2 * rng.normal(size=shape)
        return {"g": rng.normal(size=shape), "y": _softmax(x, dim), "x": x, "dim": dim}

    # y = (1/2, 1/4, 1/4) and Σ g y = 2 - 1 = 1, so the answer is y (3, -1, -5).
    hand = {
        "g": np.array([4.0, 0.0, -4.0]),
        "y": np.array([0.5, 0.25, 0.25]),
        "x": np.log([2.0, 1.0, 1.0]),
        "dim": -1,
    }
    rows = arguments((3, 5), -1)
    return [
        Case("hand", hand, expected=np.array([1.5, -0.25, -1.25])),
        Case("rows", rows),
        Case("columns", arguments((4, 3), 0)),
        Case("middle axis", arguments((2, 4, 3), 1)),
        Case("single precision", _single(rows), tolerance=1e-4),
    ]


def _jacobian(g: Array, y: Array, x: Array, dim: int) -> Array:
    """With the whole matrix for each example."""
    p, v = np.moveaxis(y, dim, -1), np.moveaxis(g, dim, -1)
    jacobian = p[..., :, None] * (np.eye(p.shape[-1]) - p[..., None, :])
    return np.moveaxis(np.einsum("...i,...ij->...j", v, jacobian), -1, dim)


def _recomputed(g: Array, y: Array, x: Array, dim: int) -> Array:
    p = _softmax(x, dim)
    return p * g - p * np.sum(p * g, axis=dim, keepdims=True)


def _pairs(g: Array, y: Array, x: Array, dim: int) -> Array:
    """Σ_j y_i y_j (g_i - g_j): what each pair of classes takes from each other."""
    p, v = np.moveaxis(y, dim, 0), np.moveaxis(g, dim, 0)
    out = sum(p * p[j] * (v - v[j]) for j in range(len(p)))
    return np.moveaxis(np.asarray(out), 0, dim)


SOFTMAX = Exercise(
    number="01.5",
    function=softmax_vjp,
    reference=in_torch(softmax_vjp, TORCH),
    goal="Pass a gradient back through a softmax along any dimension, without its Jacobian matrix.",
    anchor="sec-autograd-softmax",
    points=2,
    cases=softmax_cases,
    properties=(
        Property(
            "zero sum",
            case="rows",
            variations=(lambda a: {**a, "g": a["g"] + 5},),
            holds=lambda one, other: (
                np.allclose(one.sum(axis=-1), 0, atol=1e-6) and np.allclose(one, other, atol=1e-6)
            ),
            says="the same number added to all of g has to change nothing: the probabilities "
            "always sum to 1",
        ),
    ),
    mistakes=[
        _mistake(
            "diagonal_only",
            lambda g, y, x, dim: g * y * (1 - y),
            "you use only the diagonal y (1 - y), as for a sigmoid; each input of a softmax moves "
            "the other outputs too",
        ),
        _mistake(
            "exponential",
            lambda g, y, x, dim: g * y,
            "you differentiate the exponential and leave out the sum that it is divided by",
        ),
        _mistake(
            "mean_subtracted",
            lambda g, y, x, dim: y * (g - (g * y).mean(axis=dim, keepdims=True)),
            "you subtract the plain mean of g y; the sum is already the mean of g, weighted by y",
        ),
        _mistake(
            "unweighted_mean",
            lambda g, y, x, dim: y * (g - g.mean(axis=dim, keepdims=True)),
            "you subtract the unweighted mean of g; weigh it by the probabilities",
        ),
        _mistake(
            "whole_array",
            lambda g, y, x, dim: y * (g - (g * y).sum()),
            "you sum over the whole array; every example has a sum of its own, along dim",
        ),
        _mistake(
            "last_axis",
            lambda g, y, x, dim: y * (g - (g * y).sum(axis=-1, keepdims=True)),
            "you sum along the last axis whatever dim is",
        ),
        _mistake(
            "factor_missing",
            lambda g, y, x, dim: g * y - (g * y).sum(axis=dim, keepdims=True),
            "y multiplies the sum, too: y (g - Σ g y)",
        ),
        _mistake(
            "log_softmax",
            lambda g, y, x, dim: g - y * g.sum(axis=dim, keepdims=True),
            "this is the rule of log_softmax",
        ),
        _mistake(
            "from_logits",
            lambda g, y, x, dim: x * (g - (g * x).sum(axis=dim, keepdims=True)),
            "you use the logits x where the formula has the probabilities y",
        ),
    ],
    equivalents=[
        _jacobian,
        _recomputed,
        _pairs,
        _rounded(softmax_vjp),
        _named("einsum_row", lambda g, y, x, dim: g * y - y * np.sum(g * y, dim, keepdims=True)),
    ],
    hints=(
        "Raise one logit: its own probability grows, and all others shrink, since they share one "
        "sum. So the share of g that comes back must compare g with its average over the classes.",
        "∂y_j/∂x_i = y_i (δ_ij - y_j), so (gᵀJ)_i = y_i (g_i - Σ_j g_j y_j), the sum along dim.",
        "return y * (g - (____).sum(axis=dim, keepdims=____))",
    ),
)


# --- 01.6 conv2d_vjp_x ---------------------------------------------------------------------


def conv_cases(rng: np.random.Generator) -> list[Case]:
    def arguments(
        x: tuple[int, ...], w: tuple[int, ...], stride: int, padding: int
    ) -> dict[str, Any]:
        size = [(n + 2 * padding - k) // stride + 1 for n, k in zip(x[2:], w[2:], strict=True)]
        return {
            "g": rng.normal(size=(x[0], w[0], *size)),
            "x": rng.normal(size=x),
            "w": rng.normal(size=w),
            "stride": stride,
            "padding": padding,
        }

    hand = {
        "g": np.array([[[[1.0, 0.0], [0.0, -1.0]]]]),
        "x": np.arange(9.0).reshape(1, 1, 3, 3),
        "w": np.array([[[[1.0, 2.0], [3.0, 4.0]]]]),
        "stride": 1,
        "padding": 0,
    }
    # The kernel at the upper left, minus the kernel at the lower right.
    by_hand = np.array([[[[1.0, 2, 0], [3, 4 - 1, -2], [0, -3, -4]]]])
    plain = arguments((2, 3, 5, 4), (4, 3, 3, 2), 1, 0)
    return [
        Case("hand", hand, expected=by_hand),
        Case("channels", plain),
        Case("border", arguments((2, 2, 4, 3), (3, 2, 2, 3), 1, 1)),
        Case("stride", arguments((2, 2, 7, 6), (3, 2, 3, 2), 2, 1)),
        Case("single precision", _single(plain), tolerance=1e-4),
    ]


def _scattered(
    read: Callable[[Array, int], Array] = lambda w, o: w[o],
    keep: float = 1.0,
    step: bool = True,
    crop: bool = True,
    mixed: bool = False,
) -> Answer:
    """`conv2d_vjp_x` with one of its parts done otherwise."""

    def answer(g: Array, x: Array, w: Array, stride: int, padding: int) -> Array:
        (n_images, channels, height, width), (kh, kw) = x.shape, w.shape[2:]
        out = np.zeros((n_images, channels, height + 2 * padding, width + 2 * padding))
        for n, o, i, j in np.ndindex(g.shape):
            top, left = (i * stride, j * stride) if step else (i, j)
            images = slice(None) if mixed else slice(n, n + 1)
            window = (images, slice(None), slice(top, top + kh), slice(left, left + kw))
            out[window] = keep * out[window] + g[n, o, i, j] * read(w, o)
        start = padding if crop else 0
        return out[:, :, start : start + height, start : start + width]

    return answer


def _averaged(g: Array, x: Array, w: Array, stride: int, padding: int) -> Array:
    ones = np.ones((1, *w.shape[1:]))
    reads = conv2d_vjp_x(np.ones_like(g[:, :1]), x, ones, stride, padding)
    return conv2d_vjp_x(g, x, w, stride, padding) / np.maximum(reads, 1)


def _gathered(g: Array, x: Array, w: Array, stride: int, padding: int) -> Array:
    """For each pixel, look for the outputs that had read it."""
    out = np.zeros(x.shape)
    for p, q, u, v in np.ndindex(*x.shape[2:], *w.shape[2:]):
        (i, row_off), (j, column_off) = (
            divmod(p + padding - u, stride),
            divmod(q + padding - v, stride),
        )
        if row_off == column_off == 0 and 0 <= i < g.shape[2] and 0 <= j < g.shape[3]:
            out[:, :, p, q] += g[:, :, i, j] @ w[:, :, u, v]
    return out


def _tap_by_tap(g: Array, x: Array, w: Array, stride: int, padding: int) -> Array:
    """Each tap of the kernel for all positions at once."""
    (height, width), (rows, columns) = x.shape[2:], g.shape[2:]
    out = np.pad(np.zeros(x.shape), [(0, 0), (0, 0), (padding, padding), (padding, padding)])
    for u, v in np.ndindex(w.shape[2:]):
        share = np.einsum("noij,oc->ncij", g, w[:, :, u, v])
        out[:, :, u : u + rows * stride : stride, v : v + columns * stride : stride][
            :, :, :rows, :columns
        ] += share
    return out[:, :, padding : padding + height, padding : padding + width]


def _engine_kernel(g: Array, x: Array, w: Array, stride: int, padding: int) -> Array:
    return conv_vjp_x(g, g, x, w, None, (stride,) * 2, (padding,) * 2, (1, 1), 1)


CONV = Exercise(
    number="01.6",
    function=conv2d_vjp_x,
    reference=in_torch(conv2d_vjp_x),
    goal="Pass the gradient of a convolution back to its image, with loops that read like the "
    "definition.",
    anchor="sec-autograd-conv",
    points=3,
    cases=conv_cases,
    mistakes=[
        _mistake(
            "flipped_kernel",
            _scattered(read=lambda w, o: w[o, :, ::-1, ::-1]),
            "you flip the kernel; an output hands its gradient back through the very taps that it "
            "read with. (The flip belongs to the other way of writing this, as one convolution)",
        ),
        _mistake(
            "overwritten",
            _scattered(keep=0.0),
            "you overwrite what earlier outputs gave to a pixel; the shares add up",
        ),
        _mistake(
            "stride_forgotten",
            _scattered(step=False),
            "you ignore the stride: output (i, j) read from row i * stride on",
        ),
        _mistake(
            "border_kept",
            _scattered(crop=False),
            "you cut the image out of the padded one at the upper left corner; the border of "
            "`padding` pixels is on all four sides",
        ),
        _mistake(
            "images_mixed",
            _scattered(mixed=True),
            "the gradient of one image flows into all of the batch",
        ),
        _mistake(
            "first_kernel",
            _scattered(read=lambda w, o: w[0]),
            "you use the first kernel for every output channel",
        ),
        _mistake(
            "unweighted",
            _scattered(read=lambda w, o: np.ones_like(w[o])),
            "the weights do not enter: a pixel gets each gradient times the tap that read it",
        ),
        _mistake(
            "averaged",
            _averaged,
            "you divide by the number of windows that read a pixel; gradients add up",
        ),
    ],
    equivalents=[
        _scattered(),
        _gathered,
        _tap_by_tap,
        _engine_kernel,
        _rounded(conv2d_vjp_x),
    ],
    hints=(
        "Forward, output (i, j) of channel o reads a patch of the padded image and weighs it with "
        "kernel o. Backward, its gradient goes to exactly that patch, weighed with the same "
        "numbers. Patches overlap, so add.",
        "padded[n, :, i s : i s + kh, j s : j s + kw] += g[n, o, i, j] w[o] for all n, o, i, j; "
        "then cut the border off.",
        "for n, o, i, j in np.ndindex(g.shape): padded[n, :, ____, ____] += g[n, o, i, j] * ____",
    ),
    equivalent_mutants={
        "padded = -np.pad(np.zeros_like(x), border)": "minus zero is zero",
    },
)


# --- 01.7 unbroadcast ----------------------------------------------------------------------


def unbroadcast_cases(rng: np.random.Generator) -> list[Case]:
    hand = {"g": np.array([[1.0, 2, 3], [4, 5, 6]]), "shape": [2, 1]}
    both = {"g": rng.normal(size=(2, 3, 4, 5)), "shape": [3, 1, 5]}
    return [
        Case("hand", hand, expected=np.array([[6.0], [15.0]])),
        # As many rows as columns: adding up the wrong ones has the right shape.
        Case("new axis", {"g": rng.normal(size=(3, 3)), "shape": [3]}),
        Case("new and stretched axes", both),
        Case("one number", {"g": rng.normal(size=(2, 3)), "shape": [1]}),
        Case("nothing to do", {"g": rng.normal(size=(3, 2)), "shape": [3, 2]}),
        Case("one that stays one", {"g": rng.normal(size=(4, 1, 2)), "shape": [1, 2]}),
        Case("single precision", _single(both), tolerance=1e-4),
    ]


def _reduced(
    how: Callable[..., Array], new: bool = True, stretched: bool = True, keep: bool = True
) -> Answer:
    """`unbroadcast` with another reduction, or without one of its steps."""

    def answer(g: Array, shape: Sequence[int]) -> Array:
        extra = g.ndim - len(shape)
        if new:
            g = how(g, axis=tuple(range(extra)), keepdims=False)
        ones = tuple(i + g.ndim - len(shape) for i, n in enumerate(shape) if n == 1)
        return how(g, axis=ones, keepdims=keep) if stretched else g

    return answer


def _from_the_left(g: Array, shape: Sequence[int]) -> Array:
    g = g.sum(axis=tuple(range(len(shape), g.ndim)))
    return g.sum(axis=tuple(i for i, n in enumerate(shape) if n == 1), keepdims=True)


def _first_copy(g: Array, shape: Sequence[int]) -> Array:
    g = g[(0,) * (g.ndim - len(shape))]
    return g[tuple(slice(0, n) for n in shape)]


def _last_copy(g: Array, shape: Sequence[int]) -> Array:
    return _first_copy(g[(slice(None, None, -1),) * g.ndim], shape)[
        (slice(None, None, -1),) * len(shape)
    ]


def _while_loop(g: Array, shape: Sequence[int]) -> Array:
    while g.ndim > len(shape):
        g = g.sum(axis=0)
    for axis, n in enumerate(shape):
        if n == 1:
            g = g.sum(axis=axis, keepdims=True)
    return g


def _counted(g: Array, shape: Sequence[int]) -> Array:
    """Number the small array's entries, broadcast the numbers, and add up by number."""
    size = int(np.prod(shape))
    numbers = np.broadcast_to(np.arange(size).reshape(shape), g.shape)
    return np.bincount(numbers.ravel(), g.ravel(), size).reshape(shape)


def _added_at(g: Array, shape: Sequence[int]) -> Array:
    out = np.zeros(shape)
    padded = (1,) * (g.ndim - len(shape)) + tuple(shape)
    target = out.reshape(padded)
    for index in np.ndindex(g.shape):
        target[tuple(0 if n == 1 else i for i, n in zip(index, padded, strict=True))] += g[index]
    return out


def _one_sum(g: Array, shape: Sequence[int]) -> Array:
    full = (1,) * (g.ndim - len(shape)) + tuple(shape)
    axes = tuple(i for i, n in enumerate(full) if n == 1)
    return g.sum(axis=axes).reshape(shape)


UNBROADCAST = Exercise(
    number="01.7",
    function=unbroadcast,
    reference=in_torch(unbroadcast, TORCH),
    goal="Bring a gradient back to the shape that an array had before NumPy broadcast it.",
    anchor="sec-autograd-broadcast",
    points=2,
    cases=unbroadcast_cases,
    properties=(
        Property(
            "total",
            case="new and stretched axes",
            variations=(lambda a: {**a, "shape": []},),
            holds=lambda one, total: bool(np.isclose(one.sum(), total)),
            says="no gradient may get lost: all shapes have the same total",
        ),
    ),
    mistakes=[
        _mistake(
            "averaged",
            _reduced(np.mean),
            "you average over the copies; the gradients of copies add up",
        ),
        _mistake(
            "first_copy",
            _first_copy,
            "you keep the gradient of the first copy and drop the others; they add up",
        ),
        _mistake(
            "last_copy",
            _last_copy,
            "every copy overwrites the one before, so the last one's gradient is left; they add up",
        ),
        _mistake(
            "resized",
            lambda g, shape: np.resize(g, tuple(shape)),
            "you cut the array to size as it lies in memory; the gradients of copies add up",
        ),
        _mistake("largest", _reduced(np.max), "you take the largest; the gradients add up"),
        _mistake(
            "new_axes_only",
            _reduced(np.sum, stretched=False),
            "you add up the new axes only; an axis of length 1 that was stretched is summed too",
        ),
        _mistake(
            "stretched_axes_only",
            _reduced(np.sum, new=False),
            "you add up the stretched axes only; axes that broadcasting put in front go too",
        ),
        _mistake(
            "axes_dropped",
            _reduced(np.sum, keep=False),
            "your sum drops the stretched axes; they stay, with length 1 (keepdims)",
        ),
        _mistake(
            "from_the_left",
            _from_the_left,
            "you compare the shapes from the left; NumPy lines them up at the right",
        ),
        _mistake(
            "whole_sum",
            lambda g, shape: np.full(shape, g.sum()),
            "you give the whole sum to every entry; each gets the sum over its own copies",
        ),
        _mistake("passed_through", lambda g, shape: g, "you return g as it came"),
    ],
    equivalents=[_while_loop, _counted, _added_at, _one_sum, _rounded(unbroadcast)],
    hints=(
        "Broadcasting copies: a row is used for every example of the batch. What is used several "
        "times collects a gradient from each use.",
        "Line the shapes up at the right. Sum over the axes that g has more, and over those where "
        "shape has a 1; the latter stay, with length 1.",
        "g = g.sum(axis=tuple(range(____))), then the same for axes with n == 1 and keepdims=____",
    ),
    equivalent_mutants=dict.fromkeys(
        ("without if g.shape == shape:", "without return g", "return -g"),
        "only a shortcut for the engine, which has tuples where the judge sends a list",
    ),
)


# --- 01.8 topological_order ----------------------------------------------------------------

Graph = list[list[int]]


def _chain(n: int, skips: int, rng: np.random.Generator, dead: int = 0) -> tuple[Graph, int]:
    """A chain with shortcuts, its nodes numbered at random: it has one order only. Of `dead` more
    nodes nothing is made that the last of the chain needs."""
    number = [int(i) for i in rng.permutation(n + dead)]
    inputs_of: Graph = [[] for _ in number]
    for k in range(1, n + dead):
        before = min(k, n) - 1
        earlier = {before, *rng.integers(0, before + 1, skips)} if skips else {before}
        chosen = [number[int(i)] for i in earlier]
        inputs_of[number[k]] = [chosen[i] for i in rng.permutation(len(chosen))]
    return inputs_of, number[n - 1]


def _skewed(rng: np.random.Generator) -> tuple[Graph, int]:
    """The wrong turning: node 3 of five is reached first by the longer way."""
    number = [int(i) for i in rng.permutation(5)]
    a, b, c, d, e = number
    graph = {a: [], b: [a], c: [b, a], d: [a, c], e: [c, d, b]}
    return [graph[i] for i in range(5)], e


def order_cases(rng: np.random.Generator) -> list[Case]:
    def case(name: str, graph: tuple[Graph, int]) -> Case:
        return Case(name, {"inputs_of": graph[0], "output": graph[1]})

    # Node 1 is the leaf; 2 is made from 1, 0 from 2 and 1, and 3 from 2 and 0.
    hand = {"inputs_of": [[2, 1], [], [1], [2, 0]], "output": 3}
    return [
        Case("hand", hand, expected=np.array([1, 2, 0, 3])),
        case("shortcuts", _skewed(rng)),
        case("more shortcuts", _chain(8, 2, rng)),
        case("dead ends", _chain(7, 1, rng, dead=3)),
        case("deep", _chain(150, 0, rng)),
    ]


# a, b and c are leaves; two branches use b; the output uses a again. 40 orders are right.
BRANCHES: dict[str, Any] = {"inputs_of": [[5, 6], [2, 3], [], [], [], [1, 3], [3, 4], [0, 2]],
    "output": 7}  # fmt: skip


def _valid(order: Array, inputs_of: Graph, output: int) -> bool:
    place = {int(node): i for i, node in enumerate(np.ravel(order))}
    return (
        len(place) == np.size(order) == len(inputs_of)
        and set(place) == set(range(len(inputs_of)))
        and all(place[i] < place[node] for node in place for i in inputs_of[node])
    )


def _preorder(inputs_of: Graph, output: int) -> list[int]:
    found: list[int] = []

    def visit(node: int) -> None:
        if node not in found:
            found.append(node)
            for i in inputs_of[node]:
                visit(i)

    visit(output)
    return found


def _breadth_first(inputs_of: Graph, output: int) -> list[int]:
    found = [output]
    for node in found:
        found += [i for i in dict.fromkeys(inputs_of[node]) if i not in found]
    return found


def _with_repeats(inputs_of: Graph, output: int) -> Array:
    order: list[int] = []

    def visit(node: int) -> None:
        for i in inputs_of[node]:
            visit(i)
        order.append(node)

    visit(output)
    return np.array(order)


def _postorder(inputs_of: Graph, output: int) -> Array:
    order: list[int] = []

    def visit(node: int) -> None:
        if node not in order:
            for i in inputs_of[node]:
                visit(i)
            order.append(node)

    visit(output)
    return np.array(order)


def _kahn(inputs_of: Graph, output: int) -> Array:
    """Count how many inputs each node still waits for."""
    needed = set(_preorder(inputs_of, output))
    waits = {node: len(inputs_of[node]) for node in needed}
    ready = [node for node in needed if not waits[node]]
    for node in ready:
        for k in needed:
            waits[k] -= inputs_of[k].count(node)
            if not waits[k] and k not in ready:
                ready.append(k)
    return np.array(ready)


def _rounds(inputs_of: Graph, output: int) -> Array:
    """Again and again, take what has all its inputs."""
    needed, order = set(_preorder(inputs_of, output)), []
    while needed:
        node = next(k for k in sorted(needed) if needed.isdisjoint(inputs_of[k]))
        needed.remove(node)
        order.append(node)
    return np.array(order)


def _longest_path(inputs_of: Graph, output: int) -> Array:
    """Sort by depth, the length of the longest way from a leaf."""
    depth: dict[int, int] = {}
    for node in _postorder(inputs_of, output).tolist():
        depth[node] = 1 + max((depth[i] for i in inputs_of[node]), default=0)
    return np.array(sorted(depth, key=lambda node: depth[node]))


def _graphlib(inputs_of: Graph, output: int) -> Array:
    needed = _preorder(inputs_of, output)
    return np.array([*TopologicalSorter({k: inputs_of[k] for k in needed}).static_order()])


ORDER = Exercise(
    number="01.8",
    function=topological_order,
    reference=in_torch(topological_order),
    goal="List the nodes that an output was made of, each after all of its inputs.",
    anchor="sec-autograd-order",
    points=2,
    cases=order_cases,
    properties=(
        Property(
            "branches",
            case="hand",
            variations=(lambda arguments: BRANCHES,),
            holds=lambda one, order: _valid(order, **BRANCHES),
            says="in a graph with several branches, some node comes before one of its inputs, or "
            "is missing or repeated",
        ),
    ),
    mistakes=[
        _mistake(
            "output_first",
            lambda inputs_of, output: _postorder(inputs_of, output)[::-1],
            "your order starts at the output; asked for is the order of computing, the output last",
        ),
        _mistake(
            "parents_first",
            lambda inputs_of, output: np.array(_preorder(inputs_of, output)[::-1]),
            "you note a node when you reach it, and turn the list round at the end; with a "
            "shortcut that is wrong. Note it after all of its inputs",
        ),
        _mistake(
            "on_arrival",
            lambda inputs_of, output: np.array(_preorder(inputs_of, output)),
            "you note a node when you reach it; note it after all of its inputs",
        ),
        _mistake(
            "by_distance",
            lambda inputs_of, output: np.array(_breadth_first(inputs_of, output)[::-1]),
            "you sort by the distance to the output (breadth first); a shortcut makes a node that "
            "is needed early look close",
        ),
        _mistake(
            "by_number",
            lambda inputs_of, output: np.sort(_postorder(inputs_of, output)),
            "you sort by the nodes' numbers, which say nothing about the order",
        ),
        _mistake(
            "repeated",
            _with_repeats,
            "a node that is used twice is listed twice; remember which ones you have seen",
        ),
        _mistake(
            "dead_ends_too",
            lambda inputs_of, output: np.array(
                [*TopologicalSorter(dict(enumerate(inputs_of))).static_order()]
            ),
            "you list nodes that the output does not depend on",
        ),
        _mistake(
            "without_output",
            lambda inputs_of, output: _postorder(inputs_of, output)[:-1],
            "the output itself is missing at the end",
        ),
        _mistake(
            "places",
            lambda inputs_of, output: np.argsort(_postorder(inputs_of, output)),
            "you return each node's place in the order; asked for are the nodes, in order",
        ),
    ],
    equivalents=[_postorder, _kahn, _rounds, _longest_path, _graphlib],
    hints=(
        "Walk from the output to its inputs, theirs, and so on. A node may be noted only when "
        "everything below it has been, so come back to it after its inputs.",
        "Keep a stack of (node, inputs_done). Popped with False for the first time: push it again "
        "with True, then push its inputs with False. Popped with True: note it.",
        "stack.append((node, ____)); stack += [(i, ____) for i in inputs_of[node]]",
    ),
)


# --- 01.9 backward -------------------------------------------------------------------------

Operations = list[list[Any]]
ByNode = dict[int, Array]


def _tape(rng: np.random.Generator, dtype: str = "float64") -> dict[str, Any]:
    """A small network that uses one matrix twice, its nodes numbered at random, with a dead end.

    `at` finds nodes by name. All matrices are square, so that mixing up two rules is no error.
    """
    shapes = {"x": (3, 3), "w": (3, 3), "b": (3,), "scale": (3, 1), "unused": (3,)}
    leaves = {
        k: Tensor(rng.normal(size=s).astype(dtype), requires_grad=True) for k, s in shapes.items()
    }
    x, w, b, scale, unused = leaves.values()
    hidden = relu(x @ w + b)
    y = softmax(hidden @ w * scale, dim=-1)
    score = (y * hidden + x).sum()
    tape, values = tape_of(score)
    named = {**leaves, "hidden": hidden, "score": score}
    at = {k: next(i for i, v in enumerate(values) if v is t.data) for k, t in named.items()
          if t is not unused}  # fmt: skip
    dead = len(tape)
    tape = [*tape, ("leaf", [], {}), ("mul", [dead, at["hidden"]], {})]
    values = [*values, unused.data, unused.data * hidden.data]
    new = rng.permutation(len(tape))
    renumbered: Operations = [[]] * len(tape)
    moved: list[Any] = [None] * len(tape)
    for i, (op, inputs, options) in enumerate(tape):
        renumbered[new[i]] = [op, [int(new[k]) for k in inputs], options]
        moved[new[i]] = values[i]
    at["unused"] = dead
    return {"tape": renumbered, "values": moved, "at": {k: int(new[i]) for k, i in at.items()}}


def backward_cases(rng: np.random.Generator) -> list[Case]:
    def case(wanted: str, made: dict[str, Any], name: str = "", tolerance: float = 1e-6) -> Case:
        at = made["at"]
        arguments = {"tape": made["tape"], "values": made["values"]}
        arguments |= {"output": at["score"], "wanted": at[wanted]}
        return Case(name or wanted, arguments, tolerance=tolerance)

    # c = a b, d = c + a, e = d c at a = 3, b = 2; e = a²b² + a²b, so ∂e/∂a = 2ab² + 2ab = 36.
    hand = {
        "tape": [["mul", [2, 4], {}], ["mul", [3, 0], {}], ["leaf", [], {}],
                 ["add", [0, 2], {}], ["leaf", [], {}]],
        "values": [np.array([v]) for v in (6.0, 54.0, 3.0, 9.0, 2.0)],
        "output": 1,
        "wanted": 2,
    }  # fmt: skip
    made = _tape(rng)
    return [
        Case("hand", hand, expected=np.array([36.0])),
        case("x", made),
        case("w", made),
        case("b", made),
        case("scale", made),
        case("hidden", made),
        case("unused", made),
        case("w", _tape(rng, "float32"), "single precision", 1e-4),
    ]


def _outputs_first(tape: Operations, output: int) -> list[int]:
    return [int(i) for i in topological_order([node[1] for node in tape], output)[::-1]]


def _walk(
    order: Callable[[Operations, int], Sequence[int]] = _outputs_first,
    merge: Callable[[Array, Array], Array] = lambda old, new: old + new,
    fit: Callable[[Array, tuple[int, ...]], Array] = unbroadcast,
    incoming: Callable[[Array], Array] = lambda g: g,
    rules: Callable[[str], Sequence[Answer]] = lambda op: VJP[op],
    start: Callable[[Array], Array] = np.ones_like,
) -> Answer:
    """`backward` with one of its parts done otherwise."""

    def answer(tape: Operations, values: list[Array], output: int, wanted: int) -> Array:
        grads = {output: start(values[output])}
        for node in order(tape, output):
            op, inputs, options = tape[node]
            if op == "leaf" or node not in grads:
                continue
            arrays, g = [values[i] for i in inputs], incoming(grads[node])
            for i, vjp in zip(inputs, rules(op), strict=True):
                share = fit(vjp(g, values[node], *arrays, **options), values[i].shape)
                grads[i] = merge(grads[i], share) if i in grads else share
        return grads.get(wanted, np.zeros_like(values[wanted]))

    return answer


def _nearest_first(tape: Operations, output: int) -> list[int]:
    return _breadth_first([node[1] for node in tape], output)


def _every_path(tape: Operations, values: list[Array], output: int, wanted: int) -> Array:
    """Pass everything that has gathered at a node on, each time that a path arrives there."""
    grads: ByNode = {output: np.ones_like(values[output])}

    def visit(node: int) -> None:
        op, inputs, options = tape[node]
        if op == "leaf":
            return
        arrays = [values[i] for i in inputs]
        for i, vjp in zip(inputs, VJP[op], strict=True):
            share = unbroadcast(vjp(grads[node], values[node], *arrays, **options), values[i].shape)
            grads[i] = grads.get(i, np.zeros_like(values[i])) + share
            visit(i)

    visit(output)
    return grads.get(wanted, np.zeros_like(values[wanted]))


def _by_consumers(tape: Operations, values: list[Array], output: int, wanted: int) -> Array:
    """The formula as it stands: a node asks the nodes that were computed from it."""

    def gradient(node: int) -> Array:
        total = np.zeros_like(values[node])
        if node == output:
            return total + 1
        for k, (op, inputs, options) in enumerate(tape):
            for i, vjp in zip(inputs, VJP.get(op, ()), strict=True):
                if i == node:
                    arrays = [values[j] for j in inputs]
                    share = vjp(gradient(k), values[k], *arrays, **options)
                    total = total + unbroadcast(share, total.shape)
        return total

    return gradient(wanted)


def _by_engine(tape: Operations, values: list[Array], output: int, wanted: int) -> Array:
    tensors = [Tensor(v, requires_grad=True) for v in values]
    for node in _outputs_first(tape, output)[::-1]:
        op, inputs, options = tape[node]
        if op != "leaf":
            tensors[node] = record(op, values[node], *(tensors[i] for i in inputs), **options)
    return grad(tensors[output], tensors[wanted])


def _in_place(tape: Operations, values: list[Array], output: int, wanted: int) -> Array:
    grads = [np.zeros_like(v) for v in values]
    grads[output][...] = 1
    for node in _outputs_first(tape, output):
        op, inputs, options = tape[node]
        for k, i in enumerate(inputs):
            arrays = [values[j] for j in inputs]
            share = VJP[op][k](grads[node], values[node], *arrays, **options)
            grads[i] += unbroadcast(share, values[i].shape)
    return grads[wanted]


def _fit_later(g: Array, shape: tuple[int, ...]) -> Array:
    return g


def _first_rule(op: str) -> list[Answer]:
    return [VJP[op][0]] * len(VJP[op])


BACKWARD = Exercise(
    number="01.9",
    function=backward,
    reference=in_torch(backward),
    goal="Walk back along a recorded tape and return the derivative of its output with respect to "
    "any node.",
    anchor="sec-autograd-backward",
    points=3,
    cases=backward_cases,
    given=[topological_order, unbroadcast],
    mistakes=[
        _mistake(
            "overwritten",
            _walk(merge=lambda old, new: new),
            "a node that is used twice keeps only the last share; shares add up",
        ),
        _mistake(
            "first_share",
            _walk(merge=lambda old, new: old),
            "a node that is used twice keeps only the first share; shares add up",
        ),
        _mistake(
            "by_number",
            _walk(order=lambda tape, output: range(len(tape))[::-1]),
            "you visit the nodes by falling number, which says nothing about the order; use "
            "topological_order",
        ),
        _mistake(
            "nearest_first",
            _walk(order=_nearest_first),
            "you pass a node's gradient on before all of its shares have arrived; use "
            "topological_order",
        ),
        _mistake(
            "forwards",
            _walk(order=lambda tape, output: _outputs_first(tape, output)[::-1]),
            "you walk from the leaves to the output; the gradient comes the other way",
        ),
        _mistake(
            "not_unbroadcast",
            _walk(fit=_fit_later),
            "a share has the shape of the result, not of the input that was broadcast; unbroadcast "
            "it",
        ),
        _mistake(
            "local_only",
            _walk(incoming=np.ones_like),
            "you pass ones to every rule; pass the gradient that has gathered at the node",
        ),
        _mistake(
            "first_rule",
            _walk(rules=_first_rule),
            "you use an operation's first rule for all of its inputs; VJP[op] has one for each",
        ),
        _mistake(
            "every_path",
            _every_path,
            "you pass a node's gradient on each time that a path arrives there, so what had "
            "gathered before is counted again; visit every node once",
        ),
        _mistake(
            "starts_with_value",
            _walk(start=np.array),
            "you start with the output's value; its derivative with respect to itself is 1",
        ),
    ],
    equivalents=[_walk(), _by_consumers, _by_engine, _in_place, _rounded(backward)],
    hints=(
        "Give the output the gradient 1 and visit the nodes from the output down. Each node hands "
        "its gradient, which is complete by then, to its inputs by its operation's rules.",
        "For node k in reversed topological order, and each of its inputs i: "
        "ḡ_i += unbroadcast(vjp(ḡ_k, y_k, inputs, options), shape of i).",
        "share = vjp(grads[____], values[____], *arrays, **options)",
    ),
    equivalent_mutants={
        f"for i, vjp in zip(inputs, VJP[op]{strict}):": "inputs and rules are always as many"
        for strict in ("", ", strict=False")
    },
)


SPEC = ModuleSpec(
    number="01",
    name="autograd",
    title="Autograd: a network is a differentiable machine",
    summary="Every operation knows how to pass a gradient back; one walk over the graph does the "
    "rest. You write both.",
    exercises=(MUL, RELU, MATMUL_A, MATMUL_B, SOFTMAX, CONV, UNBROADCAST, ORDER, BACKWARD),
)
