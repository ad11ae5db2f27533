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
PANELS = ("yours", "Torch", "yours - Torch")
WIDEST = 5.2  # inches; in a wider figure, text of 10 points is too small on a phone
RING: dict[str, Any] = {"marker": "o", "mfc": "none", "mec": "#00a000", "ms": 9}


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
    """A figure of `rows` by `columns` square panels; `size` in inches, or less where the figure
    would become wider than a phone can show legibly."""
    import matplotlib.pyplot as plt

    size = min(size, WIDEST / columns)
    return plt.subplots(
        rows,
        columns,
        figsize=(size * columns, size * rows * 1.12),
        squeeze=False,
        layout="constrained",
    )


def worth_drawing(answer: np.ndarray) -> bool:
    """One number, or none, is said better in words."""
    return answer.size > 1


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
    ring around the worst pixel. Of a batch, the example that is furthest off; of vectors, bars."""
    panels, (row, column) = furthest_off(got, want)
    if want.ndim < 2:
        return _as_png(_bars([panel[0] for panel in panels], column))
    scale = shared_scale(*panels[:2], percentile=100)
    figure, axes = grid(1, 3, size=2.0)
    signed = bool((got < 0).any() or (want < 0).any())
    signs = (signed, signed, True)
    for ax, panel, title, sign in zip(axes[0], panels, PANELS, signs, strict=True):
        draw_map(ax, panel, scale, title, sign)
        ax.plot(column, row, **RING)
        if max(panels[0].shape) > 4 * min(panels[0].shape):
            ax.set_aspect("auto")  # a few long rows would be a hairline
    return _as_png(figure)


def _bars(panels: list[np.ndarray], worst: int) -> Any:
    """Vectors (n,) as bars, or as lines where bars would be too thin; one scale for all."""
    figure, axes = grid(1, len(panels), size=2.0)
    lowest, highest = min(0, *map(np.min, panels)), max(0, *map(np.max, panels))
    margin = 0.08 * (highest - lowest) or 1
    for ax, panel, title in zip(axes[0], panels, PANELS, strict=True):
        if len(panel) <= 40:
            ax.bar(np.arange(len(panel)), panel, color="#4477aa")
        else:
            ax.plot(panel, color="#4477aa", lw=1)
        ax.axhline(0, color="#888888", lw=0.6)
        ax.plot(worst, panel[worst], **RING)
        ax.set_ylim(lowest - margin, highest + margin)
        ax.set_title(title, fontsize=10)
        ax.tick_params(labelsize=7)
    return figure


def _as_png(figure: Any) -> bytes:
    import matplotlib.pyplot as plt

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=90)
    plt.close(figure)
    return buffer.getvalue()


def comparison(got: np.ndarray, want: np.ndarray) -> str:
    """The picture of `comparison_png` as an HTML image."""
    data = base64.b64encode(comparison_png(got, want)).decode()
    alt = "Your answer, Torch's answer and their difference; the worst place is ringed."
    return f'<img alt="{alt}" src="data:image/png;base64,{data}">'


def _finish(ax: Any, shown: Any, title: str) -> Any:
    ax.set_title(title, fontsize=10)
    ax.set_axis_off()
    return shown
