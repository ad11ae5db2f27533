"""The book: exercise sheets say what their specs say, and no page asks the network for anything."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
HTML = ROOT / "book" / "_build" / "html"

# --- the directive, on a module invented here ----------------------------------------------

MODULE = '''
def double(x: float) -> float:
    """Twice x."""
    return 2 * x


def half(x: float) -> float:
    """x, cut in two."""
    return x / 2
'''

CONF = """
import sys

sys.path[:0] = {paths!r}
import doubling

from course import specs
from course.grading.spec import Exercise, ModuleSpec


def exercise(number, function, points):
    fields = dict.fromkeys(Exercise.__dataclass_fields__, ())
    fields |= dict(
        number=number, function=function, points=points, goal="Make it 2 * as large.",
        anchor="sec-doubling", cases=exercise, seconds=1,
        hints=("Think of `x`_twice_.", "y = 2·x_i", "return ____ * x"),
    )
    return Exercise(**fields)


SPEC = ModuleSpec(
    "77", "doubling", "Doubling", "",
    [exercise("77.1", doubling.double, 1), exercise("77.2", doubling.half, 2)],
)
specs.modules = lambda: (SPEC,)
extensions = ["myst_parser", "sphinx_design", "exercise_sheet"]
myst_enable_extensions = ["colon_fence"]
html_theme = "basic"
"""

PAGES = {
    "index": "# Chapter\n\n(sec-doubling)=\n## Doubling\n\n{sheet}\n\n"
    "```{toctree}\n:hidden:\nsheet\n```\n",
    "sheet": "# Sheet\n\n```{exercise-sheet} doubling\n```\n\nSee {ref}`exercise-half`.\n",
}


class Text(HTMLParser):
    """The text of a page, and how deep each dropdown's title stands."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text, self.depth, self.depths = "", 0, {}
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.depth += tag == "details"

    def handle_endtag(self, tag: str) -> None:
        self.depth -= tag == "details"

    def handle_data(self, data: str) -> None:
        self.text += data
        title = data.strip().split(":")[0]
        if title.startswith(("Hint", "Solution")):
            self.depths.setdefault(title, self.depth)


def build(folder: Path, sheet: str) -> subprocess.CompletedProcess[str]:
    library, source = folder / "library", folder / "source"
    for name, text in {"methods": MODULE, "reference": MODULE.replace("2 * x", "x + x")}.items():
        (library / name).mkdir(parents=True)
        (library / name / "doubling.py").write_text(text, encoding="utf-8")
    source.mkdir()
    paths = [str(ROOT / "book" / "_ext"), str(library / "methods")]
    (source / "conf.py").write_text(CONF.format(paths=paths), encoding="utf-8")
    for name, text in PAGES.items():
        page = text.replace("{sheet}", sheet)
        (source / f"{name}.md").write_text(page, encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-m", "sphinx", "-n", "-W", "-q", source, folder / "html"],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def sheets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Text]:
    pytest.importorskip("sphinx_design", reason="the book's tools are missing: make install")
    folder = tmp_path_factory.mktemp("sheet")
    run = build(folder, "```{exercise-sheet} doubling\n:only: half\n```")
    assert run.returncode == 0, run.stderr
    return {name: Text((folder / "html" / f"{name}.html").read_text("utf-8")) for name in PAGES}


def test_sheet_shows_what_the_spec_says(sheets: dict[str, Text]) -> None:
    text = sheets["sheet"].text
    for wanted in (
        "77.1 double",
        "77.2 half",
        "Make it 2 * as large.",
        "(1 point)",
        "(2 points)",
        "exercises/77_doubling.py",
        "def half(x: float) -> float:",
        "course check 77.2",
        "See 77.2 half.",
    ):
        assert wanted in text


def test_sheet_has_the_solution_and_its_twin(sheets: dict[str, Text]) -> None:
    text = sheets["sheet"].text
    assert "return 2 * x" in text
    assert "return x + x" in text
    assert "return x / 2" in text


def test_hints_are_plain_text_and_open_one_after_the_other(sheets: dict[str, Text]) -> None:
    page = sheets["sheet"]
    assert page.depths == {"Hint 1": 1, "Hint 2": 2, "Hint 3": 3, "Solution": 1}
    assert "Think of x_twice_." in page.text
    assert "return ____ * x" in page.text


def test_only_one_exercise_in_a_chapter(sheets: dict[str, Text]) -> None:
    text = sheets["index"].text
    assert "Exercise 77.2 half" in text
    assert "double" not in text.replace("return x / 2", "")


@pytest.mark.parametrize(
    ("sheet", "says"),
    [
        ("```{exercise-sheet} halving\n```", "no module is called 'halving'; there is doubling"),
        ("```{exercise-sheet} doubling\n:only: third\n```", "has no 'third'; it has double, half"),
    ],
)
def test_a_wrong_name_is_said(tmp_path: Path, sheet: str, says: str) -> None:
    pytest.importorskip("sphinx_design", reason="the book's tools are missing: make install")
    run = build(tmp_path, sheet)
    assert run.returncode != 0
    assert says in run.stderr


# --- the sources ---------------------------------------------------------------------------


@pytest.mark.parametrize("page", sorted((ROOT / "lectures").glob("*.md")), ids=lambda p: p.stem)
def test_shown_code_fits_eighty_columns(page: Path) -> None:
    cells = re.findall(r"```\{code-cell\}.*?```", page.read_text(encoding="utf-8"), re.DOTALL)
    shown = [cell for cell in cells if "remove-input" not in cell]
    code = [re.sub(r"\A.*?\n---\n.*?\n---\n", "", cell, flags=re.DOTALL) for cell in shown]
    assert [line for cell in code for line in cell.splitlines() if len(line) > 80] == []


# --- the built book, in a browser ----------------------------------------------------------

QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]

