"""The interactive page: all maps inside one piece of HTML, which asks the network for nothing.

A map is kept as whole numbers of 7 bits, on the scale of the square root: map pixels differ by
orders of magnitude, and the weak ones are what a lower percentile brings out.
"""

from __future__ import annotations

import base64
import io
import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from course.catalogue import CATALOGUE
from course.explore.exhibits import Exhibit, Numbers
from course.models import build
from course.nn import layers_from_top
from course.plot.attention import View
from course.plot.maps import MAGNITUDE, SIGNED, draw_image, draw_map, grid, shared_scale

HERE = Path(__file__).parent
SCRIPTS = ("maps.js", "form.js", "view.js", "explore.js")
TITLE = "Destroy the network, watch the map"
MAGNITUDE_LEVELS, SIGNED_LEVELS = 127, 63  # the largest; signed maps have as many below zero


def explorer(
    exhibits: Sequence[Exhibit], numbers: Sequence[Numbers], book: str | None = None
) -> View:
    """The page of some exhibits, for a notebook, the book or a file of its own (`View.save`).

    numbers: what `measure` found for each.
    book: where the lectures' pages are, "" for beside this one; None leaves out the links.
    """
    pairs = list(zip(exhibits, numbers, strict=True))
    data = {
        "book": book,
        "palettes": {"signed": _palette(SIGNED), "magnitude": _palette(MAGNITUDE)},
        "methods": {
            name: {"title": CATALOGUE[name].title, "lecture": CATALOGUE[name].lecture}
            for name in CATALOGUE
            if any(name in exhibit.methods for exhibit in exhibits)
        },
        "networks": [_network(*pair) for pair in pairs],
    }
    style, form = (_text(name) for name in ("explore.css", "form.html"))
    script = "\n".join(_text(name) for name in SCRIPTS)
    stored = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/")
    return View(
        TITLE,
        f'<div class="explore">\n<style>{style}</style>\n{form}\n'
        f"<noscript>{_still(*pairs[0])}</noscript>\n"
        f'<script type="application/json">{stored}</script>\n</div>\n'
        f"<script>(() => {{\n{script}\n}})();</script>",
    )


def quantise(stack: np.ndarray) -> tuple[np.ndarray, np.ndarray, bool]:
    """Maps (..., H, W) as bytes, with the largest magnitude of each, (...,), and whether any
    value is negative: then byte 63 means zero."""
    signed = bool((stack < 0).any())
    top = np.abs(stack).max(axis=(-2, -1))
    share = stack / np.where(top > 0, top, 1)[..., None, None]
    root = np.sign(share) * np.sqrt(np.abs(share))
    levels = SIGNED_LEVELS * (root + 1) if signed else MAGNITUDE_LEVELS * root
    return np.rint(levels).astype(np.uint8), top, signed


def _network(exhibit: Exhibit, numbers: Numbers) -> dict[str, Any]:
    layers = layers_from_top(build(exhibit.name))
    by_method = [quantise(numbers.maps[:, :, m]) for m in range(len(exhibit.methods))]
    levels = np.stack([bytes_ for bytes_, _, _ in by_method], axis=2)
    tops = np.stack([top for _, top, _ in by_method], axis=2)
    return {
        "name": exhibit.name,
        "title": exhibit.title,
        "methods": exhibit.methods,
        "signed": [signed for _, _, signed in by_method],
        "height": levels.shape[-2],
        "width": levels.shape[-1],
        "layers": len(layers),
        "counts": exhibit.counts,
        "reached": ["", *(layers[count - 1] for count in exhibit.counts[1:])],
        "pictures": [
            {
                "name": name,
                "image": _address(exhibit.images[n]),
                "classes": [exhibit.labels[c] for c in numbers.classes[n]],
                "probabilities": _rounded(numbers.probabilities[:, n], 5),
                "says": [exhibit.labels[c] for c in numbers.says[0][:, n]],
                "surely": _rounded(numbers.says[1][:, n], 5),
                "levels": base64.b64encode(zlib.compress(levels[n].tobytes(), 9)).decode(),
                "tops": [float(f"{top:.5g}") for top in tops[n].ravel()],
                "withSigns": _rounded(numbers.signed[n].ravel()),
                "magnitudes": _rounded(numbers.magnitudes[n].ravel()),
                "noise": _rounded(numbers.null[n].ravel()),
            }
            for n, name in enumerate(exhibit.pictures)
        ],
    }


def _rounded(numbers: np.ndarray, digits: int = 3) -> Any:
    """As lists, NaN as nothing."""
    if numbers.ndim > 1:
        return [_rounded(part, digits) for part in numbers]
    return [round(float(v), digits) if np.isfinite(v) else None for v in numbers]


def _palette(name: str) -> str:
    """256 colours, three bytes each, as Matplotlib has them."""
    from matplotlib import colormaps

    colours = colormaps[name](np.arange(256), bytes=True)[:, :3]
    return base64.b64encode(colours.tobytes()).decode()


def _address(image: np.ndarray) -> str:
    """An image as the address of a picture that is part of the page."""
    from PIL import Image

    kind, buffer = ("JPEG" if len(image) > 64 else "PNG"), io.BytesIO()
    Image.fromarray(image).save(buffer, kind, quality=82, optimize=True)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _text(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8").strip()


def _still(exhibit: Exhibit, numbers: Numbers) -> str:
    """A picture and a sentence for browsers without scripts: the first two methods on the first
    picture, the network intact and destroyed half-way."""
    import matplotlib.pyplot as plt

    stops = sorted({0, 1, len(exhibit.counts) // 2})
    shown = exhibit.methods[:2]
    figure, rows = grid(len(shown), 1 + len(stops), 1.7)
    for m, row in enumerate(rows):
        draw_image(row[0], exhibit.images[0], CATALOGUE[shown[m]].title)
        for ax, stop in zip(row[1:], stops, strict=True):
            one = numbers.maps[0, 0, m, stop]
            draw_map(ax, one, shared_scale(one, percentile=99), f"{exhibit.counts[stop]} random")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=80)
    plt.close(figure)
    picture = f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    return (
        f'<figure><img alt="Maps of two methods, with more and more layers random" src="{picture}">'
        "<figcaption>Moving the sliders takes JavaScript. Without it, this much: two methods, with "
        "the trained network and with its topmost layers drawn anew.</figcaption></figure>"
    )
