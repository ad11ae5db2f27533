"""The proof that every grader grades: right answers pass however they are written, each known
mistake fails under its own name, and nothing hostile gets through."""

from __future__ import annotations

import pytest

from course.authoring.prove import prove
from course.grading.judge import judge
from course.grading.mine import Mine
from course.grading.run import in_child
from course.specs import modules
from tests.answers import EXERCISES, SALIENCY, banked, by_name, judge_source

NUMPY = "import numpy as np\nfrom course.methods import saliency as library\n"


@pytest.mark.parametrize("exercise", EXERCISES, ids=by_name)
def test_every_grader_grades(exercise):
    # CI runs the proof with its attacks for every exercise; here they are tried on one.
    proof = prove(exercise, processes=exercise is SALIENCY[0])
    assert proof.problems == []
    assert proof.mutants == proof.killed + proof.equivalent_mutants > 0


@pytest.mark.parametrize("exercise", EXERCISES, ids=by_name)
def test_a_file_is_judged_as_a_function_is(exercise, tmp_path):
    right = judge_source(exercise, banked(exercise, "equivalents[0]"), tmp_path)
    wrong = judge_source(exercise, banked(exercise, "mistakes[0].answer"), tmp_path)
    assert (right.passed, wrong.mistake) == (True, exercise.mistakes[0].name)


def test_a_hang_names_its_line(tmp_path):
    source = "def gradient(model, x, target):\n    y = 0\n    while True:\n        y += 1\n"
    verdict = judge_source(SALIENCY[0], source, tmp_path)
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
    verdict = judge_source(SALIENCY[0], source, tmp_path)
    assert (verdict.layer, verdict.line) == (layer, line)
    assert says in verdict.message


def test_changing_the_input_is_told(tmp_path):
    source = NUMPY + (
        "def gradient(model, x, target):\n"
        "    g = library.gradient(model, x, target)\n    x += 1\n    return g"
    )
    verdict = judge_source(SALIENCY[0], source, tmp_path)
    assert (verdict.layer, verdict.message[:22]) == ("manners", "changes its argument x")


def test_an_earlier_mistake_does_not_spoil_a_later_exercise(tmp_path):
    source = (
        "import numpy as np\ndef gradient(model, x, target): return x\n"
        "def saliency_map(model, x, target): return np.abs(gradient(model, x, target)).max(axis=1)"
    )
    exercise = SALIENCY[1]
    assert judge_source(exercise, source, tmp_path).passed
    mine = Mine.before(exercise, tmp_path / "answer.py", modules())
    assert not judge(exercise, in_child(exercise, tmp_path / "answer.py", mine=mine)).passed
