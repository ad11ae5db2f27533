"""The fast kernels against the loops that define them, with blocks so small that there are many."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from course.autograd import kernels
from tests.support_autograd import thorough

RNG = np.random.default_rng(0)
Geometry = tuple[Any, Any, Any]


@pytest.fixture(autouse=True, params=[40, kernels.BLOCK], ids=["small blocks", "real blocks"])
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "BLOCK", request.param)


def bordered(x: np.ndarray, padding: Any, value: float = 0) -> np.ndarray:
    (ph, pw) = padding
    return np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)), constant_values=value)


def taps(shape: Any, kernel: Any, geometry: Geometry) -> Any:
    """Every (output row, output column, kernel row, kernel column, padded row, padded column)."""
    (sh, sw), (ph, pw), (dh, dw) = geometry
    ho = (shape[2] + 2 * ph - dh * (kernel[0] - 1) - 1) // sh + 1
    wo = (shape[3] + 2 * pw - dw * (kernel[1] - 1) - 1) // sw + 1
    for i, j, u, v in np.ndindex(ho, wo, *kernel):
        yield i, j, u, v, i * sh + u * dh, j * sw + v * dw


def plain_conv(x: np.ndarray, w: np.ndarray, geometry: Geometry) -> np.ndarray:
    xp, found = bordered(x, geometry[1]), {}
    for i, j, u, v, r, c in taps(x.shape, w.shape[2:], geometry):
        found.setdefault((i, j), 0)
        found[i, j] = found[i, j] + xp[:, :, r, c] @ w[:, :, u, v].T
    rows, columns = (max(key[axis] for key in found) + 1 for axis in (0, 1))
    y = np.zeros((len(x), len(w), rows, columns))
    for (i, j), value in found.items():
        y[:, :, i, j] = value
    return y


def plain_conv_grads(
    g: np.ndarray, x: np.ndarray, w: np.ndarray, geometry: Geometry
) -> tuple[np.ndarray, np.ndarray]:
    (ph, pw), xp = geometry[1], bordered(x, geometry[1])
    gx, gw = np.zeros_like(xp), np.zeros_like(w)
    for i, j, u, v, r, c in taps(x.shape, w.shape[2:], geometry):
        gx[:, :, r, c] += g[:, :, i, j] @ w[:, :, u, v]
        gw[:, :, u, v] += g[:, :, i, j].T @ xp[:, :, r, c]
    return gx[:, :, ph : ph + x.shape[2], pw : pw + x.shape[3]], gw


@st.composite
def problems(draw: Any) -> tuple[np.ndarray, np.ndarray, Geometry]:
    small = st.integers(1, 3)
    channels, outputs = draw(st.sampled_from([1, 3, 6])), draw(small)
    kernel, stride, dilation = (draw(st.tuples(small, small)) for _ in range(3))
    padding = draw(st.tuples(st.integers(0, 3), st.integers(0, 3)))
    size = draw(st.tuples(st.integers(1, 7), st.integers(1, 7)))
    for n, k, p, d in zip(size, kernel, padding, dilation, strict=True):
        assume(n + 2 * p > d * (k - 1))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    x = rng.normal(size=(draw(small), channels, *size))
    return x, rng.normal(size=(outputs, channels, *kernel)), (stride, padding, dilation)


@thorough
@given(problem=problems())
def test_convolution_and_its_adjoints_equal_loops(
    problem: tuple[np.ndarray, np.ndarray, Geometry],
) -> None:
    x, w, geometry = problem
    bias = np.arange(len(w), dtype=float)
    y = kernels.conv(x, w, bias, *geometry)
    assert y == pytest.approx(plain_conv(x, w, geometry) + bias[:, None, None], abs=1e-10)
    g = np.random.default_rng(1).normal(size=y.shape)
    gx, gw = plain_conv_grads(g, x, w, geometry)
    assert kernels.conv_input_grad(g, w, x.shape, *geometry) == pytest.approx(gx, abs=1e-10)
    found = kernels.conv_weight_grad(g, x, w.shape[2:], *geometry)
    assert found == pytest.approx(gw, abs=1e-10)


@pytest.mark.parametrize("channels", [3, 255, 256])
@pytest.mark.parametrize("stride", [(1, 1), (2, 2), (3, 1), (1, 4)])
@pytest.mark.parametrize("padding", [(0, 0), (1, 2), (4, 4)])
@pytest.mark.parametrize("size", [(6, 7), (5, 4)])
def test_depthwise_and_its_adjoint_equal_loops(
    channels: int, stride: Any, padding: Any, size: Any
) -> None:
    geometry = (stride, padding, (1, 1))
    x, w = RNG.normal(size=(2, channels, *size)), RNG.normal(size=(channels, 1, 3, 2))
    bias = RNG.normal(size=channels)
    y = kernels.depthwise(x, w, bias, stride, padding)
    g = RNG.normal(size=y.shape)
    gx = kernels.depthwise_input_grad(g, w, x.shape, stride, padding)
    for c in (0, channels // 2, channels - 1):
        one = (slice(None), slice(c, c + 1))
        assert y[one] == pytest.approx(plain_conv(x[one], w[c : c + 1], geometry) + bias[c])
        expected, _ = plain_conv_grads(g[one], x[one], w[c : c + 1], geometry)
        assert gx[one] == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("kernel", [(2, 2), (3, 2)])
@pytest.mark.parametrize("stride", [(2, 2), (1, 1), (2, 3)])
@pytest.mark.parametrize("padding", [(0, 0), (1, 1)])
def test_max_pooling_equals_loops_and_ties_go_to_the_first(
    kernel: Any, stride: Any, padding: Any
) -> None:
    x = RNG.integers(0, 3, (2, 3, 6, 7)).astype(float)  # many ties
    xp = bordered(x, padding, -np.inf)
    y = kernels.max_pool(x, kernel, stride, padding)
    g = RNG.normal(size=y.shape)
    gx = np.zeros_like(xp)
    for n, c, i, j in np.ndindex(y.shape):
        window = xp[n, c, i * stride[0] :, j * stride[1] :][: kernel[0], : kernel[1]]
        assert y[n, c, i, j] == window.max()
        u, v = np.unravel_index(window.argmax(), kernel)
        gx[n, c, i * stride[0] + u, j * stride[1] + v] += g[n, c, i, j]
    (ph, pw) = padding
    found = kernels.max_pool_grad(g, y, x, kernel, stride, padding)
    assert found == pytest.approx(gx[:, :, ph : ph + 6, pw : pw + 7])


def test_blocks_cover_every_output_once() -> None:
    for n, rows, per_row, wo in [(5, 4, 3, 3), (3, 700, 11, 2), (1, 1, 10**7, 50), (0, 3, 3, 3)]:
        met = np.zeros((n, rows), int)
        for where in kernels.blocks(n, rows, per_row, wo):
            met[where] += 1
        assert (met == 1).all()


def test_patches_are_the_windows() -> None:
    for channels in (1, 4):  # written by column, and by row
        x = RNG.normal(size=(3, 9, 8, channels))
        view = kernels.windows(x, (3, 2), (2, 1), (1, 2))
        for where, patch in kernels.im2col(view, 5):
            assert np.array_equal(patch, view[where].reshape(len(patch), -1))


def test_windows_show_what_slices_show() -> None:
    x = RNG.normal(size=(2, 7, 6, 3))
    view = kernels.windows(x, (3, 2), (2, 1), (1, 3))
    assert view.shape == (2, 3, 3, 3, 2, 3)
    for i, j in np.ndindex(3, 3):
        assert np.array_equal(view[:, i, j], x[:, 2 * i : 2 * i + 3, j : j + 4 : 3])


def test_padding_adds_and_removes() -> None:
    x = RNG.normal(size=(2, 4, 5, 3))
    found = kernels.pad_hw(x, (2, -1), (-2, 1), value=7)
    expected = np.pad(x[:, :3, 2:], ((0, 0), (2, 0), (0, 1), (0, 0)), constant_values=7)
    assert np.array_equal(found, expected)


def test_padding_keeps_an_image_channels_last() -> None:
    x = kernels.channels_first(RNG.normal(size=(2, 4, 5, 3)))
    widths = [(0, 0), (0, 0), (1, 2), (0, 3)]
    found = kernels.pad_in_memory_order(x, widths, "edge")
    assert np.array_equal(found, np.pad(x, widths, "edge"))
    assert np.shares_memory(found, kernels.channels_last(found))


def test_images_stay_channels_last_from_layer_to_layer() -> None:
    x, w = RNG.normal(size=(2, 3, 8, 8)), RNG.normal(size=(4, 3, 3, 3))
    one = ((1, 1), (1, 1), (1, 1))
    y = np.clip(kernels.conv(x, w, None, *one), 0, 6)
    y = kernels.max_pool(y, (2, 2), (2, 2), (0, 0))
    assert np.shares_memory(y, kernels.channels_last(y))


@pytest.mark.parametrize("rows", [0, 1, 31, 32, 100])
def test_products_with_few_and_many_rows(rows: int) -> None:
    x, w = RNG.normal(size=(2, rows, 5)), RNG.normal(size=(4, 5))
    expected = np.einsum("abn,mn->abm", x, w)
    assert kernels.times_transposed(x, w) == pytest.approx(expected, abs=1e-12)
