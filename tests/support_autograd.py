"""What the engine's tests share: drawn arrays of every layout, and the comparison with Torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from hypothesis import settings
from hypothesis import strategies as st

from course import autograd as F

quick = settings(derandomize=True, deadline=None, max_examples=12, database=None)
thorough = settings(quick, max_examples=120)

TOLERANCE = {np.dtype(np.float64): 1e-9, np.dtype(np.float32): 1e-4}
dtypes = st.sampled_from([np.float64, np.float32])


@st.composite
def arrays(
    draw: Any, shape: Sequence[int], low: float = -2.0, high: float = 2.0, dtype: Any = np.float64
) -> np.ndarray:
    """Numbers in [low, high], in memory order C, Fortran, axes reversed, or every second one."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    x = rng.uniform(low, high, tuple(shape)).astype(dtype)
    layout = draw(st.sampled_from(["c", "fortran", "channels last", "strided"]))
    if layout == "fortran":
        return np.asfortranarray(x)
    if layout == "channels last" and x.ndim >= 3:
        return np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1)
    if layout == "strided" and x.ndim:
        return np.repeat(x, 2, axis=-1)[..., ::2]
    return x


shapes = st.lists(st.integers(0, 4), max_size=4).map(tuple)
full_shapes = st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple)


def close(ours: np.ndarray, theirs: np.ndarray, what: str = "value") -> None:
    """Equal within the tolerance of our dtype, relative to the largest number of theirs."""
    assert ours.shape == theirs.shape, f"{what}: shape {ours.shape}, expected {theirs.shape}"
    assert ours.dtype == theirs.dtype, f"{what}: dtype {ours.dtype}, expected {theirs.dtype}"
    if ours.size:
        scale = max(1.0, float(np.abs(theirs).max()))
        error = float(np.abs(ours - theirs).max())
        assert error <= TOLERANCE[ours.dtype] * scale, f"{what}: off by {error} of {scale}"


def compare(
    ours: Callable[..., F.Tensor], theirs: Callable[..., torch.Tensor], *inputs: np.ndarray
) -> None:
    """One function on both engines: values, and the gradients of a random weighting of them."""
    a = [F.Tensor(x, requires_grad=True) for x in inputs]
    b = [torch.tensor(x.copy(), requires_grad=True) for x in inputs]
    before = [x.copy() for x in inputs]
    y, z = ours(*a), theirs(*b)
    close(y.data, z.detach().numpy())
    seed = np.random.default_rng(0).normal(size=y.shape).astype(y.dtype)
    found = F.grad(y, a, seed)
    expected = torch.autograd.grad(z, b, torch.from_numpy(seed), allow_unused=True)
    for i, (g, e) in enumerate(zip(found, expected, strict=True)):
        close(g, np.zeros_like(inputs[i]) if e is None else e.numpy(), f"gradient {i}")
    for x, old in zip(inputs, before, strict=True):
        assert np.array_equal(x, old), "an input was changed"


def check_numerically(function: Callable[..., F.Tensor], *inputs: np.ndarray) -> None:
    """The gradient along a random direction against a central difference, in float64."""
    rng = np.random.default_rng(1)
    seed = rng.normal(size=function(*map(F.Tensor, inputs)).shape)
    directions = [rng.normal(size=x.shape) for x in inputs]

    def score(t: float) -> float:
        moved = [F.Tensor(x + t * d) for x, d in zip(inputs, directions, strict=True)]
        return float((function(*moved).data * seed).sum())

    tensors = [F.Tensor(x, requires_grad=True) for x in inputs]
    grads = F.grad(function(*tensors), tensors, seed)
    slope = sum(float((g * d).sum()) for g, d in zip(grads, directions, strict=True))
    step = 1e-5
    numeric = (score(step) - score(-step)) / (2 * step)
    assert abs(slope - numeric) <= 1e-6 * max(1.0, abs(numeric)), (slope, numeric)
