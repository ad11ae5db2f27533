"""MNIST: handwritten digits (LeCun et al. 1998)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from course.data.store import data_file, load_arrays


class Mnist(NamedTuple):
    """Images (N, 1, 28, 28), float32 from 0 (paper) to 1 (ink), and digits (N,), int64."""

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray


def mnist() -> Mnist:
    """A balanced fifth of MNIST: 12,000 images to train on and 2,000 to test on.

    The file is under CC BY-SA 3.0, unlike the rest of the course; see `files/PROVENANCE.md`.
    """
    stored = load_arrays(data_file("mnist_12k2k.npz"))
    images = {name: stored[name][:, None] / np.float32(255) for name in ("x_train", "x_test")}
    digits = {name: stored[name].astype(np.int64) for name in ("y_train", "y_test")}
    return Mnist(**images, **digits)
