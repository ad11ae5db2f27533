"""`check(function)` for a notebook: the verdict in words, then your map beside Torch's."""

from __future__ import annotations

import html
import os

from course.grading.child import JUDGING
from course.grading.spec import Answer


class Report:
    """What `check` returns; a notebook draws it, a terminal prints it."""

    def __init__(self, markup: str, text: str) -> None:
        self.html, self.text = markup, text

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.text


def check(function: Answer) -> Report | None:
    """Judge a function as it stands in this notebook, and draw its map beside Torch's.

    The function runs here, in the kernel: interrupt the kernel if it does not come back. A grade
    is given on the file, by `course check`. Never raises.
    """
    if os.environ.get(JUDGING):  # the file is being judged; its cells have nothing to add
        return None
    try:
        return _check(function)
    except Exception as error:
        text = f"check could not judge this: {type(error).__name__}: {error}"
        return Report(_paragraph(text), text)


def _paragraph(text: str) -> str:
    return f"<p>{html.escape(text)}</p>"


def _check(function: Answer) -> Report:
    from course.grading.judge import judge
    from course.grading.report import as_html, explain
    from course.grading.run import in_kernel
    from course.specs import find

    if not callable(function):
        text = f"check takes the function itself, got {function!r}"
        return Report(_paragraph(text), text)
    _, (exercise, *_) = find(getattr(function, "__name__", "?"))
    verdict = judge(exercise, in_kernel(exercise, function))
    text = f"{exercise.number} {exercise.name}: " + (
        "passed" if verdict.passed else f"{verdict.layer}. " + " ".join(explain(verdict))
    )
    picture = ""
    if verdict.passed or verdict.layer == "value":
        from course.plot.maps import comparison, worth_drawing

        assert verdict.got is not None
        assert verdict.want is not None
        if worth_drawing(verdict.want):
            picture = comparison(verdict.got, verdict.want)
    return Report(as_html(verdict) + picture, text)
