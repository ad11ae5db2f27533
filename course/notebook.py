"""`check(function)` for a notebook: the verdict in words, then your map beside Torch's."""

from __future__ import annotations

import html
import inspect
import os
from collections.abc import Iterator
from pathlib import Path
from types import CodeType

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
    old = outdated(function)
    if old:
        text = f"{text} {old}"
    picture = ""
    if verdict.passed or verdict.layer == "value":
        from course.plot.maps import comparison, worth_drawing

        assert verdict.got is not None
        assert verdict.want is not None
        if worth_drawing(verdict.want):
            picture = comparison(verdict.got, verdict.want)
    return Report((_paragraph(old) if old else "") + as_html(verdict) + picture, text)


def outdated(function: Answer) -> str:
    """Says so, if the function's file has changed since the function was made.

    What ran is compared with what the file would make now: comments and empty lines make no
    difference. A function that was written in a notebook's cell has no file, and none is missed.
    """
    ran = getattr(inspect.unwrap(function), "__code__", None)
    file = Path(ran.co_filename) if ran else Path()
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""
    assert ran is not None
    try:
        now = compile(text, str(file), "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return _outdated(file, ran, "cannot be read by Python any more")
    found = [code for code in _codes(now) if code.co_qualname == ran.co_qualname]
    if not found:
        return _outdated(file, ran, f"has no function {ran.co_name} any more")
    if not any(_meaning(code) == _meaning(ran) for code in found):
        return _outdated(file, ran, f"holds another version of {ran.co_name}")
    return ""


def _outdated(file: Path, ran: CodeType, how: str) -> str:
    return (
        f"This is the verdict on an older {ran.co_name}: {file.name} was edited since it was "
        f"imported, and {how}. Restart the kernel, or import it again with importlib.reload."
    )


def _codes(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)


def _meaning(code: CodeType) -> tuple[object, ...]:
    """What the code does, without the numbers of its lines."""
    constants = [
        _meaning(c) if isinstance(c, CodeType) else (type(c), repr(c)) for c in code.co_consts
    ]
    names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    return code.co_code, names, code.co_flags, constants
