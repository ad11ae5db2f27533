"""The methods of `course.methods.units`, a second time, in Torch.

Where a unit can see and how often a pixel is used are asked of Torch's own
autograd, not computed from kernel sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

Model = Callable[[Tensor], Tensor]


def receptive_field(layers: Sequence[Sequence[int]]) -> Tensor:
    """[size, jump, start] from the gradients of two neighbouring units of a
    stack of convolutions with ones, in the middle of a long signal."""
    table = torch.as_tensor(layers)
    reach = int((table[:, 0] + table[:, 2]).sum() * table[:, 1].prod())
    x = torch.zeros(1, 1, 6 * reach, dtype=torch.float64, requires_grad=True)
    y: Tensor = x
    for kernel, stride, padding in table.tolist():
        ones = torch.ones(1, 1, kernel, dtype=x.dtype)
        y = functional.conv1d(y, ones, stride=stride, padding=padding)
    middle = y.shape[2] // 2
    first, last = _support(y, x, middle)
    jump = _support(y, x, middle + 1)[0] - first
    return torch.tensor([last - first + 1, jump, first - middle * jump])


def _support(y: Tensor, x: Tensor, unit: int) -> tuple[int, int]:
    """The first and last input that the unit's gradient reaches."""
    g = torch.autograd.grad(y[0, 0, unit], x, retain_graph=True)[0]
    reached = g[0, 0].nonzero()
    return int(reached.min()), int(reached.max())


def top_patches(
    images: Tensor, activations: Tensor, field: Tensor, count: int
) -> Tensor:
    """All patches of every image by `unfold`, of which some are picked."""
    size, jump, start = (int(v) for v in field)
    h, w = activations.shape[1:]
    border = []
    # pad wants the last dimension first; what it gets negative it cuts off.
    for units, pixels in ((w, images.shape[3]), (h, images.shape[2])):
        border += [-start, start + (units - 1) * jump + size - pixels]
    wide = functional.pad(images, border)
    patches = wide.unfold(2, size, jump).unfold(3, size, jump)
    best, where = activations.flatten(1).max(dim=1)
    chosen = best.topk(count).indices
    rows, columns = where[chosen] // w, where[chosen] % w
    return patches[chosen, :, rows, columns]


def activation_maximization(
    model: Model,
    x: Tensor,
    target: Tensor,
    shifts: Tensor,
    rate: float = 0.1,
    smoothness: float = 0.0,
    bounds: tuple[float, float] = (0.0, 1.0),
) -> Tensor:
    """Normalised gradient ascent with jitter, inside the bounds."""
    for down, right in shifts.tolist():
        x = x.detach().requires_grad_()
        rolled = x.roll((down, right), dims=(2, 3))
        score = model(rolled).gather(1, target[:, None]).sum()
        squares = sum(rolled.diff(dim=d).square().sum() for d in (2, 3))
        g = torch.autograd.grad(score - smoothness / 2 * squares, x)[0]
        g = functional.normalize(g.flatten(1), p=1).view_as(g) * g[0].numel()
        x = (x + rate * g).clamp(*bounds)
    return x


TORCH_MODES = {"reflect": "reflect", "edge": "replicate", "wrap": "circular"}


def foveation(
    shape: tuple[int, int],
    kernel: int,
    stride: int = 1,
    padding: int | tuple[tuple[int, int], tuple[int, int]] = 0,
    mode: str = "constant",
) -> Tensor:
    """The gradient of the sum of all outputs of a convolution with ones."""
    x = torch.zeros(1, 1, *shape, dtype=torch.float64, requires_grad=True)
    if isinstance(padding, int):
        padding = ((padding, padding), (padding, padding))
    (top, bottom), (left, right) = padding
    if mode == "constant":
        y = functional.pad(x, (left, right, top, bottom))
    elif mode == "symmetric":  # which Torch has not
        y = _mirrored(_mirrored(x, 2, top, bottom), 3, left, right)
    else:
        y = functional.pad(
            x, (left, right, top, bottom), mode=TORCH_MODES[mode]
        )
    ones = torch.ones(1, 1, kernel, kernel, dtype=x.dtype)
    total = functional.conv2d(y, ones, stride=stride).sum()
    return torch.autograd.grad(total, x)[0][0, 0]


def _mirrored(x: Tensor, dim: int, before: int, after: int) -> Tensor:
    """x with its first and last rows repeated, in reverse, outside."""
    n = x.shape[dim]
    head = x.narrow(dim, 0, before).flip(dim)
    tail = x.narrow(dim, n - after, after).flip(dim)
    return torch.cat([head, x, tail], dim=dim)
