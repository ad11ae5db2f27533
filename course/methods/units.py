"""What a unit looks for: where it can see, what excites it, what its maps owe
to the padding.

A unit is one channel of a layer at one position; a channel is the same unit at
every position.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from course.autograd import Tensor, grad
from course.methods.protocol import Model, Target, check_input, checked

MODES = ("constant", "edge", "reflect", "symmetric", "wrap")


def guarded(check: Callable[..., None]) -> Callable[..., Any]:
    """Let a function assume good input: `check` sees its arguments first."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def call(*args: Any, **options: Any) -> Any:
            check(*args, **options)
            return function(*args, **options)

        return call

    return decorate


def check_layers(layers: Sequence[Sequence[int]]) -> None:
    """Rows of (kernel, stride, padding)."""
    array = np.asarray(layers)
    if array.ndim != 2 or array.shape[1] != 3 or array.dtype.kind not in "iu":
        raise ValueError(
            "layers must be rows of three ints (kernel, stride, padding), "
            f"got shape {array.shape} of {array.dtype}"
        )
    if (array < [1, 1, 0]).any():
        raise ValueError(
            "layers must have kernel >= 1, stride >= 1 and padding >= 0, got "
            f"{tuple(array[(array < [1, 1, 0]).any(axis=1)][0].tolist())}"
        )


@guarded(check_layers)
def receptive_field(layers: Sequence[Sequence[int]]) -> np.ndarray:
    """Which input pixels a unit can see, along one axis.

    Unit i of the last layer sees `size` pixels from `start + i * jump` on.
    `start` is negative where the first unit's field begins in the padding.

    layers: (kernel, stride, padding) of each convolution or pooling layer, in
        the order of the forward pass. A kernel k with dilation d counts as
        (k - 1) d + 1.
    Returns the array [size, jump, start], in input pixels.
    """
    size, jump, start = 1, 1, 0
    for kernel, stride, padding in layers:
        # `jump` is still that of this layer's input.
        start -= padding * jump
        size += (kernel - 1) * jump
        jump *= stride
    return np.array([size, jump, start])


def check_patches(
    images: np.ndarray, activations: np.ndarray, field: Any, count: int
) -> None:
    """Images and the maps of one channel belong together."""
    check_input(images)
    if images.ndim != 4:
        raise ValueError(f"images must be (N, C, H, W), got {images.shape}")
    if activations.ndim != 3 or len(activations) != len(images):
        raise ValueError(
            f"activations must be one map for each of the {len(images)} images"
            f", ({len(images)}, h, w), got {activations.shape}"
        )
    if len(field) != 3 or field[0] < 1 or field[1] < 1:
        raise ValueError(f"field must be [size, jump, start], got {field}")
    if not 1 <= count <= len(images):
        raise ValueError(
            f"count must be from 1 to the {len(images)} images, got {count}"
        )


@guarded(check_patches)
def top_patches(
    images: np.ndarray, activations: np.ndarray, field: np.ndarray, count: int
) -> np.ndarray:
    """The patches that excite one channel most, each from another image.

    Of every image the position where the channel is strongest, of these the
    `count` strongest, and of each the pixels that the unit there can see
    (Zeiler and Fergus 2014, §4.1; Girshick et al. 2014, §3.1).

    images: an array (N, C, H, W).
    activations: the channel's maps on them, an array (N, h, w).
    field: [size, jump, start], as `receptive_field` gives it.
    Returns an array (count, C, size, size), the strongest first; zero where
    the unit sees beyond the image.
    """
    size, jump, start = field
    order = np.argsort(-activations.max(axis=(1, 2)))[:count]
    patches = []
    for n in order:
        at = np.unravel_index(activations[n].argmax(), activations[n].shape)
        # The border is wide enough for a field that is all but outside.
        top, left = (size + start + jump * i for i in at)
        wide = np.pad(images[n], ((0, 0), (size, size), (size, size)))
        patches.append(wide[:, top : top + size, left : left + size])
    return np.stack(patches)


def check_ascent(
    model: Model, x: np.ndarray, target: Target, shifts: Any, *_: Any, **__: Any
) -> None:
    """One shift a step, of images."""
    if x.ndim != 4:
        raise ValueError(f"x must be images (N, C, H, W), got {x.shape}")
    shape, kind = np.shape(shifts), np.asarray(shifts).dtype.kind
    if len(shape) != 2 or shape[1] != 2 or kind not in "iu":
        raise ValueError(
            f"shifts must be ints (steps, 2), got shape {shape}; "
            "np.zeros((steps, 2), int) for none"
        )


