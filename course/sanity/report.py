"""The page that `course sanity` writes: verdicts first, then what they rest on."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

import numpy as np

from course.data import FASHION_LABELS, imagenet_labels
from course.page import page
from course.sanity import words
from course.sanity.charts import Series, curves, shares
from course.sanity.pictures import input_picture, map_picture
from course.sanity.run import Result, Run
from course.sanity.style import STYLE
from course.sanity.trials import MEASURES, Measured
from course.sanity.verdicts import (
    FAILS,
    PASSES,
    TESTS,
    TITLES,
    Verdict,
    judged_steps,
    kept,
)

MARKS = {PASSES: "✓", FAILS: "✗"}
HEADS = ("signed", "absolute", "absolute where x ≠ 0", "SSIM", "HOG")
PANELS = (  # of curves: the measure, its heading, and the null that it is drawn with
    (0, "Rank correlation, with signs", None),
    (2, "Magnitudes, where the input is not 0", "input"),
    (1, "Magnitudes, all pixels", "input"),
)


def report(run: Run) -> str:
    """The text of the page."""
    parts = [f"<header><h1>Sanity checks of <code>{escape(run.name)}</code></h1>"]
    parts.append(f'<p class="dim">{escape(words.subtitle(run))}</p></header><main>')
    parts.append(words.CAVEAT)
    for result in run.results:
        parts += _network(run.name, result)
    parts += [words.HOW_TO_READ, words.what_was_run(run), "</main>"]
    return page(f"Sanity checks of {run.name}", STYLE, parts)


def _network(name: str, result: Result) -> Iterator[str]:
    asked, own = result.subject, result.own
    yield f"<h2>On <code>{asked.name}</code></h2><p>{words.conclusion(name, result)}</p>"
    yield '<div class="cards">'
    yield from (_card(v) for v in result.verdicts if v.test in TESTS)
    yield '</div><ul class="controls">'
    yield from (_control(v) for v in result.verdicts if v.test not in TESTS)
    yield "</ul>"
    yield f"<h3>What the maps keep</h3><p>{words.KEEP}</p>"
    yield '<div class="panels wide">'
    yield from _shares(name, result)
    yield f"</div><h3>Layer by layer, from the top</h3><p>{words.curves(own)}</p>"
    yield _legend(name, result) + '<div class="panels">'
    yield from _curves(name, result)
    yield f"</div><h3>The maps themselves</h3><p>{words.MAPS}</p>"
    yield _maps(name, result)
    yield f"<h3>The numbers</h3><p>{words.NUMBERS}</p>" + _numbers(result) + _others(name, result)


def _card(verdict: Verdict) -> str:
    kind = verdict.outcome.split()[0]
    return (
        f'<article class="{kind}"><h3>{TITLES[verdict.test]}</h3>{_mark(verdict)}'
        f'<p class="dim">{words.TESTED[verdict.test]}</p><p>{escape(verdict.says)}</p></article>'
    )


def _control(verdict: Verdict) -> str:
    kind = verdict.outcome.split()[0]
    title = TITLES[verdict.test].removeprefix("Control: ").capitalize()
    return f'<li class="{kind}"><b>{title}</b> {_mark(verdict)} {escape(verdict.says)}</li>'


def _mark(verdict: Verdict) -> str:
    sign = MARKS.get(verdict.outcome, "?")
    return f'<span class="mark"><span aria-hidden="true">{sign}</span> {verdict.outcome}</span>'


def _legend(name: str, result: Result) -> str:
    items = "".join(
        f'<li><svg viewBox="0 0 28 8" aria-hidden="true"><line class="line {style}" x1="1" x2="27" '
        f'y1="4" y2="4"/></svg>{escape(title)}</li>'
        for title, style, _ in _methods(name, result)
    )
    null = '<li><svg viewBox="0 0 28 8" aria-hidden="true"><line class="null" x1="1" x2="27" '
    return f'<ul class="legend">{items}{null}y1="4" y2="4"/></svg>noise × input</li></ul>'


def _methods(name: str, result: Result) -> list[tuple[str, str, Measured]]:
    """The reader's method first, then the library's: (name, style, what was measured)."""
    others = [(title, f"m{i}", m) for i, (title, m) in enumerate(result.others.items())]
    return [(name, "own", result.own), *((t, s, m) for t, s, m in others if t != name)]


def _shares(name: str, result: Result) -> Iterator[str]:
    methods = _methods(name, result)
    gradient = next(iter(result.others.values()))
    for test in (t for t in TESTS if t in result.own.scores):
        judged = judged_steps(gradient, test)
        if len(judged):
            rows = {title: _most(m, test, judged) for title, _, m in methods}
            drawing = shares(TITLES[test], rows, [style for _, style, _ in methods])
            yield f"<figure><figcaption>{TITLES[test]}</figcaption>{drawing}</figure>"


def _most(measured: Measured, test: str, judged: np.ndarray) -> np.ndarray | None:
    """The runs of the step at which most is kept."""
    runs = kept(measured, test)[judged]
    return None if np.isnan(runs).any() else runs[runs.mean(axis=1).argmax()]


def _curves(name: str, result: Result) -> Iterator[str]:
    own, steps = result.own, ["nothing", *result.subject.steps]
    for measure, heading, null in PANELS:
        lines = [
            Series(title, style, _from_true(m, measure))
            for title, style, m in _methods(name, result)
        ]
        level = own.scores[null][0, :, measure].mean() if null else np.nan
        drawing = curves(heading, steps, lines, float(level))
        yield f"<figure><figcaption>{heading}</figcaption>{drawing}</figure>"


def _from_true(measured: Measured, measure: int) -> np.ndarray:
    """(1 + steps, runs): before anything is destroyed, a second call."""
    steps = measured.scores["cascade"][:, :, measure]
    again = np.broadcast_to(measured.scores["repeat"][:, :, measure], (1, steps.shape[1]))
    return np.concatenate([again, steps])


def _maps(name: str, result: Result) -> str:
    asked = result.subject
    columns = ["input", "true map", *asked.steps]
    groups = [
        (f"image {i + 1}: {_class(asked.name, int(asked.target[i]))}", name, i, result.own)
        for i in range(result.own.maps.shape[1])
    ]
    groups += [(f"{title}, image 1", title, 0, m) for title, _, m in _methods(name, result)[1:]]
    lines = []
    for row, method, i, measured in groups:
        cells = [_picture(input_picture(asked.x[i], asked.name), f"Image {i + 1}")]
        for column, drawn in zip(columns[1:], measured.maps[:, i], strict=True):
            state = column if column == "true map" else f"{column} and above drawn anew"
            cells.append(_picture(map_picture(drawn), f"{method}, image {i + 1}: {state}"))
        head = f'<tr><th scope="rowgroup" colspan="{len(columns)}">{escape(row)}</th></tr>'
        lines.append(f"<tbody>{head}<tr>{''.join(cells)}</tr></tbody>")
    head = "".join(f'<th scope="col">{escape(c)}</th>' for c in columns)
    table = f"<thead><tr>{head}</tr></thead>{''.join(lines)}"
    least, most = 3.2 if len(columns) > 7 else 0, 7
    width = f"min-width: {least * len(columns):.0f}rem; max-width: {most * len(columns)}rem"
    return _scroll("Maps", f'<table class="maps" style="{width}">{table}</table>')


def _picture(address: str, alt: str) -> str:
    return f'<td><img src="{address}" alt="{escape(alt)}"></td>'


def _class(network: str, target: int) -> str:
    if network == "fashion_cnn":
        return FASHION_LABELS[target]
    return imagenet_labels()[target] if network == "efficientnet_lite0" else f"class {target}"


def _scroll(label: str, table: str) -> str:
    """A wide table that scrolls by itself, with the keyboard too."""
    return f'<div class="scroll" tabindex="0" role="region" aria-label="{label}">{table}</div>'


def _numbers(result: Result) -> str:
    """Every test of the reader's method, and the nulls beside it."""
    rows = []
    for test, title in words.ROWS.items():
        if test not in result.own.scores:
            continue
        steps = result.own.scores[test]
        names = result.subject.steps if test in ("cascade", "independent") else [""]
        if len(names) > 1:
            rows.append(f'<tr><th colspan="{1 + len(MEASURES)}">{title}</th></tr>')
        for step, runs in zip(names, steps, strict=True):
            cells = "".join(f"<td>{_number(runs[:, i])}</td>" for i in range(len(MEASURES)))
            kind = ' class="nulls"' if test in ("mask", "input") else ""
            rows.append(f'<tr{kind}><th scope="row">{escape(step or title)}</th>{cells}</tr>')
    head = "".join(f'<th scope="col">{h}</th>' for h in ("", *HEADS))
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    return _scroll("Numbers", table)


