"""MNIST, handwritten digits (LeCun et al. 1998), and Fashion-MNIST, clothes in the same format
(Xiao et al. 2017)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from course.data.store import data_file, load_arrays

FASHION_LABELS = (
    "T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag",
    "ankle boot",
)  # fmt: skip


class Mnist(NamedTuple):
    """Images (N, 1, 28, 28), float32 from 0 (paper) to 1 (ink), and classes (N,), int64."""

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray


def mnist() -> Mnist:
    """A balanced fifth of MNIST: 12,000 images to train on and 2,000 to test on.

    The file is under CC BY-SA 3.0, unlike the rest of the course; see `files/PROVENANCE.md`.
    """
    return _load("mnist_12k2k.npz")


def fashion_mnist() -> Mnist:
    """A balanced fifth of Fashion-MNIST, like `mnist`. FASHION_LABELS names the ten classes."""
    return _load("fashion_mnist_12k2k.npz")


def _load(name: str) -> Mnist:
    stored = load_arrays(data_file(name))
    images = {name: stored[name][:, None] / np.float32(255) for name in ("x_train", "x_test")}
    classes = {name: stored[name].astype(np.int64) for name in ("y_train", "y_test")}
    return Mnist(**images, **classes)
