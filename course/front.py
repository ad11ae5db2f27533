"""The figure of the book's first page and of the README: eight methods, two networks, as HTML."""

from __future__ import annotations

from html import escape

import numpy as np

from course.catalogue import CATALOGUE
from course.data import imagenet_labels, photo, preprocess, to_image
from course.experiments import store
from course.experiments.front import ALL, NAMES, PHOTO, SEEDS, SHOWN, SIZE, maps
from course.methods.sanity_checks import reinitialize_from_top
from course.models import build
from course.plot.maps import shared_scale
from course.plot.pictures import address, map_picture

PERCENTILE = 99.0


def figure() -> str:
    """The photograph, every method's two maps, and how much they have in common.

    `book/_static/custom.css` lays it out.
    """
    from PIL import Image

    stored = store.load("front")
    label, probability = stored["label"], stored["probability"]
    target = imagenet_labels().index(label)
    network, x = build("efficientnet_lite0"), preprocess(photo(PHOTO).image, SIZE)
    true = maps(network, x, target)
    random = maps(reinitialize_from_top(network, SHOWN, SEEDS[0]), x, target)
    source = address(Image.fromarray(to_image(x)), "WebP")
    tiles = [
        f'<div class="front-tile front-photo"><img alt="The photograph: a {label}." src="{source}">'
        f"<p><b>Upper maps:</b> the trained network. It says <i>{label}</i>, "
        f"{probability['trained']:.1%}.</p>"
        f"<p><b>Lower maps:</b> {SHOWN} of its {ALL} layers made random. <i>{label.title()}</i>: "
        f"{probability[str(SHOWN)][0]:.1%}.</p></div>",
        *(_tile(name, true[name], random[name], stored["likeness"][name]) for name in NAMES),
        '<div class="front-tile front-legend"><p><b>Number and bar:</b> how far the lower map '
        "orders the pixels as the upper one does. 1 is the same order.</p>"
        "<p><b>Mark:</b> <i>other photo</i>, what the trained network’s maps of different "
        "photographs share anyway.</p></div>",
    ]
    return f'<div class="front-grid">{"".join(tiles)}</div>'


def mean_and_spread(values: list[float | None]) -> tuple[float, float]:
    """Mean and sample standard deviation of the values that are there."""
    there = [value for value in values if value is not None]
    return float(np.mean(there)), float(np.std(there, ddof=1))


def _tile(
    name: str, true: np.ndarray, random: np.ndarray, likeness: dict[str, list[float | None]]
) -> str:
    title = escape(CATALOGUE[name].title)
    shown, spread = mean_and_spread(likeness[str(SHOWN)])
    throughout, _ = mean_and_spread(likeness[str(ALL)])
    elsewhere, _ = mean_and_spread(likeness["photos"])
    return (
        f'<div class="front-tile"><p class="front-name">{title}</p>'
        f'<img alt="{title}, trained network." src="{_picture(name, true)}">'
        f'<img alt="{title}, {SHOWN} layers random." src="{_picture(name, random)}">'
        f'<div class="front-bar" aria-hidden="true"><i style="width:{max(shown, 0):.0%}"></i>'
        f'<b style="left:{max(elsewhere, 0):.0%}"></b></div>'
        f'<p class="front-number"><b>{shown:z.2f}</b> ± {spread:.2f}</p>'
        f"<p>all {ALL} layers {throughout:z.2f}</p><p>other photo {elsewhere:z.2f}</p></div>"
    )


def _picture(name: str, attribution: np.ndarray) -> str:
    scale = shared_scale(attribution, percentile=PERCENTILE)
    return map_picture(attribution, scale, CATALOGUE[name].meaning == "contribution")
