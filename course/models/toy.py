"""Networks small enough to work through by hand, or to judge an exercise in a millisecond."""

from __future__ import annotations

import numpy as np

from course.autograd import Tensor, tanh
from course.nn import Conv2d, Flatten, Linear, MaxPool2d, Module, ReLU, Sequential


class HandNetwork(Module):
    """Two colour channels of 1x2 pixels, two hidden ReLU units, three classes; no biases.

    Small integer weights, so that every gradient can be followed on paper (lecture 05).
    """

    def __init__(self) -> None:
        self.fc1 = Linear(4, 2, bias=False)
        self.fc2 = Linear(2, 3, bias=False)
        self.fc1.weight.data = np.array([[1, -1, 2, 0], [0, 2, 1, 1]], np.float32)
        self.fc2.weight.data = np.array([[1, 1], [3, -2], [-1, 2]], np.float32)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(self.fc1(x.flatten(1)).relu())


class SmallText(Module):
    """Word vectors (N, T, 4) to three logits: tanh of a linear map of each, their mean, one more
    linear map. Smooth, so that no two rules of quadrature agree on it."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.fc1 = Linear(4, 6, rng=rng)
        self.fc2 = Linear(6, 3, rng=rng)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(tanh(self.fc1(x)).mean(1))


def small_cnn(rng: np.random.Generator) -> Sequential:
    """Images (N, 3, 8, 6) to five logits: convolution, ReLU, pooling, convolution, ReLU, linear.

    Its images are higher than wide, so that a transposed map has the wrong shape.
    """
    return Sequential(
        Conv2d(3, 6, 3, padding=1, rng=rng),
        ReLU(),
        MaxPool2d(2),
        Conv2d(6, 8, 3, padding=1, rng=rng),
        ReLU(),
        Flatten(),
        Linear(8 * 4 * 3, 5, rng=rng),
    )


class HandPooled(Module):
    """One grey channel, a unit for light and one for dark, an average each, three classes.

    `relu` holds the feature maps (relu(x), relu(-x)), so that a class activation map can be
    followed on paper (lecture 03). Any image size.
    """

    def __init__(self) -> None:
        self.conv = Conv2d(1, 2, 1, bias=False)
        self.relu = ReLU()
        self.fc = Linear(2, 3, bias=False)
        self.conv.weight.data = np.array([1, -1], np.float32).reshape(2, 1, 1, 1)
        self.fc.weight.data = np.array([[1, 1], [2, -1], [-1, 3]], np.float32)
        self.fc.bias = Tensor(np.array([0, 1, -1], np.float32), requires_grad=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.relu(self.conv(x)).mean(dim=(2, 3)))
