"""The methods of `course.methods.saliency`, a second time, in Torch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Model = Callable[[Tensor], Tensor]


def gradient(model: Model, x: Tensor, target: Tensor) -> Tensor:
    """∂S_c/∂x for logits S: x (N, ...), target (N,); returns the shape of x."""
    x = x.detach().requires_grad_()
    score = model(x).gather(1, target[:, None])
    return torch.autograd.grad(score.sum(), x)[0]


def saliency_map(model: Model, x: Tensor, target: Tensor) -> Tensor:
    """max over channels of |∂S_c/∂x|: x (N, C, H, W); returns (N, H, W)."""
    return gradient(model, x, target).abs().amax(dim=1)


def gradient_times_input(model: Model, x: Tensor, target: Tensor) -> Tensor:
    """x ⊙ ∂S_c/∂x: returns a tensor shaped like x."""
    return x * gradient(model, x, target)
