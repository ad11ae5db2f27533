"""What guided backpropagation shows of a network that never learned anything (Nie et al. 2018).

One hidden layer of N random filters, a random linear layer, no training. As N grows, the map of
guided backpropagation turns into the image itself.
"""

from __future__ import annotations

import numpy as np

from course.autograd import Tensor, max_pool2d, relu
from course.data import mnist
from course.methods.backprop_rules import deconvnet, guided_backprop
from course.methods.saliency import gradient
from course.nn import Conv2d, Linear, Module

WIDTHS = (4, 16, 64, 256)
KINDS = ("conv", "conv + pool", "dense")
METHODS = {"gradient": gradient, "guided backprop": guided_backprop, "DeconvNet": deconvnet}
IMAGES = 16


class Shallow(Module):
    """Images (N, 1, 28, 28) to ten logits through one hidden layer, all weights Gaussian."""

    def __init__(self, kind: str, width: int, rng: np.random.Generator) -> None:
        self.kind = kind
        side = 14 if kind == "conv + pool" else 28
        if kind == "dense":
            self.hidden: Module = Linear(784, width, bias=False)
            self.fc = Linear(width, 10, bias=False)
        else:
            self.hidden = Conv2d(1, width, 7, padding=3, bias=False)
            self.fc = Linear(width * side * side, 10, bias=False)
        for p in self.parameters():
            p.data = rng.normal(size=p.shape).astype(np.float32)

    def forward(self, x: Tensor) -> Tensor:
        h = relu(self.hidden(x.flatten(1) if self.kind == "dense" else x))
        if self.kind == "conv + pool":
            h = max_pool2d(h, 2)
        return self.fc(h.flatten(1))


def cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Of the angle between the maps of two batches, one number a map."""
    a, b = (m.reshape(len(m), -1) for m in (a, b))
    return (a * b).sum(axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1) + 1e-12)


def recovery(seed: int) -> dict[str, dict[str, list[float]]]:
    """The cosine of each method's map and the image: {kind: {method: one number a width}}."""
    x, rng = mnist().x_test[:IMAGES], np.random.default_rng(seed)
    found: dict[str, dict[str, list[float]]] = {k: {m: [] for m in METHODS} for k in KINDS}
    for kind in KINDS:
        for width in WIDTHS:
            model = Shallow(kind, width, rng)
            for m, method in METHODS.items():
                similar = cosine(method(model, x, 3), x).mean()
                found[kind][m].append(round(float(similar), 3))
    return found
