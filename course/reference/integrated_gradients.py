"""The methods of `course.methods.integrated_gradients`, a second time, in
Torch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from course.reference.saliency import gradient

Model = Callable[[Tensor], Tensor]


def straight_line_path(baseline: Tensor, x: Tensor, alphas: Tensor) -> Tensor:
    """x̄ + α (x - x̄): baseline and x (N, ...), alphas (K,); (K, N, ...)."""
    return torch.stack([torch.lerp(baseline, x, float(a)) for a in alphas])


def quadrature(steps: int, rule: str) -> tuple[Tensor, Tensor]:
    """Nodes in [0, 1] and weights, both (steps,)."""
    k = torch.arange(steps, dtype=torch.float64)
    if rule == "trapezoid":
        nodes = torch.linspace(0, 1, steps, dtype=torch.float64)
        return nodes, torch.trapezoid(torch.eye(steps), nodes)
    if rule == "gauss_legendre":  # Golub and Welsch 1969
        k = k[1:]
        beside = k / (4 * k**2 - 1).sqrt()
        jacobi = beside.diag(1) + beside.diag(-1)
        values, vectors = torch.linalg.eigh(jacobi)
        return (values + 1) / 2, vectors[0] ** 2
    offset = {"left": 0.0, "midpoint": 0.5, "right": 1.0}[rule]
    return (k + offset) / steps, torch.full_like(k, 1 / steps)


def integrated_gradients(
    model: Model,
    x: Tensor,
    target: Tensor,
    baseline: Tensor,
    steps: int = 50,
    rule: str = "midpoint",
) -> Tensor:
    """(x - x̄) ⊙ Σ_k w_k ∇S_c(x̄ + α_k (x - x̄)): shaped like x."""
    alphas, weights = quadrature(steps, rule)
    total = torch.zeros_like(x)
    for a, w in zip(alphas.tolist(), weights.tolist(), strict=True):
        total += w * gradient(model, baseline + a * (x - baseline), target)
    return (x - baseline) * total


def score(model: Model, x: Tensor, target: Tensor) -> Tensor:
    """The logits of the targets, (N,)."""
    return model(x).gather(1, target[:, None])[:, 0]


def completeness_gap(
    model: Model,
    x: Tensor,
    target: Tensor,
    baseline: Tensor,
    attributions: Tensor,
) -> Tensor:
    """Σ A - (S_c(x) - S_c(x̄)): returns (N,)."""
    change = score(model, x, target) - score(model, baseline, target)
    return attributions.flatten(1).sum(dim=1) - change


def expected_gradients(
    model: Model, x: Tensor, target: Tensor, baselines: Tensor, alphas: Tensor
) -> Tensor:
    """mean_k (x - x̄_k) ⊙ ∇S_c(x̄_k + α_k (x - x̄_k)): shaped like x."""
    terms = [
        (x - b) * gradient(model, b + a * (x - b), target)
        for b, a in zip(baselines, alphas, strict=True)
    ]
    return torch.stack(terms).mean(dim=0)


def split_integrated_gradients(
    model: Model,
    x: Tensor,
    target: Tensor,
    baseline: Tensor,
    share: float = 0.95,
    steps: int = 50,
) -> Tensor:
    """Each example by itself; returns the two parts, (2, N, ...)."""
    parts = []
    for point, start, c in zip(
        x.split(1), baseline.split(1), target.split(1), strict=True
    ):
        low, high = score(model, start, c), score(model, point, c)
        for k in range(1, steps + 1):
            cut = start + k / steps * (point - start)
            if (score(model, cut, c) - low) / (high - low) >= share:
                break
        before = integrated_gradients(model, cut, c, start, steps)
        after = integrated_gradients(model, point, c, cut, steps)
        parts.append(torch.cat([before, after]))
    return torch.stack(parts, dim=1)
