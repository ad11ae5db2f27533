"""Each page's download: its notebook, to run and to change, without any solution.

A chapter's notebook has the page's text and code, not the outputs; where the page shows the code of
an exercise's answer, it says where that code is. An exercise page's notebook holds the stubs.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from docutils import nodes
from myst_nb.core.read import is_myst_markdown_notebook, read_myst_markdown_notebook
from plain_markdown import Writer
from sphinx.application import Sphinx

from course import specs
from course.authoring.derive import exercise_file, solution
from course.grading.spec import ModuleSpec

FOLDER = "notebooks"
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
HIDDEN = {"hide-input", "remove-input", "remove-cell"}
PREFACE = (
    "*A page of Saliency from Scratch, as a notebook without solutions. Run it in the environment "
    "in which `course` is installed; write your answers in `exercises/`.*"
)


def squeeze(code: str) -> str:
    return "\n".join(line.strip() for line in code.strip().splitlines() if line.strip())


@cache
def answers() -> dict[str, str]:
    """The body of each exercise's solution, without docstring and indentation, and its name."""
    bodies = {}
    for exercise in (e for module in specs.modules() for e in module.exercises):
        text = solution(exercise.function)
        function = ast.parse(text).body[0]
        assert isinstance(function, ast.FunctionDef)
        after_docstring = text.splitlines()[function.body[0].end_lineno :]
        bodies[squeeze("\n".join(after_docstring))] = exercise.name
    return bodies


def pointer(code: str) -> str | None:
    """What stands in place of code that answers an exercise."""
    shown = squeeze(code)
    for body, name in answers().items():
        if body in shown:
            return f"*(The code of `{name}` is an exercise's answer: the book's page shows it.)*"
    return None


def numbers_of(app: Sphinx, page: str) -> dict[str, str]:
    kinds = app.env.toc_fignumbers.get(page, {})
    return {name: ".".join(map(str, n)) for kind in kinds.values() for name, n in kind.items()}


class Notebook:
    """A notebook in the making: text gathers until code comes or a section begins."""

    def __init__(self, writer: Writer, code: dict[int, nbformat.NotebookNode]) -> None:
        self.writer, self.code = writer, code
        self.text: list[str] = []
        self.cells: list[nbformat.NotebookNode] = []

    def add(self, node: nodes.Element) -> None:
        """What the children of a page or of a section hold."""
        for child in node.children:
            if isinstance(child, nodes.section):
                self.end_text()
                self.add(child)
            elif "cell_index" in getattr(child, "attributes", {}):
                self.add_code_up_to(child["cell_index"])
                captions = child.findall(nodes.caption)
                self.text += [self.writer.block(caption) for caption in captions]
            else:
                self.text.append(self.writer.block(child))

    def end_text(self) -> None:
        text = "\n\n".join(filter(None, self.text))
        self.text.clear()
        if text:
            cell = nbformat.v4.new_markdown_cell(text)
            if used := {k: v for k, v in self.writer.attachments.items() if f":{k})" in text}:
                cell["attachments"] = used
            self.cells.append(cell)

    def add_code_up_to(self, last: int) -> None:
        """The code cells up to this one; those that the page does not show come with it."""
        self.end_text()
        for index in [i for i in self.code if i <= last]:
            cell = self.code.pop(index)
            tags = cell.metadata.get("tags", [])
            folded = {"jupyter": {"source_hidden": True}} if HIDDEN & set(tags) else {}
            self.cells.append(nbformat.v4.new_code_cell(cell.source, metadata=folded))

    def finish(self) -> nbformat.NotebookNode:
        self.add_code_up_to(max(self.code, default=0))
        self.cells.insert(0, nbformat.v4.new_markdown_cell(PREFACE))
        return nbformat.v4.new_notebook(cells=self.cells)


def lecture_notebook(app: Sphinx, page: str, doctree: nodes.document) -> nbformat.NotebookNode:
    source = read_myst_markdown_notebook(Path(app.env.doc2path(page)).read_text(encoding="utf-8"))
    code = {i: cell for i, cell in enumerate(source.cells) if cell.cell_type == "code"}
    notebook = Notebook(Writer(Path(app.srcdir), numbers_of(app, page), pointer), code)
    notebook.add(doctree)
    return notebook.finish()


def exercise_notebook(module: ModuleSpec) -> nbformat.NotebookNode:
    """The stubs as they are derived, whatever a learner has written in `exercises/`."""
    return jupytext.reads(exercise_file(module), fmt="py:percent")


def module_of(page: str) -> ModuleSpec | None:
    """The module whose exercise page this is."""
    return next((m for m in specs.modules() if page == f"{m.stem}_exercises"), None)


def write(app: Sphinx, doctree: nodes.document, page: str) -> None:
    if app.builder.format != "html":
        return
    if module := module_of(page):
        notebook = exercise_notebook(module)
    elif is_notebook(app, page):
        notebook = lecture_notebook(app, page, doctree)
    else:
        return
    notebook.metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"{page}-{number}"[-64:]  # by chance it would differ from build to build
    nbformat.validate(notebook)
    target = Path(app.outdir) / FOLDER / f"{page}.ipynb"
    target.parent.mkdir(exist_ok=True)
    nbformat.write(notebook, target)


def is_notebook(app: Sphinx, page: str) -> bool:
    path = Path(app.env.doc2path(page))
    return page != app.config.root_doc and is_myst_markdown_notebook(path.read_text("utf-8"))


def links(page: str) -> Iterator[str]:
    what = "The exercises" if module_of(page) else "This page"
    href = escape(f"{FOLDER}/{page}.ipynb")
    yield '<p class="page-download">'
    yield f'<a href="{href}" download>{what} as a notebook</a>, without solutions</p>'


def add_link(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    if doctree is not None and (Path(app.outdir) / FOLDER / f"{page}.ipynb").exists():
        context["body"] = context["body"].replace("</h1>", "</h1>\n" + "".join(links(page)), 1)


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("doctree-resolved", write)
    app.connect("html-page-context", add_link)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
