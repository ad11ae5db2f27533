"""Run a learner's function in a process of its own, and believe only the arrays it sends back."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from course.grading.arguments import pack
from course.grading.call import LazyOutcomes, Outcome, as_array, with_given
from course.grading.child import FILE, PRINTED
from course.grading.mine import CALLED, Mine
from course.grading.spec import Answer, Exercise
from course.grading.warm import Warm

MEMORY = 4 << 30  # bytes of address space
MESSAGE = 2000  # characters
KINDS = ("answer", "not written", "raised", "not loaded")  # that the child may report
MEDDLED = Outcome("ended", "wrote into the grader's files instead of returning")
Runner = Callable[[Sequence[Mapping[str, Any]]], tuple[Sequence[Outcome], str]]


def in_child(
    exercise: Exercise,
    path: Path,
    mine: Mine | None = None,
    warm: Warm | None = None,
    fence: Path | None = None,
) -> Runner:
    """A runner for the exercise's function in the file `path`.

    mine: the learner's own earlier functions, for it to call instead of the library's.
    warm: where to run it; without one, a process is started for this exercise alone.
    fence: the one folder that strangers' code may write to; the grader's own must be in it.
    """
    own = {e.name for e in mine.earlier} if mine else set()
    given = [f"{g.__module__}.{g.__name__}" for g in exercise.given if g.__name__ not in own]

    def run(calls: Sequence[Mapping[str, Any]]) -> tuple[Sequence[Outcome], str]:
        with (
            # Cleaning up may find a folder that the submission has changed beyond recognition.
            tempfile.TemporaryDirectory(prefix="course-", ignore_cleanup_errors=True) as name,
            nullcontext(warm) if warm else Warm() as processes,
        ):
            processes.start()
            folder, numbers = Path(name), count()
            job = {
                "file": str(path.resolve()),
                "function": exercise.name,
                "given": given,
                "earlier": mine.earlier if mine else [],
                "calls": [pack(folder, arguments, numbers) for arguments in calls],
                "seconds": exercise.seconds,
                "memory": MEMORY,
                "fence": str(fence or ""),
            }
            (folder / "job.json").write_text(json.dumps(job))
            code = processes.execute(folder, exercise.seconds)
            outcomes = _collect(folder, len(calls), exercise.seconds, path, code)
            if mine:
                mine.called |= set(_read(folder / CALLED).decode(errors="replace").split())
            printed = _read(folder / PRINTED, last=2000).decode(errors="replace")
            return outcomes, printed

    return run


def in_kernel(exercise: Exercise, function: Answer) -> Runner:
    """A runner that calls the function right here, as a notebook does."""
    filename = getattr(getattr(function, "__code__", None), "co_filename", "")
    answer = with_given(function, exercise.given)

    def run(calls: Sequence[Mapping[str, Any]]) -> tuple[Sequence[Outcome], str]:
        return LazyOutcomes(answer, calls, filename), ""

    return run


def _collect(
    folder: Path, calls: int, seconds: float, path: Path, code: int | None
) -> list[Outcome]:
    """What the child left behind, and if it left early, one more outcome that says how."""
    lines = _read(folder / "outcomes.jsonl").splitlines()[:calls]
    outcomes = [_outcome(line, folder / f"answer{i}.npy") for i, line in enumerate(lines)]
    if len(outcomes) < calls and (not outcomes or outcomes[-1].kind == "answer"):
        outcomes.append(_post_mortem(folder, seconds, path, code))
    return outcomes


def _outcome(line: bytes, file: Path) -> Outcome:
    """One outcome from its line and file, unless they are not what our child writes."""
    try:
        fields = json.loads(line)
        outcome = Outcome(
            kind=fields["kind"],
            message=fields["message"][:MESSAGE],
            line=int(fields["line"]),
            seconds=float(fields["seconds"]),
            changed=tuple(name[:MESSAGE] for name in fields["changed"]),
        )
        if outcome.kind not in KINDS or not isinstance(outcome.message, str):
            return MEDDLED
        if outcome.kind == "answer" and not outcome.message:
            stored = np.load(BytesIO(_read(file)), allow_pickle=False)
            outcome.value, outcome.message = as_array(stored)
    except Exception:  # whatever a forged line or file leads to
        return MEDDLED
    return outcome


def _read(file: Path, last: int | None = None) -> bytes:
    """A file's content, or its last bytes; nothing where a submission left something else there,
    such as a link to an endless device."""
    flags = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        with open(os.open(file, os.O_RDONLY | flags), "rb") as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode) or (last is None and status.st_size > FILE):
                return b""
            stream.seek(max(0, status.st_size - last) if last is not None else 0)
            return stream.read(FILE)
    except OSError:
        return b""


def _post_mortem(folder: Path, seconds: float, path: Path, code: int | None) -> Outcome:
    names = ("hang.txt", "crash.txt")
    hang, crash = (_read(folder / name).decode(errors="replace") for name in names)
    seen = re.search(rf'File "{re.escape(str(path.resolve()))}", line (\d+)', crash + hang)
    line = int(seen[1]) if seen else 0
    if code is None or hang or code == -getattr(signal, "SIGXCPU", 24):
        message = f"did not finish within {seconds:g} seconds"
        return Outcome("timeout", message, line)
    if not (folder / "job.json").is_file():
        return MEDDLED
    if code < 0 or crash:  # Windows has no signals, and large exit codes instead
        signals = {-s.value: s.name for s in signal.Signals}
        cause = signals.get(code) or crash.partition("\n")[0][:MESSAGE] or str(-code)
        return Outcome("killed", f"crashed the process ({cause})", line)
    return Outcome("ended", f"ended the process (exit code {code}) instead of returning", line)
