"""The exercises of `course.methods.attention`, a second time, in Torch."""

from __future__ import annotations

from functools import reduce

import torch
from torch import Tensor, nn


def attention_weights(
    query: Tensor,
    key: Tensor,
    mask: Tensor | None = None,
    scale: float | None = None,
) -> Tensor:
    """What Torch's attention gives when the values are the unit vectors: query
    (..., T, d), key (..., S, d); returns (..., T, S)."""
    units = torch.eye(key.shape[-2], dtype=key.dtype)
    values = units.expand(*key.shape[:-1], key.shape[-2])
    return nn.functional.scaled_dot_product_attention(
        query, key, values, attn_mask=mask, scale=scale
    )


def multi_head_attention(
    x: Tensor,
    in_proj_weight: Tensor,
    in_proj_bias: Tensor,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor,
    num_heads: int,
    mask: Tensor | None = None,
) -> Tensor:
    """Torch's own layer with these parameters: x (N, T, D); returns the same
    shape."""
    n, t, d = x.shape
    if mask is not None:
        # Torch wants True where a token may *not* look, heads within examples.
        mask = ~mask.expand(n, num_heads, t, t).flatten(0, 1)
    module = nn.MultiheadAttention(d, num_heads, batch_first=True)
    module.to(x.dtype).load_state_dict(
        {
            "in_proj_weight": in_proj_weight,
            "in_proj_bias": in_proj_bias,
            "out_proj.weight": out_proj_weight,
            "out_proj.bias": out_proj_bias,
        }
    )
    return module(x, x, x, attn_mask=mask)[0]


def attention_rollout(attention: Tensor) -> Tensor:
    """The layers' mixtures multiplied, the last on the left: (L, H, T, T) to
    (T, T)."""
    added = attention.mean(dim=1) + torch.eye(attention.shape[-1])
    mixing = added / added.sum(dim=-1, keepdim=True)
    return reduce(torch.matmul, mixing.flip(0).unbind())


def attention_times_gradient(
    model: nn.Module, x: Tensor, target: Tensor, layer: str
) -> Tensor:
    """Σ_h α ⊙ ∂S_c/∂α: x (N, T, D), target (N,); returns (N, T, T).

    layer: "self_attn.weights", behind the path to a module that keeps its
    `attention`, as those of `networks_text` do.
    """
    x = x.detach().requires_grad_()
    score = model(x).gather(1, target[:, None]).sum()
    encoder = model.get_submodule(
        layer.removesuffix("self_attn.weights").rstrip(".")
    )
    attention = encoder.attention
    assert isinstance(attention, Tensor)
    (slopes,) = torch.autograd.grad(score, attention)
    return torch.einsum("nhij,nhij->nij", attention, slopes).detach()
