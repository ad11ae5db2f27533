"""Attributions of words: the sentence itself, each word on the colour of its number.

HTML with its styles inside, so that it needs no script, no file and no network, wraps on a phone
and can be read aloud. The number stands under the word: colour is never the only sign.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from course.plot.maps import MAGNITUDE, SIGNED

STRIP = "margin:.4em 0;line-height:1.3;max-width:100%"
TOKEN = (
    "display:inline-block;margin:1px;padding:1px 5px;border-radius:3px;text-align:center;"
    "font-size:1rem"
)
NUMBER = "display:block;font-size:.75rem"


def token_strip(
    tokens: Sequence[str],
    scores: np.ndarray,
    scale: float | None = None,
    title: str = "",
    signed: bool = True,
) -> str:
    """A sentence as HTML: red words raise the score, blue words lower it.

    tokens: T words. scores: their attributions, (T,).
    scale: the magnitude at which colours end, one for all strips that are to be compared; by
        default the largest magnitude here.
    signed: False for magnitudes, which get the sequential colours of heat maps.
    """
    scores = np.asarray(scores, float)
    if scores.shape != (len(tokens),):
        raise ValueError(
            f"scores must be one for each of the {len(tokens)} tokens, got shape {scores.shape}"
        )
    scale = scale or float(np.abs(scores).max(initial=0)) or 1.0
    words = "".join(_token(t, s, scale, signed) for t, s in zip(tokens, scores, strict=True))
    heading = f"<div><strong>{escape(title)}</strong></div>" if title else ""
    return f'<div class="token-strip" style="{STRIP}">{heading}{words}</div>'


def _token(token: str, score: float, scale: float, signed: bool) -> str:
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    share = float(np.clip(score / scale, -1, 1))
    colour = colormaps[SIGNED]((share + 1) / 2) if signed else colormaps[MAGNITUDE](abs(share))
    # WCAG's relative luminance; at .18 black and white are equally easy to read.
    luminance = np.dot(np.power(colour[:3], 2.2), (0.2126, 0.7152, 0.0722))
    ink = "#000" if luminance > 0.18 else "#fff"
    number = f"{score:+.2g}" if signed else f"{score:.2g}"
    style = f"{TOKEN};background:{to_hex(colour)};color:{ink}"
    return f'<span style="{style}">{escape(token)}<span style="{NUMBER}">{number}</span></span> '
