"""Train the two MNIST networks and write the weights that the course ships.

    python -m course.experiments.train_mnist

Only the 12,000 training images are trained on; the 2,000 test images are looked at once, at the
end. The same seed gives the same weights on the same machine and number of threads.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from course.data import Mnist, mnist
from course.models.mnist import MnistCNN, MnistMLP
from course.nn import Adam, Module, accuracy, fit
from course.nn.train import Augment

NETWORKS = {"mnist_mlp": MnistMLP, "mnist_cnn": MnistCNN}
EPOCHS = {"mnist_mlp": 60, "mnist_cnn": 10}
WEIGHTS = Path(__file__).parents[1] / "data" / "files" / "weights"


def shift(images: np.ndarray, rng: np.random.Generator, reach: int = 2) -> np.ndarray:
    """Move each image (N, C, H, W) by up to `reach` pixels in both directions; paper moves in."""
    n, _, height, width = images.shape
    border = ((0, 0), (0, 0), (reach, reach), (reach, reach))
    padded = np.pad(images, border)
    down, right = rng.integers(0, 2 * reach + 1, (2, n))
    return np.stack(
        [padded[i, :, down[i] : down[i] + height, right[i] : right[i] + width] for i in range(n)]
    )


def train(name: str, data: Mnist, epochs: int, seed: int = 0, augment: Augment = shift) -> Module:
    """A network trained from random weights: Adam, and a tenth of its rate for the last fifth."""
    rng = np.random.default_rng(seed)
    model = NETWORKS[name](rng)
    optimizer = Adam(model.parameters())
    settle = epochs // 5
    for rate, part in ((1e-3, epochs - settle), (1e-4, settle)):
        optimizer.lr = rate
        fit(model, data.x_train, data.y_train, optimizer, part, 64, rng, augment)
    return model


def ship(model: Module, path: Path, x: np.ndarray, y: np.ndarray) -> str:
    """Store the weights as float16 and judge what was stored, on inputs x and classes y."""
    path.parent.mkdir(parents=True, exist_ok=True)
    model.save(path, dtype=np.float16)
    right = accuracy(model.load(path), x, y)
    return f"{path.stem}: {right:.2%} of {len(x)} test examples, {path.stat().st_size / 1e3:.0f} kB"


def options(description: str) -> argparse.Namespace:
    """What every training script can be told."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="folder for the weights")
    return parser.parse_args()


def main() -> None:
    given, data = options("Train the two MNIST networks of the course."), mnist()
    for name, epochs in EPOCHS.items():
        begin = time.perf_counter()
        model = train(name, data, epochs, given.seed)
        seconds = time.perf_counter() - begin
        report = ship(model, given.out / f"{name}.npz", data.x_test, data.y_test)
        print(f"{report}, {seconds:.0f} s")


if __name__ == "__main__":
    main()
