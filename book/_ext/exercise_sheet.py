"""The directive `{exercise-sheet} saliency`: a module's exercises, rendered from its spec.

An exercise is described once, in `course.specs`; here that description becomes a page. On the
exercise page each exercise is a section. With `:only: gradient` one exercise stands as a box in the
middle of a chapter.
"""

from __future__ import annotations

import ast
import inspect
import os
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from course import specs
from course.grading.spec import Exercise, ModuleSpec

# The page's notebook leaves such a dropdown out.
NO_DOWNLOAD = ":class-container: without-download"


def find_module(name: str) -> ModuleSpec:
    """The module called `name`, as in the names of its files."""
    for module in specs.modules():
        if module.name == name:
            return module
    known = ", ".join(module.name for module in specs.modules()) or "no module yet"
    raise ValueError(f"exercise-sheet: no module is called {name!r}; there is {known}")


def signature(exercise: Exercise) -> str:
    """The lines of `def`, as the library has them: formatted, with annotations."""
    source = textwrap.dedent(inspect.getsource(exercise.function))
    function = ast.parse(source).body[0]
    assert isinstance(function, ast.FunctionDef)
    return "\n".join(source.splitlines()[function.lineno - 1 : function.body[0].lineno - 1])


def library_file(exercise: Exercise) -> Path:
    path = inspect.getsourcefile(inspect.unwrap(exercise.function))
    assert path is not None
    return Path(path)


def fenced(marks: int, head: str, body: list[str]) -> list[str]:
    """A colon fence; one with more marks may hold one with fewer."""
    return [":" * marks + head, *body, "", ":" * marks, ""]


def plain(text: str) -> str:
    """Text that the terminal shows as it is; of Markdown it has only code between backticks."""
    parts = text.split("`")
    parts[::2] = [re.sub(r"([*_$\[\]<>])", r"\\\1", part) for part in parts[::2]]
    return "`".join(parts)


def hints(exercise: Exercise) -> list[str]:
    """Three dropdowns, each inside the one before, so that they open one after the other."""
    idea, formula, key_line = exercise.hints
    lines = fenced(4, "{dropdown} Hint 3: the key line", ["```python", key_line, "```"])
    lines = fenced(5, "{dropdown} Hint 2: the formula", ["", plain(formula), "", *lines])
    return fenced(6, "{dropdown} Hint 1: the idea", [NO_DOWNLOAD, "", plain(idea), "", *lines])


def solution(module: ModuleSpec, exercise: Exercise, here: Path) -> list[str]:
    """The library's function and the Torch reference, in tabs, behind one dropdown."""
    library = library_file(exercise)
    files = {"NumPy": library}
    reference = library.parents[1] / "reference" / library.name
    if reference.exists():
        files["Torch"] = reference
    tabs: list[str] = []
    for title, path in files.items():
        include = [
            f"```{{literalinclude}} {os.path.relpath(path, here)}",
            f":pyobject: {exercise.name}",
            ":language: python",
            f":caption: {path.relative_to(library.parents[2]).as_posix()}",
            "```",
        ]
        tabs += fenced(4, f"{{tab-item}} {title}", include)
    return fenced(6, "{dropdown} Solution", [NO_DOWNLOAD, "", *fenced(5, "{tab-set}", tabs)])


def describe(module: ModuleSpec, exercise: Exercise, here: Path) -> Iterator[str]:
    """The exercise in MyST, without its heading."""
    points = f"{exercise.points} point{'s' if exercise.points != 1 else ''}"
    yield f"{plain(exercise.goal)} *({points})*"
    yield from ("", f"Write it in `exercises/{module.stem}.py`:", "")
    yield from ("```python", signature(exercise), "```", "")
    yield from ("Then ask how you did:", "")
    yield from ("```console", f"$ course check {exercise.number}", "```", "")
    yield from hints(exercise)
    yield from solution(module, exercise, here)


class ExerciseSheet(SphinxDirective):
    """All exercises of a module, a section each; or one, in a box."""

    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {"only": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        try:
            module = find_module(self.arguments[0])
            exercises = self.chosen(module)
        except ValueError as error:
            raise self.error(str(error)) from None
        spec_file = inspect.getsourcefile(exercises[0].cases)
        if spec_file is not None:
            self.env.note_dependency(spec_file)
        if "only" in self.options:
            return [self.box(module, exercises[0])]
        return [self.section(module, exercise) for exercise in exercises]

    def chosen(self, module: ModuleSpec) -> list[Exercise]:
        only = self.options.get("only")
        chosen = [e for e in module.exercises if only in (None, e.name, e.number)]
        if not chosen:
            known = ", ".join(e.name for e in module.exercises)
            raise ValueError(f"exercise-sheet: {module.name} has no {only!r}; it has {known}")
        return chosen

    def section(self, module: ModuleSpec, exercise: Exercise) -> nodes.section:
        label = f"exercise-{exercise.name.replace('_', '-')}"
        title = f"{exercise.number} {exercise.name}"
        section = nodes.section(ids=[label], names=[label])
        section += nodes.title(
            title, "", nodes.Text(f"{exercise.number} "), nodes.literal(text=exercise.name)
        )
        std = self.env.domaindata["std"]
        std["labels"][label] = (self.env.docname, label, title)
        std["anonlabels"][label] = (self.env.docname, label)
        self.parse_into(
            section, module, exercise, f"The chapter's section: {{ref}}`{exercise.anchor}`."
        )
        return section

    def box(self, module: ModuleSpec, exercise: Exercise) -> nodes.admonition:
        box = nodes.admonition(classes=["exercise"])
        box += nodes.title(
            "",
            "",
            nodes.Text(f"Exercise {exercise.number} "),
            nodes.literal(text=exercise.name),
        )
        self.parse_into(box, module, exercise)
        return box

    def parse_into(
        self, parent: nodes.Element, module: ModuleSpec, exercise: Exercise, first: str = ""
    ) -> None:
        here = Path(self.env.doc2path(self.env.docname)).parent
        text = "\n".join([first, "", *describe(module, exercise, here)])
        self.state.nested_parse(StringList(text.splitlines(), "exercise-sheet"), 0, parent)


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("exercise-sheet", ExerciseSheet)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
