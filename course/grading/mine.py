"""`course check --mine`: an answer on top of the learner's own earlier functions.

In the process that runs the answer, each earlier function of the course gives way to the learner's
own, in the library and in the exercise files alike. One that is not written yet stays the
library's. Each notes that it was called, so that the verdict can name what it rests on.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import wraps
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from course.grading.spec import Answer, Exercise, ModuleSpec

CALLED = "called.txt"  # in the job's folder: the numbers of the functions that were called


class Earlier(NamedTuple):
    """A function of an earlier exercise.

    file: the learner's, where it should be.
    module: the library's, where it is.
    written: has the learner written it?
    """

    number: str
    name: str
    file: str
    module: str
    written: bool


@dataclass
class Mine:
    """What comes before an exercise, and, after a run, the numbers of what it called."""

    earlier: list[Earlier]
    called: set[str] = field(default_factory=set)

    @classmethod
    def before(cls, exercise: Exercise, path: Path, specs: Iterable[ModuleSpec]) -> Mine:
        """The functions of earlier exercises in `path`, the answer's file, and in those beside."""
        earlier = []
        for spec in specs:
            same = exercise.number in [e.number for e in spec.exercises]
            file = (path if same else path.parent / f"{spec.stem}.py").resolve()
            names = _written(file)
            for e in spec.exercises:
                if e.number < exercise.number:
                    is_written = names is None or e.name in names
                    module = e.function.__module__
                    earlier.append(Earlier(e.number, e.name, str(file), module, is_written))
        return cls(earlier)

    def says(self) -> str:
        """What the answer was built on, in a sentence."""
        called = [e for e in self.earlier if e.number in self.called]
        own = [f"{e.name} ({e.number})" for e in called if e.written]
        librarys = [f"{e.name} ({e.number})" for e in called if not e.written]
        parts = [f"your own {', '.join(own)}"] if own else []
        if librarys:
            parts.append(f"the library's {', '.join(librarys)}, as yours is not written yet")
        return f"Built on {', and on '.join(parts)}." if parts else "Calls no earlier function."


def _written(file: Path) -> set[str] | None:
    """The functions that the file has, without mere stubs; None if it cannot be read."""
    from course.authoring.derive import written

    try:
        return written(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return set()
    except (OSError, SyntaxError, UnicodeDecodeError):
        return None


def put_in_place(
    earlier: Iterable[Earlier], files: dict[str, ModuleType], note: Callable[[str], None]
) -> None:
    """Let the learner's functions, from these loaded files, be called wherever the library's are,
    and call `note` with the number of each when it is first used."""
    for one in earlier:
        library = getattr(import_module(one.module), one.name)
        own = files.get(one.file)
        answer = getattr(own, one.name, library) if one.written else library
        stand_in = _noting(answer, one, note)
        if own:
            setattr(own, one.name, stand_in)
        for home in [*_library(), *files.values()]:
            for name, value in list(vars(home).items()):
                if value is library:
                    setattr(home, name, stand_in)


def _library() -> list[ModuleType]:
    return [
        module
        for name, module in list(sys.modules.items())
        if name.startswith("course.") and not name.startswith("course.grading.")
    ]


def _noting(function: Answer, one: Earlier, note: Callable[[str], None]) -> Answer:
    noted = False

    @wraps(function)
    def stand_in(*arguments: Any, **options: Any) -> Any:
        nonlocal noted
        if not noted:
            noted = True
            note(one.number)
        try:
            return function(*arguments, **options)
        except NotImplementedError as error:  # else it would look like the answer's own
            raise RuntimeError(f"your {one.name} ({one.number}) is not complete") from error

    return stand_in
