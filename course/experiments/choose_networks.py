"""Networks made to refute axioms, for `course.experiments.choose`: one function wired in several
ways, one that saturates, one that is its own mirror image. All are in float64."""

from __future__ import annotations

from copy import deepcopy
from typing import TypeVar

import numpy as np

from course.autograd import Tensor
from course.models import MnistCNN
from course.nn import Conv2d, Linear, MaxPool2d, ReLU

SIZE, CLASSES = 12, 5
Network = TypeVar("Network", bound=MnistCNN)


class TwoPaths(ReLU):
    """relu(z), written as z + relu(-z)."""

    def forward(self, z: Tensor) -> Tensor:
        return z + (-z).relu()


class SumOfTwo(Conv2d):
    """A convolution, written as the sum of two: a random one, and what then remains."""

    def __init__(self, conv: Conv2d, rng: np.random.Generator) -> None:
        self.rest = deepcopy(conv)
        super().__init__(6, 8, 3, padding=1, bias=False, rng=rng)
        self.to(np.float64)
        self.rest.weight.data = conv.weight.data - self.weight.data

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + self.rest(x)


class Small(MnistCNN):
    """The MNIST CNN's layers, smaller, and unpadded at the input: (N, 1, 12, 12) to (N, 5)."""

    def __init__(self, seed: int, biased: bool = True) -> None:
        rng = np.random.default_rng(seed)
        self.conv1 = Conv2d(1, 6, 5, rng=rng)
        self.relu1 = ReLU()
        self.pool1 = MaxPool2d(2)
        self.conv2 = Conv2d(6, 8, 3, padding=1, rng=rng)
        self.relu2 = ReLU()
        self.pool2 = MaxPool2d(2)
        self.fc1 = Linear(8 * 2 * 2, 16, rng=rng)
        self.relu3 = ReLU()
        self.fc2 = Linear(16, CLASSES, rng=rng)
        self.scale = np.ones((1, 8, 4, 4))  # of the last feature maps, undone behind them
        self.to(np.float64)
        if biased:  # of the size that weights have
            biases = {n: b for n, b in self.state_dict().items() if n.endswith("bias")}
            changed(self, **{n: rng.normal(0, 0.3, b.shape) for n, b in biases.items()})

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool1(self.relu1(self.conv1(x)))
        x = self.relu2(self.conv2(x) * self.scale) * (1 / self.scale)
        x = self.relu3(self.fc1(self.pool2(x).flatten(1)))
        return self.fc2(x)


def changed(model: Network, **parameters: np.ndarray) -> Network:
    """The model, with some of its parameters, by name, replaced in place."""
    return model.load_state_dict({**model.state_dict(), **parameters})


def rewired(model: Small, wiring: str, seed: int) -> Small:
    """The same function, wired otherwise.

    wiring: "relu" has other ReLUs, "sum" another second convolution; "place" scales the last
        feature maps by a positive number at each place, which a ReLU lets through, and divides
        by it behind them.
    """
    copy, rng = deepcopy(model), np.random.default_rng([seed, 2])
    if wiring == "relu":
        copy.relu1, copy.relu2, copy.relu3 = TwoPaths(), TwoPaths(), TwoPaths()
    elif wiring == "sum":
        copy.conv2 = SumOfTwo(copy.conv2, rng)
    else:
        copy.scale = rng.uniform(0.2, 2, copy.scale.shape)
    return copy


class Saturating(MnistCNN):
    """S(x) = Σ 1 - relu(1 - x): each pixel counts until it reaches 1 (Sundararajan et al. 2017,
    §2.1). Images (N, 1, 12, 12) to (N, 2), the second class the first's opposite."""

    def __init__(self) -> None:
        self.conv1 = Conv2d(1, 1, 1)
        self.relu2 = ReLU()
        self.fc2 = Linear(SIZE * SIZE, 2)
        n = SIZE * SIZE
        changed(self, **{"conv1.weight": -np.ones((1, 1, 1, 1)), "conv1.bias": np.ones(1)})
        weights = {"fc2.weight": np.repeat([[-1], [1]], n, axis=1), "fc2.bias": np.array([n, -n])}
        changed(self, **weights)
        self.to(np.float64)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(self.relu2(self.conv1(x)).flatten(1))


def mixed(model: Small, weights: np.ndarray) -> Small:
    """A copy whose logits are `weights` (classes, classes) times the model's."""
    state = model.state_dict()
    output = {n: weights @ state[n] for n in ("fc2.weight", "fc2.bias")}
    return changed(deepcopy(model), **output)


def mirrored(model: Small) -> Small:
    """A copy that gives an image and its mirror image the same scores."""
    state = model.state_dict()
    for name, shape in (("conv1", (6, 1, 5, 5)), ("conv2", (8, 6, 3, 3)), ("fc1", (16, 8, 2, 2))):
        w = state[f"{name}.weight"]
        w[...] = ((w.reshape(shape) + w.reshape(shape)[..., ::-1]) / 2).reshape(w.shape)
    return deepcopy(model).load_state_dict(state)
