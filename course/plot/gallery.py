"""Rows of small pictures with a heading each, as HTML; `book/_static/gallery.css` lays them out."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

ROWS, COLUMNS = ("at the top", "", "at the bottom"), ("left", "", "right")


def concentration(attribution: np.ndarray) -> float:
    """The share of the pixels of a map (H, W) that holds half of its magnitude."""
    strongest = np.sort(np.abs(attribution), axis=None)[::-1]
    held = strongest.cumsum()
    return float((np.searchsorted(held, held[-1] / 2) + 1) / strongest.size)


def place(attribution: np.ndarray) -> str:
    """In which ninth of a map (H, W) most of its magnitude lies, in words."""
    ninths = [
        np.abs(part).sum()
        for band in np.array_split(attribution, 3)
        for part in np.array_split(band, 3, axis=1)
    ]
    row, column = divmod(int(np.argmax(ninths)), 3)
    words = f"{ROWS[row]} {COLUMNS[column]}".strip()
    if not words:
        return "in the middle"
    return words if ROWS[row] else f"on the {words}"


def description(attribution: np.ndarray) -> str:
    """A map (H, W) for somebody who does not see it: how concentrated, where, and of which sign."""
    if not attribution.any():
        return "zero everywhere"
    text = (
        f"half of it on {concentration(attribution):.0%} of the pixels, most {place(attribution)}"
    )
    if (attribution < 0).any():
        share = np.maximum(attribution, 0).sum() / np.abs(attribution).sum()
        text += f"; {share:.0%} of it speaks for the class"
    return text


def picture(address: str, alt: str, caption: str = "") -> str:
    """One picture; `address` is what `course.plot.pictures` makes."""
    image = f'<img src="{address}" alt="{escape(alt)}" decoding="async">'
    below = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return f"<figure>{image}{below}</figure>"


def gallery_row(name: str, title: str, pictures: Sequence[str], note: str = "") -> str:
    """A heading, a note in HTML below it, and pictures, or anything else in HTML, beside it.

    name: the row's id, by which links find it. title: HTML; without one it is the head of the
        columns, and stays in sight.
    """
    heading = f"<h3>{title}</h3>" if title else ""
    note = f"<p>{note}</p>" if note else ""
    kind = "gallery-row" if title else "gallery-row gallery-head"
    return (
        f'<div class="{kind}" id="{name}"><div class="gallery-title">{heading}{note}</div>'
        f'<div class="gallery-pictures">{"".join(pictures)}</div></div>'
    )


def gallery(rows: Sequence[str], kind: str = "") -> str:
    """Rows, one below the other. kind: "pixels" enlarges them without smoothing, "words" has no
    columns."""
    return f'<div class="gallery {kind}">{"".join(rows)}</div>'
