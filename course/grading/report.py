"""Verdicts for people: in the terminal with rich, in a notebook as HTML."""

from __future__ import annotations

import html
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from course.grading.judge import Verdict
from course.grading.progress import passed_now, present, read
from course.grading.thumbnail import can_draw, thumbnails
from course.plot.maps import worth_drawing
from course.specs import modules

TITLES = {
    "load": "the file does not load",
    "written": "not written yet",
    "call": "the function stopped",
    "type": "not an array of numbers",
    "shape": "wrong shape",
    "finite": "not finite",
    "value": "wrong values",
    "property": "a property does not hold",
    "manners": "right values, one thing to mend",
}


def explain(verdict: Verdict) -> list[str]:
    """The failure in sentences: cause, numbers, place."""
    where = f" (line {verdict.line})" if verdict.line else ""
    lines = [f"{verdict.message[:1].upper()}{verdict.message[1:]}{where}."]
    if verdict.layer == "written":
        lines = []
    if verdict.case:
        lines.append(f"It shows in the case “{verdict.case}”:")
    return [*lines, *verdict.detail.splitlines()]


def render(verdict: Verdict) -> RenderableType:
    """One exercise's verdict for a terminal."""
    points = f"{verdict.points} point" + "s" * (verdict.points != 1)
    head = f" {verdict.exercise}  {verdict.name:<24}"
    if verdict.passed:
        note = f"{points}, {verdict.checks} checks"
        line = Text.assemble((" ✓", "bold green"), (head, "bold"), (note, "dim"))
        return Group(line, *_built_on(verdict))
    mark = (" ·", "dim") if verdict.layer == "written" else (" ✗", "bold red")
    rows: list[RenderableType] = [
        Text.assemble(mark, (head, "bold"), (TITLES[verdict.layer], "yellow"))
    ]
    rows += [Padding(Text(line), (0, 0, 0, 9)) for line in explain(verdict)]
    rows += _built_on(verdict)
    if verdict.printed.strip() and verdict.layer != "written":
        rows.append(Padding(Text("Your code printed:", style="dim"), (0, 0, 0, 9)))
        rows.append(Padding(Text(verdict.printed.strip()[-500:], style="dim"), (0, 0, 0, 9)))
    return Group(*rows)


def _built_on(verdict: Verdict) -> list[RenderableType]:
    if not verdict.built_on:
        return []
    return [Padding(Text(verdict.built_on, style="dim"), (0, 0, 0, 9))]


def show(verdict: Verdict, console: Console) -> None:
    """Print the verdict; under wrong values, where the terminal can, thumbnails of the maps."""
    console.print(render(verdict))
    if verdict.layer == "value" and can_draw(console):
        assert verdict.got is not None
        assert verdict.want is not None
        if not worth_drawing(verdict.want):
            return
        console.print(thumbnails(verdict.got, verdict.want, console.width))


def overview(folder: Path | None) -> Table:
    """Every exercise of the course, and what is known of it in this folder."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1))
    for spec in present(folder, modules()) if folder else modules():
        if table.rows:
            table.add_row()
        table.add_row("", spec.number, Text(spec.title, "bold"))
        passed = passed_now(folder, spec) if folder else {}
        hints = read(folder).hints if folder else {}
        for exercise in spec.exercises:
            number = exercise.number
            mark = Text("✓", "bold green") if passed.get(number) else Text("·", "dim")
            points = f"{exercise.points} point" + "s" * (exercise.points != 1)
            seen = f", hint {hints[number]} of {len(exercise.hints)}" if number in hints else ""
            what = Text.assemble(exercise.name, (f"  {points}{seen}\n", "dim"), exercise.goal)
            table.add_row(mark, number, what)
    return table


def course_bar(folder: Path, width: int = 30) -> Text:
    """How much of the course has passed, as a bar."""
    passed = [ok for spec in present(folder, modules()) for ok in passed_now(folder, spec).values()]
    full = round(width * sum(passed) / len(passed))
    note = f"  {sum(passed)} of {len(passed)} exercises"
    return Text.assemble(("█" * full, "green"), ("░" * (width - full), "dim"), note)


def summarise(verdicts: list[Verdict], console: Console) -> None:
    """The last lines: how many, how many points, and what helps with the first that fails."""
    passed = [v for v in verdicts if v.passed]
    got, total = sum(v.points for v in passed), sum(v.points for v in verdicts)
    console.print(f"\n {len(passed)} of {len(verdicts)} passed, {got} of {total} points")
    if failed := [v for v in verdicts if not v.passed]:
        console.print(Text(f" {next_step(failed[0])}", "dim"))


def next_step(verdict: Verdict) -> str:
    """The commands that help with a failure."""
    ways = [f"course hint {verdict.exercise}"]
    if verdict.layer == "value" and verdict.want is not None and worth_drawing(verdict.want):
        ways.append(f"course diff {verdict.exercise}")
    return "Next: " + " or ".join(ways)


def as_html(verdict: Verdict) -> str:
    """One exercise's verdict for a notebook; no scripts, no outside resources."""
    if verdict.passed:
        head, colour, body = f"✓ passed, {verdict.checks} checks", "#1a7f37", ""
    else:
        head, colour = f"✗ {TITLES[verdict.layer]}", "#b35900"
        body = "<br>".join(html.escape(line) for line in explain(verdict))
        way = f"<code>course hint {html.escape(verdict.exercise)}</code>"
        body = f'<div style="margin-top:.3em">{body}<br>In a terminal, {way} helps.</div>'
    title = f"{verdict.exercise} {verdict.name}"
    return (
        f'<div style="border-left:4px solid {colour};padding:.4em .8em">'
        f'<b>{html.escape(title)}</b> <span style="color:{colour}">{head}</span>{body}</div>'
    )
