"""Maps and images as small pictures inside the page, the same in a light and a dark one."""

from __future__ import annotations

import base64
import io

import numpy as np

from course.data import to_image
from course.plot.maps import MAGNITUDE, SIGNED, shared_scale
from course.sanity.subjects import RETRAINED

PIXELS = 64  # larger maps are drawn smaller, in which nothing is lost at the size of a thumbnail


def map_picture(attribution: np.ndarray) -> str:
    """A map (H, W) as the address of a picture, on its own scale: red raises the score, blue
    lowers it; from black to yellow where nothing is negative."""
    from matplotlib import colormaps
    from PIL import Image

    shrunk = _shrunk(attribution)
    signed = bool((attribution < 0).any())
    share = np.clip(shrunk / shared_scale(shrunk), -1 if signed else 0, 1)
    levels = np.rint(255 * ((share + 1) / 2 if signed else share)).astype(np.uint8)
    picture = Image.fromarray(levels)  # one byte a pixel, and a palette
    palette = colormaps[SIGNED if signed else MAGNITUDE](np.arange(256), bytes=True)[:, :3]
    picture.putpalette(palette.tobytes())
    return _address(picture)


def input_picture(x: np.ndarray, network: str) -> str:
    """An example (C, H, W) of a network as the address of a picture."""
    from PIL import Image

    if network in RETRAINED:  # ink on paper
        return _address(Image.fromarray(np.rint(255 * (1 - x[0])).astype(np.uint8)))
    if network == "small_cnn":
        grey = np.clip(x / x.max(), 0, 1).transpose(1, 2, 0)
        return _address(Image.fromarray(np.rint(255 * grey).astype(np.uint8)))
    picture = Image.fromarray(to_image(x))
    picture.thumbnail((2 * PIXELS, 2 * PIXELS))
    return _address(picture, "JPEG")


def _shrunk(attribution: np.ndarray) -> np.ndarray:
    """Means of blocks, where a side is at least twice PIXELS."""
    factor = max(1, min(attribution.shape) // PIXELS)
    height, width = (side // factor for side in attribution.shape)
    cut = attribution[: height * factor, : width * factor]
    return cut.reshape(height, factor, width, factor).mean(axis=(1, 3))


def _address(picture: object, kind: str = "PNG") -> str:
    buffer = io.BytesIO()
    picture.save(buffer, kind)  # type: ignore[attr-defined]
    data = base64.b64encode(buffer.getvalue()).decode()
    return f"data:image/{kind.lower()};base64,{data}"
