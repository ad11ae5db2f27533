"""Run a learner's function in a process of its own, and believe only the arrays it sends back."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from course.grading.call import Outcome, call_all, with_given
from course.grading.spec import Answer, Exercise, Network

MEMORY = 4 << 30  # bytes of address space
Runner = Callable[[Sequence[Mapping[str, Any]]], tuple[list[Outcome], str]]


def in_child(exercise: Exercise, path: Path, mine: bool = False) -> Runner:
    """A runner for the exercise's function in the file `path`.

    mine: let it call the learner's own earlier functions instead of the library's.
    """
    given = [] if mine else [(g.__module__, g.__name__) for g in exercise.given]

    def run(calls: Sequence[Mapping[str, Any]]) -> tuple[list[Outcome], str]:
        with tempfile.TemporaryDirectory(prefix="course-") as name:
            folder = Path(name)
            job = {
                "file": str(path.resolve()),
                "function": exercise.name,
                "given": given,
                "calls": [_pack(folder, i, c) for i, c in enumerate(calls)],
                "seconds": exercise.seconds,
                "memory": MEMORY,
            }
            (folder / "job.json").write_text(json.dumps(job))
            code = _execute(folder, exercise.seconds)
            outcomes = _collect(folder, len(calls), exercise.seconds, path, code)
            printed = (folder / "printed.txt").read_bytes()[-2000:].decode(errors="replace")
            return outcomes, printed

    return run


def in_kernel(exercise: Exercise, function: Answer) -> Runner:
    """A runner that calls the function right here, as a notebook does."""
    filename = getattr(getattr(function, "__code__", None), "co_filename", "")
    answer = with_given(function, exercise.given)

    def run(calls: Sequence[Mapping[str, Any]]) -> tuple[list[Outcome], str]:
        return call_all(answer, calls, filename), ""

    return run


def _pack(folder: Path, index: int, arguments: Mapping[str, Any]) -> dict[str, tuple[str, Any]]:
    packed: dict[str, tuple[str, Any]] = {}
    for name, value in arguments.items():
        if isinstance(value, np.ndarray):
            file = f"call{index}.{name}.npy"
            np.save(folder / file, value, allow_pickle=False)
            packed[name] = ("array", file)
        elif isinstance(value, Network):
            packed[name] = ("network", asdict(value))
        else:
            packed[name] = ("value", value)
    return packed


def _execute(folder: Path, seconds: float) -> int | None:
    """Run the child to its end; None if it had to be killed for taking too long."""
    with (folder / "printed.txt").open("wb") as printed:
        process = subprocess.Popen(
            [sys.executable, "-m", "course.grading.child", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=printed,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            start_new_session=True,
        )
        try:
            # The child ends itself in time; this is for one that stopped its own watchdog.
            return process.wait(timeout=seconds + 5)
        except subprocess.TimeoutExpired:
            return None
        finally:
            _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """The process and everything it started: signals do not interrupt NumPy's C code, this does."""
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    elif process.poll() is None:
        process.kill()
    process.wait()


def _collect(
    folder: Path, calls: int, seconds: float, path: Path, code: int | None
) -> list[Outcome]:
    """What the child left behind, and if it left early, one more outcome that says how."""
    outcomes: list[Outcome] = []
    log = folder / "outcomes.jsonl"
    for index, line in enumerate(log.read_text().splitlines() if log.exists() else []):
        try:
            outcome = Outcome(**json.loads(line))
            outcome.changed = tuple(outcome.changed)
            if outcome.kind == "answer" and not outcome.message:
                outcome.value = np.load(folder / f"answer{index}.npy", allow_pickle=False)
        except (OSError, TypeError, ValueError):  # not what our child writes
            outcome = Outcome("ended", "wrote into the grader's files instead of returning")
        outcomes.append(outcome)
    if len(outcomes) < calls and (not outcomes or outcomes[-1].kind == "answer"):
        outcomes.append(_post_mortem(folder, seconds, path, code))
    return outcomes


def _post_mortem(folder: Path, seconds: float, path: Path, code: int | None) -> Outcome:
    crash, hang = (
        (folder / name).read_text() if (folder / name).exists() else ""
        for name in ("crash.txt", "hang.txt")
    )
    seen = re.search(rf'File "{re.escape(str(path.resolve()))}", line (\d+)', crash + hang)
    line = int(seen[1]) if seen else 0
    if code is None or hang or code == -getattr(signal, "SIGXCPU", 24):
        message = f"did not finish within {seconds:g} seconds"
        return Outcome("timeout", message, line)
    if code < 0:
        return Outcome("killed", f"crashed the process ({signal.Signals(-code).name})", line)
    return Outcome("ended", f"ended the process (exit code {code}) instead of returning", line)
