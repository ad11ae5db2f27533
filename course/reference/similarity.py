"""The measures of `course.methods.similarity`, a second time, in Torch."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def rank_correlation(
    a: Tensor, b: Tensor, support: Tensor | None = None
) -> Tensor:
    """Pearson's correlation of ranks found by comparing every pair."""
    keep = torch.ones_like(a, dtype=torch.bool) if support is None else support
    pairs = [
        torch.stack([_ranks(m[k]) for m in (one, other)])
        for one, other, k in zip(a, b, keep, strict=True)
    ]
    return torch.stack([torch.corrcoef(pair)[0, 1] for pair in pairs])


def _ranks(values: Tensor) -> Tensor:
    """One for itself and each smaller value, a half for each equal one."""
    rows, columns = values[:, None], values[None]
    below, equal = (rows > columns).sum(1), (rows == columns).sum(1)
    return (below + (equal + 1) / 2).double()


def ssim(
    a: Tensor, b: Tensor, sigma: float = 1.5, data_range: float = 1.0
) -> Tensor:
    """Wang et al. 2004, eq. 13, with the window as one 2-D convolution.

    Covariances are means of products of deviations, taken in each window.
    """
    reach = round(3.5 * sigma)
    line = torch.arange(-reach, reach + 1, dtype=a.dtype)
    window = torch.exp(-(line[:, None] ** 2 + line**2) / (2 * sigma**2))
    window = (window / window.sum()).flatten()
    side = len(line)
    p, q = (functional.unfold(images[:, None], side).mT for images in (a, b))
    mean_p, mean_q = p @ window, q @ window
    unbiased = side**2 / (side**2 - 1)
    off_p, off_q = p - mean_p[..., None], q - mean_q[..., None]
    var_p, var_q, cov = (
        unbiased * (product @ window)
        for product in (off_p**2, off_q**2, off_p * off_q)
    )
    c1, c2 = (data_range / 100) ** 2, (3 * data_range / 100) ** 2
    index = (2 * mean_p * mean_q + c1) * (2 * cov + c2)
    index /= (mean_p**2 + mean_q**2 + c1) * (var_p + var_q + c2)
    return index.mean(1)
