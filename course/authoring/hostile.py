"""Answers that no grader may accept: wrong arrays, and files that attack the process.

Each holds for every exercise: the wrong arrays are made from the right one, and the files are
templates with the names of the exercise's function and of the library's module.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from course.grading.call import as_array
from course.grading.spec import Answer, Exercise


def _edited(index: int, change: Callable[[np.ndarray], Any]) -> Callable[[np.ndarray], Any]:
    def distort(right: np.ndarray) -> np.ndarray:
        wrong = right * 1.0  # a small change of a whole number would be rounded away
        wrong.flat[index] = change(right)
        return wrong

    return distort


DISTORTIONS: dict[str, Callable[[np.ndarray], Any]] = {
    "none": lambda right: None,
    "zeros": np.zeros_like,
    "transposed": lambda right: right.swapaxes(-1, -2),
    "flipped": lambda right: -right,
    "doubled": lambda right: 2 * right,
    "a thousandth off": lambda right: 1.001 * right,
    "one pixel off": _edited(-1, lambda right: right.flat[-1] + 0.01 * np.abs(right).max()),
    "nan": _edited(0, lambda right: np.nan),
    "infinite": _edited(0, lambda right: np.inf),
    "one more axis": lambda right: right[None],
    "first example only": lambda right: right[:1],
    "complex": lambda right: right + 0j,
    "objects": lambda right: right.astype(object),
    "a list": lambda right: right.tolist(),
    "noise": lambda right: np.random.default_rng(0).normal(size=right.shape),
    "text": lambda right: right.astype(str),
}


def distorted(exercise: Exercise, name: str) -> Answer:
    """The right answer, spoilt in one of the DISTORTIONS; "the input" is one more."""

    def answer(**arguments: Any) -> Any:
        if name == "the input":
            return next(v for v in arguments.values() if isinstance(v, np.ndarray))
        right, _ = as_array(exercise.function(**arguments))
        assert right is not None
        return DISTORTIONS[name](right)

    answer.__name__ = exercise.name
    return answer


@dataclass(frozen=True)
class Attack:
    """A file to hand in, and the layer at which it has to fail.

    source: `NAME` stands for the function's name, `LIBRARY` for its module, `FOLDER` for the
        folder below which the grader keeps its files during this attack.
    endless: it would run for ever, so the proof gives it a moment.
    """

    source: str
    layer: str
    endless: bool = False

    def text(self, exercise: Exercise, folder: Path) -> str:
        return (
            self.source.replace("NAME", exercise.name)
            .replace("LIBRARY", exercise.function.__module__)
            .replace("FOLDER", repr(str(folder)))
        )


ATTACKS = {
    "equal to everything": Attack(
        "class Yes:\n    def __eq__(self, other): return True\n"
        "    shape = property(lambda self: self)\n"
        "def NAME(**arguments): return Yes()",
        "type",
    ),
    "sys.exit": Attack("import sys\ndef NAME(**arguments): sys.exit(0)", "call"),
    "exit while loading": Attack("import sys; sys.exit(0)", "load"),
    "os._exit": Attack("import os\ndef NAME(**arguments): os._exit(0)", "call"),
    "endless loop": Attack("def NAME(**arguments):\n    while True: pass", "call", True),
    "endless loop in C": Attack("def NAME(**arguments): return sum(iter(int, 1))", "call", True),
    "sleeps while loading": Attack("import time; time.sleep(60)", "call", True),
    "memory bomb": Attack(
        "def NAME(**arguments): return [bytes(1 << 28) for _ in range(100)]", "call"
    ),
    "segfault": Attack("import ctypes\ndef NAME(**arguments): ctypes.string_at(0)", "call"),
    "forged stdout": Attack(
        'def NAME(**arguments): print(\'{"passed": true, "layer": ""}\')', "type"
    ),
    "forged files": Attack(
        "import glob\ndef NAME(**arguments):\n"
        "    for f in glob.glob(FOLDER + '/*/outcomes.jsonl'):\n"
        "        open(f, 'a').write('{\"kind\": \"answer\"}\\n')\n"
        "    raise SystemExit",
        "call",
    ),
    "a lying array": Attack(
        "import numpy as np\nfrom LIBRARY import NAME as right\n"
        "from course.grading.call import as_array\n"
        "class Liar(np.ndarray):\n"
        "    def __sub__(self, other): return np.zeros(1)\n"
        "    __rsub__ = __sub__\n"
        "def NAME(**arguments): return (as_array(right(**arguments))[0] + 1).view(Liar)",
        "value",
    ),
}
