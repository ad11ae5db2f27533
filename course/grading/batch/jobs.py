"""One exercise of one submission: what is asked, and the row that comes back."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from course.grading.batch.text import one_line, printable
from course.grading.judge import Verdict, judge, remembering
from course.grading.report import explain
from course.grading.run import in_child, in_kernel
from course.grading.spec import Exercise
from course.grading.warm import Warm
from course.specs import find

DRAWS = 8  # of cases, before giving up on finding some that the library's own answer passes

# Layers besides the judge's own, of answers that never came before it.
UNREAD, MISSING, UNJUDGED = "unread", "missing", "unjudged"


@dataclass(frozen=True)
class Job:
    """An exercise file to judge for one of its exercises, on the cases of a seed."""

    student: str
    number: str
    file: str
    source: bytes
    seed: int


@dataclass(frozen=True)
class Row:
    """A line of the results.

    number, exercise: "05.1" and its function's name.
    layer: the first that failed, "" where none did; the judge's, or one of this module's.
    mistake: the name of the known mistake that the answer is.
    message: one sentence.
    detail: all that the student is told, several lines of text.
    seconds: that judging took.
    """

    student: str
    number: str
    exercise: str
    points: int
    max: int
    passed: bool
    layer: str
    mistake: str
    message: str
    detail: str
    seconds: float

    @property
    def key(self) -> tuple[str, str]:
        return self.student, self.number


def failed(student: str, exercise: Exercise, layer: str, message: str) -> Row:
    """The row of an answer that was not judged."""
    return Row(
        student, exercise.number, exercise.name, 0, exercise.points, False,
        layer, "", message, message, 0.0,
    )  # fmt: skip


def judge_job(job: Job, warm: Warm) -> Row:
    """Judge a copy of the file, in a private folder that goes when it is done."""
    exercise = find(job.number)[1][0]
    exercise, seed = _sound(exercise, job.seed)
    start = time.perf_counter()
    with _private_folder() as folder:
        (folder / "submission").mkdir()
        path = folder / "submission" / job.file
        path.write_bytes(job.source)
        verdict = judge(exercise, in_child(exercise, path, warm=warm, fence=folder), seed)
    return _row(job.student, verdict, time.perf_counter() - start)


def _sound(exercise: Exercise, seed: int) -> tuple[Exercise, int]:
    """The exercise with cases that the library's own answer passes, and their seed.

    By then the references have been asked, so that nothing a submission does can change them.
    """
    for draw in range(seed, seed + DRAWS):
        remembered = remembering(exercise)
        if judge(remembered, in_kernel(exercise, exercise.function), draw).passed:
            return remembered, draw
    raise RuntimeError(f"the library's own answer to {exercise.number} fails")


@contextmanager
def _private_folder() -> Iterator[Path]:
    """A folder for this job alone, where temporary files go as well."""
    before = tempfile.tempdir
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        tempfile.tempdir = name
        try:
            yield Path(os.path.realpath(name))
        finally:
            tempfile.tempdir = before


def _row(student: str, verdict: Verdict, seconds: float) -> Row:
    detail = f"passed, {verdict.checks} checks"
    if not verdict.passed:
        detail = "\n".join(explain(verdict)) or verdict.message
    return Row(
        student=student,
        number=verdict.exercise,
        exercise=verdict.name,
        points=verdict.points if verdict.passed else 0,
        max=verdict.points,
        passed=verdict.passed,
        layer=verdict.layer,
        mistake=verdict.mistake,
        message=one_line(verdict.message),
        detail=printable(detail),
        seconds=round(seconds, 3),
    )
