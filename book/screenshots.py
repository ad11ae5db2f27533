"""Photograph every page of the built book at two widths, light and dark: `make screenshots`.

Into book/_build/screenshots, in slices that fit a screen. Names of pages as arguments choose.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

BUILD = Path(__file__).parent / "_build"
WIDTHS = {"desktop": 1400, "phone": 390}
SLICE = 2000  # pixels of height in one picture


def photograph(page: Page, path: Path, folder: Path) -> None:
    """The page from top to bottom, in slices named 05_saliency-1.png and so on."""
    page.goto(path.as_uri())
    page.evaluate("() => window.MathJax?.startup?.promise")
    page.evaluate("() => document.fonts.ready.then(() => true)")
    width = page.viewport_size["width"]
    height = page.evaluate("document.documentElement.scrollHeight")
    for number, top in enumerate(range(0, height, SLICE), 1):
        page.screenshot(
            path=folder / f"{path.stem}-{number}.png",
            full_page=True,
            clip={"x": 0, "y": top, "width": width, "height": min(SLICE, height - top)},
        )


def main() -> None:
    names = ("chromium", "chromium-browser", "google-chrome")
    browser_path = next(filter(None, map(shutil.which, names)), None)
    pages = [BUILD / "html" / f"{name}.html" for name in sys.argv[1:]]
    pages = pages or sorted((BUILD / "html").glob("*.html"))
    if browser_path is None or not pages:
        sys.exit("screenshots need the built book (make book) and Chromium or Chrome")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        for device, width in WIDTHS.items():
            for scheme in ("light", "dark"):
                folder = BUILD / "screenshots" / f"{device}-{scheme}"
                folder.mkdir(parents=True, exist_ok=True)
                size = {"width": width, "height": 900}
                page = browser.new_page(
                    viewport=size,
                    color_scheme=scheme,
                    reduced_motion="reduce",
                )
                for path in pages:
                    photograph(page, path, folder)
                page.close()
                print(folder)
        browser.close()


if __name__ == "__main__":
    main()
