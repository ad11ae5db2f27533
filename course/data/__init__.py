"""The data that the course ships: digits, clothes, photographs, sentences, words.

Where each file came from: `files/PROVENANCE.md`.
"""

from course.data.digits import FASHION_LABELS, Mnist, fashion_mnist, mnist
from course.data.photographs import Photo, imagenet_labels, photo, photos, preprocess, to_image
from course.data.snippets import (
    MovieSnippets,
    Sentiment,
    movie_snippets,
    movie_words,
    sentiment,
    word_valences,
)
from course.data.store import data_file, load_arrays
from course.data.tokens import Encoded, Vocabulary, WordPiece, pad, split_words

__all__ = [
    "FASHION_LABELS",
    "Encoded",
    "Mnist",
    "MovieSnippets",
    "Photo",
    "Sentiment",
    "Vocabulary",
    "WordPiece",
    "data_file",
    "fashion_mnist",
    "imagenet_labels",
    "load_arrays",
    "mnist",
    "movie_snippets",
    "movie_words",
    "pad",
    "photo",
    "photos",
    "preprocess",
    "sentiment",
    "split_words",
    "to_image",
    "word_valences",
]
