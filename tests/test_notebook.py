"""`check(function)` in a notebook."""

from __future__ import annotations

import pytest

from course import check
from course.grading.child import JUDGING
from course.methods import saliency
from course.specs.saliency import GRADIENT

pytest.importorskip("torch")


@pytest.fixture(autouse=True)
def headless(monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")


def named_gradient(function):
    function.__name__ = "gradient"
    return function


def test_a_right_answer_passes_and_is_drawn():
    report = check(saliency.gradient)
    assert repr(report) == "05.1 gradient: passed"
    assert "✓ passed, 8 checks" in report._repr_html_()
    assert 'src="data:image/png;base64,' in report._repr_html_()


def test_a_mistake_is_named_and_drawn():
    answer = named_gradient(lambda model, x, target: -saliency.gradient(model, x, target))
    report = check(answer)
    mistake = next(m for m in GRADIENT.mistakes if m.name == "descent")
    assert mistake.diagnosis[1:] in report.html
    assert "<img" in report.html


def test_what_is_not_written_is_not_drawn():
    def gradient(model, x, target):
        raise NotImplementedError

    report = check(gradient)
    assert "not written yet" in report.html
    assert "<img" not in report.html


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (7, "check takes the function itself, got 7"),
        (named_gradient(lambda: None), "unexpected keyword argument"),
        (lambda x: x, "no module or exercise is called"),
        (named_gradient(lambda model, x, target: "<script>"), "Returned a str"),
    ],
    ids=["a number", "no arguments", "no exercise", "a string"],
)
def test_check_never_raises(wrong, says):
    report = check(wrong)
    assert says in report.text
    assert "<script>" not in report.html


def test_check_is_quiet_while_the_file_is_judged(monkeypatch):
    monkeypatch.setenv(JUDGING, "1")
    assert check(saliency.gradient) is None
