"""Sentences from film reviews with people's ratings, and people's ratings of single words
(Hutto and Gilbert 2014)."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from course.data.store import data_file
from course.data.tokens import Vocabulary

CLEAR = 0.5  # a mean rating nearer to zero is neither positive nor negative
TRAINING = 9000


class MovieSnippets(NamedTuple):
    """Sentences and their ratings (N,), float64, from -4 (most negative) to 4: means over some
    twenty people."""

    texts: list[str]
    ratings: np.ndarray


class Sentiment(NamedTuple):
    """Sentences, and their classes: int64, 0 negative and 1 positive."""

    texts_train: list[str]
    y_train: np.ndarray
    texts_test: list[str]
    y_test: np.ndarray


def movie_snippets() -> MovieSnippets:
    """All 10,605 rated sentences, in the order of the file."""
    rows = list(_rows("movie_snippets.tsv"))
    return MovieSnippets(
        [row["text"] for row in rows], np.array([float(row["mean_rating"]) for row in rows])
    )


def sentiment() -> Sentiment:
    """The 10,043 sentences with a clear rating: 9,000 to train on and 1,043 held out.

    The split is always the same.
    """
    texts, ratings = movie_snippets()
    clear = np.flatnonzero(np.abs(ratings) > CLEAR)
    order = np.random.default_rng(0).permutation(clear)
    train, test = order[:TRAINING], order[TRAINING:]
    positive = (ratings > 0).astype(np.int64)
    return Sentiment(
        [texts[i] for i in train], positive[train], [texts[i] for i in test], positive[test]
    )


def word_valences() -> dict[str, float]:
    """How positive single words sound to people, from -4 to 4: 7,217 words of the VADER lexicon, of
    which ten stand there twice and get the mean."""
    found: dict[str, list[float]] = {}
    for row in _rows("vader_lexicon_words.tsv"):
        found.setdefault(row["word"], []).append(float(row["mean_valence"]))
    return {word: sum(values) / len(values) for word, values in found.items()}


def movie_words() -> Vocabulary:
    """The words of the text classifiers: [PAD], [UNK], then all that occur at least twice in the
    training sentences, the most frequent first."""
    return Vocabulary(data_file("movie_words.txt").read_text(encoding="utf-8").splitlines())


def _rows(name: str) -> Iterator[dict[str, str]]:
    with data_file(name).open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