def _others(name: str, result: Result) -> str:
    """All methods after the first and after the last step of the cascade."""
    first, last = result.subject.steps[0], result.subject.steps[-1]
    rows = []
    for title, _, measured in _methods(name, result):
        cells = "".join(
            f"<td>{_number(measured.scores['cascade'][step, :, i])}</td>"
            for i in (0, 1, 2)
            for step in (0, -1)
        )
        rows.append(f'<tr><th scope="row">{escape(title)}</th>{cells}</tr>')
    heads = "".join(
        f'<th scope="col">{head}, {layer}</th>' for head in HEADS[:3] for layer in (first, last)
    )
    caption = f"<caption>All methods, with {first} drawn anew and with all down to {last}</caption>"
    table = f'{caption}<thead><tr><th scope="col"></th>{heads}</tr></thead>'
    return _scroll("All methods", f"<table>{table}<tbody>{''.join(rows)}</tbody></table>")


def _number(runs: np.ndarray) -> str:
    """The mean of the runs, and their range where there is one."""
    if np.isnan(runs).any():
        return "–"
    mean, low, high = (
        f"{np.round(v, 2) + 0.0:.2f}".replace("-", "−")  # + 0 makes -0 plain 0
        for v in (runs.mean(), runs.min(), runs.max())
    )
    return mean if low == high else f"{mean} <small>{low} to {high}</small>"
