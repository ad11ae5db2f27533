"""`course author new`: a module's files, which fail until they are written, and then hold."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from course.authoring import new
from course.grading.spec import ModuleSpec
from course.specs import modules

ROOT = Path(__file__).parents[1]
TAKEN = {spec.number: spec.name for spec in modules()}

# One true module: the gradient, squared. (file, what stands there, what is written instead)
METHOD, REFERENCE, SPEC = (f"course/{part}/demo.py" for part in ("methods", "reference", "specs"))
LECTURE, PAGE, TEST = "lectures/99_demo.md", "lectures/99_demo_exercises.md", "tests/test_demo.py"
FILLING = [
    (METHOD, "WRITE: the module in one line", "Squared gradients"),
    (METHOD, "WRITE: what comes out, in one line.", "The square of the gradient, entry by entry."),
    (METHOD, "WRITE: the formula  ", "(∂S_c(x) / ∂x_i)²  "),
    (METHOD, 'raise NotImplementedError("WRITE: the formula as code, pure and short")',
     "return gradient(model, x, target) ** 2"),
    (METHOD, "Target, checked\n",
     "Target, checked\nfrom course.methods.saliency import gradient\n"),
    (REFERENCE, 'raise NotImplementedError("WRITE: the same once more, by Torch\'s autograd")',
     "return saliency.gradient(model, x, target).square()"),
    (REFERENCE, "import torch\n", "import torch\n\nfrom course.reference import saliency\n"),
    (SPEC, "WRITE: what the exercises are about, in one line.", "the gradient, squared."),
    (SPEC, 'np.zeros_like(HAND_INPUT)  # WRITE: the answer to the case "hand", worked out on paper',
     "np.array([[[[9.0, 49.0]], [[16.0, 4.0]]]])"),
    (SPEC, "WRITE: what the learner is to do, in one sentence.", "Square the gradient."),
    (SPEC, '# WRITE: six or more, each Mistake(a wrong function, "you ...; what to do instead")',
     """_wrong("plain", lambda x, g: g, "you forgot the square"),
        _wrong("magnitude", lambda x, g: np.abs(g), "you take the magnitude, not the square"),
        _wrong("cubed", lambda x, g: g**3, "you take the third power"),
        _wrong("signed", lambda x, g: g * np.abs(g), "you give the square the gradient's sign"),
        _wrong("times_input", lambda x, g: x * g, "you multiply by the input instead"),
        _wrong("channels_added", lambda x, g: (g * g).sum(axis=1), "you add up the channels"),"""),
    (SPEC, "# WRITE: four or more functions that are right in another way: a loop, float32, ...",
     """lambda model, x, target: np.square(gradient(model, x, target)),
        lambda model, x, target: np.abs(gradient(model, x, target)) ** 2,
        lambda model, x, target: np.float32(gradient(model, x, target) ** 2),
        lambda model, x, target: np.stack([g * g for g in gradient(model, x, target)]),"""),
    (SPEC, "WRITE: the idea, in words.", "The square has no sign."),
    (SPEC, "WRITE: the formula.", "R_i = g_i²"),
    (SPEC, "WRITE: the key line, with a ____", "return gradient(model, x, target) ** ____"),
    (SPEC, "WRITE: the question that the module answers, in a sentence or two.", "Which matter?"),
    (SPEC, "from course.grading.spec import Case, Exercise, ModuleSpec\n",
     "from course.grading.spec import Case, Exercise, Mistake, ModuleSpec\n"),
    (SPEC, "as library\n", "as library\nfrom course.methods.saliency import gradient\n"),
    (SPEC, "\n\nDEMO = ", """

def _wrong(name, combine, diagnosis):
    def answer(model, x, target):
        return combine(x, gradient(model, x, target))

    answer.__name__ = name
    return Mistake(answer, diagnosis)


DEMO = """),
    (LECTURE, "WRITE: the example that stays with the reader, and the question that it asks.",
     "A."),
    (LECTURE, "WRITE: what the section shows", "Squares"),
    (LECTURE, "WRITE: the idea, then a figure that proves it, then the formula.", "B."),
    (LECTURE, "WRITE: when it fails, and what the literature says of it.", "C."),
    (PAGE, "WRITE: how many functions, and which part of [](99_demo.md) comes before which.", "D."),
    (TEST, 'raise NotImplementedError("WRITE: a case that you worked out on paper, and bad input")',
     "assert demo(lambda t: t * 3, np.ones((1, 2)), 1).tolist() == [[0, 9]]"),
]  # fmt: skip


def test_a_planned_module_has_its_number():
    assert new.number_of("perturbation", "", TAKEN) == "09"
    assert new.number_of("demo", "99", TAKEN) == "99"


@pytest.mark.parametrize(
    ("name", "number", "says"),
    [
        ("Demo", "99", "'Demo' is no name for a module"),
        ("class", "99", "'class' is no name for a module"),
        ("../demo", "99", "is no name for a module"),
        ("saliency", "99", "there is a module called saliency already"),
        ("demo", "", "demo has no number yet: add --number NN, or write one of 08"),
        ("demo", "9", "a module's number has two digits, got '9'"),
        ("demo", "05", "the number 05 is that of saliency"),
    ],
)
def test_what_is_refused(name, number, says):
    with pytest.raises(ValueError, match=re.escape(says)):
        new.number_of(name, number, TAKEN)


def test_a_folder_that_is_not_the_repository_is_refused(tmp_path):
    with pytest.raises(ValueError, match="is not the course's repository"):
        new.scaffold("99", "demo", tmp_path)


@pytest.mark.parametrize("spec", modules(), ids=lambda spec: spec.stem)
def test_no_module_is_half_written(spec):
    assert all((ROOT / place).is_file() for place in new.places(spec.number, spec.name).values())
    assert new.unwritten(spec, ROOT) == []


# --- in a copy of the repository -------------------------------------------------------------


def copy(folder: Path) -> None:
    ignored = shutil.ignore_patterns("files", "__pycache__", ".ruff_cache")
    shutil.copytree(ROOT / "course", folder / "course", ignore=ignored)
    (folder / "course/data/files").symlink_to(ROOT / "course/data/files")
    for name in ("lectures", "tests"):
        (folder / name).mkdir()
    shutil.copy(ROOT / "pyproject.toml", folder)


def run(folder: Path, *command: str) -> tuple[int, str]:
    """A command of this Python in the copy, with the copy's `course`."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "200"}
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True
    )
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def author(folder: Path, *arguments: str) -> tuple[int, str]:
    return run(folder, "-c", "from course.cli import main; main()", "author", *arguments)


