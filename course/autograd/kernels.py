"""The speed tricks, all in one file: convolution and pooling as few large NumPy calls.

Three facts shape it (measured in `benchmarks/`):

- **Channels last in memory.** Images are (N, C, H, W) for everybody, as in Torch, but the numbers
  lie in memory as (N, H, W, C): the patch under a kernel is then made of long runs, and an array
  that a convolution returns is a transposed view, which NumPy's ufuncs keep as it is. No copies.
- **im2col, in blocks that fit the cache.** A convolution is one matrix product of patches
  (rows, kh*kw*C) and weights (kh*kw*C, O). The patches of a whole batch would be written to
  memory and read back; a block of about one megabyte stays near the processor.
- **A depthwise convolution is no matrix product.** There einsum over a view of the windows runs a
  fused multiply-add along the channels and needs no temporary array.

`tests/test_kernels.py` holds each function against the loops that define it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from course.autograd.rules import Array

Pair = tuple[int, int]
Shape = tuple[int, ...]
BLOCK = 1 << 18  # numbers in a block of patches: 1 MB of float32


def channels_last(x: Array) -> Array:
    """(N, C, H, W) to a contiguous (N, H, W, C); free if the memory already lies that way."""
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1))


def channels_first(x: Array) -> Array:
    return x.transpose(0, 3, 1, 2)


def out_size(n: int, k: int, stride: int, padding: int, dilation: int = 1) -> int:
    """How many positions a window of k taps has on n pixels."""
    return (n + 2 * padding - dilation * (k - 1) - 1) // stride + 1


def pad_hw(x: Array, rows: Pair, columns: Pair, value: float = 0) -> Array:
    """Add (before, after) rows and columns to a channels-last image; a negative number removes."""
    n, h, w, c = x.shape
    (top, bottom), (left, right) = rows, columns
    x = x[:, max(-top, 0) : h - max(-bottom, 0), max(-left, 0) : w - max(-right, 0)]
    if max(top, bottom, left, right) <= 0:
        return x
    top, left = max(top, 0), max(left, 0)
    shape = (n, top + x.shape[1] + max(bottom, 0), left + x.shape[2] + max(right, 0), c)
    out = np.full(shape, value, x.dtype)
    out[:, top : top + x.shape[1], left : left + x.shape[2]] = x
    return out


def pad_in_memory_order(x: Array, widths: list[Pair], mode: Any, **fill: Any) -> Array:
    """`np.pad`, except that the result lies in memory as x does, where np.pad gives C order."""
    order = sorted(range(x.ndim), key=lambda axis: -x.strides[axis])
    y = np.pad(x.transpose(order), [widths[axis] for axis in order], mode, **fill)
    return y.transpose(np.argsort(order))


def windows(x: Array, kernel: Pair, stride: Pair, dilation: Pair = (1, 1)) -> Array:
    """A view (N, Ho, Wo, kh, kw, C) of a channels-last image: every window, nothing copied."""
    n, h, w, c = x.shape
    ho = out_size(h, kernel[0], stride[0], 0, dilation[0])
    wo = out_size(w, kernel[1], stride[1], 0, dilation[1])
    sn, sh, sw, sc = x.strides
    steps = (sn, sh * stride[0], sw * stride[1], sh * dilation[0], sw * dilation[1], sc)
    return as_strided(x, (n, ho, wo, *kernel, c), steps)


def bordered(x: Array, padding: Pair, value: float = 0) -> Array:
    """An image (N, C, H, W) channels last, with a border as high and wide as Torch's `padding`."""
    return pad_hw(channels_last(x), (padding[0],) * 2, (padding[1],) * 2, value)