# What is wrong with the page as it stands, one sentence each.
INSPECT = """
() => {
  const wrong = [], html = document.documentElement, dark = html.dataset.theme === "dark";
  if (html.scrollWidth > innerWidth) wrong.push(`scrolls sideways: ${html.scrollWidth} px`);
  for (const math of document.querySelectorAll(".math"))
    if (!math.querySelector("mjx-container")) wrong.push("not rendered: " + math.textContent);
  for (const error of document.querySelectorAll("mjx-merror"))
    wrong.push("bad formula: " + error.textContent);
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


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: make install")
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        pytest.skip("no Chromium: install it with `apt-get install chromium`, or any Chrome")
    if not (HTML / "index.html").exists():
        pytest.skip("the book is not built: run `make book`")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=path, args=QUIET)
        yield chromium
        chromium.close()


class Handler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def served() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=HTML))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def visit(browser: Any, base: str, width: int, scheme: str) -> dict[str, list[str]]:
    """Read every page, all dropdowns open, and list what went wrong on each."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
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
    report = {}
    for name in sorted(path.name for path in HTML.glob("*.html")):
        page.goto(f"{base}/{name}")
        page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
        page.evaluate("() => window.MathJax?.startup?.promise")
        page.evaluate("() => document.fonts.ready.then(() => true)")
        page.wait_for_timeout(100)  # for whatever starts late
        assert page.evaluate("document.documentElement.dataset.theme") == scheme
        if found := [*wrong, *page.evaluate(INSPECT)]:
            report[name] = found
        wrong.clear()
    context.close()
    return report


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
def test_pages_are_whole_and_offline(browser: Any, served: str, width: int, scheme: str) -> None:
    assert visit(browser, served, width, scheme) == {}


@pytest.mark.browser
def test_pages_open_as_files_too(browser: Any) -> None:
    assert visit(browser, HTML.as_uri(), 1400, "light") == {}


@pytest.mark.browser
def test_the_chapter_has_formulas_and_figures(browser: Any, served: str) -> None:
    page = browser.new_page()
    page.goto(f"{served}/05_saliency.html")
    page.wait_for_selector("mjx-container")
    assert page.locator("article img").count() >= 1
    page.close()


@pytest.mark.browser
def test_search_works_without_a_network(browser: Any, served: str) -> None:
    page = browser.new_page()
    page.goto(f"{served}/search.html?q=gradient")
    page.wait_for_selector("#search-results li")
    page.close()


@pytest.mark.browser
def test_the_interactive_page_works_as_a_file(browser: Any) -> None:
    """Half-way to ruin, guided backpropagation's map is the old one and the gradient's is not."""
    file = HTML / "explore.html"
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
