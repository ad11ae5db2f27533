"""The engine's rules a second time, by Torch's own automatic differentiation.

No derivative is written down here: each function states the forward pass and
asks `torch.func.vjp` or `torch.autograd.grad` for the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.func import vjp


def mul_vjp_a(g: Tensor, y: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """gᵀ ∂(a * b)/∂a, for an `a` of the shape of g."""
    return vjp(lambda a: a * b, a)[1](g)[0]


def relu_vjp(g: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """gᵀ ∂relu(x)/∂x."""
    return vjp(torch.relu, x)[1](g)[0]


def matmul_vjp_a(g: Tensor, y: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """gᵀ ∂(a @ b)/∂a for a (..., n, k) and b (..., k, m)."""
    return vjp(lambda a: a @ b, a)[1](g)[0]


def matmul_vjp_b(g: Tensor, y: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """gᵀ ∂(a @ b)/∂b for a (..., n, k) and b (..., k, m)."""
    return vjp(lambda b: a @ b, b)[1](g)[0]


def softmax_vjp(g: Tensor, y: Tensor, x: Tensor, dim: int) -> Tensor:
    """gᵀ ∂softmax(x)/∂x along one dimension."""
    return vjp(lambda x: torch.softmax(x, dim), x)[1](g)[0]


def unbroadcast(g: Tensor, shape: Sequence[int]) -> Tensor:
    """The gradient of an array of `shape` that was broadcast to g's shape."""
    small = torch.zeros(tuple(shape), dtype=g.dtype)
    return vjp(lambda x: x.broadcast_to(g.shape), small)[1](g)[0]


def topological_order(
    inputs_of: Sequence[Sequence[int]], output: int
) -> Tensor:
    """The order in which Torch's backward pass visits a graph, turned round."""
    visited: list[int] = []

    @cache
    def value(node: int) -> Tensor:
        made = sum(
            map(value, inputs_of[node]), torch.ones((), requires_grad=True)
        )
        made.register_hook(lambda g: visited.append(node))
        return made

    value(output).backward()
    return torch.tensor(visited[::-1])


FORWARD: dict[str, Callable[..., Tensor]] = {
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "matmul": torch.matmul,
    "relu": torch.relu,
    "exp": torch.exp,
    "tanh": torch.tanh,
    "softmax": torch.softmax,
    "sum": torch.sum,
}


def backward(
    tape: Sequence[tuple[str, Sequence[int], dict[str, Any]]],
    values: Sequence[Tensor],
    output: int,
    wanted: int,
) -> Tensor:
    """Run the tape forward in Torch from its leaves; differentiate there."""

    @cache
    def value(node: int) -> Tensor:
        op, inputs, options = tape[node]
        if op == "leaf":
            return values[node].clone().requires_grad_()
        return FORWARD[op](*map(value, inputs), **options)

    x = value(wanted)
    g = torch.autograd.grad(value(output), x, allow_unused=True)[0]
    return torch.zeros_like(x) if g is None else g


def conv2d_vjp_x(
    g: Tensor, x: Tensor, w: Tensor, stride: int, padding: int
) -> Tensor:
    """gᵀ ∂conv2d(x, w)/∂x for images (N, C, H, W)."""

    def forward(x: Tensor) -> Tensor:
        return torch.conv2d(x, w, stride=stride, padding=padding)

    return vjp(forward, x)[1](g)[0]
