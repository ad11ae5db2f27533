"""What to do now: the first exercise for a newcomer, the next one after a pass."""

from __future__ import annotations

import ast
import os
import shutil
from pathlib import Path
from typing import NamedTuple

from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from course.cli.common import console, shown
from course.grading.judge import Verdict
from course.grading.spec import Exercise, ModuleSpec

AIM = "Build the methods that explain neural networks, and have each one checked."
TASK = "Your code takes the place of `raise NotImplementedError`; the text above it says what "
TASK += "comes in and what has to come out."


class Section(NamedTuple):
    """Of a chapter: its title, and where the source has it."""

    title: str
    path: Path
    line: int


def welcome(folder: Path, spec: ModuleSpec, exercise: Exercise) -> None:
    """From a fresh folder to the first green check, in commands and places."""
    lines = length(exercise)
    effort = "one line" if lines == 1 else f"{lines} lines"
    steps = Table.grid(padding=(0, 2))
    steps.add_column(no_wrap=True)
    steps.add_column(overflow="fold")
    steps.add_row("1  Open", Text(place(folder, spec, exercise)))
    steps.add_row("2  Write", Text(f"{exercise.goal} {TASK}"))
    steps.add_row("3  Check", Text(f"course check {exercise.number}", "bold"))
    steps.add_row("", "")
    steps.add_row("   Stuck?", f"course hint {exercise.number}")
    if section := find_section(folder, spec, exercise):
        book = "in the book (make serve), or " if has_book(folder) else ""
        where = f"{book}{shown(section.path)} from line {section.line}"
        steps.add_row("   Read", Text(f"chapter {spec.number}, “{section.title}”: {where}"))
    head = Text.assemble(
        ("Saliency from Scratch\n", "bold"), f"{AIM}\n\nBegin with {exercise.number} ",
        (exercise.name, "bold"), f". The answer takes {effort}.\n",
    )  # fmt: skip
    tail = Text(
        "\ncourse list    all exercises\ncourse lab     the same as notebooks\n"
        "course --help  every command",
        "dim",
    )
    console.print(Padding(Group(head, steps, tail), (1, 1), expand=False))


def onward(folder: Path, specs: tuple[ModuleSpec, ...], verdicts: list[Verdict]) -> None:
    """After a check: where to mend the first failure, or what to write next."""
    from course.grading.progress import upcoming

    failed = next((v for v in verdicts if not v.passed), None)
    if failed:
        verb = "Write" if failed.layer == "written" else "Mend"
        spec, exercise = next(
            (s, e) for s in specs for e in s.exercises if e.number == failed.exercise
        )
        _say(f"{verb} it in {place(folder, spec, exercise)}, save,", failed.exercise, "dim")
    elif following := upcoming(folder, specs, verdicts[-1].exercise):
        announce(folder, *following)
    else:
        console.print(" Everything in this folder has passed.")


def announce(folder: Path, spec: ModuleSpec, exercise: Exercise) -> None:
    """The exercise that comes next."""
    _say(f"Next: write {exercise.name} in {place(folder, spec, exercise)}", exercise.number)


def _say(where: str, number: str, style: str = "") -> None:
    line = Text.assemble(f" {where}\n then ", (f"course check {number}", "bold"), style=style)
    console.print(line, soft_wrap=True)


def place(folder: Path, spec: ModuleSpec, exercise: Exercise) -> str:
    """The file, and the line where the code goes: of the refusal, or else of `def`."""
    path = folder / f"{spec.stem}.py"
    try:
        body = ast.parse(path.read_text(encoding="utf-8")).body
    except (OSError, SyntaxError, UnicodeDecodeError):
        return str(shown(path))
    for node in body:
        if isinstance(node, ast.FunctionDef) and node.name == exercise.name:
            last = node.body[-1]
            line = last.lineno if isinstance(last, ast.Raise) else node.lineno
            return f"{shown(path)}, line {line}"
    return str(shown(path))


def length(exercise: Exercise) -> int:
    """Lines of the library's answer, without its docstring and comments."""
    from course.authoring.derive import solution

    function = ast.parse(solution(exercise.function)).body[0]
    assert isinstance(function, ast.FunctionDef)
    return sum(len(ast.unparse(node).splitlines()) for node in function.body[1:])


def find_section(folder: Path, spec: ModuleSpec, exercise: Exercise) -> Section | None:
    """The section to read before an exercise, where the lectures lie beside the exercises."""
    for path in sorted((folder.parent / "lectures").glob(f"{spec.number}_*.md")):
        lines = path.read_text(encoding="utf-8").splitlines()
        if (anchor := f"({exercise.anchor})=") in lines:
            at = lines.index(anchor) + 1
            return Section(lines[at].lstrip("# "), path, at + 1)
    return None


def has_book(folder: Path) -> bool:
    return (folder.parent / "Makefile").is_file() and bool(shutil.which("make")) and os.name != "nt"
