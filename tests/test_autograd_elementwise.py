"""Elementwise operations, activations, reductions and movers against Torch."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as TF
from hypothesis import given
from hypothesis import strategies as st

from course import autograd as F
from tests.support_autograd import (
    arrays,
    check_numerically,
    close,
    compare,
    dtypes,
    full_shapes,
    quick,
    shapes,
)

BINARY = {
    "add": (operator.add, -2, 2),
    "sub": (operator.sub, -2, 2),
    "mul": (operator.mul, -2, 2),
    "div": (operator.truediv, 0.5, 2),
}
# name: ours, Torch's, lowest and highest input
UNARY: dict[str, tuple[Any, Any, float, float]] = {
    "neg": (F.neg, torch.neg, -2, 2),
    "exp": (F.exp, torch.exp, -3, 3),
    "log": (F.log, torch.log, 0.1, 3),
    "sqrt": (F.sqrt, torch.sqrt, 0.1, 3),
    "abs": (F.abs, torch.abs, -2, 2),
    "square": (lambda x: x**2, lambda x: x**2, -2, 2),
    "inverse cube": (lambda x: x**-3, lambda x: x**-3, 0.5, 2),
    "root": (lambda x: F.pow(x, 0.5), lambda x: x**0.5, 0.5, 2),
    "1 - x": (lambda x: 1 - x, lambda x: 1 - x, -2, 2),
    "2 / x": (lambda x: 2 / x, lambda x: 2 / x, 0.5, 2),
    "clip": (lambda x: x.clip(-0.5, 0.7), lambda x: x.clip(-0.5, 0.7), -2, 2),
    "clip below": (lambda x: x.clip(low=0.1), lambda x: x.clip(0.1), -2, 2),
    "relu": (F.relu, torch.relu, -2, 2),
    "relu6": (F.relu6, TF.relu6, -3, 9),
    "leaky_relu": (lambda x: F.leaky_relu(x, 0.2), lambda x: TF.leaky_relu(x, 0.2), -2, 2),
    "tanh": (F.tanh, torch.tanh, -4, 4),
    "sigmoid": (F.sigmoid, torch.sigmoid, -30, 30),
    "softplus": (F.softplus, TF.softplus, -9, 9),
    "softplus beta": (lambda x: F.softplus(x, 4.0), lambda x: TF.softplus(x, 4.0), -2, 2),
    "gelu": (F.gelu, TF.gelu, -6, 6),
    "gelu far": (F.gelu, TF.gelu, -40, 40),
    "gelu tanh": (
        lambda x: F.gelu(x, approximate="tanh"),
        lambda x: TF.gelu(x, approximate="tanh"),
        -6,
        6,
    ),
    "x used twice": (lambda x: x * x + x.exp() * x, lambda x: x * x + x.exp() * x, -2, 2),
}


@pytest.mark.parametrize("name", BINARY)
@quick
@given(data=st.data(), shape=full_shapes, dtype=dtypes)
def test_arithmetic_broadcasts_as_torch_does(
    name: str, data: st.DataObject, shape: tuple[int, ...], dtype: Any
) -> None:
    function, low, high = BINARY[name]
    keep = data.draw(st.lists(st.booleans(), min_size=len(shape), max_size=len(shape)))
    other = tuple(n if k else 1 for n, k in zip(shape, keep, strict=True))
    other = other[data.draw(st.integers(0, len(shape) - 1)) :]
    pair = [data.draw(arrays(s, low, high, dtype)) for s in (shape, other)]
    if data.draw(st.booleans()):
        pair.reverse()
    compare(function, function, *pair)


@pytest.mark.parametrize("name", UNARY)
@quick
@given(data=st.data(), shape=shapes, dtype=dtypes)
def test_unary_operations_equal_torch(
    name: str, data: st.DataObject, shape: tuple[int, ...], dtype: Any
) -> None:
    ours, theirs, low, high = UNARY[name]
    compare(ours, theirs, data.draw(arrays(shape, low, high, dtype)))


@pytest.mark.parametrize("name", UNARY)
def test_unary_gradients_equal_differences(name: str) -> None:
    ours, _, low, high = UNARY[name]
    x = np.random.default_rng(3).uniform(low, high, (3, 4))
    check_numerically(ours, x)


@quick
@given(data=st.data(), shape=full_shapes, dtype=dtypes)
def test_where_equals_torch(data: st.DataObject, shape: tuple[int, ...], dtype: Any) -> None:
    a, b = (data.draw(arrays(shape, dtype=dtype)) for _ in range(2))
    mask = data.draw(arrays(shape)) > 0
    compare(
        lambda x, y: F.where(mask, x, y), lambda x, y: torch.where(torch.tensor(mask), x, y), a, b
    )


@pytest.mark.parametrize("ours", [F.relu, F.relu6, F.abs])
def test_the_derivative_at_zero_is_zero(ours: Any) -> None:
    x = F.Tensor(np.zeros(3), requires_grad=True)
    assert F.grad(ours(x).sum(), x).tolist() == [0, 0, 0]


def test_relu6_is_flat_at_six_and_relu_is_not() -> None:
    x = F.Tensor(np.array([6.0]), requires_grad=True)
    assert F.grad(x.relu6().sum(), x).tolist() == [0]
    assert F.grad(x.relu().sum(), x).tolist() == [1]


def test_clip_passes_one_at_its_bounds() -> None:
    x = F.Tensor(np.array([-1.0, 0.0, 0.5, 1.0, 2.0]), requires_grad=True)
    assert F.grad(x.clip(0, 1).sum(), x).tolist() == [0, 1, 1, 1, 0]


# Softmax and its relatives, and reductions: name -> (ours, Torch's), each taking (x, dim)
ALONG: dict[str, tuple[Any, Any]] = {
    "softmax": (F.softmax, torch.softmax),
    "log_softmax": (F.log_softmax, torch.log_softmax),
    "logsumexp": (F.logsumexp, torch.logsumexp),
    "sum": (F.sum, torch.sum),
    "mean": (F.mean, torch.mean),
    "amax": (F.amax, torch.amax),
    "max": (lambda x, d: F.max(x, d).values, lambda x, d: torch.max(x, d).values),
    "var": (lambda x, d: F.var(x, d, 0), lambda x, d: torch.var(x, d, correction=0)),
}


@pytest.mark.parametrize("name", ALONG)
@quick
@given(data=st.data(), shape=full_shapes, dtype=dtypes)
def test_operations_along_an_axis_equal_torch(
    name: str, data: st.DataObject, shape: tuple[int, ...], dtype: Any
) -> None:
    ours, theirs = ALONG[name]
    dim = data.draw(st.integers(-len(shape), len(shape) - 1))
    x = data.draw(arrays(shape, dtype=dtype))
    compare(lambda t: ours(t, dim), lambda t: theirs(t, dim), x)


@pytest.mark.parametrize("name", ["sum", "mean", "amax", "var"])
@pytest.mark.parametrize("dim", [(0, 2), (-1, 1), (0, 1, 2)])
@pytest.mark.parametrize("keepdim", [False, True])
def test_reductions_over_several_axes(name: str, dim: tuple[int, ...], keepdim: bool) -> None:
    x = np.random.default_rng(0).normal(size=(3, 4, 2))
    ours, theirs = getattr(F, name), getattr(torch, name)
    compare(
        lambda t: ours(t, dim=dim, keepdim=keepdim),
        lambda t: theirs(t, dim=dim, keepdim=keepdim),
        x,
    )


@pytest.mark.parametrize("name", ["sum", "mean", "max", "var"])
def test_reductions_to_a_scalar(name: str) -> None:
    x = np.random.default_rng(0).normal(size=(3, 4, 2))
    compare(getattr(F, name), getattr(torch, name), x)
    check_numerically(getattr(F, name), x)


def test_sums_of_nothing() -> None:
    compare(lambda t: t.sum(1), lambda t: t.sum(1), np.zeros((2, 0, 3)))
    compare(lambda t: t.sum(), lambda t: t.sum(), np.zeros((0, 3)))


def test_amax_shares_ties_and_max_takes_the_first() -> None:
    x = F.Tensor(np.array([[1.0, 3.0, 3.0, 3.0]]), requires_grad=True)
    assert F.grad(x.amax(1).sum(), x)[0] == pytest.approx([0, 1 / 3, 1 / 3, 1 / 3])
    best = x.max(1)
    assert best.indices.tolist() == [1]
    assert F.grad(best.values.sum(), x).tolist() == [[0, 1, 0, 0]]


def test_softmax_does_not_overflow() -> None:
    x = F.Tensor(np.array([[1000.0, 0.0, -1000.0]]), requires_grad=True)
    for function in (F.softmax, F.log_softmax, F.logsumexp):
        y = function(x)
        assert np.isfinite(y.data).all()
        assert np.isfinite(F.grad(y.sum(), x)).all()


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_cross_entropy_equals_torch(reduction: str) -> None:
    logits, target = np.random.default_rng(0).normal(size=(5, 7)), np.array([0, 6, 3, 3, 1])
    compare(
        lambda x: F.cross_entropy(x, target, reduction),
        lambda x: TF.cross_entropy(x, torch.from_numpy(target), reduction=reduction),
        logits,
    )


INDICES: dict[str, Any] = {
    "integer": 1,
    "negative": -1,
    "slice": slice(1, None),
    "step": (slice(None), slice(None, None, 2)),
    "ellipsis": (..., 0),
    "new axis": (None, 2),
    "integers": np.array([2, 0, 0]),
    "pairs, one twice": (np.array([1, 1, 0]), np.array([3, 3, 2])),
    "mask": np.arange(24).reshape(3, 4, 2) % 3 == 0,
}


@pytest.mark.parametrize("name", INDICES)
def test_indexing_equals_torch(name: str) -> None:
    def as_torch(part: Any) -> Any:
        return torch.from_numpy(part) if isinstance(part, np.ndarray) else part

    index = INDICES[name]
    theirs = tuple(map(as_torch, index)) if isinstance(index, tuple) else as_torch(index)
    x = np.random.default_rng(0).normal(size=(3, 4, 2))
    compare(lambda t: t[index], lambda t: t[theirs], x)


@quick
@given(data=st.data(), shape=full_shapes, dtype=dtypes)
def test_movers_equal_torch(data: st.DataObject, shape: tuple[int, ...], dtype: Any) -> None:
    x = data.draw(arrays(shape, dtype=dtype))
    dims = data.draw(st.permutations(range(len(shape))))
    a, b = (data.draw(st.integers(-len(shape), len(shape) - 1)) for _ in range(2))
    compare(lambda t: t.permute(*dims), lambda t: t.permute(*dims), x)
    compare(lambda t: F.permute(t, dims), lambda t: torch.permute(t, dims), x)
    compare(lambda t: t.transpose(a, b), lambda t: t.transpose(a, b), x)
    compare(lambda t: t.reshape(-1, 1), lambda t: t.reshape(-1, 1), x)
    compare(lambda t: t.flatten(a), lambda t: t.flatten(a), x)
    compare(lambda t: t.reshape((x.size,)), lambda t: t.reshape((x.size,)), x)


@quick
@given(data=st.data(), shape=full_shapes, dtype=dtypes)
def test_cat_and_gather_equal_torch(
    data: st.DataObject, shape: tuple[int, ...], dtype: Any
) -> None:
    dim = data.draw(st.integers(-len(shape), len(shape) - 1))
    parts = [data.draw(arrays(shape, dtype=dtype)) for _ in range(3)]
    compare(lambda *t: F.cat(t, dim), lambda *t: torch.cat(t, dim), *parts)
    compare(lambda t: F.cat([t, t], dim), lambda t: torch.cat([t, t], dim), parts[0])
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    indices = rng.integers(0, shape[dim], shape)
    compare(
        lambda t: F.gather(t, dim, indices),
        lambda t: torch.gather(t, dim, torch.from_numpy(indices)),
        parts[0],
    )


def test_python_numbers_do_not_widen_float32() -> None:
    x = F.Tensor(np.ones(2, np.float32), requires_grad=True)
    y = (2.5 * x + 1) / 3 - 1.5
    assert y.dtype == np.float32
    close(F.grad(y.sum(), x), np.full(2, 2.5 / 3, np.float32))
