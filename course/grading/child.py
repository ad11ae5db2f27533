"""The process in which a learner's file runs: forked by `course.grading.warm`, or, where there is
no fork, `python -m course.grading.child FOLDER`.

It finds the calls to make in FOLDER/job.json and leaves, for each, a line of outcomes.jsonl and a
.npy file. It holds no expected value: what it would have to forge is the right answer itself.
"""

from __future__ import annotations

import faulthandler
import json
import os
import sys
from contextlib import nullcontext, suppress
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import numpy as np

from course.grading import fence
from course.grading.arguments import library_function, unpack
from course.grading.call import Outcome, call, describe, line_in, with_given
from course.grading.mine import CALLED, Earlier, put_in_place
from course.grading.spec import Answer

JUDGING = "COURSE_JUDGING"  # set while a file is judged: its own check(...) cells stay quiet
FILE = 1 << 27  # bytes that a file may have, what is printed too
PRINTED = "printed.txt"  # in the job's folder: what the submission wrote to stdout and stderr


def load(path: Path, name: str = "exercise") -> ModuleType | Outcome:
    """A learner's file as a module of this name, or why it is none."""
    loader = SourceFileLoader(name, str(path))
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module
    try:
        loader.exec_module(module)
    except SyntaxError as error:
        return Outcome("not loaded", f"{type(error).__name__}: {error.msg}", error.lineno or 0)
    except BaseException as error:
        return Outcome("not loaded", describe(error), line_in(error, str(path)))
    return module


def answer(path: Path, name: str, earlier: list[Earlier], folder: Path) -> Answer | Outcome:
    """The function `name` of the learner's file, on top of their `earlier` ones where there are
    any, or why there is none."""
    sys.path.append(str(path.parent))
    called = (folder / CALLED).open("w")

    def note(number: str) -> None:
        print(number, file=called, flush=True)

    # In the order of the course: a file may import what an earlier one replaces.
    for file in dict.fromkeys(e.file for e in earlier if e.file != str(path)):
        group = [e for e in earlier if e.file == file]
        loaded = {}
        if any(e.written for e in group):
            module = load(Path(file), Path(file).stem)
            if isinstance(module, Outcome):
                module.message = f"{Path(file).name}, which --mine builds on: {module.message}"
                return module
            loaded[file] = module
        put_in_place(group, loaded, note)
    module = load(path)
    if isinstance(module, Outcome):
        return module
    function = getattr(module, name, None)
    if not callable(function):
        return Outcome("not loaded", f"the file defines no function called {name}")
    put_in_place([e for e in earlier if e.file == str(path)], {str(path): module}, note)
    return function


def limit_resources(memory: int, seconds: int) -> None:
    """Bounds that the operating system keeps; Windows has none of these."""
    try:
        import resource
    except ImportError:
        return
    # Address space, of which NumPy's threads reserve much more than they use. macOS refuses a limit
    # below what a process has reserved, which is more than any that would help.
    with nullcontext() if sys.platform == "linux" else suppress(ValueError, OSError):
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
    given = [library_function(name) for name in job["given"]]
    path = Path(job["file"])
    log = (folder / "outcomes.jsonl").open("w")
    answers = 0

    def report(outcome: Outcome) -> None:
        nonlocal answers
        if outcome.value is not None:
            np.save(folder / f"answer{answers}.npy", outcome.value, allow_pickle=False)
        answers += 1
        print(json.dumps(outcome.as_json()), file=log, flush=True)

    if job["fence"]:
        os.chdir(job["fence"])
        fence.enclose(Path(job["fence"]))
    earlier = [Earlier(*fields) for fields in job["earlier"]]
    function = answer(path, job["function"], earlier, folder)
    if isinstance(function, Outcome):
        report(function)
    else:
        function = with_given(function, given)
        for arguments in calls:
            outcome = call(function, arguments, str(path))
            report(outcome)
            if outcome.kind == "not written":  # asked once
                break


if __name__ == "__main__":
    main(Path(sys.argv[1]))
