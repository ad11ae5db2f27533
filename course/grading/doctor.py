"""Is everything here that the course needs? One sentence for each thing, with what to do."""

from __future__ import annotations

import importlib
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

NEEDED = {
    "numpy": ("NumPy", (2, 0)),
    "torch": ("Torch", (2, 4)),
    "watchfiles": ("watchfiles", (0,)),
}


class Finding(NamedTuple):
    well: bool
    says: str


def examine() -> Iterator[Finding]:
    """Python, packages, the exercises' folder, and one solution judged as an answer would be."""
    from course.grading.progress import exercises_folder

    yield python(sys.version_info[:2])
    for name, (title, least) in NEEDED.items():
        yield package(name, title, least)
    yield folder(exercises_folder())
    yield judged()


def python(version: tuple[int, int]) -> Finding:
    shown = ".".join(map(str, version))
    if version < (3, 11):
        return Finding(False, f"Python is {shown}; install 3.11 or newer and the course into it.")
    return Finding(True, f"Python {shown}")


def package(name: str, title: str, least: tuple[int, ...]) -> Finding:
    try:
        version = importlib.import_module(name).__version__
    except Exception as error:  # a broken shared library raises OSError, and others raise others
        reason = " ".join(str(error).split())[:200]
        return Finding(
            False, f"{title} cannot be imported ({reason}); run `python -m pip install {name}`."
        )
    if tuple(int(n) for n in re.findall(r"\d+", version)[: len(least)]) < least:
        wanted = ".".join(map(str, least))
        upgrade = f"python -m pip install --upgrade {name}"
        return Finding(False, f"{title} is {version}, older than {wanted}; run `{upgrade}`.")
    return Finding(True, f"{title} {version}")


def folder(exercises: Path | None) -> Finding:
    from course.grading.progress import present
    from course.specs import modules

    if exercises is None:
        return Finding(
            False,
            "There is no exercises/ folder here or above; go to the course's folder, or make one "
            "with `course start DIR`.",
        )
    here = present(exercises, modules())
    missing = [f"{s.stem}.py" for s in here if not (exercises / f"{s.stem}.py").is_file()]
    if missing:
        number = missing[0].partition("_")[0]
        return Finding(
            False,
            f"{', '.join(missing)} is missing in {exercises}; `course reset {number}` writes it.",
        )
    try:
        with tempfile.TemporaryFile(dir=exercises):
            pass
    except OSError as error:
        return Finding(
            False,
            f"{exercises} cannot be written to ({error.strerror}), so passes are not remembered; "
            "change its permissions, or work in another folder with `course start DIR`.",
        )
    return Finding(True, f"{exercises} is there and can be written to")


def judged() -> Finding:
    """Judge one solution in a child process; Torch's first answer is part of the time."""
    from course.authoring.derive import solution_file
    from course.grading.judge import judge
    from course.grading.report import explain
    from course.grading.run import in_child
    from course.specs import modules

    spec = modules()[0]
    exercise = spec.exercises[0]
    began = time.perf_counter()
    try:
        with tempfile.TemporaryDirectory(prefix="course-") as name:
            path = Path(name) / f"{spec.stem}.py"
            path.write_text(solution_file(spec), encoding="utf-8")
            verdict = judge(exercise, in_child(exercise, path))
        reason = "" if verdict.passed else " ".join(explain(verdict)).rstrip(".")
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
    seconds = time.perf_counter() - began
    if reason:
        return Finding(
            False,
            f"The solution of {exercise.number} was not judged right ({reason}); install the "
            "course again, and if that does not help, report this line as an issue.",
        )
    return Finding(True, f"The solution of {exercise.number} passed in {seconds:.1f} s")
