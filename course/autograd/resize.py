"""Operations that change the size of an image: padding and interpolation."""

from __future__ import annotations

from typing import Any

import numpy as np

from course.autograd import kernels
from course.autograd.rules import Array, defvjp
from course.autograd.tensor import Tensor, record

_PAD_MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def pad(x: Tensor, pad: tuple[int, ...], mode: str = "constant", value: float = 0.0) -> Tensor:
    """Add a border, Torch's order: (left, right, top, bottom), the last dimension first.

    mode: "constant", "reflect" (edge not repeated), "replicate" (edge repeated) or "circular".
    """
    if mode not in _PAD_MODES:
        raise ValueError(f"mode must be one of {', '.join(_PAD_MODES)}, got {mode!r}")
    if len(pad) % 2 or len(pad) > 2 * x.ndim or min(pad, default=0) < 0:
        raise ValueError(f"pad must be non-negative pairs (before, after), got {pad}")
    widths = [(0, 0)] * (x.ndim - len(pad) // 2)
    widths += [(pad[i], pad[i + 1]) for i in range(len(pad) - 2, -1, -2)]
    fill = {"constant_values": value} if mode == "constant" else {}
    y = kernels.pad_in_memory_order(x.data, widths, _PAD_MODES[mode], **fill)
    return record("pad", y, x, widths=widths, mode=mode)


def pad_vjp(g: Array, y: Array, x: Array, widths: Any, mode: str) -> Array:
    """Each border pixel hands its gradient to the pixel it was copied from, axis by axis."""
    for axis, (before, after) in enumerate(widths):
        if before == after == 0:
            continue
        size = x.shape[axis]
        g = np.moveaxis(g, axis, 0)
        inner = g[before : before + size]
        if mode != "constant":
            inner = inner.copy()
            source = np.pad(np.arange(size), (before, after), _PAD_MODES[mode])  # type: ignore[call-overload]
            border = np.r_[0:before, before + size : before + size + after]
            np.add.at(inner, source[border], g[border])
        g = np.moveaxis(inner, 0, axis)
    return g


defvjp("pad", pad_vjp)


def interpolate(
    x: Tensor,
    size: int | tuple[int, int] | None = None,
    scale_factor: float | tuple[float, float] | None = None,
    mode: str = "nearest",
    align_corners: bool = False,
) -> Tensor:
    """Resample images (N, C, H, W) to `size`, or to `scale_factor` times their size.

    mode: "nearest" or "bilinear". align_corners (bilinear only): whether the centres of the corner
    pixels stay where they are, or the outer edges of the image.

    Resampling is linear and treats each axis alone: a matrix for the rows, one for the columns.
    """
    if mode not in ("nearest", "bilinear"):
        raise ValueError(f'mode must be "nearest" or "bilinear", got {mode!r}')
    if x.ndim != 4:
        raise ValueError(f"interpolate takes images (N, C, H, W), got shape {x.shape}")
    given: Any = scale_factor if size is None else size
    if given is None or (size is not None and scale_factor is not None):
        raise ValueError("interpolate takes either size or scale_factor")
    numbers = given if isinstance(given, tuple) else (given, given)
    matrices = []
    for n, number in zip(x.shape[2:], numbers, strict=True):
        out = int(n * number) if size is None else number
        step = 1 / number if size is None and out != n else n / max(out, 1)  # as Torch has it
        if min(n, out) < 1:
            raise ValueError(f"interpolate cannot make {out} pixels of {n}")
        matrices.append(_resampling_matrix(n, out, step, mode, align_corners).astype(x.dtype))
    return record("interpolate", matrices[0] @ x.data @ matrices[1].T, x, matrices=matrices)


defvjp("interpolate", lambda g, y, x, matrices: matrices[0].T @ g @ matrices[1])


def _resampling_matrix(n: int, out: int, step: float, mode: str, align_corners: bool) -> Array:
    """(out, n): row i holds the weights that output pixel i gives to the input pixels."""
    i = np.arange(out)
    if mode == "nearest":  # Torch finds the pixel in float32, whatever the image is
        source = np.floor(i.astype(np.float32) * np.float32(step))
    elif align_corners:
        source = i * ((n - 1) / max(out - 1, 1))
    else:
        source = (i + 0.5) * step - 0.5
    left = np.minimum(source.astype(np.intp), n - 1)
    right = np.minimum(left + 1, n - 1)
    weight = np.clip(source - left, 0, 1)  # outside the image, its edge
    matrix = np.zeros((out, n))
    np.add.at(matrix, (i, left), 1 - weight)
    np.add.at(matrix, (i, right), weight)
    return matrix
