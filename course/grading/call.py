"""Call a learner's function once, and describe what happened as data.

The same code runs in the judge's child process and, for a notebook's `check`, in the kernel.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from types import FunctionType
from typing import Any

import numpy as np

from course.grading.arguments import arrays_in, realise
from course.grading.spec import Answer
from course.nn import Module


@dataclass
class Outcome:
    """What one call gave.

    kind: "answer" (with a message where it is no array of numbers); "not written"; "raised" (by
        the function); "not loaded" (the file failed, or holds no such function); "ended",
        "killed" or "timeout" (the process did not come back).
    message: one sentence for the learner.
    line: of the learner's file, 0 where there is none.
    changed: names of the arguments that the call altered in place.
    """

    kind: str
    message: str = ""
    line: int = 0
    seconds: float = 0.0
    changed: tuple[str, ...] = ()
    value: np.ndarray | None = None

    def as_json(self) -> dict[str, Any]:
        return {k: v for k, v in asdict(self).items() if k != "value"}


def with_given(function: Answer, given: Sequence[Answer]) -> Answer:
    """The function, reading the library's `given` functions instead of its neighbours."""
    if not given or not isinstance(function, FunctionType):
        return function
    names = {g.__name__: g for g in given}
    twin = FunctionType(
        function.__code__,
        {**function.__globals__, **names},
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    twin.__kwdefaults__ = function.__kwdefaults__
    return twin


def call(function: Answer, arguments: Mapping[str, Any], filename: str = "") -> Outcome:
    """Call the function on freshly built arguments. Whatever it does, an Outcome comes back."""
    ready = realise(arguments)
    before = {name: [a.copy() for a in arrays_in(value)] for name, value in ready.items()}
    start = time.perf_counter()
    try:
        value = function(**ready)
    except NotImplementedError:
        return Outcome("not written", "not written yet")
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # sys.exit() and every other way out are answers too
        return Outcome("raised", describe(error), line_in(error, filename))
    seconds = time.perf_counter() - start
    changed = tuple(k for k, v in before.items() if not _all_equal(v, arrays_in(ready[k])))
    array, complaint = as_array(value)
    return Outcome("answer", complaint, seconds=seconds, changed=changed, value=array)


def _all_equal(one: Sequence[np.ndarray], other: Sequence[np.ndarray]) -> bool:
    return len(one) == len(other) and all(
        np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in zip(one, other, strict=True)
    )


def as_array(value: Any) -> tuple[np.ndarray | None, str]:
    """NumPy arrays and numbers as a plain array; of anything else, what it was.

    A network is judged by its parameters, flattened, one after the other.
    """
    if value is None:
        return None, "returned None; is there a return statement?"
    if isinstance(value, Module):
        value = np.concatenate([p.data.ravel() for p in value.parameters()] or [np.empty(0)])
    if not isinstance(value, (np.ndarray, np.generic, int, float, complex)):
        return None, f"returned a {type(value).__name__}; the answer is a NumPy array"
    array = np.array(value, subok=False)
    if array.dtype.kind not in "fiub":
        return None, f"returned an array of {array.dtype}; the answer is real numbers"
    return array, ""


def describe(error: BaseException) -> str:
    """An exception in one line."""
    if isinstance(error, SystemExit):
        return "called sys.exit() instead of returning an array"
    if isinstance(error, MemoryError):
        return "needs more memory than an exercise may use"
    text = " ".join(str(error).split()) or "no message"
    return f"{type(error).__name__}: {text[:300]}"


def line_in(error: BaseException, filename: str) -> int:
    """The last line of the learner's file that the error came through, 0 if none."""
    if isinstance(error, SyntaxError):
        return error.lineno or 0
    frames = traceback.extract_tb(error.__traceback__)
    return next((f.lineno or 0 for f in reversed(frames) if f.filename == filename), 0)


class LazyOutcomes(Sequence[Outcome]):
    """One outcome a call, each made when it is first looked at."""

    def __init__(
        self, function: Answer, calls: Sequence[Mapping[str, Any]], filename: str = ""
    ) -> None:
        self._call = lambda arguments: call(function, arguments, filename)
        self._calls = calls
        self._made: dict[int, Outcome] = {}

    def __len__(self) -> int:
        return len(self._calls)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(len(self))[index]]
        index = range(len(self))[index]
        if index not in self._made:
            self._made[index] = self._call(self._calls[index])
        return self._made[index]
