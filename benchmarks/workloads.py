"""The reference work: which network, on how many inputs at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from benchmarks import networks
from benchmarks.networks import Parameters

NOISE = 0.15
TARGET = 3
Gradient = Callable[[np.ndarray, np.ndarray], np.ndarray]
Answer = Callable[[np.ndarray], np.ndarray]


class Workload(NamedTuple):
    """One line of the table.

    kind: "gradient" of each input; or the first input only, expanded to as many as `shape` has, for
        integrated gradients ("path") or SmoothGrad ("noise").
    """

    name: str
    network: Callable[[Any, Any, Any], Any]
    parameters: Callable[[np.random.Generator], Parameters]
    shape: tuple[int, ...]
    kind: str = "gradient"


_CNN = (networks.cnn, networks.cnn_parameters)
_MLP = (networks.mlp, networks.mlp_parameters)
_TRANSFORMER = (networks.transformer, networks.transformer_parameters)
_EFFICIENTNET = (networks.efficientnet, networks.efficientnet_parameters)

WORKLOADS = [
    Workload("CNN gradient, 1 image", *_CNN, (1, 1, 28, 28)),
    Workload("CNN gradient, 64 images", *_CNN, (64, 1, 28, 28)),
    Workload("CNN integrated gradients, 50 steps", *_CNN, (50, 1, 28, 28), "path"),
    Workload("CNN SmoothGrad, 50 samples", *_CNN, (50, 1, 28, 28), "noise"),
    Workload("MLP gradient, 1 input", *_MLP, (1, 784)),
    Workload("MLP gradient, 64 inputs", *_MLP, (64, 784)),
    Workload("MLP integrated gradients, 50 steps", *_MLP, (50, 784), "path"),
    Workload("Transformer gradient, 16 texts", *_TRANSFORMER, (16, 32, networks.WIDTH)),
    Workload("Transformer gradient, 1 text", *_TRANSFORMER, (1, 32, networks.WIDTH)),
    Workload("EfficientNet-Lite0 gradient, 224 px", *_EFFICIENTNET, (1, 3, 224, 224)),
]


def path(x: np.ndarray, steps: int) -> np.ndarray:
    """Midpoints of the straight line from zero to the one input x (1, ...)."""
    fractions = (np.arange(steps, dtype=np.float32) + 0.5) / steps
    return fractions.reshape(-1, *[1] * (x.ndim - 1)) * x


def attribution(kind: str, gradient: Gradient) -> Answer:
    """What a user would write around an engine's gradient: expand, differentiate, average."""

    def answer(x: np.ndarray) -> np.ndarray:
        target = np.full(len(x), TARGET)
        if kind == "gradient":
            return gradient(x, target)
        if kind == "path":
            return x[:1] * gradient(path(x[:1], len(x)), target).mean(0, keepdims=True)
        noise = np.random.default_rng(1).normal(0, NOISE, x.shape).astype(x.dtype)
        return gradient(x[:1] + noise, target).mean(0, keepdims=True)

    return answer
