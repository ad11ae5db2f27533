"""Attention, the layer that explains itself, or seems to: its averages, how
they pass through many layers, and what they are worth as explanations.

Attention here is an array (layers, heads, T, T), rows that sum to 1: entry
[l, h, i, j] is how much of token j's value token i takes, in head h of layer l.
"""

from __future__ import annotations

import math

import numpy as np

from course.autograd import Tensor, grad
from course.methods import attention_checks as checks
from course.methods.protocol import Target, checked
from course.nn import Module, capture


@checks.before(checks.queries_and_keys)
def attention_weights(
    query: np.ndarray,
    key: np.ndarray,
    mask: np.ndarray | None = None,
    scale: float | None = None,
) -> np.ndarray:
    """How much each query takes of each key's value: softmax(scale · Q Kᵀ).

        α_ij = exp(s_ij) / Σ_k exp(s_ik),   s_ij = q_i · k_j / √d
                                            (Vaswani et al. 2017, eq. 1)

    query: an array (..., T, d); key: an array (..., S, d).
    mask: booleans that broadcast to (..., T, S), True where a query may look;
        every query must be free to look somewhere.
    scale: what the products are multiplied by; None means 1/√d.
    Returns an array (..., T, S), nowhere negative; its rows sum to 1.
    """
    if scale is None:
        scale = 1 / math.sqrt(query.shape[-1])
    scores = scale * (query @ np.swapaxes(key, -1, -2))
    if mask is not None:
        scores = np.where(mask, scores, -np.inf)
    # The largest score of a row is 0 now, so that exp cannot overflow.
    scores = scores - scores.max(axis=-1, keepdims=True)
    shares = np.exp(scores)
    return shares / shares.sum(axis=-1, keepdims=True)


@checks.before(checks.layer)
def multi_head_attention(
    x: np.ndarray,
    in_proj_weight: np.ndarray,
    in_proj_bias: np.ndarray,
    out_proj_weight: np.ndarray,
    out_proj_bias: np.ndarray,
    num_heads: int,
    mask: np.ndarray | None = None,
) -> np.ndarray:
    """Self-attention, `num_heads` times side by side on slices of the width.

        head_h = α(Q_h, K_h) V_h,   out = [head_1 … head_H] Wᵀ + b
                                            (Vaswani et al. 2017, §3.2.2)

    x: token vectors (N, T, D). The parameters have Torch's names and shapes:
    in_proj_weight: (3D, D), the matrices that make queries, keys and values,
        one below the other; in_proj_bias: (3D,). Like Torch's Linear, each
        computes x Wᵀ + b.
    out_proj_weight: (D, D); out_proj_bias: (D,).
    num_heads: H; head h owns the numbers h D/H to (h + 1) D/H of each vector.
    mask: booleans that broadcast to (N, H, T, T), True where a token (third
        axis) may look at another (fourth axis).
    Returns an array (N, T, D).
    """
    n, t, d = x.shape
    packed = x @ in_proj_weight.T + in_proj_bias
    query, key, value = (
        part.reshape(n, t, num_heads, d // num_heads).swapaxes(1, 2)
        for part in np.split(packed, 3, axis=2)
    )
    heads = attention_weights(query, key, mask) @ value
    joined = heads.swapaxes(1, 2).reshape(n, t, d)
    return joined @ out_proj_weight.T + out_proj_bias


@checks.before(checks.attention)
def attention_rollout(attention: np.ndarray) -> np.ndarray:
    """How much of each input token is in each output token, if layers only
    averaged.

        A_l = ½ mean_h W_lh + ½ I,   rollout = A_L ⋯ A_2 A_1
                                        (Abnar and Zuidema 2020, eq. 1)

    The half of I stands for the residual connection, which carries every
    token past the attention.

    attention: an array (layers, heads, T, T), rows that sum to 1, first layer
        first.
    Returns an array (T, T), outputs by inputs; its rows sum to 1.
    """
    identity = np.eye(attention.shape[-1], dtype=attention.dtype)
    rollout = identity
    for layer in attention:
        mixing = 0.5 * layer.mean(axis=0) + 0.5 * identity
        rollout = mixing @ rollout
    return rollout


@checks.before(checks.attention)
def attention_flow(attention: np.ndarray, output: int) -> np.ndarray:
    """How much could flow from each input token to one output token, if every
    weight were the capacity of a pipe (Abnar and Zuidema 2020, §3).

    attention: as for `attention_rollout`; the pipes of layer l are A_l.
    output: the token of the last layer that the flow arrives at.
    Returns an array (T,), each entry a maximum flow of its own: they may share
    pipes, and do not sum to 1.
    """
    layers, _, t, _ = attention.shape
    capacity = np.zeros(((layers + 1) * t, (layers + 1) * t))
    for i, layer in enumerate(attention):
        below, above = (
            slice(i * t, (i + 1) * t),
            slice((i + 1) * t, (i + 2) * t),
        )
        capacity[above, below] = 0.5 * layer.mean(axis=0) + 0.5 * np.eye(t)
    return np.array(
        [max_flow(capacity, layers * t + output, j) for j in range(t)]
    )


def max_flow(capacity: np.ndarray, source: int, sink: int) -> float:
    """The most that can flow from one node to another: as long as some path has
    room, fill a shortest one (Edmonds and Karp 1972).

    capacity: an array (nodes, nodes), from row to column, nowhere negative.
    """
    room, flow = capacity.astype(np.float64), 0.0
    while path := _shortest_path(room > 1e-12, source, sink):
        step = min(room[edge] for edge in path)
        for i, j in path:
            room[i, j] -= step
            room[j, i] += step  # what has been sent can be sent back
        flow += step
    return flow


def _shortest_path(
    open_edges: np.ndarray, source: int, sink: int
) -> list[tuple[int, int]]:
    """Edges from sink back to source, breadth first; empty if there is none."""
    parent = np.full(len(open_edges), -1)
    parent[source], frontier = source, [source]
    while frontier and parent[sink] < 0:
        reached = []
        for node in frontier:
            new = np.flatnonzero(open_edges[node] & (parent < 0))
            parent[new] = node
            reached.extend(new.tolist())
        frontier = reached
    path, node = [], sink
    while parent[sink] >= 0 and node != source:
        path.append((int(parent[node]), node))
        node = int(parent[node])
    return path


@checked
def attention_times_gradient(
    model: Module, x: np.ndarray, target: Target, layer: str
) -> np.ndarray:
    """What each attention weight contributes to a class's score, to first
    order, added over the heads.

        R_ij = Σ_h α_hij · ∂S_c/∂α_hij        (Serrano and Smith 2019, §3)

    S_c is the logit of class c. The sign is kept.

    model: maps token vectors (N, T, D) to logits (N, classes).
    x: the token vectors, an array (N, T, D).
    target: the class to explain: one int for all, or (N,) ints.
    layer: the name of the module whose output is the attention (N, heads, T,
        T), as `model.named_modules()` gives it: "0.self_attn.weights".
    Returns an array (N, T, T): from token i (second axis) to token j (third).
    """
    logits, captured = capture(model, Tensor(x), [layer])
    attention = captured[layer]
    score = logits[np.arange(len(x)), target].sum()
    return (attention.data * grad(score, attention)).sum(axis=1)


@checks.before(checks.attention)
def received_attention(attention: np.ndarray) -> np.ndarray:
    """How much attention each token gets, the mean over heads and over the
    tokens that give it.

    attention: an array (N, heads, T, T), without padding.
    Returns an array (N, T), each row with sum 1.
    """
    return attention.mean(axis=(1, 2))
