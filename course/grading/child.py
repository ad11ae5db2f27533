"""The process in which a learner's file runs: forked by `course.grading.warm`, or, where there is
no fork, `python -m course.grading.child FOLDER`.

It finds the calls to make in FOLDER/job.json and leaves, for each, a line of outcomes.jsonl and a
.npy file. It holds no expected value: what it would have to forge is the right answer itself.
"""

from __future__ import annotations

import faulthandler
import json
import sys
from importlib import import_module
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from course.grading.call import Outcome, call_all, describe, line_in, with_given
from course.grading.spec import Answer, Network

JUDGING = "COURSE_JUDGING"  # set while a file is judged: its own check(...) cells stay quiet
FILE = 1 << 27  # bytes that a file may have, what is printed too
PRINTED = "printed.txt"  # in the job's folder: what the submission wrote to stdout and stderr


def load(path: Path, name: str) -> Answer | Outcome:
    """The function `name` of the learner's file, or why there is none."""
    sys.path.append(str(path.parent))
    loader = SourceFileLoader("exercise", str(path))
    module = ModuleType("exercise")
    module.__file__ = str(path)
    sys.modules["exercise"] = module
    try:
        loader.exec_module(module)
    except SyntaxError as error:
        return Outcome("not loaded", f"{type(error).__name__}: {error.msg}", error.lineno or 0)
    except BaseException as error:
        return Outcome("not loaded", describe(error), line_in(error, str(path)))
    function = getattr(module, name, None)
    if not callable(function):
        return Outcome("not loaded", f"the file defines no function called {name}")
    return function


def unpack(folder: Path, packed: dict[str, Any]) -> dict[str, Any]:
    """Arguments back from JSON: arrays from their files, networks from their description."""
    readers = {
        "array": lambda v: np.load(folder / v, allow_pickle=False),
        "arrays": lambda v: [np.load(folder / file, allow_pickle=False) for file in v],
        "network": lambda v: Network(**v),
        "value": lambda v: v,
    }
    return {name: readers[kind](value) for name, (kind, value) in packed.items()}


def limit_resources(memory: int, seconds: int) -> None:
    """Bounds that the operating system keeps; Windows has none of these."""
    try:
        import resource
    except ImportError:
        return
    # Address space, of which NumPy's threads reserve much more than they use.
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE, FILE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main(folder: Path) -> None:
    job = json.loads((folder / "job.json").read_text())
    faulthandler.enable(file=(folder / "crash.txt").open("w"))
    # A thread of its own writes where the learner's code stands, then ends the process.
    hang = (folder / "hang.txt").open("w")
    faulthandler.dump_traceback_later(job["seconds"], exit=True, file=hang)
    limit_resources(job["memory"], int(job["seconds"]) * 4 + 5)
    calls = [unpack(folder, packed) for packed in job["calls"]]
    given = [getattr(import_module(module), name) for module, name in job["given"]]
    path = Path(job["file"])
    log = (folder / "outcomes.jsonl").open("w")
    answers = 0

    def report(outcome: Outcome) -> None:
        nonlocal answers
        if outcome.value is not None:
            np.save(folder / f"answer{answers}.npy", outcome.value, allow_pickle=False)
        answers += 1
        print(json.dumps(outcome.as_json()), file=log, flush=True)

    function = load(path, job["function"])
    if isinstance(function, Outcome):
        report(function)
    else:
        call_all(with_given(function, given), calls, str(path), report)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
