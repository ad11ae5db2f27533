"""A newcomer: `course` alone leads from a fresh folder to a first green check and beyond."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from course.authoring.derive import STUB, exercise_file, solution_file
from course.cli import app, guide
from course.specs import find, modules

ROOT = Path(__file__).parents[1]
FIRST = modules()[0]
FILE = Path("exercises/01_autograd.py")


@pytest.fixture(autouse=True)
def fresh(tmp_path, monkeypatch):
    """A fresh clone, as far as a learner meets it."""
    monkeypatch.chdir(tmp_path)
    Path("exercises").mkdir()
    for spec in modules():
        Path("exercises", f"{spec.stem}.py").write_text(exercise_file(spec), encoding="utf-8")
    Path("lectures").symlink_to(ROOT / "lectures")


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments))
    assert not result.exception or isinstance(result.exception, SystemExit)
    return result.exit_code, " ".join(result.output.split())


def test_a_person_who_does_what_course_says_gets_a_green_check():
    said = run()[1]
    path, line = re.search(r"1 Open (\S+), line (\d+)", said).groups()
    command = re.search(r"3 Check course (check \S+)", said)[1].split()
    assert "The answer takes one line." in said
    lines = Path(path).read_text().splitlines()
    assert lines[int(line) - 1] == STUB  # the place that it names is the place to write
    lines[int(line) - 1] = "    return g * b"
    Path(path).write_text("\n".join(lines))
    code, said = run(*command)
    assert code == 0
    assert said.count("Your first green check. Well done!") == 1
    path, line, following = re.search(
        r"Next: write relu_vjp in (\S+), line (\d+) then course (check \S+)", said
    ).groups()
    assert Path(path).read_text().splitlines()[int(line) - 1] == STUB
    assert following == "check 01.2"
    assert "first green check" not in run(*command)[1]  # once is enough


def test_the_section_to_read_is_where_it_says():
    said = run()[1]
    title, path, line = re.search(r"chapter 01, “(.*?)”: .*?(\S+) from line (\d+)", said).groups()
    assert Path(path).read_text(encoding="utf-8").splitlines()[int(line) - 1].endswith(title)


def test_without_lectures_there_is_no_section_to_read():
    Path("lectures").unlink()
    said = run()[1]
    assert "1 Open exercises/01_autograd.py" in said
    assert "Read" not in said


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (STUB, "Write it in exercises/01_autograd.py, line 46, save, then course check 01.1"),
        ("    return g * a", "Next: course hint 01.1 or course diff 01.1 Mend it in"),
        ("    return g * (", "the file does not load"),
    ],
    ids=["not written", "wrong", "broken"],
)
def test_after_a_failure_it_says_where_to_go_on(answer, says):
    FILE.write_text(FILE.read_text().replace(STUB, answer, 1))
    code, said = run("check", "01.1")
    assert code == 1
    assert says in said
    assert said.endswith("then course check 01.1")


def test_after_a_pass_a_whole_module_is_shown_and_of_the_others_a_line():
    FILE.write_text(solution_file(FIRST))
    assert "Next: write receptive_field in exercises/02_units.py" in run("check", "01")[1]
    shutil.copy(ROOT / "solutions/05_saliency.py", "exercises")
    run("check", "05.1")
    said = run()[1]
    assert "✓ 9 of 9 01 Autograd" in said
    assert "01.1" not in said  # done
    assert "· 02.1 receptive_field" in said  # next
    assert "1 of 5 05 Saliency" in said
    assert "· 05.2 saliency_map" in said  # begun
    assert "0 of 4 07 SmoothGrad" in said
    assert "07.1" not in said


def test_a_file_of_ones_own_is_judged_without_advice():
    answer = Path("answer.py")
    answer.write_text(solution_file(FIRST))
    said = run("check", "01.1", "--file", "answer.py")[1]
    assert said.endswith("1 of 1 passed, 1 of 1 points")


@pytest.mark.parametrize("width", [60, 80])
def test_it_fits_narrow_terminals_and_no_command_is_broken(width, monkeypatch):
    console = Console(width=width, record=True, force_terminal=True, highlight=False)
    monkeypatch.setattr(guide, "console", console)
    run()
    text = console.export_text()
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width
    for command in ("course check 01.1", "course hint 01.1", "course list", "course lab"):
        assert command in text


def test_the_length_of_an_answer_is_that_of_its_code():
    # 05.1: Tensor, model, score, grad, and a comment of two lines that does not count
    assert guide.length(find("05.1")[1][0]) == 4


def test_a_folder_with_a_strange_name_is_named_as_it_is(monkeypatch):
    below = Path("a [bold]name/below")
    below.mkdir(parents=True)
    shutil.copytree("exercises", below.parent / "exercises")
    monkeypatch.chdir(below)
    assert "[bold]name/exercises/01_autograd.py" in run()[1].replace(" ", "")
    assert "[bold]name/exercises/01_autograd.py" in run("check", "01.1")[1].replace(" ", "")
