"""The drawing of the packages, held against what the code imports."""

from __future__ import annotations

import ast
import importlib.util
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("sphinx", reason="the book's tools are missing: make install")

ROOT = Path(__file__).parents[1]
SOURCE = importlib.util.spec_from_file_location(
    "architecture", ROOT / "book" / "_ext" / "architecture.py"
)
architecture = importlib.util.module_from_spec(SOURCE)
SOURCE.loader.exec_module(architecture)
ARROWS, ASIDES, NEVER = set(architecture.ARROWS), architecture.ASIDES, architecture.NEVER


def imported(tree: ast.AST) -> Iterator[tuple[str, str, int]]:
    """Package, name and line of each import of the course; `from course import x` is x's."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            full = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            full = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in full:
            root, _, rest = name.partition(".")
            if root == "course" and rest and not rest.startswith("__"):
                package, _, inner = rest.partition(".")
                yield package, inner.partition(".")[0], node.lineno


def imports(root: Path) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """(package, package) -> (what is imported, where), inside functions too."""
    found = defaultdict(list)
    for path in sorted((root / "course").rglob("*.py")):
        place = path.relative_to(root / "course")
        package = place.parts[0].removesuffix(".py")
        for other, name, line in imported(ast.parse(path.read_text(encoding="utf-8"))):
            if other != package and package != "__init__":
                found[package, other].append((name, f"course/{place.as_posix()}:{line}"))
    return found


def reachable(start: str) -> set[str]:
    found: set[str] = set()
    ahead = [start]
    while ahead:
        ahead_of = ahead.pop()
        news = {b for a, b in ARROWS if a == ahead_of} - found
        found |= news
        ahead += news
    return found


def astray(found: dict[tuple[str, str], list[tuple[str, str]]]) -> list[str]:
    """The imports that follow no arrow."""
    wrong: list[str] = []
    for (package, other), uses in found.items():
        along = other in reachable(package) and (package, other) not in NEVER
        if along or (other in architecture.HELPERS and package not in architecture.HELPERS):
            continue
        names = ASIDES.get((package, other), set())
        wrong += [
            f"{where}: {package} imports {other}" for name, where in uses if name not in names
        ]
    return wrong


IMPORTS = imports(ROOT)


def test_every_import_follows_the_arrows():
    assert len(IMPORTS) > 40
    assert astray(IMPORTS) == []


def test_every_arrow_and_every_exception_is_used():
    assert sorted(ARROWS - set(IMPORTS)) == []
    for pair, names in ASIDES.items():
        assert {name for name, _ in IMPORTS[pair]} == names, pair
    assert all(b in reachable(a) for a, b in NEVER), "forbid only what the arrows would allow"


def test_every_package_is_drawn_and_the_arrows_lead_one_way():
    packages = {p.name for p in (ROOT / "course").iterdir() if (p / "__init__.py").is_file()}
    files = {p.stem for p in (ROOT / "course").glob("*.py")} - {"__init__"}
    assert set(architecture.BOXES) | set(architecture.HELPERS) == packages | files
    assert not [name for name in architecture.BOXES if name in reachable(name)]


def test_the_house_rules_stand_in_the_arrows():
    assert reachable("reference") == set()  # an independent derivation
    assert reachable("autograd") == set()
    assert "specs" not in reachable("grading")
    assert not {"specs", "grading", "plot"} & reachable("methods")


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("autograd/new.py", "from course.nn import Linear"),
        ("reference/new.py", "import course.methods.saliency"),
        ("grading/new.py", "from course.methods import saliency"),
        ("grading/new.py", "def f():\n    from course.specs import saliency"),
        ("methods/new.py", "from course import specs"),
        ("progress.py", "from course.data import mnist"),
    ],
)
def test_an_import_astray_is_seen(tmp_path, file, line):
    path = tmp_path / "course" / file
    path.parent.mkdir(parents=True)
    path.write_text(line)
    (wrong,) = astray(imports(tmp_path))
    assert wrong.startswith(f"course/{file}:")


def test_the_drawing_draws_the_tables():
    svg = architecture.svg()
    titles = set(re.findall(r"<title>(\w+) imports (\w+)</title>", svg))
    assert titles == ARROWS | set(ASIDES)
    assert set(re.findall(r'<text x="[^>]*>(\w+)</text>', svg)) == set(architecture.BOXES)
    assert all(f"{a} to {b}" in svg for a, b in titles)  # the text for those who do not see it
