"""Module 02's claims, measured: sparsity, the classes of top patches, the noise in pictures found
by ascent, and the blind spot that padding makes.

    python -m course.experiments.units

trains a few digit networks and twenty detectors of dots, which takes several minutes; lecture
02 reads what it writes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from course.autograd import Tensor, no_grad, pad, softplus
from course.data import Mnist, mnist
from course.experiments import store
from course.experiments.train_mnist import train
from course.methods import units
from course.models import MnistCNN, build
from course.nn import Adam, Conv2d, Module
from course.nn.module import capture

SEEDS = (1, 2, 3)
DREAM_SEEDS = (1, 2, 3, 4, 5)
EPOCHS = 3
TOP = 20
LAYERS = {"relu1": ((5, 1, 2),), "relu2": ((5, 1, 2), (2, 2, 0), (5, 1, 2))}


def maps(model: Module, x: np.ndarray, *names: str) -> dict[str, np.ndarray]:
    """What the named layers give on images x, by name."""
    with no_grad():
        captured = capture(model, Tensor(x), names)[1]
    return {name: captured[name].data for name in names}


# --- Activations and top patches -----------------------------------------------------------


def sparsity(model: Module, x: np.ndarray) -> dict[str, float]:
    """The share of units that fire on digits x, by layer; of the first also where its units see
    nothing but paper ("blank") and where they see ink."""
    fire = {name: a > 0 for name, a in maps(model, x, "relu1", "relu2", "relu3").items()}
    size = int(units.receptive_field(LAYERS["relu1"])[0])
    border = ((0, 0), (size // 2,) * 2, (size // 2,) * 2)
    windows = np.lib.stride_tricks.sliding_window_view(
        np.pad(x[:, 0], border), (size, size), axis=(1, 2)
    )
    ink = windows.max(axis=(3, 4)) > 0
    first = fire["relu1"].mean(axis=1)
    rows = {name: float(f.mean()) for name, f in fire.items()}
    return {**rows, "blank": float(first[~ink].mean()), "ink": float(first[ink].mean())}


def purity(activations: np.ndarray, classes: np.ndarray, top: int = TOP) -> float:
    """How much of one class a channel's strongest images are: of the `top` images by a channel's
    maximum, the share of the most frequent class; the mean over channels that fire."""
    strongest = activations.max(axis=(2, 3))
    shares = []
    for column in strongest.T:
        best = classes[np.argsort(-column)[:top]]
        if column.max() > 0:
            shares.append(np.bincount(best).max() / top)
    return float(np.mean(shares))


def chance_purity(classes: np.ndarray, rng: np.random.Generator, top: int = TOP) -> float:
    """The same for images drawn blindly."""
    draws = [np.bincount(rng.choice(classes, top, replace=False)).max() for _ in range(2000)]
    return float(np.mean(draws)) / top


def purities(model: Module, data: Mnist) -> dict[str, float]:
    found = maps(model, data.x_test, *LAYERS)
    return {name: purity(found[name], data.y_test) for name in LAYERS}


# --- Activation maximisation ---------------------------------------------------------------

# Pixels of jitter, and weight of the roughness.
RECIPES = {"plain": (0, 0.0), "jitter": (2, 0.0), "smoothness": (0, 0.3), "both": (2, 0.3)}


def dream(
    model: Module, recipe: str, target: np.ndarray, seed: int, steps: int = 100
) -> np.ndarray:
    """Digits (N, 1, 28, 28) that excite the logits `target`, from faint noise."""
    jitter, smoothness = RECIPES[recipe]
    rng = np.random.default_rng(seed)
    start = rng.uniform(0, 0.2, (len(target), 1, 28, 28)).astype(np.float32)
    shifts = rng.integers(-jitter, jitter + 1, (steps, 2))
    return units.activation_maximization(model, start, target, shifts, 0.02, smoothness)


def high_frequency_share(x: np.ndarray) -> np.ndarray:
    """The share of an image's power (its mean aside) in waves shorter than four pixels, that is
    above a quarter of a cycle a pixel: images (N, C, H, W) to (N,)."""
    power = np.abs(np.fft.fft2(x - x.mean(axis=(2, 3), keepdims=True))) ** 2
    rows, columns = (np.fft.fftfreq(n) for n in x.shape[2:])
    high = np.hypot(rows[:, None], columns) > 0.25
    return (power * high).sum(axis=(1, 2, 3)) / power.sum(axis=(1, 2, 3))


def dreams(model: Module, recipe: str, seed: int, steps: int = 100) -> dict[str, float]:
    """One picture for each digit: mean logit and mean high-frequency share."""
    target = np.arange(10)
    x = dream(model, recipe, target, seed, steps)
    with no_grad():
        logits = model(Tensor(x)).data[target, target]
    return {
        "seed": seed,
        "logit": float(logits.mean()),
        "high": float(high_frequency_share(x).mean()),
    }


# --- A detector of dots --------------------------------------------------------------------


class Setting(NamedTuple):
    """A detector: the size of its images and the mode of its padding."""

    size: int
    mode: str


SETTINGS = (
    Setting(32, "constant"),
    Setting(32, "replicate"),
    Setting(32, "circular"),
    Setting(33, "constant"),
)
DOT_SEEDS = (1, 2, 3, 4, 5)
DOT, NOISE, CHANNELS, STEPS, BATCH = 3.0, 1.0, 12, 600, 64


class DotDetector(Module):
    """Three convolutions of kernel 3, stride 2 and padding 1, and a 1x1 one: (N, 1, n, n) to maps
    of scores, one for every eighth pixel of rows and columns."""

    def __init__(self, mode: str, rng: np.random.Generator) -> None:
        self.mode = mode
        self.conv1 = Conv2d(1, CHANNELS, 3, stride=2, rng=rng)
        self.conv2 = Conv2d(CHANNELS, CHANNELS, 3, stride=2, rng=rng)
        self.conv3 = Conv2d(CHANNELS, CHANNELS, 3, stride=2, rng=rng)
        self.score = Conv2d(CHANNELS, 1, 1, rng=rng)

    def forward(self, x: Tensor) -> Tensor:
        for conv in (self.conv1, self.conv2, self.conv3):
            x = conv(pad(x, (1, 1, 1, 1), self.mode)).relu()
        return self.score(x)[:, 0]


def dots(size: int, positions: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Noise images (N, 1, size, size), each with a dot of 2 x 2 pixels at its position, if that
    is not negative: row * (size - 1) + column of the upper left pixel."""
    x = rng.normal(0, NOISE, (len(positions), 1, size, size)).astype(np.float32)
    with_dot = np.flatnonzero(positions >= 0)
    rows, columns = np.divmod(positions[with_dot], size - 1)
    for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)):
        x[with_dot, 0, rows + i, columns + j] += DOT
    return x


