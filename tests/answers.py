"""Answers to exercises, as files that a learner might hand in."""

from __future__ import annotations

from pathlib import Path

from course.grading.judge import Verdict, judge
from course.grading.run import in_child
from course.grading.spec import Exercise
from course.specs import modules

EXERCISES = [exercise for spec in modules() for exercise in spec.exercises]
SALIENCY = [exercise for exercise in EXERCISES if exercise.number.startswith("05.")]


def by_name(exercise: Exercise) -> str:
    return f"{exercise.number} {exercise.name}"


def judge_source(exercise: Exercise, source: str, folder: Path) -> Verdict:
    """The verdict on a file with this text."""
    path = folder / "answer.py"
    path.write_text(source)
    return judge(exercise, in_child(exercise, path))


def banked(exercise: Exercise, expression: str) -> str:
    """A file whose function comes from the spec: `mistakes[0].answer`, `equivalents[2]`."""
    return (
        "from course.specs import find\n"
        f"{exercise.name} = find({exercise.number!r})[1][0].{expression}\n"
    )
