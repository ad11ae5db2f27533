"""Data randomisation: networks that learned the labels, and networks that learned noise by heart.

The control is a network that differs in its seed only: two networks that both learned the labels
do not give the same maps either.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from course.autograd import Tensor, no_grad
from course.data import mnist
from course.experiments.sanity_methods import compare, means, methods
from course.models import MnistCNN, MnistMLP
from course.nn import Adam, Module, accuracy, fit

NETWORKS: dict[str, tuple[type[Module], str | None, int, int]] = {
    "mnist_mlp": (MnistMLP, None, 1000, 60),  # Grad-CAM's layer, training images, epochs
    "mnist_cnn": (MnistCNN, "relu2", 600, 40),
}
IMAGES = 64


def memorise(name: str, x: np.ndarray, y: np.ndarray, seed: int, epochs: int) -> Module:
    """A network trained until it knows the labels y of x (N, 1, 28, 28), right or wrong."""
    rng = np.random.default_rng(seed)
    model: Module = NETWORKS[name][0](rng)  # type: ignore[call-arg]
    optimizer = Adam(model.parameters(), lr=1e-3)
    fit(model, x, y, optimizer, epochs, 32, rng)
    return model


def randomised_labels(name: str, seed: int) -> dict[str, Any]:
    """One network trained on the labels, explained beside two others of another seed each: one
    trained on the same labels, one on the same labels in random order."""
    _, layer, count, epochs = NETWORKS[name]
    data, rng = mnist(), np.random.default_rng(seed)
    x, y = data.x_train[:count], data.y_train[:count]
    shuffled = rng.permutation(y)
    trained = memorise(name, x, y, 3 * seed, epochs)
    others = {
        "other seed": (memorise(name, x, y, 3 * seed + 1, epochs), y),
        "random labels": (memorise(name, x, shuffled, 3 * seed + 2, epochs), shuffled),
    }
    shown = data.x_test[:IMAGES]
    with no_grad():
        target = trained(Tensor(shown)).data.argmax(axis=1)
    found: dict[str, Any] = {"accuracy": {"trained": _accuracy(trained, x, y)}}
    for kind, (network, labels) in others.items():
        found["accuracy"][kind] = _accuracy(network, x, labels)
        found[kind] = {
            m: means(
                compare(method(trained, shown, target), method(network, shown, target), shown > 0)
            )
            for m, method in methods(shown, layer).items()
        }
    return found


def _accuracy(model: Module, x: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """On what it was trained on, and on the true labels of test images."""
    data = mnist()
    return {
        "train": round(accuracy(model, x, y), 3),
        "test": round(accuracy(model, data.x_test[:500], data.y_test[:500]), 3),
    }
