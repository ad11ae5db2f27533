"""The methods of `course.methods.cam`, a second time, in Torch."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def global_average_pool(features: Tensor) -> Tensor:
    """Mean over space: (N, K, H, W) to (N, K)."""
    return nn.functional.adaptive_avg_pool2d(features, 1).flatten(1)


def class_activation_map(
    features: Tensor, weights: Tensor, target: Tensor
) -> Tensor:
    """The linear layer as a 1x1 convolution: one map a class, then choose."""
    every_class = nn.functional.conv2d(features, weights[:, :, None, None])
    return every_class[torch.arange(len(features)), target]


def grad_cam(
    model: nn.Module, x: Tensor, target: Tensor, layer: str, relu: bool = True
) -> Tensor:
    """ReLU(Σ_k α_k A_k), α_k the mean gradient of the layer's output A."""
    kept: list[Tensor] = []
    hook = model.get_submodule(layer).register_forward_hook(
        lambda module, inputs, output: kept.append(output)
    )
    score = model(x.detach().requires_grad_()).gather(1, target[:, None])
    hook.remove()
    (slopes,) = torch.autograd.grad(score.sum(), kept[0])
    cam = torch.einsum("nk,nkij->nij", slopes.mean(dim=(2, 3)), kept[0])
    return cam.relu() if relu else cam


def upsample_bilinear(
    maps: Tensor, size: tuple[int, int], align_corners: bool = False
) -> Tensor:
    """(N, H, W) to (N, *size)."""
    return nn.functional.interpolate(
        maps[:, None], size, mode="bilinear", align_corners=align_corners
    )[:, 0]


def pointing_game(maps: Tensor, regions: Tensor) -> Tensor:
    """The share of each map's strongest places that lie in its region."""
    scores = []
    for one, region in zip(maps, regions, strict=True):
        inside = region[one == one.max()]
        scores.append(inside.to(one.dtype).mean())
    return torch.stack(scores)
