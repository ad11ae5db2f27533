"""Photographs in the public domain, and the way into and out of an ImageNet network."""

from __future__ import annotations

import json
from difflib import get_close_matches
from functools import cache
from typing import NamedTuple

import numpy as np

from course.data.store import data_file

COLLECTIONS = ("photos_cc0_pd", "photos_4class")


class Photo(NamedTuple):
    """A photograph with its credits. image: uint8 RGB (H, W, 3); source: where it was published."""

    name: str
    image: np.ndarray
    author: str
    licence: str
    source: str


@cache
def _index() -> dict[str, dict[str, str]]:
    """What the manifests say, by the photograph's name: its file's, without the ending."""
    found = {}
    for collection in COLLECTIONS:
        entries = json.loads(data_file(f"{collection}/manifest.json").read_text(encoding="utf-8"))
        for entry in entries:
            name = entry["file"].removesuffix(".jpg")
            found[name] = {**entry, "file": f"{collection}/{entry['file']}"}
    return found


def photo(name: str) -> Photo:
    """One photograph, such as "farm_animals_owl"; `photos()` lists all."""
    index = _index()
    if name not in index:
        close = [known for known in index if name and name in known]
        close = close or get_close_matches(name, index, n=5, cutoff=0.5)
        hint = f"did you mean {' or '.join(close[:5])}?" if close else "photos() lists all"
        raise KeyError(f"no photograph is called {name!r}; {hint}")
    from PIL import Image

    entry = index[name]
    with Image.open(data_file(entry["file"])) as file:
        image = np.array(file.convert("RGB"))
    return Photo(name, image, entry["author"], entry["licence"], entry["source"])


def photos(collection: str | None = None) -> list[Photo]:
    """All photographs, or those of one collection.

    "photos_cc0_pd" holds 29 animals, up to 448 px. "photos_4class" holds 121 pictures of 160 px
    whose names start with their class: tools, renewable (energy), fishes or monuments.
    """
    if collection is not None and collection not in COLLECTIONS:
        raise KeyError(f"collection must be one of {', '.join(COLLECTIONS)}, got {collection!r}")
    return [
        photo(name)
        for name, entry in _index().items()
        if collection is None or entry["file"].startswith(f"{collection}/")
    ]


def preprocess(image: np.ndarray, size: int = 224) -> np.ndarray:
    """A photograph as EfficientNet-Lite0 wants it: (H, W, 3) uint8 to (1, 3, size, size) float32.

    The largest centred square, resized (bicubic), scaled to (x - 127) / 128: from -0.99 to 1.
    """
    from PIL import Image

    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        came = getattr(image, "dtype", type(image).__name__)
        raise TypeError(f"image must be a NumPy array of uint8, got {came}")
    if image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise ValueError(f"image must be RGB (H, W, 3), got shape {image.shape}")
    if size < 1:
        raise ValueError(f"size must be at least 1 pixel, got {size}")
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = Image.fromarray(image[top : top + side, left : left + side])
    pixels = np.asarray(square.resize((size, size), Image.Resampling.BICUBIC), np.float32)
    return ((pixels - 127) / 128).transpose(2, 0, 1)[None]


def to_image(x: np.ndarray) -> np.ndarray:
    """The inverse of `preprocess`, for display: (1, 3, H, W) or (3, H, W) to (H, W, 3) uint8."""
    if x.ndim == 4 and len(x) == 1:
        x = x[0]
    if x.ndim != 3 or x.shape[0] != 3:
        raise ValueError(f"x must be one image, (1, 3, H, W) or (3, H, W), got shape {x.shape}")
    return np.clip(np.rint(x * 128 + 127), 0, 255).astype(np.uint8).transpose(1, 2, 0)


@cache
def imagenet_labels() -> tuple[str, ...]:
    """The first English name of each of ImageNet's 1000 classes, in the order of the logits.

    Two names occur twice: "crane" (134 the bird, 517 the machine) and "maillot" (638, 639).
    """
    lines = data_file("imagenet1k_labels.txt").read_text(encoding="utf-8").splitlines()
    return tuple(line.split("\t")[1].split(",")[0] for line in lines)
