"""`pytest exercises/05_saliency.py` judges each exercise of the file as one test.

Registered as an entry point, so it has to stay cheap to import: everything else loads when a file
of exercises is met.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

MARK = "by `course author derive`"


def _is_exercise_file(path: Path) -> bool:
    return bool(re.fullmatch(r"\d\d_\w+\.py", path.name)) and MARK in path.read_text()[:1000]


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """In a folder, take the files whose header says that they were derived."""
    if not parent.session.isinitpath(file_path) and _is_exercise_file(file_path):
        return ExerciseFile.from_parent(parent, path=file_path)
    return None


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> Any:
    """A file named on the command line would be imported as a test module; it is judged instead."""
    if _is_exercise_file(module_path):
        return ExerciseFile.from_parent(parent, path=module_path)
    return None


class ExerciseFile(pytest.File):
    def collect(self) -> Iterator[pytest.Item]:
        from course.specs import find

        _, exercises = find(self.path.stem)
        for exercise in exercises:
            yield ExerciseItem.from_parent(self, name=exercise.name, exercise=exercise)


class ExerciseItem(pytest.Item):
    def __init__(self, *, exercise: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.exercise = exercise

    def runtest(self) -> None:
        from course.grading.judge import judge
        from course.grading.run import in_child

        verdict = judge(self.exercise, in_child(self.exercise, self.path))
        if not verdict.passed:
            raise ExerciseFailed(verdict)

    def repr_failure(self, excinfo: Any, style: Any = None) -> Any:
        from course.grading.report import TITLES, explain

        if not isinstance(excinfo.value, ExerciseFailed):
            return super().repr_failure(excinfo, style)
        verdict = excinfo.value.args[0]
        head = f"{verdict.exercise} {verdict.name}: {TITLES[verdict.layer]}"
        return "\n".join([head, *explain(verdict)])

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.path, None, f"{self.exercise.number} {self.exercise.name}"


class ExerciseFailed(Exception):  # noqa: N818  (a verdict, not a fault of the program)
    """Carries the verdict to pytest's report."""
