"""Maps as thumbnails in a terminal: two pixels a character, by half blocks in true colour."""

from __future__ import annotations

import numpy as np
from rich.color import Color
from rich.console import Console
from rich.style import Style
from rich.text import Text

from course.plot.maps import MAGNITUDE, PANELS, SIGNED, furthest_off, shared_scale

INDENT, GAP, SMALLEST, LARGEST = 9, 2, 13, 32  # in characters; a title needs 13


def can_draw(console: Console) -> bool:
    """A terminal with colours; half blocks of one colour show nothing."""
    return console.is_terminal and console.color_system is not None and not console.no_color


def thumbnails(got: np.ndarray, want: np.ndarray, width: int) -> Text:
    """Yours, Torch's and the signed difference side by side on one colour scale, at most `width`
    characters wide. Of a batch, the example that is furthest off, as `course diff` draws it."""
    panels, _ = furthest_off(got, want)
    scale = shared_scale(*panels[:2], percentile=100)
    signed = bool((got < 0).any() or (want < 0).any())
    side = min(LARGEST, max(SMALLEST, (width - INDENT - 2 * GAP) // 3))
    small = [resample(panel, side) for panel in panels]
    pixels = [_colours(m, scale, s) for m, s in zip(small, (signed, signed, True), strict=True)]
    wide = max(SMALLEST, small[0].shape[1])
    titles = (" " * GAP).join(f"{title:<{wide}}" for title in PANELS).rstrip()
    text = Text.assemble((" " * INDENT + titles, "dim"))
    for row in range(0, len(pixels[0]), 2):
        text.append("\n" + " " * INDENT)
        for image in pixels:
            for column in range(image.shape[1]):
                text.append(*_half_block(image[row : row + 2, column]))
            text.append(" " * (wide - image.shape[1] + GAP))
    return text


def resample(panel: np.ndarray, side: int) -> np.ndarray:
    """The map (H, W) at most `side` wide and high. A smaller map is enlarged a whole number of
    times. Of the pixels that fall together the strongest is kept, so that one wrong pixel shows."""
    longest = max(panel.shape)
    if longest <= side:
        times = min(side // longest, 8)
        return panel.repeat(times, axis=0).repeat(times, axis=1)
    for axis in (0, 1):
        new = max(1, round(panel.shape[axis] * side / longest))
        bins = np.array_split(np.arange(panel.shape[axis]), new)
        parts = [panel.take(b, axis=axis) for b in bins]
        panel = np.stack([_strongest(part, axis) for part in parts], axis=axis)
    return panel


def _strongest(part: np.ndarray, axis: int) -> np.ndarray:
    index = np.expand_dims(np.abs(part).argmax(axis=axis), axis)
    return np.take_along_axis(part, index, axis=axis).squeeze(axis)


def _colours(panel: np.ndarray, scale: float, signed: bool) -> np.ndarray:
    """Colours (H, W, 3) as bytes, by the same colour maps as every figure of the course."""
    from matplotlib import colormaps

    place = (panel / scale + 1) / 2 if signed else panel / scale
    return colormaps[SIGNED if signed else MAGNITUDE](np.clip(place, 0, 1), bytes=True)[..., :3]


def _half_block(pair: np.ndarray) -> tuple[str, Style]:
    """The upper half of a character in one colour, the lower in another, where there is one."""
    upper, *lower = (Color.from_rgb(*map(int, rgb)) for rgb in pair)
    return "▀", Style(color=upper, bgcolor=lower[0] if lower else None)
