"""Maps and images as small pictures inside the page, the same in a light and a dark one."""

from __future__ import annotations

import numpy as np

from course.data import to_image
from course.plot import pictures
from course.sanity.subjects import RETRAINED

PIXELS = 64  # larger maps are drawn smaller, in which nothing is lost at the size of a thumbnail


def map_picture(attribution: np.ndarray) -> str:
    """A map (H, W) as the address of a picture, on its own scale."""
    return pictures.map_picture(_shrunk(attribution), signed=bool((attribution < 0).any()))


def input_picture(x: np.ndarray, network: str) -> str:
    """An example (C, H, W) of a network as the address of a picture."""
    from PIL import Image

    if network in RETRAINED:
        return pictures.ink_picture(x[0])
    if network == "small_cnn":
        grey = np.clip(x / x.max(), 0, 1).transpose(1, 2, 0)
        return pictures.address(Image.fromarray(np.rint(255 * grey).astype(np.uint8)))
    picture = Image.fromarray(to_image(x))
    picture.thumbnail((2 * PIXELS, 2 * PIXELS))
    return pictures.address(picture, "JPEG")


def _shrunk(attribution: np.ndarray) -> np.ndarray:
    """Means of blocks, where a side is at least twice PIXELS."""
    factor = max(1, min(attribution.shape) // PIXELS)
    height, width = (side // factor for side in attribution.shape)
    cut = attribution[: height * factor, : width * factor]
    return cut.reshape(height, factor, width, factor).mean(axis=(1, 3))
