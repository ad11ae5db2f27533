"""Module 05's claims, measured: saturation of the probability, and where the map's mass lies.

    python -m course.experiments.saliency

trains six MNIST networks and takes several minutes; lecture 05 reads what it writes.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import spearmanr

from course.autograd import Tensor, grad, no_grad, softmax
from course.data import mnist, photos, preprocess
from course.experiments import store
from course.experiments.train_mnist import train
from course.methods import saliency
from course.models import build
from course.nn import Module

EPOCHS = {"mnist_mlp": 20, "mnist_cnn": 6}
SEEDS = (1, 2, 3)
TILE = 112  # pixels; four tiles fill the 224 that EfficientNet-Lite0 sees
CERTAIN = 0.999


def probability_gradient(model: Module, x: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The derivative of the softmax probability, which saliency does *not* use."""
    inputs = Tensor(x, requires_grad=True)
    chosen = softmax(model(inputs))[np.arange(len(x)), target]
    return grad(chosen.sum(), inputs)


def lengths(maps: np.ndarray) -> np.ndarray:
    """The Euclidean length of each map of a batch."""
    return np.linalg.norm(maps.reshape(len(maps), -1), axis=1)


def saturation(model: Module, x: np.ndarray) -> dict[str, float]:
    """How the gradients of logit and probability differ on images x, for the predicted class.

    Returns the share of images with p > 0.999; on those, the median lengths of both gradients; and
    over all images, the mean rank correlation of the two maps' magnitudes.
    """
    x = x.astype(np.float64)
    model.to(np.float64)
    with no_grad():
        p = softmax(model(Tensor(x))).data
    target, certain = p.argmax(axis=1), p.max(axis=1) > CERTAIN
    logit, prob = saliency.gradient(model, x, target), probability_gradient(model, x, target)
    agreement = [
        spearmanr(np.abs(a).ravel(), np.abs(b).ravel()).statistic
        for a, b in zip(logit[:200], prob[:200], strict=True)
    ]
    return {
        "certain": float(certain.mean()),
        "logit": float(np.median(lengths(logit)[certain])),
        "probability": float(np.median(lengths(prob)[certain])),
        "agreement": float(np.mean(agreement)),
    }


class Tile(NamedTuple):
    """A photograph small enough for a quarter of the picture, and the class it is recognised as."""

    name: str
    x: np.ndarray
    target: int


def recognised_tiles(model: Module, at_least: float = 0.6) -> list[Tile]:
    """The animals that the network is sure of, one for each class that it names."""
    tiles: dict[int, Tile] = {}
    for photo in photos("photos_cc0_pd"):
        with no_grad():
            p = softmax(model(Tensor(preprocess(photo.image)))).data[0]
        if p.max() > at_least:
            target = int(p.argmax())
            tiles.setdefault(target, Tile(photo.name, preprocess(photo.image, TILE), target))
    return list(tiles.values())


def collage(four: Sequence[Tile]) -> np.ndarray:
    """Four tiles in one picture (1, 3, 224, 224), in reading order."""
    top, bottom = (np.concatenate([four[i].x, four[i + 1].x], axis=3) for i in (0, 2))
    return np.concatenate([top, bottom], axis=2)


def quarter_shares(maps: np.ndarray) -> np.ndarray:
    """The share of each map's sum in each quarter: (N, H, W) to (N, 4)."""
    n, h, w = maps.shape
    quarters = maps.reshape(n, 2, h // 2, 2, w // 2).sum(axis=(2, 4)).reshape(n, 4)
    return quarters / quarters.sum(axis=1, keepdims=True)


def collages(model: Module, tiles: list[Tile], seed: int, count: int) -> dict[str, float]:
    """Ask for each animal of a collage in turn: is the map's mass in that animal's quarter?

    Returns means over the tiles of `count` collages: the share of the map in its own quarter; how
    often that is more than the quarter gets when the other animals are asked for; and how often the
    single strongest pixel is in the own quarter. A map that knows no class has 1/4, 1/2 and 1/4.
    """
    rng = np.random.default_rng(seed)
    own, wins, hits = [], [], []
    for _ in range(count):
        four = [tiles[i] for i in rng.choice(len(tiles), 4, replace=False)]
        x, targets = collage(four), np.array([t.target for t in four])
        maps = saliency.saliency_map(model, np.repeat(x, 4, axis=0), targets)
        shares = quarter_shares(maps)
        mine = np.diag(shares)
        others = (shares.sum(axis=0) - mine) / 3
        own += list(mine)
        wins += list(mine > others)
        strongest = [np.unravel_index(m.argmax(), m.shape) for m in maps]
        hits += [2 * (r // TILE) + c // TILE == i for i, (r, c) in enumerate(strongest)]
    return {"own": float(np.mean(own)), "wins": float(np.mean(wins)), "hits": float(np.mean(hits))}


def main() -> None:
    data = mnist()
    results: dict[str, Any] = {"saturation": {}, "collages": []}
    for name, epochs in EPOCHS.items():
        results["saturation"][name] = []
        for seed in SEEDS:
            row = saturation(train(name, data, epochs, seed), data.x_test)
            results["saturation"][name].append({"seed": seed, "epochs": epochs, **row})
            print(name, results["saturation"][name][-1])
    model = build("efficientnet_lite0")
    tiles = recognised_tiles(model)
    for seed in range(5):
        row = collages(model, tiles, seed, count=8)
        results["collages"].append({"seed": seed, "count": 8, "tiles": len(tiles), **row})
        print("collages", results["collages"][-1])
    code = store.code_of(sys.modules[__name__])
    print("wrote", store.save("saliency", code, results))


if __name__ == "__main__":
    main()
