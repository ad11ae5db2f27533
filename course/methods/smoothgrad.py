"""Explanations of noisy copies, averaged (Smilkov et al. 2017) and relatives.

A gradient jumps wherever a ReLU switches. Looking at many points around the
input instead of one shows what the jumps have in common.
"""

from __future__ import annotations

import numpy as np

from course.methods.protocol import Method, Model, Target, checked
from course.methods.saliency import gradient
from course.methods.scale import mean_over

CHUNK = 8  # copies that go through the model at once


def gaussian_noise(
    x: np.ndarray, level: float, samples: int, rng: np.random.Generator
) -> np.ndarray:
    """Noise whose standard deviation is a share of each example's range.

        σ = level · (max x - min x)        (Smilkov et al. 2017, §3.1)

    x: the inputs, an array (N, ...).
    level: 0.1 to 0.2 is what the paper recommends.
    Returns an array (samples, N, ...) in the dtype of x.
    """
    axes = tuple(range(1, x.ndim))
    span = x.max(axis=axes, keepdims=True) - x.min(axis=axes, keepdims=True)
    return (rng.normal(size=(samples, *x.shape)) * level * span).astype(x.dtype)


def uniform_noise(
    x: np.ndarray, radius: float, samples: int, rng: np.random.Generator
) -> np.ndarray:
    """Noise that moves no number by more than radius, for `max_sensitivity`.

    Returns an array (samples, N, ...) in the dtype of x.
    """
    return rng.uniform(-radius, radius, (samples, *x.shape)).astype(x.dtype)


@checked
def smoothgrad(
    model: Model,
    x: np.ndarray,
    target: Target,
    noise: np.ndarray,
    method: Method = gradient,
    chunk: int = CHUNK,
) -> np.ndarray:
    """The mean explanation of noisy copies of the input.

        E_sg(x) = 1/K Σ_k E(x + ε_k)        (Smilkov et al. 2017, §3)

    The explanations keep their signs while they are averaged.

    noise: ε, an array (K, N, ...), as `gaussian_noise` draws it.
    method: E, any function (model, x, target) to an array shaped like x.
    chunk: how many copies go through the model at once.
    model, x, target: as for `gradient`. Returns an array shaped like x.
    """
    targets = np.broadcast_to(target, len(x))
    return mean_over(
        lambda copies, rows: method(model, copies, targets[rows]),
        (x + epsilon for epsilon in noise),
        chunk=chunk,
    )


@checked
def smoothgrad_squared(
    model: Model,
    x: np.ndarray,
    target: Target,
    noise: np.ndarray,
    method: Method = gradient,
    chunk: int = CHUNK,
) -> np.ndarray:
    """The mean *square* of the explanations of noisy copies.

        E_sg²(x) = 1/K Σ_k E(x + ε_k)²        (Hooker et al. 2019, §4)

    All arguments as for `smoothgrad`. Returns an array shaped like x, nowhere
    negative.
    """
    targets = np.broadcast_to(target, len(x))
    return mean_over(
        lambda copies, rows: method(model, copies, targets[rows]) ** 2,
        (x + epsilon for epsilon in noise),
        chunk=chunk,
    )


@checked
def vargrad(
    model: Model,
    x: np.ndarray,
    target: Target,
    noise: np.ndarray,
    method: Method = gradient,
    chunk: int = CHUNK,
) -> np.ndarray:
    """The variance of the explanations of noisy copies.

        E_vg(x) = 1/K Σ_k (E(x + ε_k) - E_sg(x))²     (Adebayo et al. 2018)

    Divided by K, not K - 1: so SmoothGrad² = VarGrad + SmoothGrad squared.

    All arguments as for `smoothgrad`. Returns an array shaped like x, nowhere
    negative.
    """
    targets = np.broadcast_to(target, len(x))
    centre = smoothgrad(model, x, target, noise, method, chunk)
    return mean_over(
        lambda copies, rows: (
            (method(model, copies, targets[rows]) - centre[rows]) ** 2
        ),
        (x + epsilon for epsilon in noise),
        chunk=chunk,
    )


@checked
def max_sensitivity(
    model: Model,
    x: np.ndarray,
    target: Target,
    noise: np.ndarray,
    method: Method = gradient,
) -> np.ndarray:
    """How far an explanation moves when the input hardly does.

        max_k ‖E(x + δ_k) - E(x)‖₂ / ‖E(x)‖₂      (Yeh et al. 2019, §4)

    The largest over the given δ, a lower bound of that over the whole ball.

    noise: δ, an array (K, N, ...), as `uniform_noise` draws it.
    method: E, any function (model, x, target) to an array shaped like x.
    model, x, target: as for `gradient`.
    Returns an array (N,): 0 for an explanation that stands still.
    """

    def explain(inputs: np.ndarray) -> np.ndarray:
        return method(model, inputs, target).reshape(len(x), -1)

    before = explain(x)
    moved = [np.linalg.norm(explain(x + d) - before, axis=1) for d in noise]
    return np.max(moved, axis=0) / np.linalg.norm(before, axis=1)
