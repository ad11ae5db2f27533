"""Maps and images as small pictures inside a page: an address that an `<img>` can show.

One byte a pixel and a palette, so that dozens of them fit into a page. The colours are those of
`course.plot.maps`.
"""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np

from course.plot.maps import MAGNITUDE, SIGNED, shared_scale


def map_picture(
    attribution: np.ndarray, scale: float | None = None, signed: bool | None = None
) -> str:
    """A map (H, W): red raises the score, blue lowers it; magnitudes from black to yellow.

    scale: the magnitude at which colours end; by default, the 99.5th percentile.
    signed: unless told, a map is signed if anything in it is negative.
    """
    from matplotlib import colormaps
    from PIL import Image

    if signed is None:
        signed = bool((attribution < 0).any())
    share = np.clip(attribution / (scale or shared_scale(attribution)), -1 if signed else 0, 1)
    levels = np.rint(255 * ((share + 1) / 2 if signed else share)).astype(np.uint8)
    picture = Image.fromarray(levels)
    palette = colormaps[SIGNED if signed else MAGNITUDE](np.arange(256), bytes=True)[:, :3]
    picture.putpalette(palette.tobytes())
    return address(picture)


def ink_picture(image: np.ndarray) -> str:
    """A digit (H, W) from 0 to 1, as ink on paper."""
    from PIL import Image

    return address(Image.fromarray(np.rint(255 * (1 - np.clip(image, 0, 1))).astype(np.uint8)))


def photo_picture(image: np.ndarray) -> str:
    """A photograph (H, W, 3) of bytes."""
    from PIL import Image

    return address(Image.fromarray(image), "JPEG")


def address(picture: Any, kind: str = "PNG") -> str:
    """A Pillow image as a data: address."""
    buffer = io.BytesIO()
    picture.save(buffer, kind, optimize=True)
    data = base64.b64encode(buffer.getvalue()).decode()
    return f"data:image/{kind.lower()};base64,{data}"
