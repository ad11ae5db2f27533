# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---
# derived from course/methods/attention.py and course/specs/attention.py by `course author derive`

# %% [markdown]
# # 04 Attention: averages that look like explanations
#
# A network that averages shows its weights. What do they say about its answer?
#
# The library's own answers.

# %%
import math
import numpy as np
from course.autograd import Tensor, grad
from course.methods.protocol import Target
from course.nn import Module, capture
from course import check

# %% [markdown]
# ## 04.1 `attention_weights` (2 points)
#
# Turn queries and keys into attention: scaled products, masked, and a softmax
# over keys.

# %%
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


# %%
check(attention_weights)

# %% [markdown]
# ## 04.2 `multi_head_attention` (3 points)
#
# Run attention in several heads side by side, as a transformer's layer does.

# %%
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


# %%
check(multi_head_attention)

# %% [markdown]
# ## 04.3 `attention_rollout` (2 points)
#
# Multiply the layers' averages, residual connections included, into one average
# of the input tokens.

# %%
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


# %%
check(attention_rollout)

# %% [markdown]
# ## 04.4 `attention_times_gradient` (2 points)
#
# Weigh each attention weight by what it does to a class's score, and add the
# heads up.

# %%
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


# %%
check(attention_times_gradient)
