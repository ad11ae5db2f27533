"""Does an attention head of MiniLM find whom a pronoun means, and does MiniLM need it to?

Lecture 04 runs this on its page, in a few seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import NamedTuple

import numpy as np

from course.autograd import no_grad
from course.data import WordPiece
from course.experiments.attention import Change, changed_attention
from course.models import MiniLM, sentence_embedding
from course.nn import capture

PEOPLE = (
    ("girl", "boy"), ("woman", "man"), ("mother", "father"), ("sister", "brother"),
    ("wife", "husband"), ("daughter", "son"), ("queen", "king"), ("actress", "actor"),
    ("aunt", "uncle"),
)  # fmt: skip
OCCUPATIONS = (
    ("nurse", "doctor"), ("secretary", "manager"), ("teacher", "engineer"), ("assistant", "boss"),
    ("maid", "carpenter"), ("librarian", "programmer"), ("dancer", "driver"), ("cleaner", "lawyer"),
)  # fmt: skip
TEMPLATES = {
    "The {} told the {} that {} loved the film.": "The {} loved the film.",
    "The {} asked the {} whether {} was late.": "The {} was late.",
    "The {} left the {} because {} was tired.": "The {} was tired.",
}
LAYERS = [f"layers.{i}.self_attn.weights" for i in range(3)]


class Sentence(NamedTuple):
    """she, he: whom each pronoun would go with; pronoun: the one that stands there; short: what
    the sentence says of its pronoun, with a gap for a name."""

    text: str
    she: str
    he: str
    pronoun: str
    short: str


def sentences(pairs: Sequence[tuple[str, str]] = PEOPLE) -> list[Sentence]:
    """Each pair in each template, in both orders, with both pronouns."""
    return [
        Sentence(template.format(*order, pronoun), *pair, pronoun, short)
        for pair in pairs
        for template, short in TEMPLATES.items()
        for order in (pair, pair[::-1])
        for pronoun in ("she", "he")
    ]


def attention_of(model: MiniLM, pieces: WordPiece, text: str) -> tuple[list[str], np.ndarray]:
    """The text's word pieces, and MiniLM's attention on them, (3, 12, T, T)."""
    encoded = pieces.encode(text)
    with no_grad():
        _, captured = capture(model, np.array([encoded.ids]), LAYERS)  # type: ignore[arg-type]
    return encoded.tokens, np.concatenate([captured[name].data for name in LAYERS])


def pronoun_attention(
    model: MiniLM, pieces: WordPiece, asked: Sequence[Sentence]
) -> tuple[np.ndarray, np.ndarray]:
    """From the pronoun of each sentence to the noun that goes with it, and to the other one: two
    arrays (sentences, layers, heads)."""
    own, other = [], []
    for sentence in asked:
        tokens, weights = attention_of(model, pieces, sentence.text)
        nouns = [sentence.she, sentence.he]
        looks = weights[:, :, tokens.index(sentence.pronoun)]
        first, second = (looks[:, :, tokens.index(noun)] for noun in nouns)
        own.append(first if sentence.pronoun == "she" else second)
        other.append(second if sentence.pronoun == "she" else first)
    return np.array(own), np.array(other)


def leaning(
    model: MiniLM,
    pieces: WordPiece,
    asked: Sequence[Sentence],
    off: Mapping[int, Sequence[int]] | None = None,
) -> np.ndarray:
    """How much nearer each sentence's vector is to "The girl loved the film." than to "The boy
    loved the film.": differences of cosines (sentences,).

    off: by layer, the heads that look at all words alike instead.
    """
    texts = [s.text for s in asked]
    texts += [s.short.format(s.she) for s in asked] + [s.short.format(s.he) for s in asked]
    with ExitStack() as changes:
        for layer, heads in (off or {}).items():
            own = model.layers[layer].self_attn  # type: ignore[attr-defined]
            changes.enter_context(changed_attention(own, _even(heads)))
        vectors = sentence_embedding(texts, model, pieces).reshape(3, len(asked), -1)
    return ((vectors[1] - vectors[2]) * vectors[0]).sum(axis=1)


def _even(heads: Sequence[int]) -> Change:
    def change(weights: np.ndarray) -> np.ndarray:
        changed = weights.copy()
        # Padding, which nobody looks at, stays without attention.
        allowed = (weights > 0).astype(weights.dtype)
        changed[:, heads] = (allowed / allowed.sum(axis=-1, keepdims=True))[:, heads]
        return changed

    return change