def answers(positions: np.ndarray, size: int, units_a_row: int) -> np.ndarray:
    """1 for the unit whose field's centre is nearest to the dot, else 0: (N, units, units)."""
    found = np.zeros((len(positions), units_a_row, units_a_row), np.float32)
    with_dot = np.flatnonzero(positions >= 0)
    # The centres lie at pixels 0, 8, 16 ...; the dot's, between two pixels.
    nearest = [
        np.minimum((at + 4) // 8, units_a_row - 1)
        for at in np.divmod(positions[with_dot], size - 1)
    ]
    found[with_dot, nearest[0], nearest[1]] = 1
    return found


def train_detector(setting: Setting, seed: int, steps: int = STEPS) -> DotDetector:
    """A detector trained to tell images with a dot, anywhere, from images without."""
    rng = np.random.default_rng(seed)
    model = DotDetector(setting.mode, rng)
    optimizer = Adam(model.parameters(), lr=3e-3)
    places = (setting.size - 1) ** 2
    for step in range(steps):
        if step == steps * 4 // 5:
            optimizer.lr /= 10
        positions = rng.integers(0, places, BATCH)
        score = model(Tensor(dots(setting.size, positions, rng)))
        # The logistic loss: softplus(-score) where the dot is, softplus(score) elsewhere.
        loss = softplus(score * (1 - 2 * answers(positions, setting.size, score.shape[1]))).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model


def recall_map(model: DotDetector, size: int, rng: np.random.Generator, each: int) -> np.ndarray:
    """For every place of the dot, how often it is found, at a false alarm in 20 images without;
    an array (size - 1, size - 1), from `each` images a place."""
    places = (size - 1) ** 2
    with no_grad():
        empty = model(Tensor(dots(size, np.full(2000, -1), rng))).data.max(axis=(1, 2))
        found = [
            model(Tensor(dots(size, np.arange(places), rng))).data.max(axis=(1, 2))
            > np.quantile(empty, 0.95)
            for _ in range(each)
        ]
    return np.mean(found, axis=0).reshape(size - 1, size - 1)


def asymmetry(model: DotDetector) -> float:
    """How much more weight the kernels' first row and column have than their last, as a share of
    their mean; over the second and third convolution, whose inputs have no sign to cancel."""
    shares = []
    for conv in (model.conv2, model.conv3):
        size = np.abs(conv.weight.data).mean(axis=(0, 1))
        first, last = size[0].mean() + size[:, 0].mean(), size[-1].mean() + size[:, -1].mean()
        shares.append((first - last) / (2 * size.mean()))
    return float(np.mean(shares))


def edges(recall: np.ndarray) -> dict[str, float]:
    """Recall with the dot in the first row or column, in the last, and away from both."""
    return {
        "first": float((recall[0].mean() + recall[:, 0].mean()) / 2),
        "last": float((recall[-1].mean() + recall[:, -1].mean()) / 2),
        "inside": float(recall[3:-3, 3:-3].mean()),
    }


def detectors(
    setting: Setting, seeds: tuple[int, ...], steps: int = STEPS, each: int = 20
) -> Iterator[tuple[dict[str, float], np.ndarray]]:
    """For each seed, the numbers of a trained detector and its map of recall."""
    for seed in seeds:
        model = train_detector(setting, seed, steps)
        recall = recall_map(model, setting.size, np.random.default_rng(1000 + seed), each)
        yield {"seed": seed, "asymmetry": asymmetry(model), **edges(recall)}, recall


def main() -> None:
    data = mnist()
    results: dict[str, Any] = {"networks": [], "dots": []}
    results["chance"] = chance_purity(data.y_test, np.random.default_rng(0))
    for seed in SEEDS:
        for trained in (True, False):
            random = MnistCNN(np.random.default_rng(seed))
            model = train("mnist_cnn", data, EPOCHS, seed) if trained else random
            row: dict[str, Any] = {"seed": seed, "trained": trained}
            row |= {"fire": sparsity(model, data.x_test), "purity": purities(model, data)}
            results["networks"].append(row)
            print(row)
    shipped = build("mnist_cnn")
    with no_grad():
        own = shipped(Tensor(data.x_test)).data[np.arange(len(data.y_test)), data.y_test]
    real = {"logit": float(own.mean()), "high": float(high_frequency_share(data.x_test).mean())}
    results["real"] = real
    results["dreams"] = {
        recipe: [dreams(shipped, recipe, seed) for seed in DREAM_SEEDS] for recipe in RECIPES
    }
    print(real, results["dreams"])
    for setting in SETTINGS:
        rows, recalls = zip(*detectors(setting, DOT_SEEDS), strict=True)
        mean = np.mean(recalls, axis=0).round(2).tolist()
        results["dots"].append({**setting._asdict(), "seeds": list(rows), "recall": mean})
        print(setting, *rows, sep="\n  ")
    code = store.fingerprint(sys.modules[__name__], units)
    print("wrote", store.save("units", code, results))


if __name__ == "__main__":
    main()
