"""Train the two sentiment classifiers and write the weights that the course ships.

    python -m course.experiments.train_text

Only the 9,000 training sentences are trained on, and only they decide which words have a number.
The word vectors start from MiniLM's word-piece table, reduced from 384 to 32 dimensions by PCA: a
word starts at the mean of its pieces. So the two classifiers know from the first step which words
are alike, which 9,000 sentences are too few to learn.
"""

from __future__ import annotations

import time
from collections import Counter

import numpy as np

from course.data import Sentiment, Vocabulary, movie_words, sentiment, split_words
from course.data.store import FILES
from course.experiments.train_mnist import options, ship
from course.models.minilm import minilm, minilm_pieces
from course.models.text import TextAttention, TextClassifier, TextCNN
from course.nn import Adam, fit

NETWORKS = {"text_cnn": TextCNN, "text_attention": TextAttention}
EPOCHS = {"text_cnn": 5, "text_attention": 5}
UNKNOWN = 1  # the number of [UNK]


def frequent_words(texts: list[str]) -> list[str]:
    """[PAD], [UNK] and the words that occur at least twice, the most frequent first."""
    counts = Counter(word for text in texts for word in split_words(text))
    return ["[PAD]", "[UNK]", *(word for word, n in counts.most_common() if n > 1)]


def starting_vectors(words: Vocabulary, width: int) -> np.ndarray:
    """MiniLM's vectors of the words (V, width), the directions of largest variance, variance 1."""
    pieces, table = minilm_pieces(), minilm().embedding.weight.data
    vectors = np.array(
        [
            table[[pieces.ids[piece] for piece in pieces.pieces(word)]].mean(axis=0)
            for word in words.tokens
        ]
    )
    centred = vectors - vectors.mean(axis=0)
    _, directions = np.linalg.eigh(centred.T @ centred)
    reduced = centred @ directions[:, -width:]
    return (reduced / reduced.std()).astype(np.float32)


def forget_words(ids: np.ndarray, rng: np.random.Generator, share: float = 0.1) -> np.ndarray:
    """Replace a share of the words by [UNK], so that none is relied on too much, and [UNK] gets a
    meaning."""
    forgotten = (rng.random(ids.shape) < share) & (ids != 0)
    return np.where(forgotten, UNKNOWN, ids)


def train(name: str, data: Sentiment, epochs: int, seed: int = 0) -> TextClassifier:
    """A classifier trained from MiniLM's word vectors and otherwise random weights."""
    rng = np.random.default_rng(seed)
    model, words = NETWORKS[name](rng), movie_words()
    model.embedding.weight.data = starting_vectors(words, model.embedding.weight.shape[1])
    x = words.encode_batch(data.texts_train)
    fit(model, x, data.y_train, Adam(model.parameters()), epochs, 32, rng, forget_words)
    return model


def main() -> None:
    given, data = options("Train the two sentiment classifiers of the course."), sentiment()
    words = "\n".join(frequent_words(data.texts_train)) + "\n"
    (FILES / "movie_words.txt").write_text(words, encoding="utf-8")
    x = movie_words().encode_batch(data.texts_test)
    for name, epochs in EPOCHS.items():
        begin = time.perf_counter()
        model = train(name, data, epochs, given.seed)
        seconds = time.perf_counter() - begin
        report = ship(model, given.out / f"{name}.npz", x, data.y_test)
        print(f"{report}, {seconds:.0f} s")


if __name__ == "__main__":
    main()
