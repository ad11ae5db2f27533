"""Convolution and pooling of images (N, C, H, W).

What is computed is said here; how it is computed fast, in `kernels`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from course.autograd import kernels
from course.autograd.kernels import Pair, out_size
from course.autograd.linear import check_bias
from course.autograd.rules import Array, defvjp
from course.autograd.shapes import cat, mean
from course.autograd.tensor import Tensor, method, record


def _pair(value: int | Pair) -> Pair:
    return (value, value) if isinstance(value, int) else (int(value[0]), int(value[1]))


def conv2d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Pair = 1,
    padding: int | Pair = 0,
    dilation: int | Pair = 1,
    groups: int = 1,
) -> Tensor:
    """y[n, o, i, j] = b[o] + Σ_{c, u, v} w[o, c, u, v] x[n, c, i s + u d - p, j s + v d - p].

    x (N, C, H, W), weight (O, C / groups, kh, kw), bias (O,). Like every deep-learning library it
    does not flip the kernel: a cross-correlation. groups=C with O=C is a depthwise convolution.
    """
    stride, padding, dilation = _pair(stride), _pair(padding), _pair(dilation)
    if x.ndim != 4 or weight.ndim != 4:
        raise ValueError(
            "conv2d takes x (N, C, H, W) and weight (O, C, kh, kw), "
            f"got {x.shape} and {weight.shape}"
        )
    if x.shape[1] != weight.shape[1] * groups or weight.shape[0] % groups:
        raise ValueError(
            f"conv2d: x has {x.shape[1]} channels, but weight {weight.shape} with groups={groups} "
            f"takes {weight.shape[1] * groups}"
        )
    check_bias("conv2d", weight, bias)
    _check_window("conv2d", x.shape, weight.shape[2:], stride, padding, dilation)
    depthwise = weight.shape[:2] == (groups, 1) and dilation == (1, 1)
    if groups > 1 and not depthwise:
        c, o = weight.shape[1], weight.shape[0] // groups
        parts = []
        for i in range(groups):
            w, b = weight[i * o : (i + 1) * o], bias if bias is None else bias[i * o : (i + 1) * o]
            part = x[:, i * c : (i + 1) * c]
            parts.append(conv2d(part, w, b, stride, padding, dilation))
        return cat(parts, dim=1)
    arrays = (x.data, weight.data, None if bias is None else bias.data)
    if groups > 1:
        y = kernels.depthwise(*arrays, stride, padding)
    else:
        y = kernels.conv(*arrays, stride, padding, dilation)
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    return record("conv2d", y, x, weight, bias, **options)


def conv_vjp_x(
    g: Array, y: Array, x: Array, w: Array, b: Any, stride: Pair, padding: Pair, dilation: Pair,
    groups: int,
) -> Array:  # fmt: skip
    """Σ over outputs that had read the pixel, of the tap they read it with times their gradient."""
    if groups > 1:
        return kernels.depthwise_input_grad(g, w, x.shape, stride, padding)
    return kernels.conv_input_grad(g, w, x.shape, stride, padding, dilation)


def conv_vjp_w(
    g: Array, y: Array, x: Array, w: Array, b: Any, stride: Pair, padding: Pair, dilation: Pair,
    groups: int,
) -> Array:  # fmt: skip
    """Σ over positions of the patch that the kernel saw times the gradient of what it said."""
    if groups > 1:
        return kernels.depthwise_weight_grad(g, x, w.shape[2:], stride, padding)
    return kernels.conv_weight_grad(g, x, w.shape[2:], stride, padding, dilation)


defvjp("conv2d", conv_vjp_x, conv_vjp_w, lambda g, y, x, w, b, **_: g.sum(axis=(0, 2, 3)))


@method()
def max_pool2d(
    x: Tensor, kernel_size: int | Pair, stride: int | Pair | None = None, padding: int | Pair = 0
) -> Tensor:
    """The largest number of each window; of several equal ones the first gets the gradient."""
    options = _pool_options("max_pool2d", x, kernel_size, stride, padding)
    return record("max_pool2d", kernels.max_pool(x.data, **options), x, **options)


defvjp("max_pool2d", kernels.max_pool_grad)


def _pool_options(op: str, x: Tensor, kernel: Any, stride: Any, padding: Any) -> dict[str, Any]:
    kernel, stride, padding = _pair(kernel), _pair(stride or kernel), _pair(padding)
    if x.ndim != 4:
        raise ValueError(f"{op} takes images (N, C, H, W), got shape {x.shape}")
    _check_window(op, x.shape, kernel, stride, padding)
    return {"kernel": kernel, "stride": stride, "padding": padding}


@method()
def logsumexp_pool2d(
    x: Tensor,
    kernel_size: int | Pair,
    stride: int | Pair | None = None,
    padding: int | Pair = 0,
    beta: float = 1.0,
) -> Tensor:
    """log(Σ exp(beta x)) / beta over each window: a maximum without corners, as softplus is a ReLU
    without one. The larger beta, the closer to the maximum."""
    options = _pool_options("logsumexp_pool2d", x, kernel_size, stride, padding)
    top = kernels.channels_last(kernels.max_pool(x.data, **options))
    view = _pool_windows(x.data, **options)
    total = np.exp(beta * (view - top[:, :, :, None, None])).sum(axis=(3, 4))
    y = kernels.channels_first(top + np.log(total) / beta)
    return record("logsumexp_pool2d", y, x, **options, beta=beta)


def _pool_windows(x: Array, kernel: Pair, stride: Pair, padding: Pair) -> Array:
    return kernels.windows(kernels.bordered(x, padding, -np.inf), kernel, stride)


def logsumexp_pool_vjp(
    g: Array, y: Array, x: Array, kernel: Pair, stride: Pair, padding: Pair,
    beta: float
) -> Array:  # fmt: skip
    """Each pixel gets the share that it had in its window's sum."""
    gl, yl = kernels.channels_last(g), kernels.channels_last(y)
    (n, c, h, w), (ph, pw) = x.shape, padding
    gx = np.zeros((n, h + 2 * ph, w + 2 * pw, c), g.dtype)
    view = _pool_windows(x, kernel, stride, padding)
    target = kernels.windows(gx, kernel, stride)
    for i, j in np.ndindex(kernel):
        target[:, :, :, i, j] += gl * np.exp(beta * (view[:, :, :, i, j] - yl))
    return kernels.channels_first(gx[:, ph : ph + h, pw : pw + w])