@pytest.mark.slow
def test_a_new_module_fails_by_name_until_it_is_written_and_then_holds(tmp_path):
    pytest.importorskip("torch")
    copy(tmp_path)
    code, said = author(tmp_path, "new", "demo", "--number", "99")
    assert code == 0, said
    files = [METHOD, REFERENCE, SPEC, LECTURE, PAGE, TEST]
    assert all((tmp_path / file).is_file() for file in files)
    assert all(file in said for file in files)

    # Nothing is written over, also where the module is not known by a spec.
    (tmp_path / SPEC).rename(tmp_path / "spec")
    (tmp_path / METHOD).write_text("mine")
    code, said = author(tmp_path, "new", "demo", "--number", "99")
    assert (code, f"{METHOD} is there already, so nothing was written" in said) == (2, True)
    assert (tmp_path / METHOD).read_text() == "mine"
    assert not (tmp_path / SPEC).exists()
    (tmp_path / METHOD).unlink()
    for file in files[1:]:
        (tmp_path / file).unlink(missing_ok=True)
    assert author(tmp_path, "new", "demo", "--number", "99")[0] == 0

    python = [METHOD, REFERENCE, SPEC, TEST]
    assert run(tmp_path, "-m", "ruff", "check", "-q", *python) == (0, "")
    assert run(tmp_path, "-m", "ruff", "format", "-q", "--check", *python) == (0, "")
    assert author(tmp_path, "derive")[0] == 0
    assert (tmp_path / "exercises/99_demo.py").is_file()

    code, said = author(tmp_path, "prove", "99")
    assert code == 2
    for file in files:
        assert (f"✗ {file}, line " in said) == file.startswith("course/")
    assert "write six or more, each Mistake(a wrong function" in said
    assert "nothing can be proven of a module that is not written yet" in said
    code, said = run(tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider", TEST)
    assert (code, "WRITE: a case that you worked out on paper" in said) == (1, True)

    spec = ModuleSpec("99", "demo", "Demo", "", [])
    gaps = "\n".join(new.unwritten(spec, tmp_path))
    assert all(f"{file}, line " in gaps for file in files)
    assert f"{LECTURE}, line 15: write the example that stays with the reader" in gaps

    for file, before, after in FILLING:
        text = (tmp_path / file).read_text(encoding="utf-8")
        assert text.count(before) == 1, (file, before)
        (tmp_path / file).write_text(text.replace(before, after), encoding="utf-8")
    assert new.unwritten(spec, tmp_path) == []
    assert run(tmp_path, "-m", "ruff", "check", "-q", *python) == (0, "")
    code, said = author(tmp_path, "prove", "99")
    assert code == 0, said
    assert "✓ 99.1 demo 4 right accepted, 6 mistakes named" in said
    assert author(tmp_path, "derive", "--check")[0] == 1  # before it is derived again
    assert author(tmp_path, "derive")[0] == 0
    assert author(tmp_path, "derive", "--check")[0] == 0
    assert "return gradient(model, x, target) ** 2" in (
        tmp_path / "solutions/99_demo.py"
    ).read_text("utf-8")
    code, said = run(tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider", TEST)
    assert code == 0, said

    # One mistake fewer, and the proof says so.
    text = (tmp_path / SPEC).read_text(encoding="utf-8")
    (tmp_path / SPEC).write_text(re.sub(r'\n.*_wrong\("cubed".*', "", text), encoding="utf-8")
    code, said = author(tmp_path, "prove", "99")
    assert (code, "fewer than 6 mistakes" in said) == (1, True)


@pytest.mark.slow
def test_mypy_is_content_with_a_new_module(tmp_path):
    pytest.importorskip("mypy")
    copy(tmp_path)
    assert author(tmp_path, "new", "demo", "--number", "99")[0] == 0
    code, said = run(tmp_path, "-m", "mypy", METHOD, REFERENCE, SPEC)
    assert code == 0, said
