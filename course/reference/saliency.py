"""The methods of `course.methods.saliency`, a second time, in Torch."""

from __future__ import annotations

import math
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


def aggregate_tokens(gradients: Tensor, embeddings: Tensor, how: str) -> Tensor:
    """Vectors (N, T, D) to one number a token, (N, T)."""
    match how:
        case "sum":
            return torch.einsum("ntd->nt", gradients)
        case "mean":
            return gradients.mean(dim=-1)
        case "l2":
            return torch.linalg.vector_norm(gradients, dim=-1)
        case "dot":
            return torch.einsum("ntd,ntd->nt", gradients, embeddings)
    raise ValueError(how)


def comprehensiveness(
    model: Model,
    x: Tensor,
    target: Tensor,
    scores: Tensor,
    mask: Tensor,
    replacement: Tensor,
    fraction: float = 0.2,
) -> Tensor:
    """p_c(x) - p_c(x without its top tokens): returns (N,)."""
    without = x.clone()
    for n, words in enumerate(mask):
        places = words.nonzero()[:, 0]
        top = scores[n, places].topk(math.ceil(fraction * len(places)))
        without[n, places[top.indices]] = replacement
    before, after = (model(e).softmax(dim=1) for e in (x, without))
    return (before - after).gather(1, target[:, None])[:, 0]
