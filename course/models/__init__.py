"""The networks that the lectures explain, each by its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from course.models.efficientnet import EfficientNetLite0, efficientnet_lite0, top5
from course.models.minilm import MiniLM, minilm, minilm_pieces, sentence_embedding
from course.models.mnist import (
    MnistCNN,
    MnistGAP,
    MnistMLP,
    fashion_cnn,
    mnist_cnn,
    mnist_gap,
    mnist_mlp,
)
from course.models.text import TextAttention, TextCNN, text_attention, text_cnn
from course.models.toy import HandNetwork, HandPooled, SmallText, small_cnn
from course.models.toy_attention import HandAttention, SmallTransformer
from course.nn import Module

# Those called small are random; the others have fixed or shipped weights.
NETWORKS: dict[str, Callable[[np.random.Generator], Module]] = {
    "hand": lambda rng: HandNetwork(),
    "hand_pooled": lambda rng: HandPooled(),
    "small_cnn": small_cnn,
    "small_text": SmallText,
    "mnist_mlp": lambda rng: mnist_mlp(),
    "mnist_cnn": lambda rng: mnist_cnn(),
    "mnist_gap": lambda rng: mnist_gap(),
    "fashion_cnn": lambda rng: fashion_cnn(),
    "efficientnet_lite0": lambda rng: efficientnet_lite0(),
    "text_cnn": lambda rng: text_cnn(),
    "text_attention": lambda rng: text_attention(),
    "minilm": lambda rng: minilm(),
    "hand_attention": lambda rng: HandAttention(),
    "small_transformer": SmallTransformer,
}


def build(name: str, seed: int = 0, dtype: Any = np.float32) -> Module:
    """A network by name: with its shipped weights, or with random ones drawn from `seed`."""
    if name not in NETWORKS:
        raise KeyError(f"no network is called {name!r}; there are {', '.join(NETWORKS)}")
    return NETWORKS[name](np.random.default_rng(seed)).to(dtype)


__all__ = [
    "NETWORKS",
    "EfficientNetLite0",
    "HandAttention",
    "HandNetwork",
    "HandPooled",
    "MiniLM",
    "MnistCNN",
    "MnistGAP",
    "MnistMLP",
    "SmallText",
    "SmallTransformer",
    "TextAttention",
    "TextCNN",
    "build",
    "efficientnet_lite0",
    "fashion_cnn",
    "minilm",
    "minilm_pieces",
    "mnist_cnn",
    "mnist_gap",
    "mnist_mlp",
    "sentence_embedding",
    "small_cnn",
    "text_attention",
    "text_cnn",
    "top5",
]
