"""Scaffold a module: its files from templates, with what is to be written marked `WRITE:`.

A module in which such a mark is left does not pass `course author prove`, nor the tests.
"""

from __future__ import annotations

import keyword
import re
from importlib.resources import files
from pathlib import Path
from string import Template

from course.grading.spec import ModuleSpec

MARK = "WRITE:"
# The modules that the course is to have and that are not written yet.
PLANNED = {
    "backprop_rules": "08",
    "perturbation": "09",
    "faithfulness": "11",
    "attacks": "12",
    "neurons": "13",
    "probing": "14",
    "datasets": "15",
    "capstone": "16",
}
# Template -> where its text goes.
FILES = {
    "methods.py": "course/methods/{name}.py",
    "reference.py": "course/reference/{name}.py",
    "spec.py": "course/specs/{name}.py",
    "test.py": "tests/test_{name}.py",
    "lecture.md": "lectures/{stem}.md",
    "exercises.md": "lectures/{stem}_exercises.md",
}


def places(number: str, name: str) -> dict[str, str]:
    """Of a module's files: template -> path in the repository."""
    return {key: path.format(name=name, stem=f"{number}_{name}") for key, path in FILES.items()}


def number_of(name: str, number: str, taken: dict[str, str]) -> str:
    """The number of a new module: as asked for, or as planned.

    taken: number -> name of the modules that exist. Raises ValueError with a sentence.
    """
    if not re.fullmatch("[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise ValueError(f"{name!r} is no name for a module; small letters, digits and _ are")
    if name in taken.values():
        raise ValueError(f"there is a module called {name} already")
    if not number and name not in PLANNED:
        planned = ", ".join(f"{n} ({key})" for key, n in PLANNED.items() if key not in taken)
        raise ValueError(f"{name} has no number yet: add --number NN, or write one of {planned}")
    number = number or PLANNED[name]
    if not re.fullmatch("[0-9]{2}", number):
        raise ValueError(f"a module's number has two digits, got {number!r}")
    if number in taken:
        raise ValueError(f"the number {number} is that of {taken[number]}")
    return number


def scaffold(number: str, name: str, root: Path) -> dict[Path, str]:
    """The new files and their texts. Raises ValueError if one of them is there already."""
    if not (root / "course" / "methods").is_dir() or not (root / "lectures").is_dir():
        raise ValueError(f"{root} is not the course's repository; go there, or say --into DIR")
    words = {
        "number": number,
        "name": name,
        "stem": f"{number}_{name}",
        "label": name.replace("_", "-"),
        "title": name.replace("_", " ").capitalize(),
        "constant": name.upper(),
    }
    templates = files("course.authoring") / "templates"
    found = {}
    for key, place in places(number, name).items():
        if (root / place).exists():
            raise ValueError(f"{place} is there already, so nothing was written")
        text = (templates / f"{key}.txt").read_text(encoding="utf-8")
        found[root / place] = Template(text).substitute(words)
    return found


def unwritten(spec: ModuleSpec, root: Path, below: str = "") -> list[str]:
    """Where in a module's files something is still to be written, a sentence each.

    below: a folder of the repository, if only the files in it are asked about.
    """
    found = []
    for place in places(spec.number, spec.name).values():
        path = root / place
        if not place.startswith(below):
            continue
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        for number, line in enumerate(lines, 1):
            what = line.partition(MARK)[2].strip().strip("\"'),")
            found += [f"{place}, line {number}: write {what}"] * (MARK in line)
    return found
