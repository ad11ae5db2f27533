"""`course release`: a repository for students, with nothing of the solutions in it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from course.authoring import derive, release
from course.authoring.release import leaks, release_files
from course.cli import app
from course.specs import find, modules

pytest.importorskip("torch")

SPEC = find("05")[0]
FILES = {
    "exercises/05_saliency.py",
    "README.md",
    "requirements.txt",
    ".gitignore",
    ".vscode/extensions.json",
    ".github/workflows/check.yml",
}


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments))
    assert isinstance(result.exception, SystemExit | None), result.output
    return result.exit_code, " ".join(result.output.split())


def written(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


def test_a_released_repository_is_complete_and_judged_not_written(monkeypatch):
    code, output = run("release", "class", "--module", "05")
    assert (code, "no solution text in 6 files" in output) == (0, True)
    folder = Path("class")
    assert written(folder) == FILES
    pinned = f"saliency-from-scratch=={version('saliency-from-scratch')}\n"
    assert (folder / "requirements.txt").read_text() == pinned
    readme = (folder / "README.md").read_text()
    for command in ("course watch", "course hint", "course check", "pip install -r"):
        assert command in readme
    assert "| 05.1 | `gradient` |\n" in readme
    monkeypatch.chdir(folder)
    code, output = run("check")
    assert code == 1
    assert output.count(" not written yet") == len(SPEC.exercises)
    # Git ignores what the course itself leaves there.
    ignored = (".gitignore", ".progress.json", "exercises/05_saliency.py.backup1")
    git = shutil.which("git")
    if git:
        subprocess.run([git, "init", "-q"], check=True)
        kept = [git, "check-ignore", *ignored[1:]]
        found = subprocess.run(kept, capture_output=True, text=True, check=False).stdout
        assert found.split() == list(ignored[1:])


def test_points_are_in_the_readme_when_asked_for():
    assert run("release", "class", "--points")[0] == 0
    readme = Path("class/README.md").read_text()
    assert "| 05.1 | `gradient` | 3 |" in readme
    total = sum(e.points for spec in modules() for e in spec.exercises)
    assert f"**{total}**" in readme


def test_a_full_folder_is_refused_and_left_alone():
    Path("class").mkdir()
    Path("class/mine.txt").write_text("mine")
    code, output = run("release", "class")
    assert (code, "not empty" in output) == (2, True)
    assert written(Path("class")) == {"mine.txt"}
    Path("class/mine.txt").unlink()
    assert run("release", "class")[0] == 0  # an empty one will do


def test_a_part_of_the_course_is_enough(monkeypatch):
    """Commands are about the modules whose files are there."""
    gradient = replace(SPEC.exercises[0], number="06.1")
    other = replace(SPEC, number="06", name="other", title="Other", exercises=[gradient])
    monkeypatch.setattr("course.specs.modules", lambda: (SPEC, other))
    monkeypatch.setattr("course.grading.report.modules", lambda: (SPEC, other))
    assert run("release", "class", "--module", "06")[0] == 0
    monkeypatch.chdir("class")
    assert "course check 06.1" in Path("README.md").read_text()
    assert "0 of 1 passed" in run("check")[1]
    assert "1 Open exercises/06_other.py" in run()[1]
    assert "05.1" not in run("list")[1]
    assert "06.1 gradient hint 1" in run("hint")[1]
    assert run("doctor")[0] == 0
    Path("exercises/06_other.py").write_text(derive.solution_file(other))
    assert run("check")[0] == 0
    assert "Not in this folder: 05 (`course reset 05` writes the stubs of 05)" in run()[1]
    assert run("reset", "05")[0] == run("reset", "06")[0] == 0
    assert f"0 of {1 + len(SPEC.exercises)} passed" in run("check")[1]
    assert "Not in this folder" not in run()[1]


def test_an_unknown_module_and_a_place_that_cannot_be():
    assert "no module or exercise is called '99'" in run("release", "class", "--module", "99")[1]
    Path("file").write_text("")
    code, output = run("release", "file/class")
    assert (code, "cannot be written to" in output) == (2, True)


def test_git_makes_it_a_repository():
    if not shutil.which("git"):
        pytest.skip("needs git")
    assert run("release", "class", "--git")[0] == 0
    assert Path("class/.git").is_dir()


PLANTED = {
    "a whole solution": "return np.abs(gradient(model, x, target)).max(axis=1)",
    "under another name": "m = np.abs(gradient(model, x, target)).max(axis=1)",
    "spaced otherwise": "return np.abs( gradient(model,x,target) ).max( axis = 1 )",
    "over three lines": ("return np.abs(\n    gradient(model, x, target)\n    ).max(\n    axis=1)"),
    "in a comment": "# return np.abs(gradient(model, x,\n    #   target)).max(axis=1)",
}


@pytest.mark.parametrize("planted", PLANTED.values(), ids=PLANTED)
def test_a_planted_solution_line_is_refused_and_named(planted, monkeypatch):
    stub = derive.stub
    spoilt = lambda f: stub(f).replace(derive.STUB, f"    {planted}\n{derive.STUB}")  # noqa: E731
    monkeypatch.setattr(
        derive, "stub", lambda f: spoilt(f) if f.__name__ == "saliency_map" else stub(f)
    )
    line = 1 + release_files([SPEC])["exercises/05_saliency.py"].split("\n").index(
        "    " + planted.split("\n")[0]
    )
    code, output = run("release", "class")
    assert code == 2
    assert f"exercises/05_saliency.py, line {line}: np.abs(gradient(model" in output
    assert "of the solution of saliency_map" in output
    assert not Path("class").exists()


def test_a_solution_in_the_readme_or_the_workflow_is_refused(monkeypatch):
    monkeypatch.setattr(release, "HEAD", release.HEAD + "# x * gradient(model, x, target)\n")
    monkeypatch.setattr(release, "README", "{table}{example}\nSay `grad(score, inputs)`.\n")
    code, output = run("release", "class")
    assert code == 2
    assert ".github/workflows/check.yml, line " in output
    assert "README.md, line " in output


@pytest.mark.parametrize("every", [modules(), *([spec] for spec in modules())], ids=len)
def test_every_solution_in_place_of_its_stub_is_refused(every, monkeypatch):
    """Every exercise is named, with its own file; that of one module alone suffices."""
    due = {(f"exercises/{s.stem}.py", e.name) for s in every for e in s.exercises}
    bodies = {e.function for spec in every for e in spec.exercises}
    stub = derive.stub
    monkeypatch.setattr(derive, "stub", lambda f: (derive.solution if f in bodies else stub)(f))
    code, output = run("release", "class")
    assert code == 2
    told = re.findall(r"(exercises/\w+\.py), line \d+: .*? of the solution of (\w+)", output)
    assert due <= set(told)
    assert not Path("class").exists()


def test_short_solutions_are_noticed_and_their_formulas_are_not():
    found = {text: list(leaks({"a file": text}, modules())) for text in SHORT}
    assert {text: [leak.function for leak in each] for text, each in found.items()} == SHORT


# The course's two shortest answers, of one operator and of two.
SHORT = {
    "    return g * b  # mine": ["mul_vjp_a"],
    "# return g*(x > 0)": ["relu_vjp"],
    "The rule is g * b.": [],
    "`g * (x > 0)`": [],
}


def test_what_gives_nothing_away_is_no_leak():
    harmless = "return x\nn = len(x)\nimport numpy as np\nmodel, x, target: as for `gradient`.\n"
    assert list(leaks({"a file": harmless}, modules())) == []
    assert list(leaks(release_files(modules()), modules())) == []


@pytest.mark.skipif(os.name == "nt", reason="needs bash")
@pytest.mark.parametrize("solved", [False, True], ids=["stubs", "solved"])
def test_the_workflows_step_shows_the_verdicts_and_ends_as_check_does(solved, tmp_path):
    """The step's own script, in the shell that GitHub runs it in."""
    run("release", "class", "--module", "05")
    if solved:
        path = Path("class/exercises/05_saliency.py")
        path.write_text(derive.solution_file(SPEC))
    workflow = Path("class/.github/workflows/check.yml").read_text()
    script = re.search(r"run: \|\n((?: {10}.*\n)+)", workflow)
    assert script
    Path("step.sh").write_text(re.sub(r"^ {10}", "", script[1], flags=re.M))
    tools = tmp_path / "bin"
    tools.mkdir()
    command = f'#!/bin/sh\nexec "{sys.executable}" -c "from course.cli import main; main()" "$@"\n'
    (tools / "course").write_text(command)
    (tools / "course").chmod(0o755)
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(tmp_path / "step.sh")],
        cwd="class",
        env={
            **os.environ,
            "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
            "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == (0 if solved else 1), done.stderr
    summary = Path("summary.md").read_text()
    assert summary.startswith("### Module 05\n")
    count = len(SPEC.exercises)
    assert (f"    {count} of {count} passed" if solved else "not written yet") in summary


def test_the_workflow_is_what_github_can_read():
    yaml = pytest.importorskip("yaml")
    workflow = yaml.safe_load(release_files(modules())[release.WORKFLOW])
    steps = workflow["jobs"]["check"]["steps"]
    checks = [step for step in steps if "course check" in step.get("run", "")]
    assert [step["name"][:2] for step in checks] == [spec.number for spec in modules()]


def test_the_commands_in_the_instructors_guide_exist():
    commands = typer.main.get_command(app).commands
    text = (Path(__file__).parents[1] / "lectures" / "instructors.md").read_text(encoding="utf-8")
    text = re.sub(r"\\\n\s*", "", text)
    code = re.findall(r"`([^`\n]+)`", text) + [line.strip("$ ") for line in text.splitlines()]
    used = {}
    for line in code:
        found = re.match(r"(?:\S*/)?course ([a-z]+)(?=\s|$)(.*)", line)
        if found and ("`" not in line):
            used.setdefault(found[1], set()).update(re.findall(r"(?<!\S)--[a-z-]+", found[2]))
    assert {"release", "check", "grade", "gradescope"} <= set(used)
    for name, options in used.items():
        if name in ("grade", "gradescope") and name not in commands:
            pytest.skip("course grade is not there yet")
        known = {o for p in commands[name].params for o in p.opts}
        assert options <= known, (name, options - known)
    # Options that the text names alone are of the two commands that it is about.
    known = {o for name in ("release", "grade") for p in commands[name].params for o in p.opts}
    assert set(re.findall("`(--[a-z-]+)", text)) <= known
