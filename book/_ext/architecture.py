"""The directive `{architecture}`: the course's packages and what each may import, drawn.

The tables below are the rule; tests/test_architecture.py holds every import against them.
"""

from __future__ import annotations

from html import escape
from typing import Any, NamedTuple

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

# Package -> column and row of its box.
BOXES = {
    "cli": (1.2, 0),
    "notebook": (0.0, 1),
    "authoring": (1.2, 1),
    "sanity": (2.35, 1),
    "specs": (1.2, 2),
    "catalogue": (2.35, 2),
    "experiments": (3.35, 2),
    "reference": (0.0, 3),
    "grading": (1.2, 3),
    "plot": (1.2, 4),
    "methods": (2.35, 4),
    "models": (3.35, 4),
    "nn": (2.35, 5),
    "data": (3.35, 5),
    "autograd": (2.35, 6),
}
# An import goes along these arrows, by one or by several.
ARROWS = [
    ("cli", "authoring"),
    ("cli", "sanity"),
    ("notebook", "specs"),
    ("authoring", "specs"),
    ("sanity", "catalogue"),
    ("sanity", "grading"),
    ("specs", "reference"),
    ("specs", "grading"),
    ("specs", "methods"),
    ("catalogue", "methods"),
    ("catalogue", "models"),
    ("experiments", "methods"),
    ("experiments", "models"),
    ("grading", "plot"),
    ("grading", "models"),
    ("plot", "methods"),
    ("methods", "nn"),
    ("models", "nn"),
    ("models", "data"),
    ("nn", "autograd"),
]
# Against the stream or aside, these names and no others; nothing follows from such an arrow.
ASIDES = {
    ("grading", "specs"): {"modules", "find"},
    ("grading", "authoring"): {"derive"},
    ("authoring", "experiments"): {"store"},
}
# What the arrows would allow and the course does not: the grader knows no method by name.
NEVER = {("grading", "methods")}
# Everybody may import these; they import nothing of the course.
HELPERS = ("page", "progress", "threads")

COLUMN, ROW, WIDE, HIGH, EDGE = 102, 66, 88, 28, 3
BENDS = {("grading", "specs"): 18, ("grading", "authoring"): 36}  # of the arrows that go back up


class Point(NamedTuple):
    x: float
    y: float


def box(name: str) -> Point:
    """The upper left corner of a package's box."""
    column, row = BOXES[name]
    return Point(EDGE + column * COLUMN, EDGE + row * ROW)


def arrow(start: str, end: str) -> str:
    """A curve from one box to the other."""
    a, b = box(start), box(end)
    aside = (start, end) in ASIDES
    kind = ' class="aside"' if aside else ""
    if a.y == b.y:
        points = f"M{a.x + WIDE} {a.y + HIGH / 2}H{b.x - 2}"
    elif a.y < b.y:
        lean = max(-1, min(1, (b.x - a.x) / COLUMN)) * WIDE / 4
        x0, y0, x1, y1 = a.x + WIDE / 2 + lean, a.y + HIGH, b.x + WIDE / 2 - lean, b.y - 2
        bend = (y1 - y0) / 2.5
        points = f"M{x0} {y0}C{x0} {y0 + bend} {x1} {y1 - bend} {x1} {y1}"
    else:  # back up, on the left of the column
        x, y0, y1 = a.x, a.y + HIGH / 2, b.y + HIGH / 2
        out = BENDS[start, end]
        points = f"M{x} {y0}C{x - out} {y0} {x - out} {y1} {x - 2} {y1}"
    return f'<path{kind} d="{points}"><title>{start} imports {end}</title></path>'


def svg() -> str:
    """The drawing, in the colours of the page around it."""
    width = 2 * EDGE + 3.35 * COLUMN + WIDE
    height = 2 * EDGE + 6 * ROW + HIGH + 26
    said = "; ".join(f"{a} to {b}" for a, b in ARROWS)
    asides = "; ".join(f"{a} to {b} ({', '.join(sorted(n))})" for (a, b), n in ASIDES.items())
    alt = f"Packages as boxes, imports as arrows: {said}. Dashed: {asides}."
    lines = [
        f'<svg class="architecture" role="img" viewBox="0 0 {width} {height}" '
        f'aria-label="{escape(alt)}" xmlns="http://www.w3.org/2000/svg">',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z"/></marker></defs>',
        *(arrow(*pair) for pair in [*ARROWS, *ASIDES]),
    ]
    for name in BOXES:
        x, y = box(name)
        lines.append(
            f'<rect x="{x}" y="{y}" width="{WIDE}" height="{HIGH}" rx="5"/>'
            f'<text x="{x + WIDE / 2}" y="{y + HIGH / 2 + 4.5}">{name}</text>'
        )
    note = f"Everybody may import {', '.join(HELPERS)}."
    lines.append(f'<text class="note" x="{width / 2}" y="{height - 6}">{note}</text>')
    return "\n".join([*lines, "</svg>"])


class Architecture(SphinxDirective):
    def run(self) -> list[nodes.Node]:
        self.env.note_dependency(__file__)
        return [nodes.raw("", f'<div class="architecture">{svg()}</div>', format="html")]


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("architecture", Architecture)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
