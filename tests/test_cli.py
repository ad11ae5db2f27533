"""The command line, as a learner types it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from course.cli import app
from course.specs import find

ROOT = Path(__file__).parents[1]
SPEC = find("05")[0]
COUNT, POINTS = len(SPEC.exercises), sum(e.points for e in SPEC.exercises)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Call `course` in an empty folder that holds fresh stubs; returns (exit code, output)."""
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(app, ["author", "derive"]).exit_code == 0

    def call(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, list(arguments))
        assert not result.exception or isinstance(result.exception, SystemExit)
        return result.exit_code, " ".join(result.output.split())

    return call


def test_stubs_are_not_written_yet(run):
    code, output = run("check", "05")
    assert code == 1
    assert output.count(" not written yet") == COUNT
    assert f"0 of {COUNT} passed, 0 of {POINTS} points" in output


def test_the_loop_from_first_stub_to_next(run):
    shutil.copy("solutions/05_saliency.py", "exercises/05_saliency.py")
    code, output = run("check", "05.1")
    assert (code, "✓ 05.1 gradient 3 points" in output) == (0, True)
    assert "✓ 05.1 gradient · 05.2 saliency_map" in run()[1]
    path = Path("exercises/05_saliency.py")
    path.write_text(path.read_text().replace("np.arange(len(x))", "np.arange(len(x)) + 0"))
    assert "· 05.1 gradient" in run()[1]  # edited since it passed


def test_solutions_pass_and_so_does_their_json(run):
    code, output = run("check", "--file", "solutions/05_saliency.py", "--json")
    verdicts = json.loads(output)
    assert code == 0
    assert [v["passed"] for v in verdicts] == [True] * COUNT
    assert sum(v["points"] for v in verdicts) == POINTS


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["check", "99"], "no module or exercise is called '99'; there are 01 (autograd)"),
        (["check", "05", "--file", "nothing.py"], "there is no file nothing.py"),
        (["check", "--file", "solutions/05_salience.py"], "there is no file"),
        (["check", "05", "--file", "solutions/05_salience.py"], "did you mean 05_saliency.py?"),
    ],
    ids=["unknown module", "missing file", "unknown stem", "misspelt file"],
)
def test_bad_arguments_get_one_sentence(run, arguments, says):
    code, output = run(*arguments)
    assert code == 2
    assert says in output


def test_outside_the_course(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["check", "05"])
    assert result.exit_code == 2
    assert "no exercises/ folder here or above" in " ".join(result.output.split())


def test_a_broken_file_is_told_with_its_line(run):
    Path("exercises/05_saliency.py").write_text("import numpy\ndef gradient(model, x, target:\n")
    code, output = run("check", "05.1")
    assert code == 1
    assert "the file does not load" in output
    assert "(line 2)" in output


def test_derive_check_sees_an_edit(run):
    assert run("author", "derive", "--check")[0] == 0
    path = Path("solutions/05_saliency.py")
    path.write_text(path.read_text() + "# mine\n")
    code, output = run("author", "derive", "--check")
    assert (code, "solutions/05_saliency.py differs" in output) == (1, True)


def test_derive_never_loses_answers(run):
    path, backups = Path("exercises/05_saliency.py"), Path("exercises")
    stubs = path.read_text()
    for k in (1, 2):
        path.write_text(stubs.replace("    raise NotImplementedError", f"    return {k} * x", 1))
        code, output = run("author", "derive")
        assert code == 0
        assert f"(what was there is in exercises/05_saliency.py.backup{k})" in output
        assert path.read_text() == stubs
        assert f"return {k} * x" in (backups / f"05_saliency.py.backup{k}").read_text()
    path.write_text(stubs.replace("# ## 05.1", "# ## 5.1"))  # no answers: nothing to keep
    assert run("author", "derive")[0] == 0
    assert len(list(backups.glob("*.backup*"))) == 2


def test_committed_solutions_are_derived():
    from course.authoring.derive import derived
    from course.specs import modules

    for path, text in derived(modules(), ROOT).items():
        if path.parent.name == "solutions":  # exercises/ are the learner's own
            assert path.read_text() == text
