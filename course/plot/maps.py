"""Attribution maps as pictures, drawn the same way everywhere in the course.

Signed maps get one diverging colour map centred on zero: red raises the score, blue lowers it.
Magnitudes get one sequential map that starts at zero. A map is clipped at a percentile of its
magnitudes, because single pixels are often many times stronger than the rest; a caption says so.
"""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np

SIGNED, MAGNITUDE = "RdBu_r", "magma"


def shared_scale(*maps: np.ndarray, percentile: float = 99.5) -> float:
    """The magnitude at which colours saturate, one for all maps that are to be compared."""
    magnitudes = np.abs(np.concatenate([np.ravel(m) for m in maps]))
    return float(np.percentile(magnitudes, percentile)) or float(magnitudes.max()) or 1.0


def draw_map(
    ax: Any,
    attribution: np.ndarray,
    scale: float | None = None,
    title: str = "",
    signed: bool | None = None,
) -> Any:
    """Draw a map (H, W), or (1, H, W). Unless told, it is signed if anything in it is negative."""
    flat = attribution.reshape(attribution.shape[-2:])
    scale = scale or shared_scale(flat)
    if signed is None:
        signed = bool((flat < 0).any())
    low, colours = (-scale, SIGNED) if signed else (0.0, MAGNITUDE)
    shown = ax.imshow(flat, cmap=colours, vmin=low, vmax=scale, interpolation="nearest")
    return _finish(ax, shown, title)


def draw_image(ax: Any, image: np.ndarray, title: str = "") -> Any:
    """Draw an image (H, W, 3) of bytes, or one grey channel (H, W) or (1, H, W) from 0 to 1."""
    if image.ndim == 3 and image.shape[-1] == 3:
        return _finish(ax, ax.imshow(image), title)
    grey = image.reshape(image.shape[-2:])
    return _finish(ax, ax.imshow(grey, cmap="gray_r", vmin=0, vmax=1), title)


def draw_overlay(
    ax: Any, image: np.ndarray, magnitude: np.ndarray, scale: float | None = None, title: str = ""
) -> Any:
    """A map of magnitudes over the greyed image; where the map is weak, the image shows through."""
    scale = scale or shared_scale(magnitude)
    strength = np.clip(magnitude.reshape(magnitude.shape[-2:]) / scale, 0, 1)
    ax.imshow(image.mean(axis=-1), cmap="gray", vmin=-80, vmax=255)
    shown = ax.imshow(strength, cmap=MAGNITUDE, vmin=0, vmax=1, alpha=np.sqrt(strength))
    return _finish(ax, shown, title)


def grid(rows: int, columns: int, size: float = 1.6) -> tuple[Any, np.ndarray]:
    """A figure of `rows` by `columns` square panels; `size` in inches."""
    import matplotlib.pyplot as plt

    return plt.subplots(
        rows,
        columns,
        figsize=(size * columns, size * rows * 1.12),
        squeeze=False,
        layout="constrained",
    )


def furthest_off(
    got: np.ndarray, want: np.ndarray
) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray], tuple[int, int]]:
    """Yours, Torch's and the signed difference, each (H, W), and the row and column of the worst
    pixel. Of a batch or of channels, the map in which that pixel lies."""
    rows, columns = (1, 1, *want.shape)[-2:]
    stacks = [a.astype(np.float64).reshape(-1, rows, columns) for a in (got, want)]
    difference = stacks[0] - stacks[1]
    at, row, column = np.unravel_index(int(np.abs(difference).argmax()), difference.shape)
    return (stacks[0][at], stacks[1][at], difference[at]), (int(row), int(column))


def comparison_png(got: np.ndarray, want: np.ndarray) -> bytes:
    """Yours, Torch's and the signed difference as a PNG: one colour scale for all three, and a
    ring around the worst pixel. Of a batch, the example that is furthest off."""
    import matplotlib.pyplot as plt

    panels, (row, column) = furthest_off(got, want)
    scale = shared_scale(*panels[:2], percentile=100)
    figure, axes = grid(1, 3, size=2.0)
    signed = bool((got < 0).any() or (want < 0).any())
    draw_map(axes[0][0], panels[0], scale, "yours", signed)
    draw_map(axes[0][1], panels[1], scale, "Torch", signed)
    draw_map(axes[0][2], panels[2], scale, "yours - Torch", signed=True)
    for ax in axes[0]:
        ax.plot(column, row, "o", mfc="none", mec="#00a000", ms=9)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=90)
    plt.close(figure)
    return buffer.getvalue()


def comparison(got: np.ndarray, want: np.ndarray) -> str:
    """The picture of `comparison_png` as an HTML image."""
    data = base64.b64encode(comparison_png(got, want)).decode()
    alt = "Your map, Torch's map and their difference; the worst pixel is ringed."
    return f'<img alt="{alt}" src="data:image/png;base64,{data}">'


def _finish(ax: Any, shown: Any, title: str) -> Any:
    ax.set_title(title, fontsize=10)
    ax.set_axis_off()
    return shown
