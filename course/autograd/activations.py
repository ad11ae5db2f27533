"""Activation functions, and softmax with its relatives.

Elementwise activations multiply the gradient by their slope. Softmax couples its inputs: raising
one logit lowers every other probability, so its VJP has a sum in it.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np

from course.autograd.rules import Array, defvjp
from course.autograd.tensor import Tensor, as_tensor, method, record


@method()
def relu(x: Tensor) -> Tensor:
    """max(x, 0). Its derivative at 0 is taken as 0, as Torch does."""
    return record("relu", np.clip(x.data, 0, np.inf), x)  # twice as fast as np.maximum(x, 0)


def relu_vjp(g: Array, y: Array, x: Array) -> Array:
    """How a gradient passes back through y = max(x, 0): where x was positive.

    At x = 0, where the function has a corner, the derivative is taken as 0.

    g: the gradient of the score with respect to y, shaped like y.
    Returns the gradient with respect to x.
    """
    return g * (x > 0)


defvjp("relu", relu_vjp)


@method()
def relu6(x: Tensor) -> Tensor:
    """min(max(x, 0), 6), the activation of networks made for phones; derivative 0 at both kinks."""
    return record("relu6", np.clip(x.data, 0, 6), x)


defvjp("relu6", lambda g, y, x: g * ((x > 0) & (x < 6)))


@method()
def leaky_relu(x: Tensor, negative_slope: float = 0.01) -> Tensor:
    y = x.data * np.where(x.data > 0, 1, negative_slope).astype(x.dtype)
    return record("leaky_relu", y, x, negative_slope=negative_slope)


defvjp(
    "leaky_relu",
    lambda g, y, x, negative_slope: g * np.where(x > 0, 1, negative_slope).astype(g.dtype),
)


@method()
def tanh(x: Tensor) -> Tensor:
    return record("tanh", np.tanh(x.data), x)


defvjp("tanh", lambda g, y, x: g * (1 - y * y))


@method()
def sigmoid(x: Tensor) -> Tensor:
    """1 / (1 + exp(-x)), written with tanh, which does not overflow."""
    return record("sigmoid", _sigmoid(x.data), x)


def _sigmoid(x: Array) -> Array:
    return 0.5 * np.tanh(0.5 * x) + 0.5


defvjp("sigmoid", lambda g, y, x: g * y * (1 - y))


@method()
def softplus(x: Tensor, beta: float = 1.0) -> Tensor:
    """log(1 + exp(beta x)) / beta: a ReLU whose corner is rounded; beta says how tightly."""
    return record("softplus", np.logaddexp(0, beta * x.data) / beta, x, beta=beta)


defvjp("softplus", lambda g, y, x, beta: g * _sigmoid(beta * x))


@method()
def gelu(x: Tensor, approximate: str = "none") -> Tensor:
    """x Φ(x) with Φ the normal distribution function (Hendrycks and Gimpel 2016).

    approximate: "none" for the exact error function, "tanh" for the paper's approximation.
    """
    if approximate not in ("none", "tanh"):
        raise ValueError(f'approximate must be "none" or "tanh", got {approximate!r}')
    cdf = normal_cdf(x.data) if approximate == "none" else 0.5 * np.tanh(_gelu_arg(x.data)) + 0.5
    return record("gelu", x.data * cdf, x, approximate=approximate)


def gelu_vjp(g: Array, y: Array, x: Array, approximate: str) -> Array:
    """Product rule: Φ(x) + x Φ'(x)."""
    if approximate == "none":
        return g * (normal_cdf(x) + x * np.exp(-0.5 * x * x) * (1 / math.sqrt(2 * math.pi)))
    t = np.tanh(_gelu_arg(x))
    inner = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x * x)
    return g * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * inner)


defvjp("gelu", gelu_vjp)


def _gelu_arg(x: Array) -> Array:
    return math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)