@checked
@guarded(check_ascent)
def activation_maximization(
    model: Model,
    x: np.ndarray,
    target: Target,
    shifts: np.ndarray,
    rate: float = 0.1,
    smoothness: float = 0.0,
    bounds: tuple[float, float] = (0.0, 1.0),
) -> np.ndarray:
    """Change images until a unit is as excited as it can be, step by step.

        x <- clip(x + rate · g / mean|g|)    (Mordvintsev et al. 2015)
        g = ∂/∂x [ a(x) - smoothness · V(x) ]

    V is half the sum of squared differences of neighbouring pixels, down and
    across (Mahendran and Vedaldi 2015, §3, with β = 2). The mean of |g| is
    each image's own; where it is zero, the image stays as it is. In step t the
    image is rolled by shifts[t] before a and V are taken, and the step rolled
    back (jitter).

    model: maps a Tensor (N, C, H, W) to the activations a, a Tensor (N, units).
    x: the images to start from, an array (N, C, H, W).
    target: the unit to excite: one int for all, or (N,) ints.
    shifts: rows and columns to roll in each step, ints (steps, 2); zeros for
        no jitter. Its length is the number of steps.
    rate: the mean size of a step, in units of x.
    bounds: the least and greatest value that a pixel may take.
    Returns an array shaped like x.
    """
    for shift in shifts:
        inputs = Tensor(np.roll(x, shift, axis=(2, 3)), requires_grad=True)
        score = model(inputs)[np.arange(len(x)), target].sum()
        down = inputs[:, :, 1:] - inputs[:, :, :-1]
        across = inputs[..., 1:] - inputs[..., :-1]
        roughness = ((down**2).sum() + (across**2).sum()) / 2
        g = grad(score - smoothness * roughness, inputs)
        # The small number is for a silent unit, whose gradient is zero.
        g = g / (np.abs(g).mean(axis=(1, 2, 3), keepdims=True) + 1e-12)
        x = np.clip(x + rate * np.roll(g, -shift, axis=(2, 3)), *bounds)
    return x


def check_foveation(
    shape: tuple[int, int],
    kernel: int,
    stride: int = 1,
    padding: Any = 0,
    mode: str = "constant",
) -> None:
    """A window that fits, and a mode that NumPy has."""
    if mode not in MODES:
        raise ValueError(
            f"mode must be one of {', '.join(MODES)}, got {mode!r}"
        )
    if kernel < 1 or stride < 1 or np.min(padding) < 0:
        raise ValueError(
            "kernel and stride must be at least 1 and padding 0, "
            f"got {kernel}, {stride} and {padding}"
        )
    sides = np.sum(np.broadcast_to(padding, (2, 2)), axis=1)
    if len(shape) != 2 or (np.asarray(shape) + sides < kernel).any():
        raise ValueError(
            f"shape must be (H, W) that holds a {kernel}x{kernel} window "
            f"with its padding, got {shape}"
        )


@guarded(check_foveation)
def foveation(
    shape: tuple[int, int],
    kernel: int,
    stride: int = 1,
    padding: int | tuple[tuple[int, int], tuple[int, int]] = 0,
    mode: str = "constant",
) -> np.ndarray:
    """How often each pixel is used by one convolution.

    The number of places, over all windows, in which the convolution reads the
    pixel or, where the padding repeats pixels, a copy of it (Alsallakh et al.
    2021, §3). It is the adjoint of the convolution with ones, applied to ones.

    shape: the input's height and width.
    kernel, stride: of the convolution, the same for rows and columns.
    padding: for all sides, or ((top, bottom), (left, right)).
    mode: of `np.pad`. Torch calls "constant" zeros, "edge" replicate and
        "wrap" circular; "symmetric" repeats the edge where "reflect" does not.
    Returns the counts, an array of ints (H, W).
    """
    height, width = shape
    # Pixels are numbered from 1, so that 0 is the number of the padding.
    number = 1 + np.arange(height * width).reshape(shape)
    padded = np.pad(number, padding, mode)  # type: ignore[call-overload]
    windows = sliding_window_view(padded, (kernel, kernel))[::stride, ::stride]
    counts = np.bincount(windows.ravel(), minlength=1 + height * width)
    return counts[1:].reshape(shape)