def blocks(n: int, rows: int, numbers_per_row: int, wo: int) -> Iterator[tuple[slice, slice]]:
    """Cut a batch into pieces of about BLOCK numbers: several small images, or rows of a large one.

    A piece keeps at least 192 rows of the matrix product, below which it runs at half speed.
    """
    per_image = rows * numbers_per_row
    if per_image <= BLOCK:
        step = BLOCK // max(1, per_image)
        yield from ((slice(i, min(i + step, n)), slice(0, rows)) for i in range(0, n, step))
        return
    step = max(BLOCK // numbers_per_row, -(-192 // wo))
    for i in range(n):
        for r in range(0, rows, step):
            yield slice(i, i + 1), slice(r, min(r + step, rows))


def im2col(view: Array, outputs: int) -> Iterator[tuple[tuple[slice, slice], Array]]:
    """Pieces of the patch matrix (rows, kh*kw*C), each in the same reused buffer.

    With few channels it is written column by column: copying is fast along long runs only.
    """
    n, ho, wo, kh, kw, c = view.shape
    depth = kh * kw * c
    by_column = kw * c < min(wo, 16)
    buffer = np.empty(0, view.dtype)
    for where in blocks(n, ho, wo * max(depth, outputs), wo):
        piece = view[where]
        if piece.flags.c_contiguous:  # a 1x1 kernel: the patches are the pixels themselves
            yield where, piece.reshape(-1, depth)
            continue
        if by_column:
            piece = piece.transpose(3, 4, 5, 0, 1, 2)
        if buffer.size < piece.size:
            buffer = np.empty(piece.size, view.dtype)
        patch = buffer[: piece.size].reshape(piece.shape)
        patch[...] = piece
        yield where, patch.reshape(depth, -1).T if by_column else patch.reshape(-1, depth)


def conv(x: Array, w: Array, bias: Any, stride: Pair, padding: Pair, dilation: Pair) -> Array:
    """Convolution (N, C, H, W), (O, C, kh, kw) -> (N, O, Ho, Wo), one matrix product a block."""
    o, _, kh, kw = w.shape
    matrix = w.transpose(0, 2, 3, 1).reshape(o, -1).T
    view = windows(bordered(x, padding), (kh, kw), stride, dilation)
    y = np.empty((*view.shape[:3], o), np.result_type(x, w))
    for where, patch in im2col(view, o):
        part = y[where].reshape(-1, o)
        if patch.flags.c_contiguous:
            np.matmul(patch, matrix, out=part)
        else:  # this way round equal patches round equally: ties in max-pooling stay ties
            part[...] = (matrix.T @ patch.T).T
        if bias is not None:
            part += bias  # now, while the block is in the cache
    return channels_first(y)


def conv_input_grad(
    g: Array, w: Array, shape: Shape, stride: Pair, padding: Pair, dilation: Pair
) -> Array:
    """The adjoint of `conv` in x. At stride 1 it is a convolution again: the kernel is flipped, and
    its input and output channels change places. Other strides, and images of few channels, take
    one plane for each tap of the kernel, added where that tap had read."""
    o, c, kh, kw = w.shape
    if stride == (1, 1) and c > 4:
        flipped = w[:, :, ::-1, ::-1].transpose(1, 0, 2, 3)
        border = (dilation[0] * (kh - 1) - padding[0], dilation[1] * (kw - 1) - padding[1])
        return conv(g, flipped, None, stride, border, dilation)
    (n, _, h, width), (ph, pw) = shape, padding
    taps = w.transpose(1, 2, 3, 0).reshape(c * kh * kw, o)
    gl = channels_last(g)
    gx = np.zeros((c, n, h + 2 * ph, width + 2 * pw), g.dtype).transpose(1, 2, 3, 0)
    target = windows(gx, (kh, kw), stride, dilation)
    for images, rows in blocks(n, gl.shape[1], gl.shape[2] * c * kh * kw, gl.shape[2]):
        part = gl[images, rows]
        planes = np.matmul(taps, part.reshape(-1, o).T).reshape(c, kh, kw, *part.shape[:3])
        for i, j in np.ndindex(kh, kw):
            target[images, rows, :, i, j] += planes[:, i, j].transpose(1, 2, 3, 0)
    return channels_first(gx[:, ph : ph + h, pw : pw + width])


def conv_weight_grad(
    g: Array, x: Array, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair
) -> Array:
    """The adjoint of `conv` in w: each patch times the gradient of the output it made."""
    c, o = x.shape[1], g.shape[1]
    gl = channels_last(g)
    total = np.zeros((kernel[0] * kernel[1] * c, o), g.dtype)
    for where, patch in im2col(windows(bordered(x, padding), kernel, stride, dilation), o):
        total += patch.T @ gl[where].reshape(-1, o)
    return total.reshape(*kernel, c, o).transpose(3, 2, 0, 1)


def depthwise(x: Array, w: Array, bias: Any, stride: Pair, padding: Pair) -> Array:
    """Each channel with a kernel (C, 1, kh, kw) of its own."""
    y = _correlate(bordered(x, padding), w[:, 0], stride)
    if bias is not None:
        y += bias
    return channels_first(y)


def _correlate(x: Array, w: Array, stride: Pair) -> Array:
    """einsum runs fast along its last axis. Where the channels alone make that axis short, a whole
    row of pixels is taken as one long pixel, with the kernel repeated for each."""
    (n, h, width, c), (_, kh, kw) = x.shape, w.shape
    kernel = np.ascontiguousarray(w.transpose(1, 2, 0))
    if c >= 256 or stride != (1, 1):
        return np.einsum("nhwijc,ijc->nhwc", windows(x, (kh, kw), stride), kernel)
    ho, wo = h - kh + 1, width - kw + 1
    x = np.ascontiguousarray(x)
    sn, sh, sw, sc = x.strides
    rows = as_strided(x, (n, ho, kh, kw, wo * c), (sn, sh, sh, sw, sc))
    return np.einsum("nhijc,ijc->nhc", rows, np.tile(kernel, wo)).reshape(n, ho, wo, c)


def depthwise_weight_grad(g: Array, x: Array, kernel: Pair, stride: Pair, padding: Pair) -> Array:
    """The adjoint of `depthwise` in w."""
    view = windows(bordered(x, padding), kernel, stride)
    return np.einsum("nhwc,nhwijc->cij", channels_last(g), view)[:, None]


def depthwise_input_grad(g: Array, w: Array, shape: Shape, stride: Pair, padding: Pair) -> Array:
    """The adjoint of `depthwise` in x. A stride of s reaches the pixels of each residue modulo s
    through different taps of the kernel: each residue is a small convolution at stride 1."""
    n, c, h, width = shape
    gl = channels_last(g)
    gx = np.zeros((n, h, width, c), g.dtype)
    for a, b in np.ndindex(stride):
        target = gx[:, a :: stride[0], b :: stride[1]]
        first = (a + padding[0], b + padding[1])
        taps = w[:, 0, first[0] % stride[0] :: stride[0], first[1] % stride[1] :: stride[1]]
        if taps.size == 0 or target.size == 0:
            continue
        before = [taps.shape[1 + i] - 1 - first[i] // stride[i] for i in (0, 1)]
        sizes = [target.shape[1 + i] + taps.shape[1 + i] - 1 - gl.shape[1 + i] for i in (0, 1)]
        rows, columns = ((start, size - start) for start, size in zip(before, sizes, strict=True))
        target[...] = _correlate(pad_hw(gl, rows, columns), taps[:, ::-1, ::-1], (1, 1))
    return channels_first(gx)


def max_pool(x: Array, kernel: Pair, stride: Pair, padding: Pair) -> Array:
    """The maximum of every window, as a running maximum over the window's positions."""
    view = windows(bordered(x, padding, -np.inf), kernel, stride)
    y = view[:, :, :, 0, 0].copy()
    for i, j in np.ndindex(kernel):
        np.maximum(y, view[:, :, :, i, j], out=y)
    return channels_first(y)


def max_pool_grad(g: Array, y: Array, x: Array, kernel: Pair, stride: Pair, padding: Pair) -> Array:
    """Each window's gradient goes to its maximum, the first in reading order if several tie."""
    (n, c, h, width), (ph, pw) = x.shape, padding
    view = windows(bordered(x, padding, -np.inf), kernel, stride)
    gl, yl = channels_last(g), channels_last(y)
    gx = np.zeros((n, h + 2 * ph, width + 2 * pw, c), g.dtype)
    target = windows(gx, kernel, stride)
    for where in blocks(n, gl.shape[1], gl.shape[2] * c, gl.shape[2]):
        free = np.ones(gl[where].shape, bool)  # windows whose maximum has not been met yet
        for i, j in np.ndindex(kernel):
            hit = (view[where][:, :, :, i, j] == yl[where]) & free
            free ^= hit
            target[where][:, :, :, i, j] += gl[where] * hit
    return channels_first(gx[:, ph : ph + h, pw : pw + width])


def times_transposed(x: Array, w: Array) -> Array:
    """x wᵀ for x (..., n) and w (m, n). BLAS can be slow when x has few rows; w xᵀ, which is the
    same product, is not."""
    rows = x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
    y = (w @ rows.T).T if len(rows) < 32 else rows @ w.T
    return y.reshape(*x.shape[:-1], len(w))
