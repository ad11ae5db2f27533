"""Drawings of the report, as SVG that takes its colours from the page's style sheet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import NamedTuple

import numpy as np

WIDTH, LEFT, RIGHT, TOP = 360, 34, 10, 12  # units of the drawing; a phone shows one as one pixel
HEIGHT, BOTTOM, ASLANT = 190, 24, 62  # of the lines; of names below them, level or aslant
HIGH = 1.05  # of correlations
LOWS = -0.25, -1.05  # the second where a line goes below the first
ROW, NAMES = 21, 148  # of `shares`: the height of a row, and the width of the names


class Series(NamedTuple):
    """One method's line. style: its class in the style sheet. values: (steps, runs)."""

    name: str
    style: str
    values: np.ndarray


def curves(title: str, steps: Sequence[str], lines: Sequence[Series], null: float) -> str:
    """Similarity to the true map against the layers destroyed, one line a method; the first is the
    reader's, and gets a band from its lowest to its highest run. null: a dashed line."""
    x = np.linspace(LEFT + 8, WIDTH - RIGHT - 8, len(steps))
    low = LOWS[int(min(line.values.min() for line in lines) < LOWS[0])]

    def height(value: float) -> float:
        return TOP + (HIGH - value) / (HIGH - low) * (HEIGHT - TOP)

    def path(values: np.ndarray) -> list[str]:
        return [f"{a:.1f},{height(b):.1f}" for a, b in zip(x, values, strict=True)]

    parts = [_axis(x, steps, height, low)]
    if not np.isnan(null):
        parts.append(
            f'<line class="null" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{height(null):.1f}" '
            f'y2="{height(null):.1f}"/>'
        )
    own = lines[0].values
    edge = " ".join(path(own.max(axis=1)) + path(own.min(axis=1))[::-1])
    parts.append(f'<polygon class="band" points="{edge}"/>')
    for line in reversed(lines):  # the reader's on top
        points = " ".join(path(line.values.mean(axis=1)))
        parts.append(f'<polyline class="line {line.style}" points="{points}"/>')
    parts += [
        f'<circle class="dot own" cx="{a:.1f}" cy="{height(b):.1f}" r="3"/>'
        for a, b in zip(x, own.mean(axis=1), strict=True)
    ]
    numbers = ", ".join(f"{step} {v:.2f}" for step, v in zip(steps, own.mean(axis=1), strict=True))
    noise = "" if np.isnan(null) else f" Noise reaches {null:.2f}."
    alt = f"{title}. {lines[0].name}: {numbers}.{noise}"
    return _svg(HEIGHT + (ASLANT if _crowded(steps) else BOTTOM), alt, parts)


def shares(title: str, rows: Mapping[str, np.ndarray | None], styles: Sequence[str]) -> str:
    """What each method keeps, as a dot with the range of its runs; a line marks the half.

    rows: by name the runs, or None where nothing can be said.
    """
    height = TOP + ROW * len(rows) + 22
    left, right = NAMES, WIDTH - RIGHT - 8
    bottom = TOP + ROW * len(rows)
    parts = [
        f'<line class="{"half" if share == 0.5 else "rule"}" x1="{_share(share, left, right):.1f}" '
        f'x2="{_share(share, left, right):.1f}" y1="{TOP - 6}" y2="{bottom}"/>'
        f'<text class="tick" text-anchor="middle" x="{_share(share, left, right):.1f}" '
        f'y="{bottom + 15}">{100 * share:.0f}%</text>'
        for share in (0, 0.5, 1)
    ]
    said = []
    for i, ((name, runs), style) in enumerate(zip(rows.items(), styles, strict=True)):
        y = TOP + ROW * i + ROW / 2
        kind = "name own" if i == 0 else "name"
        parts.append(f'<text class="{kind}" x="0" y="{y + 4:.1f}">{escape(_short(name))}</text>')
        if runs is None:
            parts.append(f'<text class="tick" x="{left}" y="{y + 4:.1f}">cannot tell</text>')
            said.append(f"{name}: cannot tell")
            continue
        low, mean, high = (
            _share(float(v), left, right) for v in (runs.min(), runs.mean(), runs.max())
        )
        parts.append(
            f'<line class="line {style}" x1="{low:.1f}" x2="{high:.1f}" y1="{y}" y2="{y}"/>'
            f'<circle class="dot {style}" cx="{mean:.1f}" cy="{y}" r="{5 if i == 0 else 4}"/>'
        )
        said.append(f"{name}: {100 * max(0, runs.mean()):.0f} percent")
    return _svg(height, f"{title}: kept. {'; '.join(said)}.", parts)


def _svg(height: float, alt: str, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:g}" role="img" aria-label="{escape(alt)}">'
        f"{''.join(parts)}</svg>"
    )


def _axis(x: np.ndarray, steps: Sequence[str], height: Callable[[float], float], low: float) -> str:
    """Horizontal rules with their values, and the steps' names beneath, aslant."""
    parts = []
    for value in np.arange(1, low, -0.25 if low == LOWS[0] else -0.5):
        y = height(value)
        label = (
            f'<text class="tick" text-anchor="end" x="{LEFT - 4}" y="{y + 4:.1f}">{value:g}</text>'
        )
        parts.append(
            f'<line class="rule" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
        parts.append(label)
    for at, step in zip(x, steps, strict=True):
        if _crowded(steps):
            place = (
                f'text-anchor="end" transform="translate({at + 4:.1f} {HEIGHT + 8}) rotate(-40)"'
            )
        else:
            place = f'text-anchor="middle" x="{at:.1f}" y="{HEIGHT + 14}"'
        parts.append(f'<text class="tick" {place}>{escape(step)}</text>')
    return "".join(parts)


def _crowded(steps: Sequence[str]) -> bool:
    return len(steps) * max(map(len, steps)) > 45


def _share(share: float, left: float, right: float) -> float:
    return left + min(max(share, 0), 1) * (right - left)


def _short(name: str) -> str:
    return name if len(name) <= 21 else name[:20] + "…"
