"""The methods of `course.methods.backprop_rules`, a second time, in Torch.

Torch's rules are fixed, so other functions take the place of its own while a
network runs. Relevance is computed as input times gradient of a network whose
layers give the same numbers, but another derivative (Ancona et al. 2018).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from course.reference import cam
from course.reference.saliency import Model, gradient

EPSILON = 1e-6


class Replacing(TorchFunctionMode):
    """Within the block, call these functions instead of Torch's of that name.

    It catches nn.ReLU(), functional.relu and torch.relu alike.
    """

    def __init__(self, **functions: Callable[..., Tensor]) -> None:
        super().__init__()
        self.functions = functions

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        name = getattr(func, "__name__", "")
        return self.functions.get(name, func)(*args, **(kwargs or {}))


def _at_activations(
    relu: Callable[..., Tensor], relu6: Callable[..., Tensor]
) -> Replacing:
    """nn.ReLU6 calls hardtanh, functional.relu6 itself."""
    return Replacing(
        relu=lambda z, inplace=False: relu(z),
        relu6=lambda z, inplace=False: relu6(z),
        hardtanh=lambda z, **options: relu6(z),
    )


class PositiveGradient(torch.autograd.Function):
    """The identity, whose gradient lets through only what is positive."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        return g.clamp(min=0)


def guided_relu(g: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """Torch's own ReLU, handed what is positive of the gradient."""
    z = x.clone().requires_grad_()
    return torch.autograd.grad(torch.relu(z), z, g.clamp(min=0))[0]


def guided_backprop(model: Model, x: Tensor, target: Tensor) -> Tensor:
    """Clamp the gradient just above every ReLU, then let the ReLU act."""
    guard = PositiveGradient.apply
    with _at_activations(
        lambda z: guard(torch.relu(z)), lambda z: guard(z.clamp(0, 6))
    ):
        return gradient(model, x, target)


def deconvnet(model: Model, x: Tensor, target: Tensor) -> Tensor:
    """Clamp the gradient at every ReLU, wherever its input was."""

    def straight(
        activation: Callable[[Tensor], Tensor],
    ) -> Callable[..., Tensor]:
        def through(z: Tensor) -> Tensor:
            path = PositiveGradient.apply(z)
            return path + (activation(z) - path).detach()

        return through

    with _at_activations(
        straight(torch.relu), straight(lambda z: z.clamp(0, 6))
    ):
        return gradient(model, x, target)


def guided_grad_cam(
    model: nn.Module, x: Tensor, target: Tensor, layer: str
) -> Tensor:
    """Guided backpropagation times Grad-CAM stretched to the image."""
    coarse = cam.grad_cam(model, x, target, layer)
    size = (x.shape[2], x.shape[3])
    where = cam.upsample_bilinear(coarse, size)[:, None]
    return guided_backprop(model, x, target) * where


def _as_if(value: Tensor, path: Tensor) -> Tensor:
    """value, with the derivative that shares value · g in proportion to path's
    summands."""
    sign = torch.where(path >= 0, 1.0, -1.0).to(path.dtype)
    shared = path * (value / (path + EPSILON * sign)).detach()
    return shared + (value - shared).detach()


def _scaled(z: Tensor, a: Tensor) -> Tensor:
    """The activation a of z, whose gradient times z is that of a times a."""
    return z * torch.where(z == 0, 0, a / z).detach()


def _relevance(
    model: Model, x: Tensor, target: Tensor, **functions: Callable[..., Tensor]
) -> Tensor:
    layers = Replacing(
        adaptive_avg_pool2d=lambda z, size: _as_if(*[z.mean((2, 3), True)] * 2),
        **functions,
    )
    with (
        layers,
        _at_activations(torch.relu, lambda z: _scaled(z, z.clamp(0, 6))),
    ):
        return x * gradient(model, x, target)


def lrp_epsilon(model: Model, x: Tensor, target: Tensor) -> Tensor:
    """Bach et al. 2015, eq. 58, with ε = 1e-6."""

    def linear(a: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
        return _as_if(*[functional.linear(a, w, b)] * 2)

    def conv2d(a: Tensor, *given: Any, **options: Any) -> Tensor:
        return _as_if(*[functional.conv2d(a, *given, **options)] * 2)

    return _relevance(
        model,
        x,
        target,
        linear=linear,
        conv2d=conv2d,
        add=lambda a, b: _as_if(a + b, a + b),
    )


def lrp_alpha1_beta0(model: Model, x: Tensor, target: Tensor) -> Tensor:
    """Bach et al. 2015, eq. 60, with α = 1 and β = 0, the bias clamped too."""

    def positive(
        forward: Callable[..., Tensor],
        a: Tensor,
        w: Tensor,
        b: Tensor | None,
        *options: Any,
    ) -> Tensor:
        up = None if b is None else b.clamp(min=0)
        path = forward(a.clamp(min=0), w.clamp(min=0), up, *options)
        path = path + forward(a.clamp(max=0), w.clamp(max=0), None, *options)
        return _as_if(forward(a, w, b, *options), path)

    def linear(a: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
        return positive(functional.linear, a, w, b)

    def conv2d(a: Tensor, w: Tensor, b: Tensor, *options: Any) -> Tensor:
        return positive(functional.conv2d, a, w, b, *options)

    return _relevance(
        model,
        x,
        target,
        linear=linear,
        conv2d=conv2d,
        add=lambda a, b: _as_if(a + b, a.clamp(min=0) + b.clamp(min=0)),
    )


def competitive_gradients(model: Model, x: Tensor, target: Tensor) -> Tensor:
    """Gupta and Arora 2019: the target's h_i where it beats every label's."""
    jacobian = torch.stack(
        [
            gradient(model, x, torch.full_like(target, c))
            for c in range(_classes(model, x))
        ]
    )
    h = x * jacobian
    own = h.gather(
        0, target.view(1, -1, *[1] * (x.ndim - 1)).expand(1, *x.shape)
    )[0]
    wins = torch.where(own > 0, own >= h.amax(0), own <= h.amin(0))
    return own * wins


def _classes(model: Model, x: Tensor) -> int:
    return model(x).shape[1]


def edge_detector(model: Model, x: Tensor, target: Tensor) -> Tensor:
    """Sobel's differences as two convolutions of each channel."""
    kernel = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]], dtype=x.dtype)
    padded = functional.pad(x, (1, 1, 1, 1), mode="replicate").flatten(0, 1)[
        :, None
    ]
    across = functional.conv2d(padded, kernel[None, None])
    down = functional.conv2d(padded, kernel.T[None, None])
    return torch.hypot(across, down).view_as(x)
