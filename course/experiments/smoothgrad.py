"""Module 07's claims, measured: what noise level and number of copies buy, and what they do not.

    python -m course.experiments.smoothgrad

trains three MNIST networks and takes some ten minutes; lecture 07 reads what it writes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from course.autograd import Tensor, no_grad
from course.data import mnist
from course.experiments import saliency, store
from course.experiments.train_mnist import train
from course.methods import smoothgrad as method
from course.methods.protocol import Model
from course.methods.saliency import gradient
from course.models import MnistCNN, build
from course.nn import Module

SEEDS = (1, 2, 3)
EPOCHS = 3
IMAGES = 24
LEVELS = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5)
COUNTS = (4, 16, 64)
LEVEL, COUNT = 0.15, 32  # where the other is varied
RADIUS, MOVES = 0.1, 8  # of max-sensitivity
COLLAGES, COLLAGE_COPIES = 5, 12
COLLAGE_LEVELS = (0.05, 0.15)

Explain = Callable[[Model, np.ndarray, Any], np.ndarray]


def explanations(model: Model, x: np.ndarray, target: int, noise: np.ndarray) -> np.ndarray:
    """The gradient of each noisy copy of one input (1, ...): an array (K, ...)."""
    copies = (x + noise)[:, 0]
    return np.concatenate(
        [gradient(model, copies[i : i + 8], target) for i in range(0, len(copies), 8)]
    )


def total_variation(maps: np.ndarray) -> np.ndarray:
    """How much neighbouring pixels differ, in units of the map's mean: (N, H, W) to (N,).

    The mean |m_p - m_q| over pairs of neighbours p, q in rows and columns, divided by the mean |m|.
    """
    steps = [np.abs(np.diff(maps, axis=axis)).mean(axis=(1, 2)) for axis in (1, 2)]
    return (steps[0] + steps[1]) / 2 / np.abs(maps).mean(axis=(1, 2))


def smoothed(noise: np.ndarray, how: Callable[..., np.ndarray] = method.smoothgrad) -> Explain:
    """SmoothGrad that adds the same noise whenever it is asked."""
    return lambda model, x, target: how(model, x, target, noise, chunk=64)


def smoothed_anew(level: float, samples: int, rng: np.random.Generator) -> Explain:
    """SmoothGrad that draws new noise whenever it is asked, as the libraries do."""
    return lambda model, x, target: method.smoothgrad(
        model, x, target, method.gaussian_noise(x, level, samples, rng), chunk=64
    )


def measures(model: Model, x: np.ndarray, explain: Explain, seed: int) -> dict[str, float]:
    """Medians over images x: max-sensitivity, and the total variation of the magnitudes."""
    with no_grad():
        target = model(Tensor(x)).data.argmax(axis=1)
    moves = method.uniform_noise(x, RADIUS, MOVES, np.random.default_rng(seed))
    moved = method.max_sensitivity(model, x, target, moves, explain)
    maps = np.abs(explain(model, x, target))[:, 0]
    return {
        "sensitivity": float(np.median(moved)),
        "variation": float(np.median(total_variation(maps))),
    }


def noise_and_copies(model: Model, x: np.ndarray, seed: int) -> list[dict[str, Any]]:
    """The measures for the gradient and its smoothed relatives, each a row with its settings."""

    def noise(level: float, samples: int) -> np.ndarray:
        return method.gaussian_noise(x, level, samples, np.random.default_rng(seed))

    rows: list[dict[str, Any]] = [{"method": "gradient", **measures(model, x, gradient, seed)}]
    settings = [(level, COUNT) for level in LEVELS] + [(LEVEL, samples) for samples in COUNTS]
    for level, samples in settings:
        found = measures(model, x, smoothed(noise(level, samples)), seed)
        rows.append({"method": "smoothgrad", "level": level, "samples": samples, **found})
    for how in (method.smoothgrad_squared, method.vargrad):
        found = measures(model, x, smoothed(noise(LEVEL, COUNT), how), seed)
        rows.append({"method": how.__name__, "level": LEVEL, "samples": COUNT, **found})
    for samples in COUNTS:
        anew = smoothed_anew(LEVEL, samples, np.random.default_rng(seed + 100))
        found = measures(model, x, anew, seed)
        rows.append({"method": "anew", "level": LEVEL, "samples": samples, **found})
    return rows


def untrained(x: np.ndarray, seed: int) -> list[dict[str, Any]]:
    """The same for a network with random weights, as far as the claim needs it."""
    model = MnistCNN(np.random.default_rng(seed))
    noise = method.gaussian_noise(x, LEVEL, COUNT, np.random.default_rng(seed))
    return [
        {"method": "gradient", **measures(model, x, gradient, seed)},
        {"method": "smoothgrad", **measures(model, x, smoothed(noise), seed)},
    ]


def collage_shares(model: Module, tiles: list[saliency.Tile], seed: int) -> dict[str, float]:
    """The mean share of a map in the quarter of the animal asked for, as in module 05."""
    rng = np.random.default_rng(seed)
    shares: dict[str, list[float]] = {"gradient": [], **{str(s): [] for s in COLLAGE_LEVELS}}
    for _ in range(COLLAGES):
        four = [tiles[i] for i in rng.choice(len(tiles), 4, replace=False)]
        x = np.repeat(saliency.collage(four), 4, axis=0)
        target = np.array([tile.target for tile in four])
        maps = {"gradient": gradient(model, x, target)}
        for level in COLLAGE_LEVELS:
            noise = method.gaussian_noise(x, level, COLLAGE_COPIES, rng)
            maps[str(level)] = method.smoothgrad(model, x, target, noise)
        for name, signed in maps.items():
            own = np.diag(saliency.quarter_shares(np.abs(signed).max(axis=1)))
            shares[name] += own.tolist()
    return {name: float(np.mean(values)) for name, values in shares.items()}


def main() -> None:
    data = mnist()
    x = data.x_test[:IMAGES]
    results: dict[str, Any] = {"trained": [], "untrained": [], "collages": []}
    for seed in SEEDS:
        model = train("mnist_cnn", data, EPOCHS, seed)
        results["trained"].append({"seed": seed, "rows": noise_and_copies(model, x, seed)})
        results["untrained"].append({"seed": seed, "rows": untrained(x, seed)})
        print(results["trained"][-1], results["untrained"][-1], flush=True)
    network = build("efficientnet_lite0")
    tiles = saliency.recognised_tiles(network)
    for seed in SEEDS:
        results["collages"].append({"seed": seed, **collage_shares(network, tiles, seed)})
        print(results["collages"][-1], flush=True)
    results["settings"] = {
        "epochs": EPOCHS,
        "images": IMAGES,
        "level": LEVEL,
        "samples": COUNT,
        "radius": RADIUS,
        "moves": MOVES,
        "collages": COLLAGES,
        "collage_copies": COLLAGE_COPIES,
    }
    code = store.fingerprint(sys.modules[__name__], method)
    print("wrote", store.save("smoothgrad", code, results))


if __name__ == "__main__":
    main()
