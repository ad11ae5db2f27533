"""The proof that every grader grades: right answers pass however they are written, each known
mistake fails under its own name, and nothing hostile gets through."""

from __future__ import annotations

import pytest

from course.grading.judge import judge
from course.grading.run import in_child, in_kernel
from tests.answers import EXERCISES, banked, by_name, judge_source

MISTAKES = [(e, i) for e in EXERCISES for i in range(len(e.mistakes))]
EQUIVALENTS = [(e, i) for e in EXERCISES for i in range(len(e.equivalents))]
NUMPY = "import numpy as np\nfrom course.methods import saliency as library\n"

WRONG_VALUES = {
    "none": "return None",
    "zeros": "return np.zeros_like(right)",
    "transposed": "return right.swapaxes(-1, -2)",
    "flipped": "return -right",
    "doubled": "return 2 * right",
    "a thousandth off": "return 1.001 * right",
    "one pixel off": "right.flat[-1] += 0.01 * abs(right).max(); return right",
    "nan": "right.flat[0] = np.nan; return right",
    "infinite": "right.flat[0] = np.inf; return right",
    "one more axis": "return right[None]",
    "first example only": "return right[:1]",
    "complex": "return right + 0j",
    "objects": "return right.astype(object)",
    "a list": "return right.tolist()",
    "noise": "return np.random.default_rng(0).normal(size=right.shape)",
    "text": "return right.astype(str)",
}

HOSTILE = {
    "equal to everything": (
        "class Yes:\n    def __eq__(self, other): return True\n"
        "    shape = property(lambda self: self)\n"
        "def gradient(model, x, target): return Yes()",
        "type",
    ),
    "sys.exit": ("import sys\ndef gradient(model, x, target): sys.exit(0)", "call"),
    "exit while loading": ("import sys; sys.exit(0)", "load"),
    "os._exit": ("import os\ndef gradient(model, x, target): os._exit(0)", "call"),
    "endless loop": ("def gradient(model, x, target):\n    while True: pass", "call"),
    "endless loop in C": (
        "def gradient(model, x, target): return sum(iter(int, 1))",
        "call",
    ),
    "sleeps while loading": ("import time; time.sleep(60)", "call"),
    "memory bomb": ("def gradient(model, x, target): return [bytearray(1 << 28)] * 1 + "
                    "[bytearray(1 << 28) for _ in range(100)]", "call"),
    "segfault": ("import ctypes\ndef gradient(model, x, target): ctypes.string_at(0)", "call"),
    "forged stdout": (
        'def gradient(model, x, target): print(\'{"passed": true, "layer": ""}\')',
        "type",
    ),
    "forged files": (
        "import glob\ndef gradient(model, x, target):\n"
        "    for f in glob.glob('/tmp/course-*/outcomes.jsonl'):\n"
        "        open(f, 'a').write('{\"kind\": \"answer\"}\\n')\n"
        "    raise SystemExit",
        "call",
    ),
    "a lying array": (
        "import numpy as np\nclass Liar(np.ndarray):\n"
        "    def __sub__(self, other): return np.zeros(1)\n"
        "    __rsub__ = __sub__\n"
        "def gradient(model, x, target): return np.ones(x.shape).view(Liar)",
        "value",
    ),
}  # fmt: skip


@pytest.mark.parametrize("exercise", EXERCISES, ids=by_name)
def test_the_bank_is_large_enough(exercise):
    assert len(exercise.mistakes) >= 6
    assert len(exercise.equivalents) >= 4
    assert len({m.name for m in exercise.mistakes}) == len(exercise.mistakes)
    assert all(exercise.hints)


@pytest.mark.parametrize("exercise", EXERCISES, ids=by_name)
def test_a_stub_is_not_written_yet(exercise, tmp_path):
    source = f"def {exercise.name}(**arguments): raise NotImplementedError"
    verdict = judge_source(exercise, source, tmp_path)
    assert (verdict.layer, verdict.passed) == ("written", False)


