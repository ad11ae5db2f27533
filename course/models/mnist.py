"""Three classifiers of handwritten digits, and one of clothes, trained by our own engine.

`python -m course.experiments.train_mnist`, `train_gap` and `train_fashion` made the weights.
"""

from __future__ import annotations

import numpy as np

from course.autograd import Tensor
from course.data import data_file
from course.nn import Conv2d, Linear, MaxPool2d, Module, ReLU


class MnistMLP(Module):
    """784 - 128 - 64 - 10, with ReLUs between: images (N, 1, 28, 28) to logits (N, 10)."""

    def __init__(self, rng: np.random.Generator | None = None) -> None:
        self.fc1 = Linear(784, 128, rng=rng)
        self.relu1 = ReLU()
        self.fc2 = Linear(128, 64, rng=rng)
        self.relu2 = ReLU()
        self.fc3 = Linear(64, 10, rng=rng)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu1(self.fc1(x.flatten(1)))
        x = self.relu2(self.fc2(x))
        return self.fc3(x)


class MnistCNN(Module):
    """Two 5x5 convolutions with pooling, two linear layers: (N, 1, 28, 28) to logits (N, 10).

    Padding keeps the size, so that relu2, the last feature maps, is (N, 32, 14, 14).
    """

    def __init__(self, rng: np.random.Generator | None = None) -> None:
        self.conv1 = Conv2d(1, 16, 5, padding=2, rng=rng)
        self.relu1 = ReLU()
        self.pool1 = MaxPool2d(2)
        self.conv2 = Conv2d(16, 32, 5, padding=2, rng=rng)
        self.relu2 = ReLU()
        self.pool2 = MaxPool2d(2)
        self.fc1 = Linear(32 * 7 * 7, 64, rng=rng)
        self.relu3 = ReLU()
        self.fc2 = Linear(64, 10, rng=rng)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool1(self.relu1(self.conv1(x)))
        x = self.pool2(self.relu2(self.conv2(x)))
        x = self.relu3(self.fc1(x.flatten(1)))
        return self.fc2(x)


class MnistGAP(Module):
    """Three convolutions, an average of each feature map, one linear layer.

    Images (N, 1, H, W) of any size to logits (N, 10). relu3, the last feature maps, is
    (N, 48, H / 4, W / 4); one entry of it sees 23 pixels of the image, about a digit.
    """

    def __init__(self, rng: np.random.Generator | None = None) -> None:
        self.conv1 = Conv2d(1, 8, 5, stride=2, padding=2, rng=rng)
        self.relu1 = ReLU()
        self.pool1 = MaxPool2d(2)
        self.conv2 = Conv2d(8, 24, 3, padding=1, rng=rng)
        self.relu2 = ReLU()
        self.conv3 = Conv2d(24, 48, 3, padding=1, rng=rng)
        self.relu3 = ReLU()
        self.fc = Linear(48, 10, rng=rng)

    def features(self, x: Tensor) -> Tensor:
        """The last feature maps, before they are averaged."""
        x = self.pool1(self.relu1(self.conv1(x)))
        x = self.relu2(self.conv2(x))
        return self.relu3(self.conv3(x))

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.features(x).mean(dim=(2, 3)))


def mnist_mlp() -> MnistMLP:
    """The MLP with its shipped weights."""
    return MnistMLP().load(data_file("weights/mnist_mlp.npz"))


def mnist_cnn() -> MnistCNN:
    """The CNN with its shipped weights."""
    return MnistCNN().load(data_file("weights/mnist_cnn.npz"))


def mnist_gap() -> MnistGAP:
    """The network that averages, trained on digits somewhere on a page of 56x56 pixels."""
    return MnistGAP().load(data_file("weights/mnist_gap.npz"))


def fashion_cnn() -> MnistCNN:
    """The same CNN trained on Fashion-MNIST."""
    return MnistCNN().load(data_file("weights/fashion_cnn.npz"))
