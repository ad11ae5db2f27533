"""The networks that are timed, each written once and run by every engine.

`F` is an engine's namespace of operations (`course.autograd`, or an adapter from `engines`), `p`
its parameters by name, `x` its input. All return logits.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from course.models.efficientnet import STAGES, efficientnet_lite0

Parameters = dict[str, np.ndarray]


def _draw(rng: np.random.Generator, **shapes: tuple[int, ...]) -> Parameters:
    """Weights that keep the size of activations, and a small bias for each."""
    drawn = {}
    for name, shape in shapes.items():
        scale = math.sqrt(2 / math.prod(shape[1:]))
        drawn[f"{name}.w"] = rng.normal(0, scale, shape).astype(np.float32)
        drawn[f"{name}.b"] = rng.normal(0, 0.05, shape[0]).astype(np.float32)
    return drawn


def cnn_parameters(rng: np.random.Generator) -> Parameters:
    return _draw(rng, conv1=(32, 1, 5, 5), conv2=(64, 32, 5, 5), fc1=(1024, 3136), fc2=(10, 1024))


def cnn(F: Any, p: Any, x: Any) -> Any:
    """Adebayo et al. (2018), on MNIST (N, 1, 28, 28)."""
    for layer in ("conv1", "conv2"):
        x = F.conv2d(x, p[f"{layer}.w"], p[f"{layer}.b"], padding=2)
        x = F.max_pool2d(F.relu(x), 2)
    x = F.reshape(x, (len(x), 3136))
    x = F.relu(F.linear(x, p["fc1.w"], p["fc1.b"]))
    return F.linear(x, p["fc2.w"], p["fc2.b"])


def mlp_parameters(rng: np.random.Generator) -> Parameters:
    return _draw(rng, fc1=(1024, 784), fc2=(1024, 1024), fc3=(10, 1024))


def mlp(F: Any, p: Any, x: Any) -> Any:
    """784-1024-1024-10."""
    x = F.relu(F.linear(x, p["fc1.w"], p["fc1.b"]))
    x = F.relu(F.linear(x, p["fc2.w"], p["fc2.b"]))
    return F.linear(x, p["fc3.w"], p["fc3.b"])


LAYERS, HEADS, WIDTH = 2, 4, 128


def transformer_parameters(rng: np.random.Generator) -> Parameters:
    p = _draw(rng, head=(10, WIDTH))
    for i in range(LAYERS):
        square = {f"{i}.{name}": (WIDTH, WIDTH) for name in ("q", "k", "v", "o")}
        p |= _draw(
            rng, **square, **{f"{i}.up": (4 * WIDTH, WIDTH), f"{i}.down": (WIDTH, 4 * WIDTH)}
        )
        for norm in ("n1", "n2"):
            p[f"{i}.{norm}.w"] = rng.uniform(0.5, 1.5, WIDTH).astype(np.float32)
            p[f"{i}.{norm}.b"] = rng.normal(0, 0.05, WIDTH).astype(np.float32)
    return p


def transformer(F: Any, p: Any, x: Any) -> Any:
    """Two post-norm encoder layers of four heads on embeddings (N, 32, 128), as Torch's default."""
    n, length, _ = x.shape
    heads = (n, length, HEADS, WIDTH // HEADS)
    for i in range(LAYERS):
        q, k, v = (
            F.permute(F.reshape(F.linear(x, p[f"{i}.{m}.w"], p[f"{i}.{m}.b"]), heads), axes)
            for m, axes in (("q", (0, 2, 1, 3)), ("k", (0, 2, 3, 1)), ("v", (0, 2, 1, 3)))
        )
        weights = F.softmax((q @ k) * (1 / math.sqrt(WIDTH // HEADS)))
        seen = F.reshape(F.permute(weights @ v, (0, 2, 1, 3)), (n, length, WIDTH))
        x = x + F.linear(seen, p[f"{i}.o.w"], p[f"{i}.o.b"])
        x = F.layer_norm(x, p[f"{i}.n1.w"], p[f"{i}.n1.b"])
        hidden = F.relu(F.linear(x, p[f"{i}.up.w"], p[f"{i}.up.b"]))
        x = x + F.linear(hidden, p[f"{i}.down.w"], p[f"{i}.down.b"])
        x = F.layer_norm(x, p[f"{i}.n2.w"], p[f"{i}.n2.b"])
    return F.linear(F.mean(x, 1), p["head.w"], p["head.b"])


def efficientnet_parameters(rng: np.random.Generator) -> Parameters:
    """The shipped weights: random ones would need normalisation to keep ReLU6 in its range."""
    state = efficientnet_lite0().state_dict()
    return {name.replace("weight", "w").replace("bias", "b"): w for name, w in state.items()}


def efficientnet(F: Any, p: Any, x: Any) -> Any:
    """EfficientNet-Lite0 on (N, 3, 224, 224), with the paddings of `course.models.efficientnet`."""

    def conv(x: Any, name: str, stride: int = 1) -> Any:
        w = p[f"{name}.w"]
        k, groups = w.shape[2], x.shape[1] // w.shape[1]
        padding = k // 2
        if stride == 2:
            x, padding = F.pad(x, (k // 2 - 1, k // 2, k // 2 - 1, k // 2)), 0
        return F.conv2d(x, w, p[f"{name}.b"], stride=stride, padding=padding, groups=groups)

    x, index = F.relu6(conv(x, "stem", 2)), 0
    for stage in STAGES:
        for i in range(stage.repeat):
            block = f"b{index}"
            y = F.relu6(conv(x, f"{block}.expand")) if stage.expand > 1 else x
            y = conv(F.relu6(conv(y, f"{block}.dw", 1 if i else stage.stride)), f"{block}.project")
            x, index = x + y if i else y, index + 1
    return F.linear(F.mean(F.relu6(conv(x, "head")), (2, 3)), p["fc.w"], p["fc.b"])
