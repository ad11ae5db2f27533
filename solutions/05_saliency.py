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
# derived from course/methods/saliency.py and course/specs/saliency.py by `course author derive`

# %% [markdown]
# # 05 Saliency: the gradient as an explanation
#
# How would the score change if a pixel did? One backward pass answers for all
# pixels.
#
# The library's own answers.

# %%
import numpy as np
from course.autograd import Tensor, grad, no_grad, softmax
from course.methods.protocol import Model, Target
from course import check

# %% [markdown]
# ## 05.1 `gradient` (3 points)
#
# Differentiate the logit of a class with respect to every pixel, for a whole
# batch.

# %%
def gradient(model: Model, x: np.ndarray, target: Target) -> np.ndarray:
    """The derivative of a class's score with respect to every input number.

        R_i(x) = ∂S_c(x) / ∂x_i        (Simonyan et al. 2013, eq. 4)

    S_c is the *logit* of class c, not its softmax probability. The sign is
    kept: a negative entry says that raising that pixel lowers the score.

    model: maps a Tensor (N, ...) to logits, a Tensor (N, classes).
    x: the inputs, an array (N, ...).
    target: the class to explain: one int for all, or (N,) ints.
    Returns an array shaped like x.
    """
    inputs = Tensor(x, requires_grad=True)
    logits = model(inputs)
    # An example's score depends on that example alone, so one backward pass
    # of the sum gives every example its own gradient.
    score = logits[np.arange(len(x)), target].sum()
    return grad(score, inputs)


# %%
check(gradient)

# %% [markdown]
# ## 05.2 `saliency_map` (2 points)
#
# Reduce the gradient to one non-negative number a pixel: the largest magnitude
# over the colour channels.

# %%
def saliency_map(model: Model, x: np.ndarray, target: Target) -> np.ndarray:
    """How strongly each pixel can move the score, whatever its colour.

        M_ij(x) = max_k |∂S_c(x) / ∂x_kij|        (Simonyan et al. 2013, §3.1)

    The largest magnitude over the colour channels: one number a pixel.

    model, target: as for `gradient`.
    x: images, an array (N, C, H, W).
    Returns an array (N, H, W), nowhere negative.
    """
    return np.abs(gradient(model, x, target)).max(axis=1)


# %%
check(saliency_map)

# %% [markdown]
# ## 05.3 `gradient_times_input` (1 point)
#
# Multiply the gradient by the input, entry by entry, and keep the sign.

# %%
def gradient_times_input(
    model: Model,
    x: np.ndarray,
    target: Target,
) -> np.ndarray:
    """Each input number times the derivative of the score with respect to it.

        R_i(x) = x_i · ∂S_c(x) / ∂x_i        (Shrikumar et al. 2016)

    Where the score is linear in the input, entry i is exactly what x_i
    contributes to it; elsewhere it is a first-order account.

    model, x, target: as for `gradient`.
    Returns an array shaped like x, signed.
    """
    return x * gradient(model, x, target)


# %%
check(gradient_times_input)

# %% [markdown]
# ## 05.4 `aggregate_tokens` (2 points)
#
# Make one number a word of the gradient with respect to its vector, in four
# ways.

# %%
def aggregate_tokens(
    gradients: np.ndarray, embeddings: np.ndarray, how: str
) -> np.ndarray:
    """One number for each token, from the gradient with respect to its vector.

        "sum"   Σ_d g_d
        "mean"  Σ_d g_d / D
        "l2"    √(Σ_d g_d²)
        "dot"   Σ_d g_d e_d, gradient × embedding summed over the token

    gradients: ∂S_c/∂e, an array (N, T, D).
    embeddings: the vectors e that went in, an array (N, T, D); only "dot"
        looks at them.
    how: one of the four names above.
    Returns an array (N, T), signed but for "l2".
    """
    if how == "sum":
        return gradients.sum(axis=2)
    if how == "mean":
        return gradients.mean(axis=2)
    if how == "l2":
        return np.sqrt((gradients**2).sum(axis=2))
    if how == "dot":
        return (gradients * embeddings).sum(axis=2)
    raise ValueError(f'how must be "sum", "mean", "l2" or "dot", got {how!r}')


# %%
check(aggregate_tokens)

# %% [markdown]
# ## 05.5 `comprehensiveness` (3 points)
#
# Take away each sentence's highest-scored words: how far does the probability
# of the class fall?

# %%
def comprehensiveness(
    model: Model,
    x: np.ndarray,
    target: Target,
    scores: np.ndarray,
    mask: np.ndarray,
    replacement: np.ndarray,
    fraction: float = 0.2,
) -> np.ndarray:
    """How far the class's probability falls when its top tokens are removed.

        p_c(x) - p_c(x without the tokens of the highest scores)

    (DeYoung et al. 2020, eq. 1). To remove a token is to put the vector
    `replacement` in its place: the sentence keeps its length.

    model: maps a Tensor of word vectors (N, T, D) to logits (N, classes).
    x: the word vectors, an array (N, T, D).
    target: the class whose probability is followed: one int, or (N,) ints.
    scores: the importance of each token, an array (N, T).
    mask: booleans (N, T), True at tokens. Padding is neither removed nor
        counted.
    replacement: the vector (D,) of no word: zeros, or that of [PAD].
    fraction: the share of a sentence's tokens to remove, rounded up.
    Returns an array (N,); negative where the probability rises.
    """
    ranked = np.where(mask, scores, -np.inf)
    rank = (-ranked).argsort(axis=1, kind="stable").argsort(axis=1)
    count = np.ceil(fraction * mask.sum(axis=1, keepdims=True))
    without = np.where((rank < count)[:, :, None], replacement, x)
    with no_grad():
        before, after = (
            softmax(model(Tensor(e))).data[np.arange(len(x)), target]
            for e in (x, without.astype(x.dtype))
        )
    return before - after


# %%
check(comprehensiveness)
