"""Derive `exercises/` and `solutions/` from the library and the specs.

A stub is the library function's signature and docstring, a solution is its body: no marker stands
in the library, and neither file is ever edited by hand.
"""

from __future__ import annotations

import ast
import inspect
import shutil
import textwrap
from pathlib import Path
from types import ModuleType

from course.grading.spec import Answer, Exercise, ModuleSpec

HEADER = """\
# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---
"""

STUB = "    raise NotImplementedError"


def exercise_file(spec: ModuleSpec) -> str:
    """The text of `exercises/NN_name.py`: stubs to complete."""
    intro = (
        f"{spec.summary}\n\nWrite each function where it says `raise NotImplementedError`. Then "
        f"run the cell below it, or `course check {spec.number}` in a terminal."
    )
    return _file(spec, intro, stub)


def solution_file(spec: ModuleSpec) -> str:
    """The text of `solutions/NN_name.py`: the same file, completed by the library's own bodies."""
    return _file(spec, f"{spec.summary}\n\nThe library's own answers.", solution)


def derived(specs: tuple[ModuleSpec, ...], root: Path) -> dict[Path, str]:
    """Every derived file, and the text it has to hold."""
    files = {}
    for spec in specs:
        files[root / "exercises" / f"{spec.stem}.py"] = exercise_file(spec)
        files[root / "solutions" / f"{spec.stem}.py"] = solution_file(spec)
    return files


def write(path: Path, text: str) -> Path | None:
    """Write a derived file. If a learner had written answers into it, they are kept in a backup
    beside it, whose path is returned."""
    learners = path.parent.name == "exercises" and path.is_file()
    kept = keep(path) if learners and has_answers(path.read_text(encoding="utf-8")) else None
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return kept


def keep(path: Path) -> Path:
    """Copy a learner's file to a backup beside it, under a number that no backup has had yet."""
    numbers = [b.name.rpartition("backup")[2] for b in path.parent.glob(f"{path.name}.backup*")]
    last = max((int(n) for n in numbers if n.isdecimal()), default=0)
    backup = path.with_name(f"{path.name}.backup{last + 1}")
    shutil.copy2(path, backup)
    return backup


def with_stub(text: str, function: Answer) -> str:
    """A learner's file with the stub in place of one function, the rest as it is.

    Raises SyntaxError where the file cannot be read, KeyError where it has no such function.
    """
    name = function.__name__
    found = [n for n in ast.parse(text).body if isinstance(n, ast.FunctionDef) and n.name == name]
    if not found:
        raise KeyError(name)
    lines = text.split("\n")
    first = min([found[-1].lineno, *(d.lineno for d in found[-1].decorator_list)])
    return "\n".join([*lines[: first - 1], stub(function), *lines[found[-1].end_lineno :]])


def has_answers(text: str) -> bool:
    """Does any function do more than to raise NotImplementedError? (Or is the file beyond us?)"""
    try:
        return bool(written(text))
    except SyntaxError:
        return True


def written(text: str) -> set[str]:
    """The names of the functions of a file that do more than to raise NotImplementedError."""
    functions = [n for n in ast.parse(text).body if isinstance(n, ast.FunctionDef)]
    refusal = ast.dump(ast.parse(STUB.strip()).body[0])
    return {f.name for f in functions if ast.dump(f.body[-1]) != refusal}


def stub(function: Answer) -> str:
    """Signature and docstring, and an honest refusal for a body."""
    lines, definition = _definition(function)
    docstring_end = definition.body[0].end_lineno
    return "\n".join([*lines[:docstring_end], STUB])


def solution(function: Answer) -> str:
    """The function as the library has it, without decorators."""
    return "\n".join(_definition(function)[0])


def _definition(function: Answer) -> tuple[list[str], ast.FunctionDef]:
    """A function's source lines from `def` on, and their syntax tree."""
    source = textwrap.dedent(inspect.getsource(inspect.unwrap(function)))
    tree = ast.parse(source).body[0]
    assert isinstance(tree, ast.FunctionDef)
    lines = source.rstrip().splitlines()[tree.lineno - 1 :]
    undecorated = ast.parse("\n".join(lines)).body[0]
    assert isinstance(undecorated, ast.FunctionDef)
    if ast.get_docstring(undecorated) is None:
        raise ValueError(f"{tree.name} has no docstring, and so no stub that says what to write")
    return lines, undecorated


def _file(spec: ModuleSpec, intro: str, body: object) -> str:
    parts = [HEADER + _origin(spec), _markdown(f"# {spec.number} {spec.title}\n\n{intro}")]
    parts.append("# %%\n" + "\n".join([*_imports(spec), "from course import check"]) + "\n")
    for exercise in spec.exercises:
        parts.append(_markdown(_task(exercise)))
        parts.append(f"# %%\n{body(exercise.function)}\n\n")  # type: ignore[operator]
        parts.append(f"# %%\ncheck({exercise.name})\n")
    return "\n".join(parts)


def _origin(spec: ModuleSpec) -> str:
    """The comment that says which files a derived file was made from."""
    modules = dict.fromkeys(inspect.unwrap(e.function).__module__ for e in spec.exercises)
    library = ", ".join(f"{module.replace('.', '/')}.py" for module in modules)
    text = f"derived from {library} and course/specs/{spec.name}.py by `course author derive`"
    return "\n".join(f"# {line}" for line in textwrap.wrap(text, 118)) + "\n"


def _task(exercise: Exercise) -> str:
    points = "1 point" if exercise.points == 1 else f"{exercise.points} points"
    return f"## {exercise.number} `{exercise.name}` ({points})\n\n{exercise.goal}"


def _markdown(text: str) -> str:
    paragraphs = (textwrap.wrap(p, 78) or [""] for p in text.split("\n"))
    lines = [line for paragraph in paragraphs for line in paragraph]
    return "# %% [markdown]\n" + "\n".join(f"# {line}".rstrip() for line in lines) + "\n"


def _imports(spec: ModuleSpec) -> list[str]:
    """Of the library modules' imports, the ones that the solutions use and the file does not
    define."""
    used = {
        node.id
        for exercise in spec.exercises
        for node in ast.walk(ast.parse(solution(exercise.function)))
        if isinstance(node, ast.Name)
    } - {exercise.name for exercise in spec.exercises}
    lines: list[str] = []
    for module in dict.fromkeys(inspect.getmodule(e.function) for e in spec.exercises):
        lines += [line for line in _imports_of(module, used) if line not in lines]
    return lines


def _imports_of(module: ModuleType | None, used: set[str]) -> list[str]:
    assert module is not None
    lines = []
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            node.names = [a for a in node.names if (a.asname or a.name) in used]
            if node.names:
                lines.append(ast.unparse(node))
    return lines
