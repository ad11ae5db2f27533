"""Matrix products, layers made of them, normalisation, embedding and attention."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from course.autograd.activations import softmax
from course.autograd.kernels import times_transposed
from course.autograd.rules import Array, defvjp
from course.autograd.tensor import Tensor, as_tensor, method, record


@method("matmul", "__matmul__")
def matmul(a: Tensor, b: Any) -> Tensor:
    """Matrix product over the last two dimensions; the ones before them broadcast."""
    b = as_tensor(b)
    if a.ndim < 2 or b.ndim < 2:
        raise ValueError(f"matmul needs matrices, got shapes {a.shape} and {b.shape}")
    if a.shape[-1] != b.shape[-2]:
        raise ValueError(f"matmul: {a.shape} @ {b.shape}: {a.shape[-1]} is not {b.shape[-2]}")
    try:
        return record("matmul", a.data @ b.data, a, b)
    except ValueError:
        raise ValueError(f"matmul: batches {a.shape} and {b.shape} do not broadcast") from None


def matmul_vjp_a(g: Array, y: Array, a: Array, b: Array) -> Array:
    """How the gradient of y = a @ b passes to the left factor.

    g: the gradient of the score with respect to y, (..., n, m) as y.
    a: (..., n, k).
    b: (..., k, m); the dimensions before the last two count matrices.
    Returns the gradient with respect to a, (..., n, k).
    """
    return g @ b.swapaxes(-1, -2)


def matmul_vjp_b(g: Array, y: Array, a: Array, b: Array) -> Array:
    """How the gradient of y = a @ b passes to the right factor.

    In a layer, a holds the activations and b the weights: this is the half
    that training uses, and `matmul_vjp_a` the half that explanation uses.

    g, a, b: as for `matmul_vjp_a`.
    Returns the gradient with respect to b, (..., k, m).
    """
    return a.swapaxes(-1, -2) @ g


defvjp("matmul", matmul_vjp_a, matmul_vjp_b)


def check_bias(op: str, weight: Tensor, bias: Tensor | None) -> None:
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ValueError(f"{op}: bias {bias.shape} does not fit weight {weight.shape}")


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x Wᵀ + b for x (..., in), W (out, in), b (out,)."""
    if x.shape[-1] != weight.shape[1]:
        raise ValueError(
            f"linear: the input ends in {x.shape[-1]} features, the weight {weight.shape} "
            f"takes {weight.shape[1]}"
        )
    check_bias("linear", weight, bias)
    y = times_transposed(x.data, weight.data)
    return record("linear", y if bias is None else y + bias.data, x, weight, bias)


defvjp(
    "linear",
    lambda g, y, x, w, b: times_transposed(g, w.T),
    lambda g, y, x, w, b: np.einsum("...o,...i->oi", g, x, optimize=True),
    lambda g, y, x, w, b: g,
)


def layer_norm(
    x: Tensor, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    """Subtract the mean and divide by the standard deviation of the last dimension, then scale
    and shift (Ba et al. 2016)."""
    normal, _ = _standardise(x.data, eps)
    y = normal if weight is None else normal * weight.data
    return record("layer_norm", y if bias is None else y + bias.data, x, weight, bias, eps=eps)


def _standardise(x: Array, eps: float) -> tuple[Array, Array]:
    centred = x - x.mean(axis=-1, keepdims=True)
    n = x.shape[-1]
    variance = np.einsum("...i,...i->...", centred, centred)[..., None] / n
    scale = 1 / np.sqrt(variance + eps)
    return centred * scale, scale


def layer_norm_vjp(g: Array, y: Array, x: Array, w: Any, b: Any, eps: float) -> Array:
    """What the normalisation removes from x, its mean and its length, it removes from g as well."""
    normal, scale = _standardise(x, eps)
    g = g if w is None else g * w
    along = (g * normal).mean(axis=-1, keepdims=True)
    return scale * (g - g.mean(axis=-1, keepdims=True) - normal * along)


defvjp(
    "layer_norm",
    layer_norm_vjp,
    lambda g, y, x, w, b, eps: g * _standardise(x, eps)[0],
    lambda g, y, x, w, b, eps: g,
)


def batch_norm(
    x: Tensor, mean: Tensor, variance: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5
) -> Tensor:
    """Batch normalisation in evaluation mode, for x (N, C) or (N, C, H, W): an affine map of each
    channel by stored statistics (Ioffe and Szegedy 2015)."""
    shape = (1, -1) + (1,) * (x.ndim - 2)
    scale = weight / (variance + eps).sqrt()
    return x * scale.reshape(shape) + (bias - mean * scale).reshape(shape)


def embedding(indices: Any, weight: Tensor) -> Tensor:
    """Rows of `weight` (V, D) for integer `indices` of any shape: (..., D)."""
    indices = as_tensor(indices).data
    if indices.dtype.kind not in "iu":
        raise TypeError(f"indices must be integers, got {indices.dtype}")
    if indices.size and not (indices.min() >= 0 and indices.max() < len(weight)):
        raise IndexError(
            f"indices run from {indices.min()} to {indices.max()}, the table has {len(weight)} rows"
        )
    return weight[indices]


def scaled_dot_product_attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Any = None
) -> tuple[Tensor, Tensor]:
    """softmax(Q Kᵀ / √d) V (Vaswani et al. 2017, eq. 1), and the attention weights themselves.

    query (..., T, d), key (..., S, d), value (..., S, e); mask broadcasts to (..., T, S) and is
    True where a query may look. Returns (..., T, e) and the weights (..., T, S), rows summing to 1.
    """
    scores = (query @ key.transpose(-1, -2)) * (1 / math.sqrt(query.shape[-1]))
    if mask is not None:
        scores = scores + np.where(mask, 0, -1e30).astype(scores.dtype)
    weights = softmax(scores, dim=-1)
    return weights @ value, weights
