"""The book: exercise sheets say what their specs say, and no page asks the network for anything."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
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
