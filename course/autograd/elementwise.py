"""Elementwise arithmetic with broadcasting.

Every VJP here multiplies the incoming gradient `g` by the local derivative. `y` is the result of
the forward pass, which many derivatives can be written with: the derivative of exp is exp.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from course.autograd.rules import Array, defvjp
from course.autograd.tensor import Tensor, as_tensor, method, record


def _binary(op: str, ufunc: np.ufunc, a: Any, b: Any) -> Tensor:
    a = as_tensor(a, like=b if isinstance(b, Tensor) else None)
    b = as_tensor(b, like=a)
    try:
        return record(op, ufunc(a.data, b.data), a, b)
    except ValueError:
        raise ValueError(f"{op}: shapes {a.shape} and {b.shape} do not broadcast") from None


@method("add", "__add__", "__radd__")
def add(a: Any, b: Any) -> Tensor:
    return _binary("add", np.add, a, b)


defvjp("add", lambda g, y, a, b: g, lambda g, y, a, b: g)


@method("sub", "__sub__")
def sub(a: Any, b: Any) -> Tensor:
    return _binary("sub", np.subtract, a, b)


defvjp("sub", lambda g, y, a, b: g, lambda g, y, a, b: -g)


@method("mul", "__mul__", "__rmul__")
def mul(a: Any, b: Any) -> Tensor:
    return _binary("mul", np.multiply, a, b)


def mul_vjp_a(g: Array, y: Array, a: Array, b: Array) -> Array:
    """How the gradient of a product y = a * b passes to its first factor.

    Where a grows by a little, y grows by b times as much.

    g: the gradient of the score with respect to y, shaped like y.
    Returns the gradient with respect to a.
    """
    return g * b


defvjp("mul", mul_vjp_a, lambda g, y, a, b: g * a)


@method("div", "__truediv__")
def div(a: Any, b: Any) -> Tensor:
    return _binary("div", np.divide, a, b)


defvjp("div", lambda g, y, a, b: g / b, lambda g, y, a, b: -g * y / b)


@method("__rsub__")
def _reflected_sub(b: Tensor, a: Any) -> Tensor:
    return sub(a, b)


@method("__rtruediv__")
def _reflected_div(b: Tensor, a: Any) -> Tensor:
    return div(a, b)


@method("neg", "__neg__")
def neg(x: Tensor) -> Tensor:
    return record("neg", -x.data, x)


defvjp("neg", lambda g, y, x: -g)


@method("pow", "__pow__")
def pow(x: Tensor, exponent: float) -> Tensor:
    """x ** exponent, for a constant number as exponent."""
    if not isinstance(exponent, (int, float)):
        raise TypeError(f"exponent must be a number, got {type(exponent).__name__}")
    return record("pow", x.data**exponent, x, exponent=exponent)


defvjp("pow", lambda g, y, x, exponent: g * exponent * x ** (exponent - 1))


@method()
def exp(x: Tensor) -> Tensor:
    return record("exp", np.exp(x.data), x)


defvjp("exp", lambda g, y, x: g * y)


@method()
def log(x: Tensor) -> Tensor:
    return record("log", np.log(x.data), x)


defvjp("log", lambda g, y, x: g / x)


@method()
def sqrt(x: Tensor) -> Tensor:
    return record("sqrt", np.sqrt(x.data), x)


defvjp("sqrt", lambda g, y, x: g / (2 * y))


@method()
def abs(x: Tensor) -> Tensor:
    return record("abs", np.abs(x.data), x)


defvjp("abs", lambda g, y, x: g * np.sign(x))


@method()
def clip(x: Tensor, low: float | None = None, high: float | None = None) -> Tensor:
    """Torch's `clamp`: the gradient passes where low <= x <= high, the bounds included."""
    return record("clip", np.clip(x.data, low, high), x, low=low, high=high)


defvjp("clip", lambda g, y, x, low, high: g * (x == y))


def where(condition: Any, a: Any, b: Any) -> Tensor:
    """a where the condition holds, b elsewhere. The condition is not differentiated."""
    a = as_tensor(a, like=b if isinstance(b, Tensor) else None)
    b = as_tensor(b, like=a)
    mask = as_tensor(condition).data.astype(bool)
    return record("where", np.where(mask, a.data, b.data), a, b, mask=mask)


defvjp("where", lambda g, y, a, b, mask: g * mask, lambda g, y, a, b, mask: g * ~mask)
