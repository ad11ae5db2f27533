"""The networks of `course.models` that read text, a second time, of Torch's own
layers.

Names of networks and of parameters agree, and nothing else is shared. Each
takes integers (N, T) with 0 behind the shorter texts; `from_embeddings` takes
vectors (N, T, D) and booleans (N, T), True at tokens.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def attend(
    own: nn.MultiheadAttention, x: Tensor, mask: Tensor
) -> tuple[Tensor, Tensor]:
    """What the layer makes of tokens (N, T, D), and its attention (N, heads,
    T, T), in the graph. mask: (N, T), True at tokens."""
    packed = nn.functional.linear(x, own.in_proj_weight, own.in_proj_bias)
    q, k, v = (
        part.unflatten(2, (own.num_heads, -1)).transpose(1, 2)
        for part in packed.chunk(3, dim=2)
    )
    scores = q @ k.mT / own.head_dim**0.5
    scores = scores.masked_fill(~mask[:, None, None], float("-inf"))
    attention = scores.softmax(dim=3)
    return own.out_proj((attention @ v).transpose(1, 2).flatten(2)), attention


class Encoder(nn.TransformerEncoderLayer):
    """Torch's layer, except that `attention` (N, heads, T, T) is kept, and in
    the graph, so that it can be differentiated with respect to."""

    def __init__(self, width: int, heads: int, hidden: int, eps: float) -> None:
        super().__init__(
            width,
            heads,
            hidden,
            dropout=0,
            layer_norm_eps=eps,
            batch_first=True,
        )

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:  # type: ignore[override]
        mixed, self.attention = attend(self.self_attn, x, mask)
        x = self.norm1(x + mixed)
        hidden = nn.functional.gelu(self.linear1(x))
        return self.norm2(x + self.linear2(hidden))


class TextNetwork(nn.Module):
    """A table of vectors, and what `from_embeddings` of a subclass does."""

    def __init__(self, words: int, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, width)

    def forward(self, ids: Tensor) -> Tensor:
        return self.from_embeddings(self.embedding(ids), ids != 0)

    def from_embeddings(self, e: Tensor, mask: Tensor) -> Tensor:
        raise NotImplementedError


def masked_mean(x: Tensor, mask: Tensor) -> Tensor:
    """(N, T, D) to (N, D)."""
    total = torch.einsum("ntd,nt->nd", x, mask.to(x.dtype))
    return total / mask.sum(1, keepdim=True)


class TextCNN(TextNetwork):
    """(N, T) to two logits."""

    def __init__(self) -> None:
        super().__init__(9107, 32)
        self.conv = nn.Conv1d(32, 64, kernel_size=3, padding="same")
        self.fc = nn.Linear(64, 2)

    def from_embeddings(self, e: Tensor, mask: Tensor) -> Tensor:
        e = e.masked_fill(~mask[:, :, None], 0)
        found = torch.relu(self.conv(e.mT))
        return self.fc(found.masked_fill(~mask[:, None], 0).amax(2))


class TextAttention(TextNetwork):
    """(N, T) to two logits."""

    def __init__(self) -> None:
        super().__init__(9107, 32)
        self.position = nn.Embedding(80, 32)
        self.block = Encoder(32, 2, 64, eps=1e-5)
        self.fc = nn.Linear(32, 2)

    def from_embeddings(self, e: Tensor, mask: Tensor) -> Tensor:
        x = e + self.position(torch.arange(e.shape[1]))
        return self.fc(masked_mean(self.block(x, mask), mask))


class MiniLM(TextNetwork):
    """(N, T) to unit vectors (N, 384)."""

    def __init__(self) -> None:
        super().__init__(15500, 384)
        self.position = nn.Embedding(128, 384)
        self.token_type = nn.Embedding(1, 384)
        self.norm = nn.LayerNorm(384, eps=1e-12)
        self.layers = nn.ModuleList(
            Encoder(384, 12, 1536, eps=1e-12) for _ in range(3)
        )

    def from_embeddings(self, e: Tensor, mask: Tensor) -> Tensor:
        t = torch.arange(e.shape[1])
        x = e + self.position(t) + self.token_type(torch.zeros_like(t))
        x = self.norm(x)
        for layer in self.layers:
            x = layer(x, mask)
        return nn.functional.normalize(masked_mean(x, mask), dim=1)


class HandAttention(nn.Module):
    """(N, T, 1) to three logits."""

    def __init__(self) -> None:
        super().__init__()
        self.self_attn = nn.MultiheadAttention(1, 1, batch_first=True)
        self.fc = nn.Linear(1, 3, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        every = torch.ones(x.shape[:2], dtype=torch.bool)
        mixed, self.attention = attend(self.self_attn, x, every)
        return self.fc(mixed.mean(1))


class SmallTransformer(nn.Module):
    """(N, T, 8) to five logits."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            Encoder(8, 2, 12, eps=1e-5) for _ in range(2)
        )
        self.fc = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        every = torch.ones(x.shape[:2], dtype=torch.bool)
        for layer in self.layers:
            x = layer(x, every)
        return self.fc(x.mean(1))
