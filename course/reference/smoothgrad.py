"""The methods of `course.methods.smoothgrad`, a second time, in Torch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from course.reference.saliency import Model, gradient

Method = Callable[[Model, Tensor, Tensor], Tensor]


def _explanations(
    model: Model, x: Tensor, target: Tensor, noise: Tensor, method: Method
) -> Tensor:
    """One explanation a noisy copy: (K, N, ...)."""
    return torch.stack([method(model, x + e, target) for e in noise])


def smoothgrad(
    model: Model,
    x: Tensor,
    target: Tensor,
    noise: Tensor,
    method: Method = gradient,
) -> Tensor:
    """E[E(x + ε)]: x (N, ...), noise (K, N, ...); the shape of E(x)."""
    return _explanations(model, x, target, noise, method).mean(dim=0)


def smoothgrad_squared(
    model: Model,
    x: Tensor,
    target: Tensor,
    noise: Tensor,
    method: Method = gradient,
) -> Tensor:
    """E[E(x + ε)²]: returns the shape of E(x)."""
    return _explanations(model, x, target, noise, method).square().mean(dim=0)


def vargrad(
    model: Model,
    x: Tensor,
    target: Tensor,
    noise: Tensor,
    method: Method = gradient,
) -> Tensor:
    """Var[E(x + ε)], the population's: returns the shape of E(x)."""
    found = _explanations(model, x, target, noise, method)
    return found.var(dim=0, correction=0)


def max_sensitivity(
    model: Model,
    x: Tensor,
    target: Tensor,
    noise: Tensor,
    method: Method = gradient,
) -> Tensor:
    """max_k ‖E(x + δ_k) - E(x)‖ / ‖E(x)‖: returns (N,)."""
    clean = method(model, x, target)
    moved = _explanations(model, x, target, noise, method) - clean
    length = clean.flatten(1).norm(dim=1)
    length[length == 0] = 1
    return moved.flatten(2).norm(dim=2).amax(dim=0) / length
