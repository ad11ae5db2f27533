"""Explanations of noisy copies, averaged (Smilkov et al. 2017) and relatives.

A gradient jumps wherever a ReLU switches. Looking at many points around the
input instead of one shows what the jumps have in common.
"""

from __future__ import annotations

import numpy as np

from course.methods.protocol import Method, Model, Target, checked
from course.methods.saliency import gradient
from course.methods.scale import mean_over


def gaussian_noise(
    x: np.ndarray, level: float, samples: int, rng: np.random.Generator
) -> np.ndarray:
    """Noise whose standard deviation is a share of each example's range.

        σ = level · (max x - min x)        (Smilkov et al. 2017, §3.1)

    x: the inputs, an array (N, ...).
    level: the paper recommends 0.1 to 0.2.
    samples: K, how many copies of each input there will be.
    Returns an array (K, N, ...) in the dtype of x; at any precision the same
    numbers, rounded.
    """
    axes = tuple(range(1, x.ndim))
    span = x.max(axis=axes, keepdims=True) - x.min(axis=axes, keepdims=True)
    noise = np.empty((samples, *x.shape), x.dtype)
    for epsilon in noise:
        epsilon[...] = level * span * rng.standard_normal(x.shape)
    return noise


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
    chunk: int = 8,
) -> np.ndarray:
    """The mean explanation of noisy copies of the input.

        E_sg(x) = 1/K Σ_k E(x + ε_k)        (Smilkov et al. 2017, §3)

    The explanations keep their signs while they are averaged.

    model: maps a Tensor (B, ...) to logits; B is up to chunk, whatever N is.
    x: the inputs, an array (N, ...).
    target: the class to explain: one int for all, or (N,) ints.
    noise: ε, an array (K, N, ...), as `gaussian_noise` draws it.
    method: E, any function (model, x, target) to an array with an entry, of
        any shape, for each input.
    chunk: how many copies go through the model at once. Eight photographs of
        128 pixels take EfficientNet-Lite0 some 150 MB.
    Returns an array shaped like E(x).
    """
    targets = np.broadcast_to(target, len(x))
    return mean_over(
        lambda copies, rows: method(model, copies, targets[rows]),
        (x + epsilon for epsilon in noise),
        np.ones(len(noise)),
        chunk,
    )


@checked
def smoothgrad_squared(
    model: Model,
    x: np.ndarray,
    target: Target,
    noise: np.ndarray,
    method: Method = gradient,
    chunk: int = 8,
) -> np.ndarray:
    """The mean *square* of the explanations of noisy copies.

        E_sg²(x) = 1/K Σ_k E(x + ε_k)²        (Hooker et al. 2019, §4)

    All arguments as for `smoothgrad`. Returns an array shaped like E(x),
    nowhere negative.
    """

    def squared(
        model: Model, copies: np.ndarray, targets: Target
    ) -> np.ndarray:
        return method(model, copies, targets) ** 2

    return smoothgrad(model, x, target, noise, squared, chunk)


@checked
def vargrad(
    model: Model,
    x: np.ndarray,
    target: Target,
    noise: np.ndarray,
    method: Method = gradient,
    chunk: int = 8,
) -> np.ndarray:
    """The variance of the explanations of noisy copies.

        E_vg(x) = 1/K Σ_k (E(x + ε_k) - E_sg(x))²     (Adebayo et al. 2018)

    Divided by K, not K - 1: so SmoothGrad² = VarGrad + SmoothGrad squared.
    That identity would need each explanation once instead of twice, but
    loses digits where the mean is large, and can come out negative.

    All arguments as for `smoothgrad`. Returns an array shaped like E(x),
    nowhere negative.
    """
    targets = np.broadcast_to(target, len(x))
    mean = smoothgrad(model, x, target, noise, method, chunk)
    return mean_over(
        lambda copies, rows: (
            (method(model, copies, targets[rows]) - mean[rows]) ** 2
        ),
        (x + epsilon for epsilon in noise),
        np.ones(len(noise)),
        chunk,
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
    Where E(x) is zero everywhere the change is not divided by anything.

    model, x, target: as for `smoothgrad`, but that B is N.
    noise: δ, an array (K, N, ...), as `uniform_noise` draws it.
    method: E, any function (model, x, target) to an array with an entry, of
        any shape, for each input.
    Returns an array (N,): 0 for an explanation that stands still.
    """

    def explain(inputs: np.ndarray) -> np.ndarray:
        return method(model, inputs, target).reshape(len(x), -1)

    before = explain(x)
    moved = [np.linalg.norm(explain(x + d) - before, axis=1) for d in noise]
    length = np.linalg.norm(before, axis=1)
    return np.max(moved, axis=0) / np.where(length > 0, length, 1)
