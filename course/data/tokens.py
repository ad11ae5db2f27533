"""From text to integers: words, BERT's word pieces, and sentences of unequal length side by side.

Everything starts with the same rule for what a word is, and `[PAD]` is always number 0.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

PAD, UNK, CLS, SEP = "[PAD]", "[UNK]", "[CLS]", "[SEP]"
LONGEST_WORD = 100  # characters; a longer one is [UNK] to BERT


class Encoded(NamedTuple):
    """A text as integers, and what each of them stands for."""

    ids: list[int]
    tokens: list[str]


def split_words(text: str) -> list[str]:
    """Lower-case words without accents; every punctuation mark and Chinese character is a word of
    its own. These are BERT's rules (Devlin et al. 2019, `BasicTokenizer`)."""
    spaced = []
    for char in unicodedata.normalize("NFD", text.lower()):
        kind = unicodedata.category(char)
        if char in "\t\n\r" or kind[0] == "Z":
            spaced.append(" ")
        elif _stands_alone(char, kind):
            spaced.append(f" {char} ")
        elif kind != "Mn" and kind[0] != "C" and char != "\N{REPLACEMENT CHARACTER}":
            spaced.append(char)  # accents and control characters vanish
    return "".join(spaced).split()


def _stands_alone(char: str, kind: str) -> bool:
    symbol = char.isascii() and kind[0] == "S"  # for BERT $, + and ~ are punctuation too
    return symbol or kind[0] == "P" or _is_chinese(ord(char))


def _is_chinese(code: int) -> bool:
    """The blocks of unified ideographs; Japanese and Korean letters are not in them."""
    blocks = ((0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2CEAF), (0xF900, 0xFAFF),
              (0x2F800, 0x2FA1F))  # fmt: skip
    return any(first <= code <= last for first, last in blocks)


class Vocabulary:
    """Numbers for words. The first two are [PAD] and [UNK], which stands for every other word."""

    def __init__(self, tokens: Iterable[str]) -> None:
        self.tokens = [str(token) for token in tokens]
        self.ids = {token: i for i, token in enumerate(self.tokens)}
        if self.tokens[:2] != [PAD, UNK]:
            raise ValueError(f"tokens must start with {PAD}, {UNK}, got {self.tokens[:2]}")
        if len(self.ids) < len(self.tokens):
            raise ValueError(f"tokens must differ, got {len(self.tokens) - len(self.ids)} twice")

    def __len__(self) -> int:
        return len(self.tokens)

    def split(self, text: str) -> list[str]:
        """The text's tokens, each of them in the vocabulary."""
        return [word if word in self.ids else UNK for word in split_words(text)]

    def encode(self, text: str) -> Encoded:
        """The text as integers, and as the tokens that they stand for."""
        if not isinstance(text, str):
            raise TypeError(f"text must be a string, got {type(text).__name__}")
        tokens = self.split(text)
        return Encoded([self.ids[token] for token in tokens], tokens)

    def encode_batch(self, texts: Sequence[str]) -> np.ndarray:
        """Several texts as one array (N, T) of integers, [PAD] behind the shorter ones."""
        if isinstance(texts, str):
            raise TypeError("texts must be a sequence of strings, got one string; try [text]")
        return pad([self.encode(text).ids for text in texts])


class WordPiece(Vocabulary):
    """BERT's tokens: a word that is not in the vocabulary is cut into pieces that are.

    `##` marks a piece that continues a word: "unwatchable" is un ##watch ##able. [CLS] stands
    before the text and [SEP] behind it.
    """

    def __init__(self, tokens: Iterable[str], max_length: int) -> None:
        super().__init__(tokens)
        self.max_length = max_length

    def split(self, text: str) -> list[str]:
        """[CLS], the pieces, [SEP]; pieces beyond max_length are cut off."""
        pieces = [piece for word in split_words(text) for piece in self.pieces(word)]
        return [CLS, *pieces[: self.max_length - 2], SEP]

    def pieces(self, word: str) -> list[str]:
        """Always the longest piece that fits; [UNK] if at some point none does."""
        found: list[str] = []
        start = 0
        while start < len(word) <= LONGEST_WORD:
            mark = "##" if start else ""
            ends = range(len(word), start, -1)
            end = next((end for end in ends if mark + word[start:end] in self.ids), None)
            if end is None:
                return [UNK]
            found.append(mark + word[start:end])
            start = end
        return found or [UNK]


def pad(sequences: Sequence[Sequence[int]]) -> np.ndarray:
    """Sequences of integers as one array (N, T), int64, with zeros behind the shorter ones."""
    if not sequences:
        raise ValueError("sequences must hold at least one, got none")
    ids = np.zeros((len(sequences), max(map(len, sequences))), np.int64)
    for row, sequence in zip(ids, sequences, strict=True):
        row[: len(sequence)] = sequence
    return ids
