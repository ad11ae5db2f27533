"""Attention small enough for paper, and two blocks of it that an exercise can be judged on."""

from __future__ import annotations

import math

import numpy as np

from course.autograd import Tensor
from course.nn import Linear, Module, MultiHeadAttention, Sequential, TransformerBlock


class HandAttention(Module):
    """Tokens (N, T, 1) to three logits: one head, the mean over tokens, one linear layer.

    A token x asks with x ln 2, answers to x and gives x + 1, so that tokens (0, 1) have the
    attention ((1/2, 1/2), (1/3, 2/3)) (lecture 04).
    """

    def __init__(self) -> None:
        self.self_attn = MultiHeadAttention(1, 1)
        self.fc = Linear(1, 3, bias=False)
        self.load_state_dict(
            {
                "self_attn.in_proj_weight": np.array([[math.log(2)], [1], [1]]),
                "self_attn.in_proj_bias": np.array([0, 0, 1]),
                "self_attn.out_proj.weight": np.array([[1]]),
                "self_attn.out_proj.bias": np.array([0]),
                "fc.weight": np.array([[4], [12], [-6]]),
            }
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.self_attn(x).mean(1))


class SmallTransformer(Module):
    """Tokens (N, T, 8) to five logits: two blocks of two heads, the mean over tokens, a layer."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.layers = Sequential(*(TransformerBlock(8, 2, 12, rng=rng) for _ in range(2)))
        self.fc = Linear(8, 5, rng=rng)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.layers(x).mean(1))
