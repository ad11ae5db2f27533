"""Results of experiments too slow for a page: small files that say how they came about."""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
import re
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

FOLDER = Path(__file__).parent / "results"
WATCHED = ("course.methods.", "course.experiments.", "course.catalogue.")


def fingerprint(*parts: ModuleType | FunctionType) -> str:
    """A hash of code, whole modules or single functions, that comments, docstrings and formatting
    leave alone."""
    trees = []
    for part in parts:
        tree = ast.parse(textwrap.dedent(inspect.getsource(part)))
        for node in ast.walk(tree):
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                node.value = ast.Constant(None)
        trees.append(repr(_shape(tree)))
    return hashlib.sha256("\n".join(trees).encode()).hexdigest()[:16]


def _shape(node: Any) -> Any:
    """A syntax tree as lists, alike in every version of Python: some leave out what is empty."""
    if isinstance(node, ast.AST):
        fields = [(name, _shape(v)) for name, v in ast.iter_fields(node) if v not in (None, [])]
        return [type(node).__name__, fields]
    return [_shape(v) for v in node] if isinstance(node, list) else repr(node)


def code_of(experiment: ModuleType) -> str:
    """The fingerprint of an experiment, and of every method that its results depend on, be it in
    a table of the module's."""
    found: dict[str, FunctionType] = {}
    own = experiment.__name__  # "__main__" while it runs
    for value in vars(experiment).values():
        for part in value.values() if isinstance(value, dict) else [value]:
            if isinstance(part, FunctionType):
                _collect(part, found, (*WATCHED, f"{own}."))
    others = [found[name] for name in sorted(found) if found[name].__module__ != own]
    return fingerprint(experiment, *others)


def _collect(
    function: FunctionType, found: dict[str, FunctionType], watched: tuple[str, ...]
) -> None:
    """The function and all that it calls of the watched modules, by name."""
    function = inspect.unwrap(function)
    name = f"{function.__module__}.{function.__qualname__}"
    if not name.startswith(watched) or name.startswith(__name__) or name in found:
        return
    found[name] = function
    names = set(_names(function.__code__))
    values = [function.__globals__.get(n) for n in names] + list(function.__defaults__ or ())
    modules = [v for v in values if isinstance(v, ModuleType) and v.__name__.startswith(watched)]
    values += [getattr(module, n, None) for module in modules for n in names]
    for value in values:
        if isinstance(value, FunctionType):
            _collect(value, found, watched)


def _names(code: CodeType) -> Iterator[str]:
    """Every global and attribute that the code speaks of, that of functions inside it too."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def save(name: str, code: str, results: Mapping[str, Any]) -> Path:
    """Write results/NAME.json; `code` is the fingerprint of what made them."""
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{name}.json"
    text = json.dumps({"code": code, **results}, indent=1)
    text = re.sub(r"\[[-+.,\deE\s]+\]", lambda m: " ".join(m[0].split()), text)  # a list, a line
    path.write_text(text + "\n", encoding="utf-8")
    return path


def load(name: str) -> dict[str, Any]:
    """Read results/NAME.json; `python -m course.experiments.NAME` makes it."""
    path = FOLDER / f"{name}.json"
    if not path.is_file():
        raise FileNotFoundError(
            f"{path.name} is not there; run python -m course.experiments.{name}"
        )
    return json.loads(path.read_text(encoding="utf-8"))
