"""Attention to look into, from plain arrays and without a network, after BertViz (Vig 2019).

The drawing is made here, as SVG, and can be printed. `attention.js` only changes what is strong in
it: which head is shown, and whose lines when a token is pointed at, touched or focused.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np

from course.methods import attention_checks
from course.methods.attention import attention_weights

HERE = Path(__file__).parent
ROW, WIDTH, LEFT, RIGHT = 22, 360, 128, 232  # of the drawing, in its own units
THUMB = 40  # a small drawing's width and height
FAINT = 0.12  # a thumbnail leaves out what is weaker
STRIP = 96  # the width of a vector in the neuron view

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<body style="max-width: 46rem; margin: 1rem auto; padding: 0 0.6rem">
{body}
</body>
</html>
"""


@dataclass(frozen=True)
class View:
    """A drawing that a notebook shows and a file keeps. It asks the network for nothing."""

    title: str
    html: str

    def _repr_html_(self) -> str:
        return self.html

    def save(self, path: str | Path) -> Path:
        """Write a page of its own, which any browser opens from disk."""
        path = Path(path)
        path.write_text(PAGE.format(title=escape(self.title), body=self.html), encoding="utf-8")
        return path


def attention_view(
    attention: np.ndarray,
    tokens: Sequence[str],
    layer: int = 0,
    head: int | None = None,
    token: int | None = None,
) -> View:
    """All heads as small drawings, and the one that is picked as a large one: who looks at whom.

    attention: an array (layers, heads, T, T), rows that sum to 1; of one layer, (1, heads, T, T).
    tokens: the T words or word pieces.
    layer, head: what is shown first, counted from 0; no head means the mean of the layer's heads.
    token: the one whose looks are shown first; without one, those of all.
    """
    attention_checks.attention(attention)
    layers, heads, t, _ = attention.shape
    tokens = _checked_tokens(tokens, t)
    if not 0 <= layer < layers or not (head is None or 0 <= head < heads):
        raise ValueError(
            f"layer and head must be below {layers} and {heads}, got {layer} and {head}"
        )
    if not (token is None or 0 <= token < t):
        raise ValueError(f"token must be from 0 to {t - 1}, got {token}")
    # The mean of the heads goes behind them, as one more.
    shown = np.concatenate([attention, attention.mean(axis=1, keepdims=True)], axis=1)
    picked = (layer, heads if head is None else head)
    body = f"""{_picker(shown, picked)}
{_bipartite(shown[picked], tokens, token)}
<p class="av-readout" aria-live="polite"></p>
<p class="av-help">Pick a head above; point at a word, touch it, or move with the arrow keys.</p>"""
    pinned = "-1" if token is None else str(token)
    return _view(
        "head", "Attention, head by head", body, tokens, weights=_packed(shown), pinned=pinned
    )


def neuron_view(query: np.ndarray, key: np.ndarray, tokens: Sequence[str], token: int = 0) -> View:
    """Where one head's weights come from: a token's query, every key, their products entry by
    entry, the sum of these over √d, and its share after the softmax.

    query, key: arrays (T, d) of one head.
    tokens: the T words or word pieces.
    token: the one that looks at first.
    """
    weights = attention_weights(query, key)
    t, d = query.shape
    if key.shape != query.shape:
        raise ValueError(f"key must be {query.shape} as query is, got shape {key.shape}")
    tokens = _checked_tokens(tokens, t)
    if not 0 <= token < t:
        raise ValueError(f"token must be from 0 to {t - 1}, got {token}")
    scores = query @ key.T / math.sqrt(d)
    top = float(max(np.abs(query).max(), np.abs(key).max())) or 1.0
    products = query[token] * key
    reach = float(np.abs(query[:, None] * key[None]).max()) or 1.0
    rows = "\n".join(
        f'<tr><th scope="row">{escape(word)}</th><td>{_strip(key[j], top)}</td>'
        f'<td class="av-product">{_strip(products[j], reach)}</td>'
        f'<td class="av-score">{scores[token, j]:.1f}</td>'
        f'<td class="av-share">{100 * weights[token, j]:.0f}%</td></tr>'
        for j, word in enumerate(tokens)
    )
    words = "".join(
        f'<button type="button" role="radio" aria-checked="{str(i == token).lower()}" '
        f'tabindex="{0 if i == token else -1}">{escape(word)}</button>'
        for i, word in enumerate(tokens)
    )
    body = f"""<div class="av-words" role="radiogroup" aria-label="Who looks">{words}</div>
<div class="av-scroll"><table>
<thead><tr><th scope="col">key of</th><th scope="col">k</th><th scope="col">q ⊙ k</th>
<th scope="col">q·k/√d</th><th scope="col">share</th></tr>
<tr><th scope="row">q</th><td class="av-query">{_strip(query[token], top)}</td><td></td><td></td>
<td></td></tr></thead>
<tbody>{rows}</tbody></table></div>
<p class="av-help">Pick the word that looks. Each bar is one number of a vector: red above zero,
blue below, fainter where it is small.</p>"""
    data = {"query": _floats(query), "key": _floats(key), "scores": _floats(scores)}
    return _view(
        "neuron", "Attention, number by number", body, tokens, weights=_packed(weights), **data,
        width=str(d), top=f"{top:.6g}", reach=f"{reach:.6g}",
    )  # fmt: skip


