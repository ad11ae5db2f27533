"""The built book in a browser: every page whole, offline and accessible, at two widths, light and
dark; on paper; and its search."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import HTML

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PAGES = sorted(path.name for path in HTML.glob("*.html")) or ["index.html"]

# What is wrong with the page as it stands, one sentence each.
INSPECT = """
() => {
  const wrong = [], html = document.documentElement, dark = html.dataset.theme === "dark";
  if (html.scrollWidth > innerWidth) wrong.push(`scrolls sideways: ${html.scrollWidth} px`);
  for (const math of document.querySelectorAll(".math"))
    if (!math.querySelector("mjx-container")) wrong.push("not rendered: " + math.textContent);
  for (const error of document.querySelectorAll("mjx-merror"))
    wrong.push("bad formula: " + error.textContent);
  for (const formula of document.querySelectorAll("article span.math mjx-container")) {
    const paragraph = formula.closest("p, li, dd, figcaption, summary");
    if (paragraph && !formula.closest("table") &&
        formula.getBoundingClientRect().right > paragraph.getBoundingClientRect().right + 2)
      wrong.push("formula cut off, too long for a line: " + formula.parentElement.textContent);
  }
  for (const image of document.images) {
    const inText = image.closest("article");  // elsewhere, an empty text marks an ornament
    if (inText ? !image.alt.trim() : !image.hasAttribute("alt"))
      wrong.push("no alternative text: " + image.src);
    if (!image.complete || !image.naturalWidth) wrong.push("not loaded: " + image.src);
    if (dark && inText && getComputedStyle(image).filter !== "none")
      wrong.push("filtered in dark mode: " + image.src);
  }
  for (const font of document.fonts)
    if (font.status === "error") wrong.push("font not loaded: " + font.family);
  return wrong;
}
"""

# axe measures the contrast of each element that has text. Formulas have one for each sign, all in
# the colour of the text, so they are emptied; of the words of code one of each kind stays in each
# kind of block. The dark colours change nothing but contrast.
AUDIT = """
async () => {
  const seen = new Set();
  for (const word of document.querySelectorAll(".highlight pre span")) {
    const kinds = [word, word.closest("[class*='highlight-']"), word.closest(".cell, .admonition")];
    const kind = kinds.map(element => element?.className).join("/");
    if (seen.has(kind)) word.replaceWith(word.textContent);
    seen.add(kind);
  }
  for (const formula of document.querySelectorAll("mjx-container")) formula.replaceChildren();
  const options = { resultTypes: ["violations"], preload: false };
  if (document.documentElement.dataset.theme === "dark")
    options.runOnly = ["color-contrast", "link-in-text-block"];
  const report = await axe.run(document, options);
  return report.violations
    .filter(rule => ["serious", "critical"].includes(rule.impact))
    .map(rule => `${rule.id}: ` + rule.nodes.slice(0, 3).map(node => node.html).join("; "));
}
"""


def faults(browser: Any, base: str, name: str, width: int, axe: str = "") -> list[str]:
    """Read a page, all dropdowns open, light and then dark, and list what is wrong with it."""
    context = browser.new_context(viewport={"width": width, "height": 900}, reduced_motion="reduce")
    page = context.new_page()
    wrong: list[str] = []

    def on_request(request: Any) -> None:
        if not request.url.startswith((base, "data:", "blob:")):
            wrong.append(f"asks for {request.url}")

    def on_console(message: Any) -> None:
        if message.type == "error":
            wrong.append(f"console: {message.text}")

    page.on("request", on_request)
    page.on("requestfailed", lambda request: wrong.append(f"failed: {request.url}"))
    page.on("console", on_console)
    page.on("pageerror", lambda error: wrong.append(f"script: {error}"))
    page.goto(f"{base}/{name}")
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    page.evaluate("() => window.MathJax?.startup?.promise")
    page.evaluate("() => document.fonts.ready.then(() => true)")
    page.wait_for_timeout(100)  # for whatever starts late
    page.evaluate(axe)
    for question in (INSPECT, AUDIT) if axe else (INSPECT,):  # AUDIT changes the page
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.wait_for_function(f"document.documentElement.dataset.theme === '{scheme}'")
            wrong += [f"{scheme}: {fault}" for fault in page.evaluate(question)]
    context.close()
    return wrong


@pytest.fixture(scope="session")
def axe() -> str:
    package = pytest.importorskip("axe_playwright_python", reason="no axe: make install")
    return (Path(package.__file__).parent / "axe.min.js").read_text(encoding="utf-8")


# A test a page, so that the workers share them evenly.
@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("width", [1400, 390])
def test_a_page_is_whole_offline_and_accessible(
    browser: Any, served: str, name: str, width: int, axe: str
) -> None:
    assert faults(browser, served, name, width, axe) == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_opens_as_a_file_too(browser: Any, book: Path, name: str) -> None:
    assert faults(browser, book.as_uri(), name, 1400) == []


def test_axe_finds_what_is_wrong(browser: Any, axe: str) -> None:
    page = browser.new_page()
    page.set_content("<html lang='en'><p style='color: #bbb'>pale</p><img src='data:,'>")
    page.evaluate(axe)
    found = {rule.split(":")[0] for rule in page.evaluate(AUDIT)}
    assert found == {"color-contrast", "document-title", "image-alt"}
    page.close()


def test_the_chapter_has_formulas_and_figures(browser: Any, served: str) -> None:
    page = browser.new_page()
    page.goto(f"{served}/05_saliency.html")
    page.wait_for_selector("mjx-container")
    assert page.locator("article img").count() >= 1
    page.close()


@pytest.mark.parametrize("width", [1400, 390])
def test_search_finds_the_chapter_from_files_too(browser: Any, book: Path, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto((book / "index.html").as_uri())
    page.keyboard.press("Control+k")
    page.keyboard.type("completeness")
    page.keyboard.press("Enter")
    found = page.locator("#search-results li a", has_text="Integrated Gradients")
    found.first.wait_for()
    found.first.click()
    page.wait_for_url("**/06_integrated_gradients*")
    assert "completeness" in page.locator("article").inner_text().lower()
    page.close()


def test_the_notebook_is_downloaded_by_keyboard_too(browser: Any, served: str) -> None:
    page = browser.new_page()
    page.goto(f"{served}/05_saliency.html")
    link = page.get_by_role("link", name="This page as a notebook")
    link.focus()
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    assert download.value.suggested_filename == "05_saliency.ipynb"
    page.close()


def test_claims_stack_on_a_phone_and_name_their_columns(browser: Any, served: str) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 900})
    page.goto(f"{served}/05_saliency.html")
    table = page.locator("table.claims")
    cells = table.get_by_role("row").nth(1).get_by_role("cell")
    boxes = [cell.bounding_box() for cell in cells.all()]
    assert len(boxes) == 5
    assert len({box["x"] for box in boxes}) == 1  # one below the other
    assert table.evaluate("t => t.scrollWidth <= t.parentElement.clientWidth")
    names = "cells => cells.map(cell => getComputedStyle(cell, '::before').content)"
    assert cells.evaluate_all(names)[1:3] == ['"paper"', '"here"']
    page.close()


def test_paper_has_the_text_alone_in_light_colours(browser: Any, book: Path) -> None:
    page = browser.new_page(color_scheme="dark", viewport={"width": 1400, "height": 900})
    page.goto((book / "06_integrated_gradients.html").as_uri())
    box = page.locator(".admonition.exercise").first
    answer = box.locator("details", has_text="Solution").last
    assert page.locator(".bd-sidebar-primary").is_visible()
    assert answer.is_visible()
    page.emulate_media(media="print", color_scheme="dark")
    for gone in (".bd-sidebar-primary", ".bd-header-article", ".bd-sidebar-secondary", ".copybtn"):
        assert not page.locator(gone).first.is_visible(), gone
    assert not answer.is_visible()
    assert box.is_visible()
    colours = "() => ['color', 'backgroundColor'].map(c => getComputedStyle(document.body)[c])"
    assert page.evaluate(colours) == ["rgb(34, 38, 44)", "rgb(255, 255, 255)"]
    wide = "() => [...document.querySelectorAll('article pre')].map(getComputedStyle)"
    assert set(page.evaluate(f"({wide})().map(style => style.whiteSpace)")) == {"pre-wrap"}
    page.close()


def test_the_interactive_page_works_as_a_file(browser: Any, book: Path) -> None:
    """Half-way to ruin, guided backpropagation's map is the old one and the gradient's is not."""
    file = book / "explore.html"
    assert file.stat().st_size <= 3_000_000
    page = browser.new_page()
    page.goto(file.as_uri())
    page.locator("[name=stop]").focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.get_by_text("20 of 50 layers are random").wait_for()
    numbers = page.locator("figure .ex-number.ex-magnitudes b").all_inner_texts()
    gradient, guided = map(float, numbers)
    assert guided > 0.75 > 0.5 > gradient
    page.close()
