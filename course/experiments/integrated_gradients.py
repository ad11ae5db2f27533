"""Module 06's claim about saturation, measured on three kinds of network (Miglani et al. 2020).

    python -m course.experiments.integrated_gradients

trains nine small MNIST networks and takes some two minutes; lecture 06 reads what it writes.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from course.autograd import Tensor, no_grad, softmax, tanh
from course.data import Mnist, mnist
from course.experiments import store
from course.methods import integrated_gradients as method
from course.methods.protocol import Model, score
from course.nn import Adam, LayerNorm, Linear, Module, fit

KINDS = ("relu", "tanh", "layernorm")
SEEDS = (1, 2, 3)
EPOCHS = 8
SHARE = 0.95
STEPS = 60
IMAGES = 150
LEVELS = np.linspace(0, 1, 21)  # shares of the pixels that are blackened


class DigitMLP(Module):
    """784 - 128 - 64 - 10 with ReLU, with tanh, or with layer normalisation before each ReLU."""

    def __init__(self, kind: str, rng: np.random.Generator) -> None:
        self.kind = kind
        self.fc1, self.norm1 = Linear(784, 128, rng=rng), LayerNorm(128)
        self.fc2, self.norm2 = Linear(128, 64, rng=rng), LayerNorm(64)
        self.fc3 = Linear(64, 10, rng=rng)

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        for layer, norm in ((self.fc1, self.norm1), (self.fc2, self.norm2)):
            x = layer(x)
            if self.kind == "layernorm":
                x = norm(x)
            x = tanh(x) if self.kind == "tanh" else x.relu()
        return self.fc3(x)


def train(kind: str, data: Mnist, seed: int, epochs: int = EPOCHS) -> DigitMLP:
    rng = np.random.default_rng(seed)
    model = DigitMLP(kind, rng)
    used = [p for n, p in model.named_parameters() if kind == "layernorm" or "norm" not in n]
    fit(model, data.x_train, data.y_train, Adam(used), epochs, 64, rng)
    return model


def predicted(model: Model, x: np.ndarray) -> np.ndarray:
    with no_grad():
        return model(Tensor(x)).data.argmax(axis=1)


def faithfulness(model: Model, x: np.ndarray, target: np.ndarray, maps: np.ndarray) -> float:
    """The area between perturbation curves: the mean probability of the class while pixels turn
    black from the least important on, minus that while they do from the most important on."""
    rank = maps.reshape(len(x), -1).argsort(axis=1).argsort(axis=1) / (maps[0].size - 1)
    rank = rank.reshape(x.shape)
    areas = []
    for order in (rank, 1 - rank):
        with no_grad():
            curve = [softmax(model(Tensor(x * (order >= level)))).data for level in LEVELS]
        areas.append(np.mean([p[np.arange(len(x)), target] for p in curve]))
    return float(areas[0] - areas[1])


def saturation(model: Model, x: np.ndarray) -> dict[str, Any]:
    """What the two parts of Split IG from black hold, for the predicted class.

    change, l1: the shares of the score's change and of the parts' L1 norms that lie behind the cut,
        medians over images. faithfulness: of the part before, the part after and the whole.
    """
    target, black = predicted(model, x), np.zeros_like(x)
    before, after = method.split_integrated_gradients(model, x, target, black, SHARE, STEPS)
    sums = after.sum(axis=(1, 2, 3)), score(model, x, target) - score(model, black, target)
    norms = [np.abs(part).sum(axis=(1, 2, 3)) for part in (before, after)]
    maps = {"before": before, "after": after, "whole": before + after}
    return {
        "change": float(np.median(sums[0] / sums[1])),
        "l1": float(np.median(norms[1] / (norms[0] + norms[1]))),
        "faithfulness": {k: faithfulness(model, x, target, m) for k, m in maps.items()},
    }


def score_along(model: Model, x: np.ndarray, alphas: np.ndarray) -> np.ndarray:
    """The share of its change that the predicted class's score has made at each α: (K, N)."""
    target = predicted(model, x)
    path = method.straight_line_path(np.zeros_like(x), x, alphas)
    scores = np.stack([score(model, point, target) for point in path])
    start = score(model, np.zeros_like(x), target)
    return (scores - start) / (score(model, x, target) - start)


def main() -> None:
    data = mnist()
    x = data.x_test[:IMAGES].astype(np.float64)
    alphas = np.linspace(0, 1, 41)
    rows, curves = [], {}
    for kind in KINDS:
        for seed in SEEDS:
            model = train(kind, data, seed)
            right = float((predicted(model, data.x_test) == data.y_test).mean())
            model.to(np.float64)
            row = {"kind": kind, "seed": seed, "accuracy": right, **saturation(model, x)}
            rows.append(row)
            print(row)
            if seed == SEEDS[0]:
                curves[kind] = np.median(score_along(model, x, alphas), axis=1).round(4).tolist()
    settings = {"share": SHARE, "steps": STEPS, "images": IMAGES, "epochs": EPOCHS}
    code = store.fingerprint(sys.modules[__name__], method)
    results = {"settings": settings, "networks": rows, "alphas": alphas.tolist(), "curves": curves}
    print("wrote", store.save("integrated_gradients", code, results))


if __name__ == "__main__":
    main()
