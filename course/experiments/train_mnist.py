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


def train(name: str, data: Mnist, epochs: int, seed: int = 0) -> Module:
    """A network trained from random weights: Adam, and a tenth of its rate for the last fifth."""
    rng = np.random.default_rng(seed)
    model = NETWORKS[name](rng)
    optimizer = Adam(model.parameters())
    settle = epochs // 5
    for rate, part in ((1e-3, epochs - settle), (1e-4, settle)):
        optimizer.lr = rate
        fit(model, data.x_train, data.y_train, optimizer, part, 64, rng, augment=shift)
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the two MNIST networks of the course.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="folder for the weights")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    data = mnist()
    for name, epochs in EPOCHS.items():
        begin = time.perf_counter()
        model = train(name, data, epochs, options.seed)
        seconds = time.perf_counter() - begin
        path = options.out / f"{name}.npz"
        model.save(path, dtype=np.float16)
        model.load(path)  # what is judged is what is shipped
        right = accuracy(model, data.x_test, data.y_test)
        kilobytes = path.stat().st_size / 1000
        print(f"{name}: {right:.2%} of the test images, {seconds:.0f} s, {kilobytes:.0f} kB")


if __name__ == "__main__":
    main()