@cache
def _cdf_series(bound: float, degree: int) -> Array:
    """Chebyshev coefficients of (Φ(z) - 1/2) / z for 0 < z < bound, a smooth function of z²."""

    def ratio(s: Array) -> list[float]:
        return [0.5 * math.erf(z / math.sqrt(2)) / z for z in bound * np.sqrt((s + 1) / 2)]

    return np.polynomial.chebyshev.chebinterpolate(ratio, degree)


def normal_cdf(x: Array) -> Array:
    """Φ(x), to 1e-13 in float64 and 2e-7 in float32. NumPy has no error function, so a polynomial
    stands for it, as long as the precision asks for."""
    bound, degree = (8.5, 40) if x.dtype == np.float64 else (5.5, 16)
    series = _cdf_series(bound, degree).astype(x.dtype)
    z = np.clip(x, -bound, bound).reshape(-1)
    for start in range(0, x.size, 1 << 13):  # many passes over few numbers, which stay in the cache
        part = z[start : start + (1 << 13)]
        part *= np.polynomial.chebyshev.chebval(part * part * (2 / bound**2) - 1, series)
    return 0.5 + z.reshape(x.shape)


@method()
def softmax(x: Tensor, dim: int = -1) -> Tensor:
    """exp(x_i) / Σ_j exp(x_j), shifted by the maximum so that nothing overflows."""
    y = np.exp(x.data - x.data.max(axis=dim, keepdims=True))
    y /= y.sum(axis=dim, keepdims=True)
    return record("softmax", y, x, dim=dim)


def softmax_vjp(g: Array, y: Array, x: Array, dim: int) -> Array:
    """How a gradient passes back through y = softmax(x) along one dimension.

        gᵀJ = gᵀ(diag(y) - y yᵀ)        (J is its own transpose)

    The probabilities sum to 1, so each input moves them all; the sum over
    them is one number an example, and no matrix is built.

    g: the gradient of the score with respect to y, shaped like y.
    y: the probabilities, which sum to 1 along `dim`.
    Returns the gradient with respect to x.
    """
    return y * (g - (g * y).sum(axis=dim, keepdims=True))


defvjp("softmax", softmax_vjp)


@method()
def log_softmax(x: Tensor, dim: int = -1) -> Tensor:
    shifted = x.data - x.data.max(axis=dim, keepdims=True)
    y = shifted - np.log(np.exp(shifted).sum(axis=dim, keepdims=True))
    return record("log_softmax", y, x, dim=dim)


defvjp(
    "log_softmax",
    lambda g, y, x, dim: g - np.exp(y) * g.sum(axis=dim, keepdims=True),
)


@method()
def logsumexp(x: Tensor, dim: int = -1, keepdim: bool = False) -> Tensor:
    """log Σ_j exp(x_j) along one dimension: a maximum with its corners rounded."""
    top = x.data.max(axis=dim, keepdims=True)
    y = top + np.log(np.exp(x.data - top).sum(axis=dim, keepdims=True))
    return record("logsumexp", y if keepdim else y.squeeze(dim), x, dim=dim, keepdim=keepdim)


def logsumexp_vjp(g: Array, y: Array, x: Array, dim: int, keepdim: bool) -> Array:
    """The softmax of x: each input gets the share that it had in the sum."""
    if not keepdim:
        g, y = np.expand_dims(g, dim), np.expand_dims(y, dim)
    return g * np.exp(x - y)


defvjp("logsumexp", logsumexp_vjp)


def cross_entropy(logits: Tensor, target: Any, reduction: str = "mean") -> Tensor:
    """-log p(target) of logits (N, classes) and integer targets (N,).

    reduction: "mean" over the batch, "sum", or "none" for one loss an example.
    """
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f'reduction must be "mean", "sum" or "none", got {reduction!r}')
    target = as_tensor(target).data
    loss = -log_softmax(logits)[np.arange(len(logits)), target]
    return loss if reduction == "none" else getattr(loss, reduction)()