def _view(kind: str, title: str, body: str, tokens: Sequence[str], **data: str) -> View:
    style = (HERE / "attention.css").read_text(encoding="utf-8")
    script = (HERE / "attention.js").read_text(encoding="utf-8")
    fields = " ".join(f'data-{name}="{value}"' for name, value in data.items())
    words = escape("\n".join(tokens))
    return View(
        title,
        f'<div class="attention-view" data-kind="{kind}" data-tokens="{words}" {fields}>\n'
        f"<style>{style}</style>\n{body}\n</div>\n<script>{script}</script>",
    )


def _checked_tokens(tokens: Sequence[str], t: int) -> list[str]:
    if isinstance(tokens, str) or len(tokens) != t:
        raise ValueError(f"tokens must be {t} strings, one a row of attention, got {tokens!r}")
    return [str(token) for token in tokens]


def _packed(weights: np.ndarray) -> str:
    """Numbers from 0 to 1 as whole numbers of 16 bits: enough for a percentage."""
    return base64.b64encode(np.round(weights * 65535).astype("<u2").tobytes()).decode()


def _floats(numbers: np.ndarray) -> str:
    return base64.b64encode(numbers.astype("<f4").tobytes()).decode()


def _picker(shown: np.ndarray, picked: tuple[int, int]) -> str:
    """A small drawing for each layer and head, which is also the button that picks it."""
    layers, heads = shown.shape[:2]
    groups = []
    for i in range(layers):
        buttons = []
        for h in range(heads):
            name = "mean" if h == heads - 1 else str(h)
            label = f"layer {i}, " + ("mean of its heads" if name == "mean" else f"head {h}")
            here = (i, h) == picked
            buttons.append(
                f'<button type="button" role="radio" aria-checked="{str(here).lower()}" '
                f'tabindex="{0 if here else -1}" aria-label="{label}" title="{label}">'
                f"{_thumbnail(shown[i, h])}<span>{name}</span></button>"
            )
        groups.append(f'<div class="av-layer"><span>layer {i}</span>{"".join(buttons)}</div>')
    return f'<div class="av-heads" role="radiogroup" aria-label="Head">{"".join(groups)}</div>'


def _thumbnail(weights: np.ndarray) -> str:
    """Lines in four strengths, weaker ones left out."""
    step = THUMB / len(weights)
    paths = []
    for low in (FAINT, 0.25, 0.5, 0.75):
        high = {FAINT: 0.25, 0.75: 1.01}.get(low, low + 0.25)
        lines = "".join(
            f"M2 {step * (i + 0.5):.0f}L{THUMB - 2} {step * (j + 0.5):.0f}"
            for i, j in np.argwhere((weights >= low) & (weights < high))
        )
        if lines:
            paths.append(f'<path d="{lines}" stroke-opacity="{(low + min(high, 1)) / 2:.2f}"/>')
    return f'<svg viewBox="0 0 {THUMB} {THUMB}" aria-hidden="true">{"".join(paths)}</svg>'


def _bipartite(weights: np.ndarray, tokens: list[str], token: int | None) -> str:
    """The words twice, side by side, and a line for each weight, or for those of one token."""
    t = len(tokens)
    lines = "".join(
        f'<line x1="{LEFT}" y1="{_middle(i)}" x2="{RIGHT}" y2="{_middle(j)}" '
        f'stroke-opacity="{weights[i, j] if token in (None, i) else 0:.3f}"/>'
        for i in range(t)
        for j in range(t)
    )
    words = _words(tokens, "looks", 0, LEFT - 8, "end")
    words += _words(tokens, "seen", RIGHT, RIGHT + 8, "start")
    height = ROW * (t + 1)
    return (
        f'<svg class="av-drawing" viewBox="0 0 {WIDTH} {height}" role="group" '
        'aria-label="Which word looks at which">'
        f'<text x="{LEFT - 8}" y="15" text-anchor="end" class="av-title">looks</text>'
        f'<text x="{RIGHT + 8}" y="15" class="av-title">is looked at</text>'
        f'<g class="av-lines">{lines}</g>{words}</svg>'
    )


def _middle(row: int) -> float:
    return ROW * (row + 1.5)


def _words(tokens: list[str], side: str, x: int, text_x: int, anchor: str) -> str:
    return "".join(
        f'<g class="av-token" data-side="{side}" data-at="{i}" role="button" '
        f'tabindex="{0 if side == "looks" and i == 0 else -1}" aria-label="{escape(word)} {side}">'
        f'<rect x="{x}" y="{ROW * (i + 1) + 1}" width="{LEFT}" height="{ROW - 2}" rx="4" '
        'fill-opacity="0"/>'
        f'<text x="{text_x}" y="{_middle(i) + 5}" text-anchor="{anchor}">{escape(_short(word))}'
        "</text></g>"
        for i, word in enumerate(tokens)
    )


def _short(word: str, most: int = 14) -> str:
    return word if len(word) <= most else word[: most - 1] + "…"


def _strip(numbers: np.ndarray, top: float) -> str:
    """A vector as a row of bars, coloured by sign, as strong as the number is large."""
    step = STRIP / len(numbers)
    bars = "".join(
        f'<rect x="{step * i:.2f}" width="{step:.2f}" height="14" '
        f'class="{"av-up" if v > 0 else "av-down"}" fill-opacity="{min(1, abs(v) / top):.2f}"/>'
        for i, v in enumerate(numbers.tolist())
    )
    return f'<svg class="av-strip" viewBox="0 0 {STRIP} 14" aria-hidden="true">{bars}</svg>'
