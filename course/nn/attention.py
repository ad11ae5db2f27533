"""Sequences: tokens as vectors, attention between them, and the transformer's block."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from course import autograd as F
from course.autograd import Tensor
from course.nn.layers import GELU, Linear, Softmax, xavier_uniform
from course.nn.module import Module
from course.nn.normalisation import LayerNorm


class Embedding(Module):
    """A table of vectors: integers (...) to rows (..., embedding_dim)."""

    def __init__(
        self, num_embeddings: int, embedding_dim: int, rng: np.random.Generator | None = None
    ) -> None:
        shape = (num_embeddings, embedding_dim)
        self.weight = Tensor(np.zeros(shape, np.float32), requires_grad=True)
        self.reset_parameters(rng or np.random.default_rng())

    def reset_parameters(self, rng: np.random.Generator) -> None:
        """Normal numbers of variance 1, as Torch does."""
        self.weight.data = rng.normal(size=self.weight.shape).astype(self.weight.dtype)

    def forward(self, indices: Any) -> Tensor:
        return F.embedding(indices, self.weight)


class MultiHeadAttention(Module):
    """Self-attention (Vaswani et al. 2017, §3.2.2): each token becomes a mean of all tokens'
    values, weighted by how well its query fits their keys; `num_heads` times side by side.

    Its state_dict is that of `torch.nn.MultiheadAttention`: `in_proj_weight` holds the matrices
    that make queries, keys and values, one below the other. The attention itself, (N, heads, T, T)
    with rows that sum to 1, is the output of the module `weights`: capture it by that name.
    """

    def __init__(
        self, embed_dim: int, num_heads: int, rng: np.random.Generator | None = None
    ) -> None:
        if embed_dim % num_heads:
            raise ValueError(
                f"num_heads must divide embed_dim, got num_heads={num_heads} for {embed_dim}"
            )
        rng = rng or np.random.default_rng()
        self.num_heads = num_heads
        self.in_proj_weight = Tensor(
            np.zeros((3 * embed_dim, embed_dim), np.float32), requires_grad=True
        )
        self.in_proj_bias = Tensor(np.zeros(3 * embed_dim, np.float32), requires_grad=True)
        self.weights = Softmax()
        self.out_proj = Linear(embed_dim, embed_dim, rng=rng)
        self.reset_parameters(rng)

    def reset_parameters(self, rng: np.random.Generator) -> None:
        """Draw what is this layer's own; `out_proj` is a layer by itself."""
        weight, bias = self.in_proj_weight, self.in_proj_bias
        weight.data = xavier_uniform(weight.shape, rng).astype(weight.dtype)
        bias.data = np.zeros_like(bias.data)

    def forward(self, x: Tensor, mask: Any = None) -> Tensor:
        """x (N, T, D) to (N, T, D). mask: booleans that broadcast to (N, heads, T, T), True where
        a token (third axis) may look at another (fourth axis)."""
        if x.ndim != 3 or x.shape[2] != self.out_proj.weight.shape[0]:
            width = self.out_proj.weight.shape[0]
            raise ValueError(f"x must be sequences (N, T, {width}), got shape {x.shape}")
        n, t, width = x.shape
        query, key, value = (self._heads(x, part) for part in range(3))
        scores = (query @ key.transpose(2, 3)) * (1 / math.sqrt(width // self.num_heads))
        if mask is not None:
            scores = scores + np.where(mask, 0, -1e30).astype(x.dtype)
        mixed = self.weights(scores) @ value
        return self.out_proj(mixed.transpose(1, 2).reshape(n, t, width))

    def _heads(self, x: Tensor, part: int) -> Tensor:
        """The queries (part 0), keys (1) or values (2): (N, heads, T, D / heads)."""
        n, t, width = x.shape
        rows = slice(part * width, (part + 1) * width)
        y = F.linear(x, self.in_proj_weight[rows], self.in_proj_bias[rows])
        return y.reshape(n, t, self.num_heads, width // self.num_heads).transpose(1, 2)


class TransformerBlock(Module):
    """Attention between tokens, then two linear layers on each; both are added to what came in, and
    the sum is normalised (post-norm, as in BERT).

    Its state_dict is that of `torch.nn.TransformerEncoderLayer`.
    """

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int,
        layer_norm_eps: float = 1e-5,
        rng: np.random.Generator | None = None,
    ) -> None:
        self.self_attn = MultiHeadAttention(d_model, nhead, rng)
        self.linear1 = Linear(d_model, dim_feedforward, rng=rng)
        self.activation = GELU()
        self.linear2 = Linear(dim_feedforward, d_model, rng=rng)
        self.norm1 = LayerNorm(d_model, layer_norm_eps)
        self.norm2 = LayerNorm(d_model, layer_norm_eps)

    def forward(self, x: Tensor, mask: Any = None) -> Tensor:
        """x (N, T, D) to (N, T, D); mask as for `MultiHeadAttention`."""
        x = self.norm1(x + self.self_attn(x, mask))
        return self.norm2(x + self.linear2(self.activation(self.linear1(x))))
