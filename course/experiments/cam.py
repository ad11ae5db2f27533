"""Module 03's claims, measured: do the maps point at what they were asked for?

    python -m course.experiments.cam

trains three digit networks and takes several minutes; lecture 03 reads what it writes.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from course.autograd import Tensor, no_grad
from course.data import Mnist, mnist, photo, preprocess
from course.experiments import saliency as collages
from course.experiments import store, train_gap
from course.methods import cam, saliency
from course.methods.protocol import feature_maps
from course.models import MnistGAP, build
from course.nn import Module

SEEDS = (1, 2, 3)
DRAWS = (0, 1, 2, 3, 4)


class Task(NamedTuple):
    """Images (N, C, H, W), the class asked for in each (N,), and where it is, bools (N, H, W)."""

    x: np.ndarray
    target: np.ndarray
    regions: np.ndarray


def half(image: np.ndarray, place: float) -> np.ndarray:
    """A strip of a photograph, half as wide as high, as (224, 112, 3); place: 0 left, 1 right."""
    height, width = image.shape[:2]
    left = round((width - height // 2) * place)
    strip = Image.fromarray(image[:, left : left + height // 2])
    return np.asarray(strip.resize((112, 224), Image.Resampling.BICUBIC))


def cat_and_dog() -> np.ndarray:
    """The picture of lecture 03, (224, 224, 3) of bytes: two photographs side by side."""
    strips = (
        half(photo("farm_animals_cat").image, 0.35),
        half(photo("farm_animals_dog").image, 0.85),
    )
    return np.concatenate(strips, axis=1)


def enlarged_cam(model: Module, x: np.ndarray, target: np.ndarray, layer: str) -> np.ndarray:
    """The class activation map in the size of the images, with its sign."""
    with no_grad():
        _, features = feature_maps(model, Tensor(x), layer)
    weights = model.fc.weight.data  # type: ignore[attr-defined]
    coarse = cam.class_activation_map(features.data, weights, target)
    return cam.upsample_bilinear(coarse, (x.shape[2], x.shape[3]))


def centre(task: Task) -> np.ndarray:
    """A map that is strongest in the middle of every image."""
    rows, columns = (np.arange(n) - (n - 1) / 2 for n in task.regions.shape[1:])
    distance = np.hypot(rows[:, None], columns)
    return np.broadcast_to(distance.max() - distance, task.regions.shape)


def scores(maps: Mapping[str, np.ndarray], task: Task) -> dict[str, dict[str, float]]:
    """For each method, the mean of the pointing game and the mean share of energy inside."""
    return {
        name: {
            "pointing": float(cam.pointing_game(m, task.regions).mean()),
            "energy": float(cam.energy_inside(m, task.regions).mean()),
        }
        for name, m in maps.items()
    }


def pages(data: Mnist, rng: np.random.Generator, count: int) -> Task:
    """Two test digits of different classes in two quarters of a page; each is asked for once."""
    x, target, regions = [], [], []
    for _ in range(count):
        first = int(rng.integers(len(data.x_test)))
        second = int(rng.choice(np.flatnonzero(data.y_test != data.y_test[first])))
        page = np.zeros((1, 56, 56), np.float32)
        for i, quarter in zip((first, second), rng.choice(4, 2, replace=False), strict=True):
            place = np.zeros((56, 56), bool)
            top, left = 28 * (quarter // 2), 28 * (quarter % 2)
            place[top : top + 28, left : left + 28] = True
            page[0, place] = data.x_test[i].ravel()
            regions.append(place)
            target.append(data.y_test[i])
        x += [page, page]
    return Task(np.array(x), np.array(target), np.array(regions))


def point_at_digits(model: MnistGAP, task: Task) -> dict[str, dict[str, float]]:
    x, target, _ = task
    maps = {
        "CAM": enlarged_cam(model, x, target, "relu3"),
        "saliency": saliency.saliency_map(model, x, target),
        "gradient x input": saliency.gradient_times_input(model, x, target)[:, 0],
        "CAM, random weights": enlarged_cam(MnistGAP(np.random.default_rng(0)), x, target, "relu3"),
        "input": x[:, 0],
        "centre": centre(task),
    }
    return scores(maps, task)


def pairs(model: Module, rng: np.random.Generator, count: int, size: int) -> Task:
    """Two photographs of recognised animals side by side; each animal is asked for once."""
    animals = collages.recognised_tiles(model)
    x, target = [], []
    for _ in range(count):
        two = [animals[i] for i in rng.choice(len(animals), 2, replace=False)]
        picture = np.concatenate([half(photo(t.name).image, 0.5) for t in two], axis=1)
        x += [preprocess(picture, size)] * 2
        target += [t.target for t in two]
    left = np.broadcast_to(np.arange(size) < size // 2, (size, size))
    return Task(np.concatenate(x), np.array(target), np.array([left, ~left] * count))


def point_at_animals(model: Module, task: Task) -> dict[str, dict[str, float]]:
    x, target, _ = task
    with no_grad():
        winner = model(Tensor(x)).data.argmax(axis=1)
    contrast = np.abs(x - x.mean(axis=(2, 3), keepdims=True)).mean(axis=1)
    maps = {
        "CAM": enlarged_cam(model, x, target, "head_relu"),
        "saliency": saliency.saliency_map(model, x, target),
        "CAM of the top class": enlarged_cam(model, x, winner, "head_relu"),
        "input": contrast,
        "centre": centre(task),
    }
    return scores(maps, task)


def main() -> None:
    data = mnist()
    results: dict[str, Any] = {"digits": [], "animals": {}}
    for seed in SEEDS:
        model = train_gap.train(data, train_gap.EPOCHS, seed)
        row = point_at_digits(model, pages(data, np.random.default_rng(seed), 300))
        results["digits"].append({"seed": seed, "pages": 300, "scores": row})
        print(results["digits"][-1])
    network = build("efficientnet_lite0")
    for size in (128, 224):
        results["animals"][str(size)] = []
        for seed in DRAWS:
            row = point_at_animals(network, pairs(network, np.random.default_rng(seed), 20, size))
            results["animals"][str(size)].append({"seed": seed, "pairs": 20, "scores": row})
            print(size, results["animals"][str(size)][-1])
    code = store.fingerprint(sys.modules[__name__], cam, saliency, train_gap)
    print("wrote", store.save("cam", code, results))


if __name__ == "__main__":
    main()
