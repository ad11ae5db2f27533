"""Layers with parameters, and the activations as modules so that they can be named and captured."""

from __future__ import annotations

import math

import numpy as np

from course import autograd as F
from course.autograd import Tensor
from course.nn.module import Module


def kaiming_uniform(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Uniform numbers of variance 2 / fan_in (He et al. 2015, eq. 10), float32.

    They keep the size of activations from layer to layer: the 2 makes up for the half that a ReLU
    removes. fan_in is how many inputs a unit reads, for a weight of shape (out, in, ...).
    """
    bound = math.sqrt(6 / math.prod(shape[1:]))
    return rng.uniform(-bound, bound, shape).astype(np.float32)


def xavier_uniform(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Uniform numbers of variance 2 / (fan_in + fan_out) (Glorot and Bengio 2010, eq. 16), float32.

    For layers that no ReLU follows. shape: (out, in).
    """
    bound = math.sqrt(6 / (shape[0] + shape[1]))
    return rng.uniform(-bound, bound, shape).astype(np.float32)


class _Affine(Module):
    """What Linear and the convolutions share: a weight, perhaps a bias, how both are drawn."""

    def __init__(self, shape: tuple[int, ...], bias: bool, rng: np.random.Generator | None) -> None:
        self.weight = Tensor(np.zeros(shape, np.float32), requires_grad=True)
        self.bias = Tensor(np.zeros(shape[0], np.float32), requires_grad=True) if bias else None
        self.reset_parameters(rng or np.random.default_rng())

    def reset_parameters(self, rng: np.random.Generator) -> None:
        """Draw the weight anew and set the bias to zero."""
        self.weight.data = kaiming_uniform(self.weight.shape, rng).astype(self.weight.dtype)
        if self.bias is not None:
            self.bias.data = np.zeros_like(self.bias.data)


class Linear(_Affine):
    """y = x Wᵀ + b, for x (..., in_features). rng draws the weights; without one, they differ
    each time."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        rng: np.random.Generator | None = None,
    ) -> None:
        super().__init__((out_features, in_features), bias, rng)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight, self.bias)


class Conv2d(_Affine):
    """Convolution of images (N, C, H, W) with square kernels."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
        groups: int = 1,
        bias: bool = True,
        rng: np.random.Generator | None = None,
    ) -> None:
        if in_channels % groups or out_channels % groups:
            raise ValueError(
                f"groups must divide in_channels and out_channels, got groups={groups} for "
                f"{in_channels} and {out_channels}"
            )
        super().__init__((out_channels, in_channels // groups, kernel_size, kernel_size), bias, rng)
        self.stride, self.padding, self.groups = stride, padding, groups

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight, self.bias, self.stride, self.padding, groups=self.groups)


class Conv1d(_Affine):
    """Convolution of sequences (N, C, T): one pattern of `kernel_size` steps a channel."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        padding: int = 0,
        bias: bool = True,
        rng: np.random.Generator | None = None,
    ) -> None:
        super().__init__((out_channels, in_channels, kernel_size), bias, rng)
        self.padding = padding

    def forward(self, x: Tensor) -> Tensor:
        """A sequence is an image one pixel wide."""
        image, kernel = x.reshape(*x.shape, 1), self.weight.reshape(*self.weight.shape, 1)
        y = F.conv2d(image, kernel, self.bias, padding=(self.padding, 0))
        return y.reshape(y.shape[:3])


class ReLU(Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x)


class ReLU6(Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.relu6(x)


class GELU(Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(x)


class Softmax(Module):
    """Positive numbers that sum to one, along the last dimension."""

    def forward(self, x: Tensor) -> Tensor:
        return F.softmax(x, dim=-1)


class MaxPool2d(Module):
    """The largest number of each window; windows do not overlap unless stride says so."""

    def __init__(self, kernel_size: int, stride: int | None = None, padding: int = 0) -> None:
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding

    def forward(self, x: Tensor) -> Tensor:
        return F.max_pool2d(x, self.kernel_size, self.stride, self.padding)


class Flatten(Module):
    """(N, ...) to (N, everything else)."""

    def forward(self, x: Tensor) -> Tensor:
        return F.flatten(x, start_dim=1)


def layers_from_top(model: Module) -> list[str]:
    """The names of the layers that draw their own weights, the output first.

    Raises ValueError where there is none.
    """
    names = [name for name, layer in model.named_modules() if hasattr(layer, "reset_parameters")]
    if not names:
        raise ValueError(f"model has no layer that can be drawn anew: {type(model).__name__}")
    return names[::-1]