defvjp("logsumexp_pool2d", logsumexp_pool_vjp)


@method()
def avg_pool2d(
    x: Tensor, kernel_size: int | Pair, stride: int | Pair | None = None, padding: int | Pair = 0
) -> Tensor:
    """The mean of each window, border zeros counted (Torch's default)."""
    (kh, kw), channels = _pair(kernel_size), x.shape[1]
    weight = np.full((channels, 1, kh, kw), 1 / (kh * kw), x.dtype)
    return conv2d(x, Tensor(weight), None, stride or (kh, kw), padding, groups=channels)


@method()
def adaptive_avg_pool2d(x: Tensor, output_size: int = 1) -> Tensor:
    """Global average pooling, (N, C, H, W) -> (N, C, 1, 1): the one size that networks use."""
    if output_size not in (1, (1, 1)):
        raise ValueError(f"output_size must be 1, got {output_size}")
    return mean(x, dim=(2, 3), keepdim=True)


def _check_window(
    op: str,
    shape: tuple[int, ...],
    kernel: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair = (1, 1),
) -> None:
    if min(stride) < 1 or min(dilation) < 1 or min(padding) < 0:
        raise ValueError(f"{op}: stride and dilation must be at least 1 and padding at least 0")
    for axis in (0, 1):
        if out_size(shape[2 + axis], kernel[axis], stride[axis], padding[axis], dilation[axis]) < 1:
            raise ValueError(
                f"{op}: a {kernel[0]}x{kernel[1]} window (dilation {dilation}) does not fit into "
                f"an image of {shape[2]}x{shape[3]} with padding {padding}"
            )
