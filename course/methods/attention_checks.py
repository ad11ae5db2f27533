"""Checks of what the functions of `course.methods.attention` are given."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import numpy as np

Function = TypeVar("Function", bound=Callable[..., Any])


def before(check: Callable[..., None]) -> Callable[[Function], Function]:
    """Run a check on a function's arguments first, so that the function may
    assume good ones, as a learner's version does."""

    def decorate(function: Function) -> Function:
        @wraps(function)
        def call(*args: Any, **options: Any) -> Any:
            check(*args, **options)
            return function(*args, **options)

        return call  # type: ignore[return-value]

    return decorate


def array(name: str, value: Any, shape: str) -> np.ndarray:
    """value, if it is a finite floating-point array of as many axes as shape
    names."""
    if not isinstance(value, np.ndarray) or value.dtype.kind != "f":
        kind = (
            value.dtype
            if isinstance(value, np.ndarray)
            else type(value).__name__
        )
        raise TypeError(
            f"{name} must be a floating-point array {shape}, got {kind}"
        )
    axes, free = shape.count(",") + 1, "..." in shape
    if (value.ndim < axes - 1) if free else (value.ndim != axes):
        raise ValueError(f"{name} must be {shape}, got shape {value.shape}")
    if not np.isfinite(value).all():
        bad = int((~np.isfinite(value)).sum())
        raise ValueError(
            f"{name} must be finite, got {bad} NaN or infinite of {value.size}"
        )
    return value


def queries_and_keys(
    query: Any, key: Any, mask: Any = None, scale: float | None = None
) -> None:
    array("query", query, "(..., T, d)")
    array("key", key, "(..., S, d)")
    if query.shape[-1] != key.shape[-1]:
        raise ValueError(
            f"query and key must have vectors of one width, got "
            f"{query.shape[-1]} and {key.shape[-1]}"
        )
    if mask is not None:
        leading = np.broadcast_shapes(query.shape[:-2], key.shape[:-2])
        _mask(mask, (*leading, query.shape[-2], key.shape[-2]))


def layer(
    x: Any,
    in_proj_weight: Any,
    in_proj_bias: Any,
    out_proj_weight: Any,
    out_proj_bias: Any,
    num_heads: int,
    mask: Any = None,
) -> None:
    n, t, d = array("x", x, "(N, T, D)").shape
    parameters = {
        "in_proj_weight": (in_proj_weight, (3 * d, d)),
        "in_proj_bias": (in_proj_bias, (3 * d,)),
        "out_proj_weight": (out_proj_weight, (d, d)),
        "out_proj_bias": (out_proj_bias, (d,)),
    }
    for name, (value, shape) in parameters.items():
        if np.shape(value) != shape:
            raise ValueError(
                f"{name} must be {shape} for vectors of width {d}, "
                f"got {np.shape(value)}"
            )
    if num_heads < 1 or d % num_heads:
        raise ValueError(f"num_heads must divide {d}, got {num_heads}")
    if mask is not None:
        _mask(mask, (n, num_heads, t, t))


def attention(attention: Any, output: int = 0) -> None:
    shape = array("attention", attention, "(layers, heads, T, T)").shape
    if shape[2] != shape[3] or 0 in shape:
        raise ValueError(
            f"attention must be (layers, heads, T, T), got shape {shape}"
        )
    sums = attention.sum(axis=3)
    if attention.min() < 0 or np.abs(sums - 1).max() > 1e-3:
        raise ValueError(
            "attention must have rows that are nowhere negative and sum to 1, "
            f"got sums from {sums.min():.3g} to {sums.max():.3g} and a least "
            f"entry of {attention.min():.3g}"
        )
    if not 0 <= output < shape[3]:
        raise ValueError(
            f"output must be a token from 0 to {shape[3] - 1}, got {output}"
        )


def _mask(mask: Any, shape: tuple[int, ...]) -> None:
    allowed = np.asarray(mask)
    if allowed.dtype != bool:
        raise TypeError(f"mask must be booleans, got {allowed.dtype}")
    try:
        allowed = np.broadcast_to(allowed, shape)
    except ValueError:
        raise ValueError(
            f"mask must broadcast to {shape}, got shape {allowed.shape}"
        ) from None
    if not allowed.any(axis=-1).all():
        raise ValueError("mask must leave every query at least one key")
