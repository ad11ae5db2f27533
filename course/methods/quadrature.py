"""Integrals over [0, 1] as weighted sums: where to look, what it counts.

Every rule is exact for constants, so its weights add up to 1.
"""

from __future__ import annotations

import numpy as np

RULES = ("left", "right", "midpoint", "trapezoid", "gauss_legendre")


def quadrature(steps: int, rule: str) -> tuple[np.ndarray, np.ndarray]:
    """Nodes α_k and weights w_k such that ∫_0^1 f(α) dα ≈ Σ_k w_k f(α_k).

    steps: the number of nodes, at least 1; for the trapezoid, whose first and
        last node are the ends 0 and 1, at least 2.
    rule: one of RULES. The first three cut [0, 1] into equal pieces and take
        the left end, the right end or the middle of each. Gauss and Legendre's
        nodes make polynomials up to degree 2·steps - 1 exact.
    Returns two arrays (steps,), float64: the nodes, rising, and the weights.
    """
    least = 2 if rule == "trapezoid" else 1
    if steps < least:
        raise ValueError(f"steps must be at least {least}, got {steps}")
    k, equal = np.arange(steps), np.full(steps, 1 / steps)
    if rule == "left":
        return k / steps, equal
    if rule == "right":
        return (k + 1) / steps, equal
    if rule == "midpoint":
        return (k + 0.5) / steps, equal
    if rule == "trapezoid":
        # The two ends belong to one piece each, the others to two.
        weights = np.ones(steps)
        weights[[0, -1]] = 0.5
        return k / (steps - 1), weights / (steps - 1)
    if rule == "gauss_legendre":
        nodes, weights = np.polynomial.legendre.leggauss(steps)  # on [-1, 1]
        return (nodes + 1) / 2, weights / 2
    raise ValueError(f"rule must be one of {', '.join(RULES)}, got {rule!r}")
