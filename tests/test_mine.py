"""`course check --mine`: an exercise on the learner's own functions of earlier modules."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from course.authoring.derive import exercise_file, solution_file
from course.cli import app
from course.grading import progress
from course.grading.spec import Case, Exercise, ModuleSpec
from course.specs import find
from course.specs._protocol import HAND, HAND_INPUT

FIRST = find("05")[0]
HAND_GRADIENT = np.array([[[[3.0, -7.0]], [[4.0, -2.0]]]])  # 3 w_1 - 2 w_2, as in the spec of 05


def twice(model, x, target):
    """Twice the gradient times the input."""
    raise NotImplementedError


def doubled(number, factor):
    hand = Case("hand", {"model": HAND, "x": HAND_INPUT, "target": 1}, HAND_GRADIENT * factor)
    return Exercise(
        number=number,
        function=twice,
        reference=lambda arguments: HAND_GRADIENT * factor,
        goal="Double.",
        anchor="",
        points=1,
        cases=lambda rng: [hand],
        mistakes=(),
        equivalents=(),
        hints=("", "", ""),
    )


SECOND = ModuleSpec("06", "second", "Second", "", [doubled("06.1", 2)])
RIGHT = solution_file(FIRST)
UNWRITTEN = exercise_file(FIRST)
# Right but for a factor of ten, which a function of module 06 shows if it is built on it.
TENFOLD = RIGHT.replace("return grad(score, inputs)", "return 10 * grad(score, inputs)")
assert TENFOLD != RIGHT
BY_NAME = """
from course.methods.saliency import gradient as slope
def twice(model, x, target):
    return 2 * slope(model, x, target)
"""
BY_MODULE = """
import course.methods.saliency
def twice(model, x, target):
    return 2 * course.methods.saliency.gradient(model, x, target)
"""
# The library's own saliency.gradient_times_input calls the learner's gradient.
THROUGH_THE_LIBRARY = """
from course.methods.saliency import gradient_times_input
def twice(model, x, target):
    return 2 * gradient_times_input(model, x, target) / x
"""


@pytest.fixture
def check(tmp_path, monkeypatch):
    """Judges 06.1 as `course check` does: the two files' texts in, the verdict out."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("course.specs.modules", lambda: (FIRST, SECOND))
    folder = Path("exercises")
    folder.mkdir()

    def call(first, second, *options, which="06.1"):
        if first is not None:
            (folder / "05_saliency.py").write_text(first)
        (folder / "06_second.py").write_text(second)
        result = CliRunner().invoke(app, ["check", which, "--json", *options])
        assert isinstance(result.exception, SystemExit | None), result.output
        return json.loads(result.output)[0]

    return call


@pytest.mark.parametrize("second", [BY_NAME, BY_MODULE], ids=["by name", "by module"])
def test_mine_builds_on_the_file_of_an_earlier_module(check, second):
    plain = check(TENFOLD, second)
    assert (plain["passed"], plain["built_on"]) == (True, "")
    own = check(TENFOLD, second, "--mine")
    assert own["layer"] == "value"
    assert own["built_on"] == "Built on your own gradient (05.1)."
    right = check(RIGHT, second, "--mine")
    assert (right["passed"], right["built_on"]) == (True, own["built_on"])


def test_what_is_not_written_stays_the_librarys_and_is_told(check):
    verdict = check(UNWRITTEN, BY_NAME, "--mine")
    assert verdict["passed"]
    says = "Built on the library's gradient (05.1), as yours is not written yet."
    assert verdict["built_on"] == says
    Path("exercises/05_saliency.py").unlink()
    verdict = check(None, BY_NAME, "--mine")
    assert (verdict["passed"], verdict["built_on"]) == (True, says)


def test_the_librarys_function_is_built_on_the_learners_too(check):
    stub = UNWRITTEN.rpartition("def gradient_times_input")
    first = TENFOLD.rpartition("def gradient_times_input")[0] + stub[1] + stub[2]
    verdict = check(first, THROUGH_THE_LIBRARY, "--mine")
    assert verdict["layer"] == "value"
    assert verdict["built_on"] == (
        "Built on your own gradient (05.1), and on the library's gradient_times_input (05.3), "
        "as yours is not written yet."
    )


def test_an_earlier_function_of_the_same_file_need_not_be_written(check):
    head, sign, rest = RIGHT.partition("def saliency_map")
    first = UNWRITTEN.partition("def saliency_map")[0] + sign + rest
    assert head != UNWRITTEN.partition("def saliency_map")[0]
    verdict = check(first, BY_NAME, "--mine", which="05.2")
    assert verdict["passed"]
    assert "the library's gradient (05.1), as yours is not written yet" in verdict["built_on"]
    assert check(TENFOLD, BY_NAME, "--mine", which="05.2")["layer"] == "value"
    assert check(RIGHT, BY_NAME, "--mine", which="05.1")["built_on"] == "Calls no earlier function."


@pytest.mark.parametrize(
    ("first", "layer", "says"),
    [
        ("def gradient(:", "load", "05_saliency.py, which --mine builds on: SyntaxError"),
        ("import nonsense_module\n" + RIGHT, "load", "No module named 'nonsense_module'"),
        (
            "def gradient(model, x, target):\n    if True:\n        raise NotImplementedError\n",
            "call",
            "your gradient (05.1) is not complete",
        ),
        ("def gradient(model, x, target): return 1 / 0", "call", "ZeroDivisionError"),
    ],
    ids=["syntax", "import", "half written", "raises"],
)
def test_a_broken_earlier_file_is_told_as_what_it_is(check, first, layer, says):
    verdict = check(first, BY_NAME, "--mine")
    assert verdict["layer"] == layer
    assert says in verdict["message"]
    assert check(first, BY_NAME)["passed"]


def test_a_verdict_with_mine_is_not_remembered(check):
    check(RIGHT, BY_NAME)
    before = progress.read(Path("exercises"))
    assert "06.1" in before.passed
    check(TENFOLD, BY_NAME, "--mine")
    assert progress.read(Path("exercises")).passed["06.1"] == before.passed["06.1"]


def test_the_terminal_says_what_an_answer_was_built_on(check):
    check(RIGHT, BY_NAME)
    output = CliRunner().invoke(app, ["check", "06", "--mine"]).output
    assert "Built on your own gradient (05.1)." in output
