"""`check(function)` in a notebook."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from course import check
from course.grading.child import JUDGING
from course.methods import saliency
from course.notebook import outdated
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


# --- a file that has changed since its function was imported -------------------------------

SOURCE = '''"""Answers."""

from __future__ import annotations

from course.methods import saliency


def gradient(model, x, target):
    """The gradient."""
    parts = [k + 1 for k in range(2)]  # a code within the code
    return saliency.gradient(model, x, target) * parts[0]
'''


@pytest.fixture
def imported(tmp_path):
    """A function imported from a file, and the file."""
    path = tmp_path / "answers.py"
    path.write_text(SOURCE)
    spec = importlib.util.spec_from_file_location("answers", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.gradient, path


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (("parts[0]", "parts[1]"), "holds another version of gradient"),
        (("k + 1", "k + 2"), "holds another version of gradient"),
        (("saliency.gradient(", "saliency.saliency_map("), "holds another version of gradient"),
        (("def gradient", "def other"), "has no function gradient any more"),
        (("def gradient(", "def gradient(("), "cannot be read by Python any more"),
    ],
    ids=["a constant", "an inner code", "a name", "renamed", "broken"],
)
def test_check_says_that_the_file_is_newer_than_what_ran(imported, edit, says):
    function, path = imported
    path.write_text(SOURCE.replace(*edit))
    report = check(function)
    assert report.text.startswith("05.1 gradient: passed")  # what ran is what is judged
    for shown in (report.text, report.html):
        assert "the verdict on an older gradient: answers.py was edited since" in shown
        assert says in shown


def save_again(path):
    path.write_text(SOURCE)


def comment(path):
    path.write_text("# mine\n\n\n" + SOURCE.replace("  # a code within the code", ""))


def another_function(path):
    path.write_text(SOURCE + "\n\ndef more():\n    return 1\n")


@pytest.mark.parametrize("edit", [save_again, comment, another_function, Path.unlink])
def test_check_says_nothing_where_what_ran_is_what_is_there(imported, edit):
    function, path = imported
    for _ in range(30):  # Python rewrites a warm function's instructions in place
        outdated(function)
    edit(path)
    assert check(function).text == "05.1 gradient: passed"


def test_check_says_nothing_about_a_notebooks_cell():
    for name in ("<ipython-input-1-abc>", "ipykernel_1/2.py", ""):
        cell = {}
        exec(compile(SOURCE, name, "exec"), cell)
        assert check(cell["gradient"]).text == "05.1 gradient: passed"


def test_check_in_a_kernel_says_nothing_and_sees_a_newer_file(tmp_path):
    """The same in a real IPython shell: a cell has no file; an imported function has one."""
    shell = pytest.importorskip("IPython.core.interactiveshell").InteractiveShell.instance()
    try:
        shell.run_cell(SOURCE)
        assert check(shell.user_ns["gradient"]).text == "05.1 gradient: passed"
        path = tmp_path / "05_answers.py"
        path.write_text(SOURCE)
        shell.run_line_magic("run", str(path))
        path.write_text(SOURCE.replace("parts[0]", "parts[1]"))
        assert "on an older gradient: 05_answers.py" in check(shell.user_ns["gradient"]).text
    finally:
        shell.clear_instance()
