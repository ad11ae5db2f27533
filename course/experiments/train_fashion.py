"""Train the Fashion-MNIST network and write the weights that the course ships.

    python -m course.experiments.train_fashion

The architecture is that of the MNIST CNN. Clothes are harder than digits and, unlike digits, may be
mirrored.
"""

from __future__ import annotations

import time

import numpy as np

from course.data import Mnist, fashion_mnist
from course.experiments import train_mnist
from course.nn import Module

EPOCHS = 25


def mirror_and_shift(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Turn every other image (N, C, H, W) left to right, at random, and move each by a pixel."""
    mirrored = rng.random(len(images)) < 0.5
    images = np.where(mirrored[:, None, None, None], images[..., ::-1], images)
    return train_mnist.shift(images, rng, reach=1)


def train(data: Mnist, epochs: int, seed: int = 0) -> Module:
    """The CNN trained from random weights, as `train_mnist.train` does."""
    return train_mnist.train("mnist_cnn", data, epochs, seed, mirror_and_shift)


def main() -> None:
    given = train_mnist.options("Train the Fashion-MNIST network of the course.")
    data = fashion_mnist()
    begin = time.perf_counter()
    model = train(data, EPOCHS, given.seed)
    seconds = time.perf_counter() - begin
    path = given.out / "fashion_cnn.npz"
    print(f"{train_mnist.ship(model, path, data.x_test, data.y_test)}, {seconds:.0f} s")


if __name__ == "__main__":
    main()
