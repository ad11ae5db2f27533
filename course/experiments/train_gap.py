"""Train the digit network that averages, and write the weights that the course ships.

    python -m course.experiments.train_gap

One digit lies somewhere on a page of 56x56 pixels, and only its class is told, never its place:
what the network knows of places it found out by itself (lecture 03). About two minutes.
"""

from __future__ import annotations

import numpy as np

from course.data import Mnist, mnist
from course.experiments.train_mnist import options, ship
from course.models.mnist import MnistGAP
from course.nn import Adam, fit

PAGE = 56  # pixels, two digits wide
EPOCHS = 8


def somewhere(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each digit (N, 1, 28, 28) at a random place of an empty page (N, 1, 56, 56)."""
    n, channels, height, width = images.shape
    pages = np.zeros((n, channels, PAGE, PAGE), images.dtype)
    tops, lefts = rng.integers(0, PAGE - height + 1, (2, n))
    for page, image, top, left in zip(pages, images, tops, lefts, strict=True):
        page[:, top : top + height, left : left + width] = image
    return pages


def train(data: Mnist, epochs: int, seed: int = 0) -> MnistGAP:
    """A network trained from random weights: Adam, and a fifth of its rate for the last quarter."""
    rng = np.random.default_rng(seed)
    model = MnistGAP(rng)
    optimizer = Adam(model.parameters())
    settle = epochs // 4
    for rate, part in ((3e-3, epochs - settle), (6e-4, settle)):
        optimizer.lr = rate
        fit(model, data.x_train, data.y_train, optimizer, part, 64, rng, somewhere)
    return model


def main() -> None:
    given, data = options("Train the digit network of lecture 03."), mnist()
    model = train(data, EPOCHS, given.seed)
    pages = somewhere(data.x_test, np.random.default_rng(1))
    print(ship(model, given.out / "mnist_gap.npz", pages, data.y_test))


if __name__ == "__main__":
    main()
