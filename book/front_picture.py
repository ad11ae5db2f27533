"""Photograph the front page's figure for the README: `python book/front_picture.py`, with Chromium.

The picture remembers what it was made of, and a test says when it must be made again.
"""

from __future__ import annotations

import hashlib
import io
import shutil
import tempfile
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from PIL import Image, PngImagePlugin

from course import front
from course.data import photo, preprocess, to_image
from course.experiments import front as experiment
from course.experiments import store
from course.plot import pictures

ROOT = Path(__file__).resolve().parents[1]
STATIC = ROOT / "book" / "_static"
PICTURE = STATIC / "front.png"
WIDTH, SHARPNESS = 860, 2
LEVELS = {"magma": 40, "RdBu_r": 41, "photograph": 96, "gray": 24}
# A dot of a map becomes a square of four, which is sharp and makes a small file.
STYLE = """html { --pst-color-text-muted: #48566b }
.front-grid { grid-template-columns: repeat(5, 160px) !important; gap: 1rem 10px !important }
.front-tile img { image-rendering: pixelated }"""
BEGIN = "/* --- the figure of the front page"


def made_of() -> str:
    """A hash of all that the picture shows: numbers, maps, layout."""
    css = (STATIC / "custom.css").read_text(encoding="utf-8").partition(BEGIN)[2]
    numbers = (store.FOLDER / "front.json").read_text(encoding="utf-8")  # with their code's hash
    settings = repr((WIDTH, SHARPNESS, LEVELS, STYLE))
    layout = css.partition("/* ---")[0].strip()
    parts = (store.fingerprint(front, pictures), layout, numbers, settings)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def photograph(figure: str) -> Image.Image:
    """The figure as the book shows it on a white page."""
    from playwright.sync_api import sync_playwright

    page = (
        '<html data-theme="light"><meta charset="utf-8"><link rel="stylesheet" '
        f'href="{(STATIC / "custom.css").as_uri()}">'
        f"<style>{STYLE}</style>"
        f'<body class="bd-content" style="margin: 0; background: #fff; color: #22262c">'
        f'<div style="padding: 10px">{figure}</div>'
    )
    chromium = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        path = Path(folder) / "front.html"
        path.write_text(page, encoding="utf-8")
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        view = browser.new_page(
            viewport={"width": WIDTH, "height": 400}, device_scale_factor=SHARPNESS
        )
        view.goto(path.as_uri())
        view.evaluate("() => document.fonts.ready.then(() => true)")
        picture = view.screenshot(full_page=True)
        browser.close()
    return Image.open(io.BytesIO(picture)).convert("RGB")


def palette() -> Image.Image:
    """The colours of the heat maps, evenly, so that none changes its sign; of the photograph, of
    the text and of the bars."""
    shown = Image.fromarray(to_image(preprocess(photo(experiment.PHOTO).image, experiment.SIZE)))
    ramps = [
        np.rint(255 * colormaps[name](np.linspace(0, 1, count))[:, :3]).astype(np.uint8)
        for name, count in LEVELS.items()
        if name != "photograph"
    ]
    bars = np.array([[0x8C, 0x2A, 0x53], [0xE3, 0xE0, 0xE5]], np.uint8)
    few = shown.quantize(LEVELS["photograph"], Image.Quantize.MAXCOVERAGE).getpalette() or []
    dull = np.minimum(few, 235).astype(np.uint8)  # else the paper takes the photograph's white
    image = Image.new("P", (1, 1))
    image.putpalette(np.concatenate([*ramps, bars]).tobytes() + dull.tobytes())
    return image


def main() -> None:
    remark = PngImagePlugin.PngInfo()
    remark.add_text("made of", made_of())
    picture = photograph(front.figure())
    picture = picture.quantize(palette=palette(), dither=Image.Dither.NONE)
    picture.save(PICTURE, optimize=True, pnginfo=remark)
    print(f"wrote {PICTURE.relative_to(ROOT)}, {PICTURE.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
