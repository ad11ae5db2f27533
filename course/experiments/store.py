"""Results of experiments too slow for a page: small files that say how they came about."""

from __future__ import annotations

import ast
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

FOLDER = Path(__file__).parent / "results"


def fingerprint(*modules: ModuleType) -> str:
    """A hash of the modules' code that comments, docstrings and formatting leave alone."""
    trees = []
    for module in modules:
        assert module.__file__
        tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                node.value = ast.Constant(None)
        trees.append(ast.dump(tree))
    return hashlib.sha256("\n".join(trees).encode()).hexdigest()[:16]


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
