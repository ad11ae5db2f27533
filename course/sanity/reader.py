"""A reader's own method: found in their file, and run in a process of its own.

It is their code on their machine, so nothing is forbidden. The process is there for mistakes: an
endless loop ends, a crash is told with its line, and what a method does to a network is undone.
"""

from __future__ import annotations

import faulthandler
import inspect
import multiprocessing
import os
import re
import sys
import tempfile
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType
from typing import Any, Self

import numpy as np

from course.grading.call import Outcome, call
from course.grading.child import load
from course.nn import Module

SECONDS = 120.0  # that one call may take


class UnusableError(Exception):
    """There is no method here that can be tested; the message is one sentence for its author."""


class Reader:
    """The function `name` of a file (or its only one), called as `reader(model, x, target)`.

    Starts the process on entering, ends it on leaving. Raises UnusableError for whatever goes wrong
    in the reader's code.
    """

    def __init__(self, path: Path, name: str = "", seconds: float = SECONDS) -> None:
        self.path, self.name, self.seconds = path, name, seconds

    def __enter__(self) -> Self:
        # Not forked: a fresh process has no threads of NumPy's to trip over, on any system.
        context = multiprocessing.get_context("spawn")
        handle, trace = tempfile.mkstemp(prefix="course-", suffix=".txt")
        os.close(handle)
        self._trace = Path(trace)
        self._pipe, far = context.Pipe()
        arguments = (far, str(self.path.resolve()), self.name, self.seconds, trace)
        self._process = context.Process(target=serve, args=arguments, daemon=True)
        self._process.start()
        far.close()
        self.name = self._answer()
        return self

    def __exit__(self, *_: object) -> None:
        self._pipe.close()
        self._process.join(1)
        self._process.kill()
        self._process.join()
        self._trace.unlink(missing_ok=True)

    def __call__(self, model: Module, x: np.ndarray, target: np.ndarray) -> np.ndarray:
        with suppress(OSError):  # it is gone already; _answer says why
            self._pipe.send((model, x, target))
        return self._answer()

    def _answer(self) -> Any:
        try:
            # The process ends itself in time; this is for one that cannot any more.
            outcome = self._pipe.recv() if self._pipe.poll(self.seconds + 30) else None
        except (EOFError, OSError):
            outcome = None
        if outcome is None:
            outcome = self._post_mortem()
        if isinstance(outcome, str):
            return outcome
        self._complain(outcome)
        return outcome.value

    def _post_mortem(self) -> Outcome:
        self._process.join(1)
        text = self._trace.read_text(encoding="utf-8", errors="replace")
        seen = re.search(rf'File "{re.escape(str(self.path.resolve()))}", line (\d+)', text)
        line = int(seen[1]) if seen else 0
        if "Timeout" in text or self._process.is_alive():
            return Outcome("timeout", f"did not finish within {self.seconds:g} seconds", line)
        cause = text.partition("\n")[0] or f"exit code {self._process.exitcode}"
        return Outcome("ended", f"ended its process ({cause})", line)

    def _complain(self, outcome: Outcome) -> None:
        """Say what is wrong with an answer, if anything is."""
        where = f"{self.path.name}, line {outcome.line}" if outcome.line else self.path.name
        if outcome.kind == "not loaded":
            raise UnusableError(f"{where}: {outcome.message}")
        says = outcome.message
        if outcome.changed:
            says = f"changes {' and '.join(outcome.changed)} in place; work on a copy"
        if outcome.kind == "not written":
            says = "raises NotImplementedError: it is not written yet"
        if says:
            raise UnusableError(f"{where}: {self.name} {says}")


def serve(pipe: Connection, path: str, name: str, seconds: float, trace: str) -> None:
    """The other side: load the file, then explain what comes, each time within so many seconds."""
    file = open(trace, "w")  # noqa: SIM115 - open as long as the process lives
    faulthandler.enable(file=file)
    faulthandler.dump_traceback_later(seconds, exit=True, file=file)
    sys.path.insert(0, str(Path(path).parent))
    module = load(Path(path), "method")
    found = module if isinstance(module, Outcome) else choose(module, name)
    faulthandler.cancel_dump_traceback_later()
    if isinstance(found, Outcome):
        pipe.send(found)
        return
    function = getattr(module, found)
    pipe.send(found)

    def positional(model: Any, x: Any, target: Any) -> Any:  # whatever its parameters are called
        return function(model, x, target)

    while True:
        try:
            model, x, target = pipe.recv()
        except EOFError:
            return
        faulthandler.dump_traceback_later(seconds, exit=True, file=file)
        outcome = call(positional, {"model": model, "x": x, "target": target}, path)
        faulthandler.cancel_dump_traceback_later()
        pipe.send(outcome)


def choose(module: ModuleType, name: str) -> str | Outcome:
    """The name of the function to test, or why there is none."""
    if name:
        if callable(getattr(module, name, None)):
            return name
        return Outcome("not loaded", f"defines no function called {name}")
    own = [
        key
        for key, value in vars(module).items()
        if inspect.isfunction(value)
        and value.__module__ == module.__name__
        and not key.startswith("_")
        and _takes_three(value)
    ]
    if len(own) == 1:
        return own[0]
    if not own:
        return Outcome("not loaded", "defines no public function of (model, x, target)")
    choice = f"name one, as {Path(str(module.__file__)).name}:{own[-1]}"
    return Outcome("not loaded", f"defines {', '.join(own)}; {choice}")


def _takes_three(function: Any) -> bool:
    try:
        inspect.signature(function).bind(None, None, None)
    except TypeError:
        return False
    return True


def check_maps(maps: np.ndarray, x: np.ndarray, name: str, where: str) -> np.ndarray:
    """The maps as floats, if they are maps of the examples x (N, C, H, W).

    where: which network was explained, for the message. Raises UnusableError.
    """
    wanted = (x.shape, (len(x), *x.shape[2:]))
    if maps.shape not in wanted:
        alternatives = f"{wanted[0]}, as x is, or {wanted[1]}"
        raise UnusableError(f"{name} must return an array {alternatives}; got {maps.shape}")
    bad = int((~np.isfinite(maps)).sum())
    if bad:
        raise UnusableError(
            f"{name} returned NaN or infinity in {bad} of {maps.size} numbers, on {where}"
        )
    return maps.astype(np.float64)
