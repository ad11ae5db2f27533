"""The tests of `course.methods.sanity_checks`, a second time, on Torch modules.

The random numbers are NumPy's, since no two libraries draw the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from math import sqrt

import numpy as np
import torch
from torch import Tensor, nn

from course.reference.saliency import gradient
from course.reference.similarity import rank_correlation

Method = Callable[[nn.Module, Tensor, Tensor], Tensor]


def reinitialize_from_top(model: nn.Module, count: int, seed: int) -> nn.Module:
    """He et al. 2015: uniform weights of variance 2 / fan-in, biases zero."""
    ruined, rng = deepcopy(model), np.random.default_rng(seed)
    affine = [
        m for m in ruined.modules() if isinstance(m, nn.Linear | nn.Conv2d)
    ]
    for layer in affine[len(affine) - count :][::-1]:
        reach = sqrt(6 / layer.weight[0].numel())
        drawn = rng.uniform(-reach, reach, tuple(layer.weight.shape))
        with torch.no_grad():
            layer.weight.copy_(torch.tensor(drawn.astype(np.float32)))
            if layer.bias is not None:
                layer.bias.zero_()
    return ruined


def cascading_randomization(
    model: nn.Module,
    x: Tensor,
    target: Tensor,
    seed: int,
    method: Method = gradient,
    counts: Sequence[int] | None = None,
) -> Tensor:
    """Adebayo et al. 2018, §3.1."""
    if counts is None:
        weighted = [m for m in model.modules() if hasattr(m, "weight")]
        counts = range(len(weighted) + 1)
    return torch.stack(
        [
            method(reinitialize_from_top(model, k, seed), x, target)
            for k in counts
        ]
    )


def masked_noise_null(support: Tensor, noise: Tensor) -> Tensor:
    """Noise where there is support, exactly nothing elsewhere."""
    hidden = torch.where(support, noise.abs(), 0)
    return rank_correlation(hidden[0], hidden[1])
