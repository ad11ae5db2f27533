"""Two small sentiment classifiers of sentences, trained by our own engine on film reviews.

`python -m course.experiments.train_text` made the shipped weights. Both read integers (N, T) from
`course.data.movie_words`, [PAD] behind the shorter sentences, and return logits (N, 2): negative,
positive. Integers have no gradient; to explain a word, differentiate with respect to its vector:

    mask = ids != 0
    vectors = model.embedding(ids).data
    gradient(lambda e: model.from_embeddings(e, mask), vectors, target)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from course.autograd import Tensor
from course.data import data_file
from course.nn import Conv1d, Embedding, Linear, Module, ReLU, TransformerBlock

WORDS = 9107  # in course.data.movie_words
LONGEST = 80  # words that the attention classifier has positions for
PADDING = 0  # the number of [PAD]


def token_ids(ids: Any) -> np.ndarray:
    """ids as integers (N, T), or an error that says what came."""
    ids = ids.data if isinstance(ids, Tensor) else np.asarray(ids)
    if ids.dtype.kind not in "iu" or ids.ndim != 2:
        raise TypeError(f"ids must be integers (N, T), got {ids.dtype} of shape {ids.shape}")
    return ids


def padding_mask(mask: Any, embeddings: Tensor) -> np.ndarray:
    """mask as booleans that broadcast to (N, T); without one, every position holds a token."""
    if embeddings.ndim != 3:
        raise ValueError(f"embeddings must be (N, T, D), got shape {embeddings.shape}")
    shape = embeddings.shape[:2]
    if mask is None:
        return np.ones(shape, bool)
    mask = np.asarray(mask)
    if mask.dtype != bool or mask.shape not in (shape, (1, shape[1])):
        raise ValueError(f"mask must be booleans {shape}, got {mask.dtype} of shape {mask.shape}")
    return mask


def mean_over_tokens(x: Tensor, mask: np.ndarray) -> Tensor:
    """The mean of token vectors (N, T, D) where the mask (N, T) is True: (N, D)."""
    share = mask / np.maximum(mask.sum(axis=1, keepdims=True), 1)
    return (x * share[..., None].astype(x.dtype)).sum(1)


class TextClassifier(Module):
    """What both share: a table of word vectors, and a mask that hides the padding."""

    embedding: Embedding

    def forward(self, ids: Any) -> Tensor:
        """Integers (N, T), [PAD] behind the shorter sentences, to logits (N, 2)."""
        ids = token_ids(ids)
        return self.from_embeddings(self.embedding(ids), ids != PADDING)

    def from_embeddings(self, embeddings: Tensor, mask: Any = None) -> Tensor:
        """Word vectors (N, T, D) to logits. mask: booleans (N, T), or (1, T) for all alike, True
        where a word stands and False where padding does."""
        raise NotImplementedError(f"{type(self).__name__} defines no from_embeddings")


class TextCNN(TextClassifier):
    """Patterns of three words, the best match of each, one linear layer (after Kim 2014)."""

    def __init__(self, rng: np.random.Generator | None = None) -> None:
        self.embedding = Embedding(WORDS, 32, rng)
        self.conv = Conv1d(32, 64, 3, padding=1, rng=rng)
        self.relu = ReLU()
        self.fc = Linear(64, 2, rng=rng)

    def from_embeddings(self, embeddings: Tensor, mask: Any = None) -> Tensor:
        words = padding_mask(mask, embeddings)[..., None].astype(embeddings.dtype)
        # Padding is zero before the convolution, as beyond the ends of the sentence, and zero after
        # the ReLU, where it can win no maximum.
        found = self.relu(self.conv((embeddings * words).transpose(1, 2)))
        return self.fc((found * words.swapaxes(1, 2)).amax(2))


class TextAttention(TextClassifier):
    """One transformer block with two heads, the mean over words, one linear layer.

    The attention is the output of "block.self_attn.weights": (N, 2, T, T).
    """

    def __init__(self, rng: np.random.Generator | None = None) -> None:
        self.embedding = Embedding(WORDS, 32, rng)
        self.position = Embedding(LONGEST, 32, rng)
        self.block = TransformerBlock(32, 2, 64, rng=rng)
        self.fc = Linear(32, 2, rng=rng)

    def from_embeddings(self, embeddings: Tensor, mask: Any = None) -> Tensor:
        mask = padding_mask(mask, embeddings)
        length = embeddings.shape[1]
        if length > LONGEST:
            raise ValueError(f"a sentence may have {LONGEST} words, got {length}")
        x = embeddings + self.position.weight[:length]
        x = self.block(x, mask[:, None, None])
        return self.fc(mean_over_tokens(x, mask))


def text_cnn() -> TextCNN:
    """The CNN with its shipped weights."""
    return TextCNN().load(data_file("weights/text_cnn.npz"))


def text_attention() -> TextAttention:
    """The attention classifier with its shipped weights."""
    return TextAttention().load(data_file("weights/text_attention.npz"))
