"""What the commands share: the console, one sentence for an error, and what a selector means."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from course.grading.spec import Exercise, ModuleSpec

app = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)
console = Console(highlight=False)

Which = Annotated[str, typer.Argument(help="A module or exercise: 05, 05.2, or a name.")]
One = Annotated[str, typer.Argument(help="An exercise: 05.2, or its name.")]


def stop(message: str) -> NoReturn:
    Console(stderr=True, highlight=False).print(
        f"[bold red]course:[/] {escape(message)}", soft_wrap=True
    )
    raise typer.Exit(2)


def select(selector: str) -> tuple[ModuleSpec, tuple[Exercise, ...]]:
    from course.specs import find

    try:
        return find(selector)
    except KeyError as error:
        stop(str(error.args[0]))


def select_one(selector: str) -> tuple[ModuleSpec, Exercise]:
    spec, exercises = select(selector)
    if len(exercises) > 1:
        numbers = ", ".join(e.number for e in exercises)
        stop(f"{selector} is a whole module; name one exercise of {numbers}")
    return spec, exercises[0]


def exercises() -> Path:
    """The learner's folder of exercises."""
    from course.grading.progress import exercises_folder

    folder = exercises_folder()
    if folder is None:
        stop(
            "no exercises/ folder here or above; go to the course's folder, name the file with "
            "--file, or make a folder with `course start DIR`"
        )
    return folder


def answers(folder: Path, spec: ModuleSpec) -> Path:
    """The learner's file for a module."""
    return existing(folder / f"{spec.stem}.py")


def existing(path: Path) -> Path:
    if path.is_file():
        return path
    alike = [p.name for p in path.parent.glob(f"*{path.suffix}")]
    near = difflib.get_close_matches(path.name, alike)
    stop(f"there is no file {path}" + (f"; did you mean {near[0]}?" if near else ""))


def shown(path: Path) -> Path:
    """The path as one would type it here."""
    path = path.resolve()
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
