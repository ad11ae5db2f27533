"""Maps and images as small pictures inside a page, which takes them without any other file."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np

from course.plot.maps import MAGNITUDE, SIGNED, shared_scale


def map_picture(
    attribution: np.ndarray, scale: float | None = None, signed: bool | None = None
) -> str:
    """A map (H, W) as the address of a picture, coloured as `draw_map` does it, a dot a pixel."""
    from matplotlib import colormaps
    from PIL import Image

    if signed is None:
        signed = bool((attribution < 0).any())
    scale = scale or shared_scale(attribution)
    share = np.clip(attribution / scale, -1 if signed else 0, 1)
    levels = np.rint(255 * ((share + 1) / 2 if signed else share)).astype(np.uint8)
    picture = Image.fromarray(levels)  # one byte a pixel, and a palette
    palette = colormaps[SIGNED if signed else MAGNITUDE](np.arange(256), bytes=True)[:, :3]
    picture.putpalette(palette.tobytes())
    return address(picture)


def address(picture: Any, kind: str = "PNG") -> str:
    """An image of Pillow's as the address that an `<img>` has as its source."""
    buffer = io.BytesIO()
    picture.save(buffer, kind)
    data = base64.b64encode(buffer.getvalue()).decode()
    return f"data:image/{kind.lower()};base64,{data}"
