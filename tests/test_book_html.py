"""The built book as files: links that lead somewhere, numbers, size, and notebooks to download."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import textwrap
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from course import specs

ROOT = Path(__file__).parents[1]
MEGABYTE = 1e6


class Page(HTMLParser):
    """What a page points to, and what in it can be pointed to."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            elif name in ("href", "src"):
                self.links.append(value)


@cache
def read(path: Path) -> Page:
    return Page(path.read_text(encoding="utf-8"))


def broken(link: str, page: Path) -> bool:
    """Does it lead to no file of the book, or to no place in it?"""
    address = urlsplit(link)
    if address.scheme or address.netloc:
        return False
    target = (page.parent / unquote(address.path)).resolve() if address.path else page
    if not target.is_file():
        return True
    anchor = unquote(address.fragment)
    return bool(anchor) and target.suffix == ".html" and anchor not in read(target).ids


def test_links_lead_somewhere(book: Path) -> None:
    wrong = {
        page.name: sorted({link for link in read(page).links if broken(link, page)})
        for page in book.glob("*.html")
    }
    assert {name: links for name, links in wrong.items() if links} == {}


def test_a_broken_link_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text('<p id="here"></p><a href="#here"></a>', encoding="utf-8")
    for good in ("#here", "page.html#here", "page.html?q=1", "https://example.org/x"):
        assert not broken(good, page), good
    for bad in ("#there", "page.html#there", "other.html", "img/a%20b.png"):
        assert broken(bad, page), bad


def test_each_name_stands_for_one_place(book: Path) -> None:
    twice = {
        page.name: sorted({i for i in read(page).ids if read(page).ids.count(i) > 1})
        for page in book.glob("*.html")
    }
    assert {name: ids for name, ids in twice.items() if ids} == {}


def test_the_book_is_small(book: Path) -> None:
    size = sum(path.stat().st_size for path in book.rglob("*") if path.is_file())
    assert size <= 40 * MEGABYTE


@pytest.mark.parametrize(
    "pattern",
    [r'class="caption-number">Fig. ([\d.]+)', r'class="eqno">\(([\d.]+)\)'],
    ids=["figures", "equations"],
)
def test_numbers_are_the_modules_and_count_on(book: Path, pattern: str) -> None:
    for module in specs.modules():
        pages = [book / f"{module.stem}.html", *sorted(book.glob(f"{module.stem}_*.html"))]
        texts = [page.read_text(encoding="utf-8") for page in pages]
        numbers = [number for text in texts for number in re.findall(pattern, text)]
        assert numbers
        wanted = [f"{int(module.number)}.{i + 1}" for i in range(len(numbers))]
        assert sorted(numbers, key=lambda n: int(n.split(".")[1])) == wanted


# --- the downloads -------------------------------------------------------------------------


def notebooks(book: Path) -> dict[str, Any]:
    nbformat = pytest.importorskip("nbformat", reason="the book's tools are missing: make install")
    paths = sorted((book / "notebooks").glob("*.ipynb"))
    return {path.stem: nbformat.read(path, as_version=4) for path in paths}


def squeeze(text: str) -> str:
    """Code without indentation, blank lines and the marks of a quotation."""
    lines = (line.removeprefix("> ").strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line)


def body(function: Any) -> str:
    """What a learner has to write."""
    source = textwrap.dedent(inspect.getsource(inspect.unwrap(function)))
    tree = ast.parse(source).body[0]
    assert isinstance(tree, ast.FunctionDef)
    return squeeze("\n".join(source.splitlines()[tree.body[1].lineno - 1 :]))


def test_each_page_that_runs_has_its_notebook(book: Path) -> None:
    names = set(notebooks(book))
    assert {m.stem for m in specs.modules()} <= names
    assert {f"{m.stem}_exercises" for m in specs.modules()} <= names
    for name in names:
        assert f"notebooks/{name}.ipynb" in read(book / f"{name}.html").links


def test_notebooks_are_valid_and_plain(book: Path) -> None:
    nbformat = pytest.importorskip("nbformat")

    for name, notebook in notebooks(book).items():
        nbformat.validate(notebook)
        assert notebook.metadata.kernelspec.name == "python3", name
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                assert not re.search(r"\{[a-z:]+\}`|^:::|^```\{|<docutils", cell.source, re.M), name
                used = re.findall(r"\(attachment:(.*?)\)", cell.source)
                assert set(used) == set(cell.get("attachments", {})), name


def test_no_notebook_holds_an_answer_or_a_hint(book: Path) -> None:
    exercises = [e for module in specs.modules() for e in module.exercises]
    for name, notebook in notebooks(book).items():
        text = squeeze("\n".join(cell.source for cell in notebook.cells))
        for exercise in exercises:
            assert body(exercise.function) not in text, (name, exercise.name)
            assert squeeze(exercise.hints[2]) not in text, (name, exercise.name)


def test_shown_code_of_an_answer_becomes_a_pointer(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("myst_nb", reason="the book's tools are missing: make install")
    monkeypatch.syspath_prepend(ROOT / "book" / "_ext")
    downloads = importlib.import_module("downloads")
    function = specs.modules()[0].exercises[0].function
    assert function.__name__ in downloads.pointer(inspect.getsource(function))
    assert downloads.pointer("def pull_back(tape):\n    return tape") is None


@pytest.mark.browser
@pytest.mark.parametrize("name", ["05_saliency_language", "05_saliency_exercises"])
def test_a_notebook_runs(book: Path, tmp_path: Path, name: str) -> None:
    nbclient = pytest.importorskip("nbclient", reason="the book's tools are missing: make install")
    notebook = notebooks(book)[name]
    nbclient.NotebookClient(
        notebook, timeout=60, resources={"metadata": {"path": tmp_path}}
    ).execute()
    ran = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in ran)
