"""What a learner has passed, and the hints seen, in a small file that may be deleted."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from course.grading.spec import Exercise, ModuleSpec

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

FILE = ".progress.json"


def exercises_folder(start: Path | None = None) -> Path | None:
    """The `exercises` folder here or in a folder above."""
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if folder.name == "exercises" and any(folder.glob("[0-9][0-9]_*.py")):
            return folder
        if (folder / "exercises").is_dir():
            return folder / "exercises"
    return None


def present(folder: Path, specs: Iterable[ModuleSpec]) -> tuple[ModuleSpec, ...]:
    """The modules whose file is in the folder, which may hold a part of the course; all of them
    where there is none, which is an accident."""
    specs = tuple(specs)
    return tuple(s for s in specs if (folder / f"{s.stem}.py").is_file()) or specs


def digest(path: Path, name: str) -> str:
    """A hash of one function's source, so that a pass lapses when the function is edited."""
    try:
        text = path.read_text(encoding="utf-8")
        found = [n for n in ast.parse(text).body if getattr(n, "name", None) == name]
    except (OSError, SyntaxError, UnicodeDecodeError):
        return ""
    source = ast.get_source_segment(text, found[-1]) if found else None
    return hashlib.sha256(source.encode()).hexdigest()[:16] if source else ""


@dataclass
class Progress:
    """passed: exercise number -> hash of the function that passed.
    hints: exercise number -> how many of its hints have been shown."""

    passed: dict[str, str] = field(default_factory=dict)
    hints: dict[str, int] = field(default_factory=dict)


def read(folder: Path) -> Progress:
    """What the file holds; nothing, where there is no file or it is not ours."""
    try:
        found = json.loads((folder / FILE).read_text(encoding="utf-8"))
        passed = {k: v for k, v in found["passed"].items() if isinstance(v, str)}
        hints = {k: v for k, v in found["hints"].items() if isinstance(v, int)}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return Progress()
    return Progress(passed, hints)


def update(folder: Path, change: Callable[[Progress], None]) -> Progress:
    """Read, change and write back, alone. Written whole and moved into place, so that nobody reads
    half a file. In a folder that may not be written nothing is remembered, and nothing fails."""
    with suppress(OSError), _alone(folder):
        progress = read(folder)
        change(progress)
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=FILE)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(asdict(progress), file, indent=1, sort_keys=True)
        os.replace(temporary, folder / FILE)
        return progress
    progress = read(folder)
    change(progress)
    return progress


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold a lock on the folder itself, which leaves no file behind; the system lets go of it even
    when we crash. Where there are no such locks (Windows, some network drives), two terminals that
    write within the same millisecond may forget one of two passes."""
    if fcntl is None:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def remember(folder: Path, verdicts: dict[str, str]) -> None:
    """Add passes (a hash) and take back others ("")."""

    def change(progress: Progress) -> None:
        passed = {**progress.passed, **verdicts}
        progress.passed = {number: hash_ for number, hash_ in passed.items() if hash_}

    update(folder, change)


def forget(folder: Path, numbers: Iterable[str]) -> None:
    """Forget passes and hints of these exercises."""

    def change(progress: Progress) -> None:
        for number in numbers:
            progress.passed.pop(number, None)
            progress.hints.pop(number, None)

    update(folder, change)


def next_rung(folder: Path, exercise: Exercise) -> int:
    """The number, from 1, of the hint to show now; the last one stays."""

    def change(progress: Progress) -> None:
        seen = max(progress.hints.get(exercise.number, 0), 0)
        progress.hints[exercise.number] = min(seen + 1, len(exercise.hints))

    return update(folder, change).hints[exercise.number]


def passed_now(folder: Path, spec: ModuleSpec) -> dict[str, bool]:
    """For each exercise of a module: has it passed as it stands in the file?"""
    passed = read(folder).passed
    path = folder / f"{spec.stem}.py"
    return {
        e.number: bool(passed.get(e.number)) and passed[e.number] == digest(path, e.name)
        for e in spec.exercises
    }


def upcoming(
    folder: Path, specs: Iterable[ModuleSpec], after: str = ""
) -> tuple[ModuleSpec, Exercise] | None:
    """The first exercise that has not passed; with `after`, the first behind that number, and from
    the beginning again behind the last."""
    left = [
        (spec, exercise)
        for spec in specs
        for exercise, passed in zip(spec.exercises, passed_now(folder, spec).values(), strict=True)
        if not passed
    ]
    later = [(spec, exercise) for spec, exercise in left if exercise.number > after]
    return next(iter(later or left), None)
