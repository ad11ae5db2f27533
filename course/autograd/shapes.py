"""Reductions, and operations that only move numbers about.

A sum copies the gradient to all that it added; moving numbers forward means moving their gradients
back along the same route.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from typing import Any, NamedTuple

import numpy as np

from course.autograd.rules import Array, defvjp
from course.autograd.tensor import Tensor, as_tensor, method, record

Dim = int | tuple[int, ...] | None


def _restore(reduced: Array, dim: Dim, keepdim: bool) -> Array:
    """Put the axes that a reduction removed back, with length 1."""
    return reduced if keepdim or dim is None else np.expand_dims(reduced, dim)


@method()
def sum(x: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    return record("sum", x.data.sum(axis=dim, keepdims=keepdim), x, dim=dim, keepdim=keepdim)


defvjp("sum", lambda g, y, x, dim, keepdim: np.broadcast_to(_restore(g, dim, keepdim), x.shape))


@method()
def mean(x: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    return record("mean", x.data.mean(axis=dim, keepdims=keepdim), x, dim=dim, keepdim=keepdim)


def mean_vjp(g: Array, y: Array, x: Array, dim: Dim, keepdim: bool) -> Array:
    if x.size == 0:
        return np.zeros_like(x)
    return np.broadcast_to(_restore(g, dim, keepdim) * (y.size / x.size), x.shape)


defvjp("mean", mean_vjp)


@method()
def var(x: Tensor, dim: Dim = None, correction: int = 1, keepdim: bool = False) -> Tensor:
    """Variance. correction=1 divides by n - 1 (Torch's default), correction=0 by n."""
    axes = range(x.ndim) if dim is None else dim if isinstance(dim, tuple) else (dim,)
    n = math.prod(x.shape[i] for i in axes)
    centred = x - mean(x, dim, keepdim=True) if dim is not None else x - mean(x)
    return (centred * centred).sum(dim, keepdim) / (n - correction)


@method()
def amax(x: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """The maximum. Where several inputs reach it, they share its gradient equally."""
    return record("amax", x.data.max(axis=dim, keepdims=keepdim), x, dim=dim, keepdim=keepdim)


def amax_vjp(g: Array, y: Array, x: Array, dim: Dim, keepdim: bool) -> Array:
    winners = x == _restore(y, dim, keepdim)
    ties = winners.sum(axis=dim, keepdims=True, dtype=x.dtype)
    return winners * (_restore(g, dim, keepdim) / ties)


defvjp("amax", amax_vjp)


class Max(NamedTuple):
    """What `max` along a dimension returns, as in Torch."""

    values: Tensor
    indices: Array


@method()
def max(x: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """With a dimension: values and indices, and the gradient goes to that index (the first among
    equals). Without: the largest of all, as `amax`."""
    if dim is None:
        return amax(x)
    indices = np.expand_dims(x.data.argmax(axis=dim), dim)
    values = gather(x, dim, indices)
    if keepdim:
        return Max(values, indices)
    shape = values.shape[:dim] + values.shape[dim % x.ndim + 1 :]
    return Max(values.reshape(shape), indices.squeeze(dim))


@method()
def gather(x: Tensor, dim: int, indices: Any) -> Tensor:
    """Pick one entry along `dim` for every entry of `indices`."""
    indices = as_tensor(indices).data
    y = np.take_along_axis(x.data, indices, axis=dim)
    return record("gather", y, x, dim=dim, indices=indices)


def gather_vjp(g: Array, y: Array, x: Array, dim: int, indices: Array) -> Array:
    """Add each gradient to the place that it was read from; one place may be read often."""
    where = list(np.ogrid[tuple(slice(n) for n in indices.shape)])
    where[dim] = indices
    gx = np.zeros_like(x)
    np.add.at(gx, tuple(where), g)
    return gx


defvjp("gather", gather_vjp)


@method("__getitem__")
def getitem(x: Tensor, index: Any) -> Tensor:
    """x[index], with slices, integers, integer arrays or a boolean mask."""
    if isinstance(index, Tensor):
        index = index.data
    return record("getitem", x.data[index], x, index=index)


def getitem_vjp(g: Array, y: Array, x: Array, index: Any) -> Array:
    gx = np.zeros_like(x)
    basic = isinstance(index, (int, slice)) or (
        isinstance(index, tuple)
        and all(isinstance(i, (int, slice, type(None), type(...))) for i in index)
    )
    if basic:
        gx[index] = g
    else:  # an integer array may name one element several times
        np.add.at(gx, index, g)
    return gx


defvjp("getitem", getitem_vjp)


def _unpack(numbers: tuple[Any, ...]) -> tuple[int, ...]:
    """Torch takes reshape(2, 3) and reshape((2, 3)) alike."""
    return tuple(numbers[0]) if len(numbers) == 1 and isinstance(numbers[0], Sequence) else numbers


@method()
def reshape(x: Tensor, *shape: Any) -> Tensor:
    return record("reshape", x.data.reshape(_unpack(shape)), x)


defvjp("reshape", lambda g, y, x: g.reshape(x.shape))


@method()
def flatten(x: Tensor, start_dim: int = 0) -> Tensor:
    return reshape(x, (*x.shape[:start_dim], math.prod(x.shape[start_dim:])))


@method()
def permute(x: Tensor, *dims: Any) -> Tensor:
    dims = _unpack(dims)
    return record("permute", x.data.transpose(dims), x, dims=dims)


defvjp("permute", lambda g, y, x, dims: g.transpose(np.argsort(dims)))


@method()
def transpose(x: Tensor, dim0: int, dim1: int) -> Tensor:
    """Swap two dimensions."""
    return record("transpose", x.data.swapaxes(dim0, dim1), x, dim0=dim0, dim1=dim1)


defvjp("transpose", lambda g, y, x, dim0, dim1: g.swapaxes(dim0, dim1))


def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Join tensors along an existing dimension."""
    if not tensors:
        raise ValueError("tensors is empty: there is nothing to join")
    return reduce(lambda a, b: _cat_pair(a, b, dim), tensors)


def _cat_pair(a: Tensor, b: Tensor, dim: int) -> Tensor:
    return record("cat", np.concatenate([a.data, b.data], axis=dim), a, b, dim=dim)


defvjp(
    "cat",
    lambda g, y, a, b, dim: np.split(g, [a.shape[dim]], axis=dim)[0],
    lambda g, y, a, b, dim: np.split(g, [a.shape[dim]], axis=dim)[1],
)
