"""The class at a glance, as one HTML file that needs nothing else: no scripts, no network.

It names no student unless asked to, and quotes no submission.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from html import escape
from statistics import median

from course.grading.batch.jobs import MISSING, UNJUDGED, UNREAD, Row
from course.grading.batch.results import by_student
from course.grading.report import TITLES
from course.grading.spec import Exercise
from course.page import page
from course.specs import find

STOPS = {
    MISSING: "not handed in",
    UNREAD: "could not be read",
    UNJUDGED: "could not be judged",
    **TITLES,
    "manners": "right values, but changes its arguments",
}

STYLE = """
dt { color: var(--dim); }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .8rem; }
dl div { background: var(--soft); border-radius: .5rem; padding: .7rem .9rem; }
dd { margin: 0; font-size: 1.5rem; font-variant-numeric: tabular-nums; }
article { border-top: 1px solid var(--line); padding: .9rem 0; }
.row { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 1rem; }
.bar { display: block; height: .6rem; margin: .4rem 0; border-radius: .3rem;
  background: var(--soft); border: 1px solid var(--line); overflow: hidden; }
.bar i { display: block; height: 100%; background: var(--good); }
.bar.wrong i { background: var(--bad); }
ul { margin: .3rem 0 0; padding-left: 1.2rem; color: var(--dim); }
.ok { color: var(--good); } .no { color: var(--bad); }
"""


def class_report(rows: Sequence[Row], names: bool = False) -> str:
    """The page's text. names: with a table of students."""
    exercises = [find(number)[1][0] for number in sorted({row.number for row in rows})]
    parts = [_summary(rows)]
    if rows:
        parts += ["<h2>Each exercise, and where answers stop</h2>"]
        parts += [_exercise(e, [r for r in rows if r.number == e.number]) for e in exercises]
        parts += ["<h2>Mistakes by name</h2>", *(_mistakes(exercises, rows))]
    if names:
        parts += ["<h2>Students</h2>", _students(exercises, rows)]
    return page("Class report", STYLE, parts)


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f}%" if whole else "–"


def _summary(rows: Sequence[Row]) -> str:
    students = list(by_student(rows))
    shares = [sum(r.points for r in own) / sum(r.max for r in own) for _, own in students]
    times = _times(rows)
    tiles = {
        "submissions": str(len(students)),
        "median score": f"{100 * median(shares):.0f}%" if shares else "–",
        "answers that pass": _percent(sum(r.passed for r in rows), len(rows)),
        "median time to judge": f"{median(times):.2f} s" if times else "–",
    }
    cells = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in tiles.items())
    return (
        "<h1>Class report</h1>\n"
        f'<p class="dim">Saliency from Scratch. Answers to {len({r.number for r in rows})} '
        f"exercises, each judged on cases of the student's own.</p>\n<dl>{cells}</dl>"
    )


def _times(rows: Sequence[Row]) -> list[float]:
    return [r.seconds for r in rows if r.layer not in (MISSING, UNREAD, UNJUDGED)]


def _bar(part: int, whole: int, kind: str = "") -> str:
    width = 100 * part / whole
    return f'<span class="bar {kind}" aria-hidden="true"><i style="width:{width:.1f}%"></i></span>'


def _exercise(exercise: Exercise, rows: Sequence[Row]) -> str:
    passed = sum(row.passed for row in rows)
    stops = Counter(row.layer for row in rows if not row.passed)
    items = "".join(
        f"<li>{_percent(stops[layer], len(rows))} ({stops[layer]}) {STOPS[layer]}</li>"
        for layer in STOPS
        if stops[layer]
    )
    times = _times(rows)
    time = f", median {median(times):.2f} s to judge" if times else ""
    return (
        f'<article><div class="row"><b>{exercise.number} <code>{exercise.name}</code></b>'
        f"<span>{_percent(passed, len(rows))} pass ({passed} of {len(rows)}){time}</span></div>"
        f"{_bar(passed, len(rows))}<ul>{items}</ul></article>"
    )


def _mistakes(exercises: Sequence[Exercise], rows: Sequence[Row]) -> Iterator[str]:
    """The most frequent first, each with its sentence."""
    met = Counter((row.number, row.mistake) for row in rows if row.mistake)
    sizes = Counter(row.number for row in rows)
    says = {(e.number, m.name): m.diagnosis for e in exercises for m in e.mistakes}
    if not met:
        yield '<p class="dim">No wrong answer is one of the mistakes that the course knows.</p>'
    for (number, name), count in met.most_common():
        sentence = says.get((number, name), "")
        sentence = f"{sentence[:1].upper()}{sentence[1:]}."
        yield (
            f'<article><div class="row"><b>{number} <code>{escape(name)}</code></b>'
            f"<span>{_percent(count, sizes[number])} of the class ({count})</span></div>"
            f'{_bar(count, sizes[number], "wrong")}<div class="dim">{escape(sentence)}</div>'
            "</article>"
        )


def _students(exercises: Sequence[Exercise], rows: Sequence[Row]) -> str:
    head = "".join(f"<th>{e.number}</th>" for e in exercises)
    lines = []
    for student, own in by_student(rows):
        points = sum(row.points for row in own)
        marks = "".join(
            f'<td class="{"ok" if r.passed else "no"}" title="{escape(r.message)}">'
            f"{'✓' if r.passed else '✗'}</td>"
            for r in own
        )
        lines.append(f"<tr><td>{escape(student)}</td><td>{points}</td>{marks}</tr>")
    return (
        '<div class="scroll"><table><thead><tr><th>student</th><th>points</th>'
        f"{head}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    )
