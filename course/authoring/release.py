"""A student repository: stubs, how to work on them, and a workflow that checks them; no solutions.

What counts as solution text is what the library's bodies compute: of each statement the expression
(the value that is returned or assigned, the condition, what is looped over), without spaces and
line breaks. Left out are expressions shorter than 12 characters, or without a call, an operator or
an index: `return x` gives nothing away. Left out is also what a learner reads anyway: what stands
in a signature, a docstring or a goal of the course.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import NamedTuple

from course.authoring.derive import exercise_file, solution
from course.grading.spec import Answer, ModuleSpec

PACKAGE = "saliency-from-scratch"
SHORTEST = 12  # characters of an expression that says something
TELLING = (ast.Call, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.Subscript)
PARTS = (ast.stmt, ast.withitem)  # whose own expressions are looked at
WORKFLOW = ".github/workflows/check.yml"


class Leak(NamedTuple):
    """A place where a file would hold a piece of a solution."""

    file: str
    line: int
    function: str
    text: str


def release_files(specs: Sequence[ModuleSpec], points: bool = False) -> dict[str, str]:
    """The files of a student repository by their path in it, and their texts.

    points: let the README say what each exercise is worth.
    """
    return {
        **{f"exercises/{spec.stem}.py": exercise_file(spec) for spec in specs},
        "README.md": _readme(specs, points),
        "requirements.txt": f"{PACKAGE}=={version(PACKAGE)}\n",
        ".gitignore": IGNORED,
        ".vscode/extensions.json": EXTENSIONS,
        WORKFLOW: _workflow(specs),
    }


def leaks(files: Mapping[str, str], specs: Iterable[ModuleSpec]) -> Iterator[Leak]:
    """Every piece of these modules' solutions that stands in one of the files."""
    specs = list(specs)
    shown = _dense("\n".join(text for spec in specs for text in _read_anyway(spec)))[0]
    pieces = {
        piece: (e.name, text)
        for spec in specs
        for e in spec.exercises
        for piece, text in solution_pieces(e.function).items()
        if piece not in shown
    }
    for file, text in files.items():
        dense, lines = _dense(text)
        for piece, (function, source) in pieces.items():
            if (at := dense.find(piece)) >= 0:
                yield Leak(file, lines[at], function, source)


def solution_pieces(function: Answer) -> dict[str, str]:
    """The telling expressions of a function's body: without white space, and as Python writes
    them."""
    source = solution(function)
    body = _definition(source).body[1:]  # without the docstring
    statements = [n for node in body for n in ast.walk(node) if isinstance(n, PARTS)]
    found = {}
    for expression in (e for node in statements for e in ast.iter_child_nodes(node)):
        if isinstance(expression, ast.expr):
            text = ast.get_source_segment(source, expression) or ""
            piece = _dense(re.sub("#.*", "", text))[0]
            telling = any(isinstance(node, TELLING) for node in ast.walk(expression))
            if telling and len(piece) >= SHORTEST:
                found[piece] = ast.unparse(expression)
    return found


def _definition(source: str) -> ast.FunctionDef:
    node = ast.parse(source).body[0]
    assert isinstance(node, ast.FunctionDef)
    return node


def _read_anyway(spec: ModuleSpec) -> Iterator[str]:
    """What the course shows of a module whether or not it is solved."""
    yield spec.summary
    for exercise in spec.exercises:
        node = _definition(solution(exercise.function))
        yield f"{exercise.goal}\n{ast.unparse(node.args)}\n{ast.get_docstring(node)}"


def _dense(text: str) -> tuple[str, list[int]]:
    """The text without white space and comment signs, and the line of each character left."""
    characters: list[str] = []
    numbers: list[int] = []
    for number, line in enumerate(text.split("\n"), 1):
        kept = re.sub(r"\s+", "", re.sub(r"^\s*#+", "", line))
        characters.append(kept)
        numbers += [number] * len(kept)
    return "".join(characters), numbers


IGNORED = """\
__pycache__/
.venv/
.ipynb_checkpoints/
# What `course` remembers, draws and keeps
.progress.json*
.course/
*.backup*
"""

EXTENSIONS = (
    json.dumps({"recommendations": ["ms-python.python", "ms-toolsai.jupyter"]}, indent=2) + "\n"
)

README = """\
# Saliency from Scratch: exercises

The functions to write are in `exercises/`, each with its signature, what it has to do, and
`raise NotImplementedError` where your code goes.

{table}

## Install

You need Python 3.11 or newer. The version in `requirements.txt` is the one that judges your work.

```console
$ python3 -m venv .venv
$ source .venv/bin/activate        # Windows: .venv\\Scripts\\activate
$ pip install -r requirements.txt
$ course doctor
```

On Linux, say first `export PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu`, or pip takes
the build of Torch for graphics cards: gigabytes that the course never uses.

## The loop

1. `course watch` in one window, your editor beside it. Each time you save, it judges the first
   function that has not passed and shows the first thing to mend.
2. `course hint` when you are stuck: first the idea, then the formula, then the key line with a
   blank.
3. `course diff {example}` draws your map, the right one, and the difference.
4. `course check` judges everything; `course check {example}` one function.

`course` alone says where you are and what is next. Each exercise file is a notebook too: VS Code
opens it as it is.

## Hand in

Commit and push. The workflow *Check* judges what you pushed, module by module, and shows the same
verdicts that `course check` shows here: on GitHub, under *Actions*, open the latest run. Hand in
only what you wrote in `exercises/`, and leave the names of files and functions as they are.
"""


def _readme(specs: Sequence[ModuleSpec], points: bool) -> str:
    rows = ["| | Function |" + " Points |" * points, "|---|---|" + "---:|" * points]
    for spec in specs:
        rows.append(f"| **{spec.number}** | **{spec.title}** |" + " |" * points)
        rows += [f"| {e.number} | `{e.name}` |" + f" {e.points} |" * points for e in spec.exercises]
    if points:
        total = sum(e.points for spec in specs for e in spec.exercises)
        rows.append(f"| | **Together** | **{total}** |")
    return README.format(table="\n".join(rows), example=specs[0].exercises[0].number)


def _workflow(specs: Sequence[ModuleSpec]) -> str:
    return HEAD + "".join(
        STEP.format(name=json.dumps(f"{spec.number} {spec.title}"), number=spec.number)
        for spec in specs
    )


# The shell that GitHub calls "bash" ends with the exit code of `course check`, not of `tee`.
HEAD = """\
name: Check

on: [push, workflow_dispatch]

permissions:
  contents: read

env:
  # Torch without the graphics card.
  PIP_EXTRA_INDEX_URL: https://download.pytorch.org/whl/cpu

jobs:
  check:
    runs-on: ubuntu-latest
    timeout-minutes: 20
    defaults:
      run:
        shell: bash
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: "3.11"
          cache: pip
          cache-dependency-path: requirements.txt
      - id: install
        run: pip install -r requirements.txt
"""

STEP = """\
      - name: {name}
        if: ${{{{ !cancelled() && steps.install.outcome == 'success' }}}}
        run: |
          echo '### Module {number}' >> "$GITHUB_STEP_SUMMARY"
          course check {number} | sed 's/^/    /' | tee -a "$GITHUB_STEP_SUMMARY"
"""