@pytest.mark.parametrize(
    ("exercise", "index"), EQUIVALENTS, ids=lambda v: v if isinstance(v, int) else v.name
)
def test_equivalents_pass(exercise, index):
    verdict = judge(exercise, in_kernel(exercise, exercise.equivalents[index]))
    assert verdict.passed, verdict


@pytest.mark.parametrize(
    ("exercise", "index"), MISTAKES, ids=lambda v: v if isinstance(v, int) else v.name
)
def test_mistakes_fail_under_their_own_name(exercise, index):
    mistake = exercise.mistakes[index]
    verdict = judge(exercise, in_kernel(exercise, mistake.answer))
    assert not verdict.passed
    assert (verdict.mistake, verdict.message) == (mistake.name, mistake.diagnosis)


@pytest.mark.parametrize("exercise", EXERCISES, ids=by_name)
def test_a_file_is_judged_as_a_function_is(exercise, tmp_path):
    right = judge_source(exercise, banked(exercise, "equivalents[0]"), tmp_path)
    wrong = judge_source(exercise, banked(exercise, "mistakes[0].answer"), tmp_path)
    assert (right.passed, wrong.mistake) == (True, exercise.mistakes[0].name)


@pytest.mark.parametrize("wrong", WRONG_VALUES)
@pytest.mark.parametrize("exercise", EXERCISES, ids=by_name)
def test_wrong_values_fail(exercise, wrong):
    scope: dict = {}
    source = f"def {exercise.name}(model, x, target):\n    right = " + (
        f"library.{exercise.name}(model, x, target)\n    {WRONG_VALUES[wrong]}"
    )
    exec(NUMPY + source, scope)
    verdict = judge(exercise, in_kernel(exercise, scope[exercise.name]))
    assert not verdict.passed


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_answers_fail(hostile, tmp_path):
    source, layer = HOSTILE[hostile]
    verdict = judge_source(EXERCISES[0], source, tmp_path)
    assert verdict.layer == layer, verdict
    assert verdict.message


def test_a_hang_names_its_line(tmp_path):
    source = "def gradient(model, x, target):\n    y = 0\n    while True:\n        y += 1\n"
    verdict = judge_source(EXERCISES[0], source, tmp_path)
    assert verdict.line in (3, 4)
    assert "did not finish within 5 seconds" in verdict.message


@pytest.mark.parametrize(
    ("source", "layer", "line", "says"),
    [
        ("def gradient(model, x, target)\n    return x", "load", 1, "SyntaxError"),
        ("import nonsense_module", "load", 1, "No module named 'nonsense_module'"),
        ("def gradients(): pass", "load", 0, "defines no function called gradient"),
        ("def gradient(model, x): return x", "call", 0, "unexpected keyword argument"),
        ("def gradient(model, x, target):\n    return 1 / 0", "call", 2, "ZeroDivisionError"),
        ("def gradient(model, x, target):\n    x[:] = 0\n    return x", "value", 0, "all zeros"),
    ],
    ids=["syntax", "import", "missing", "signature", "raises", "in place"],
)
def test_each_failure_has_its_sentence(source, layer, line, says, tmp_path):
    verdict = judge_source(EXERCISES[0], source, tmp_path)
    assert (verdict.layer, verdict.line) == (layer, line)
    assert says in verdict.message


def test_changing_the_input_is_told(tmp_path):
    source = NUMPY + (
        "def gradient(model, x, target):\n"
        "    g = library.gradient(model, x, target)\n    x += 1\n    return g"
    )
    verdict = judge_source(EXERCISES[0], source, tmp_path)
    assert (verdict.layer, verdict.message[:22]) == ("manners", "changes its argument x")


def test_an_earlier_mistake_does_not_spoil_a_later_exercise(tmp_path):
    source = (
        "import numpy as np\ndef gradient(model, x, target): return x\n"
        "def saliency_map(model, x, target): return np.abs(gradient(model, x, target)).max(axis=1)"
    )
    exercise = EXERCISES[1]
    assert judge_source(exercise, source, tmp_path).passed
    assert not judge(exercise, in_child(exercise, tmp_path / "answer.py", mine=True)).passed
