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
# derived from course/methods/smoothgrad.py and course/specs/smoothgrad.py by `course author derive`

# %% [markdown]
# # 07 SmoothGrad: the neighbourhood instead of the point
#
# A gradient jumps where a ReLU switches. Average it over noisy copies of the
# input, and measure what that buys.
#
# Write each function where it says `raise NotImplementedError`. Then run the
# cell below it, or `course check 07` in a terminal.

# %%
import numpy as np
from course.methods.protocol import Method, Model, Target
from course.methods.saliency import gradient
from course.methods.scale import mean_over
from course import check

# %% [markdown]
# ## 07.1 `smoothgrad` (2 points)
#
# Explain noisy copies of the input, by any method, and average the
# explanations.

# %%
def smoothgrad(
    model: Model,
    x: np.ndarray,
    target: Target,
    noise: np.ndarray,
    method: Method = gradient,
    chunk: int = 8,
) -> np.ndarray:
    """The mean explanation of noisy copies of the input.

        E_sg(x) = 1/K Σ_k E(x + ε_k)        (Smilkov et al. 2017, §3)

    The explanations keep their signs while they are averaged.

    model: maps a Tensor (B, ...) to logits; B is up to chunk, whatever N is.
    x: the inputs, an array (N, ...).
    target: the class to explain: one int for all, or (N,) ints.
    noise: ε, an array (K, N, ...), as `gaussian_noise` draws it.
    method: E, any function (model, x, target) to an array with an entry, of
        any shape, for each input.
    chunk: how many copies go through the model at once. Eight photographs of
        128 pixels take EfficientNet-Lite0 some 150 MB.
    Returns an array shaped like E(x).
    """
    raise NotImplementedError


# %%
check(smoothgrad)

# %% [markdown]
# ## 07.2 `smoothgrad_squared` (1 point)
#
# Average the squares of the noisy copies' explanations, so that nothing
# cancels.

# %%
def smoothgrad_squared(
    model: Model,
    x: np.ndarray,
    target: Target,
    noise: np.ndarray,
    method: Method = gradient,
    chunk: int = 8,
) -> np.ndarray:
    """The mean *square* of the explanations of noisy copies.

        E_sg²(x) = 1/K Σ_k E(x + ε_k)²        (Hooker et al. 2019, §4)

    All arguments as for `smoothgrad`. Returns an array shaped like E(x),
    nowhere negative.
    """
    raise NotImplementedError


# %%
check(smoothgrad_squared)

# %% [markdown]
# ## 07.3 `vargrad` (2 points)
#
# Take the variance of the noisy copies' explanations, number by number.

# %%
def vargrad(
    model: Model,
    x: np.ndarray,
    target: Target,
    noise: np.ndarray,
    method: Method = gradient,
    chunk: int = 8,
) -> np.ndarray:
    """The variance of the explanations of noisy copies.

        E_vg(x) = 1/K Σ_k (E(x + ε_k) - E_sg(x))²     (Adebayo et al. 2018)

    Divided by K, not K - 1: so SmoothGrad² = VarGrad + SmoothGrad squared.
    That identity would need each explanation once instead of twice, but
    loses digits where the mean is large, and can come out negative.

    All arguments as for `smoothgrad`. Returns an array shaped like E(x),
    nowhere negative.
    """
    raise NotImplementedError


# %%
check(vargrad)

# %% [markdown]
# ## 07.4 `max_sensitivity` (2 points)
#
# Measure how far an explanation moves when the input hardly does.

# %%
def max_sensitivity(
    model: Model,
    x: np.ndarray,
    target: Target,
    noise: np.ndarray,
    method: Method = gradient,
) -> np.ndarray:
    """How far an explanation moves when the input hardly does.

        max_k ‖E(x + δ_k) - E(x)‖₂ / ‖E(x)‖₂      (Yeh et al. 2019, §4)

    The largest over the given δ, a lower bound of that over the whole ball.
    Where E(x) is zero everywhere the change is not divided by anything.

    model, x, target: as for `smoothgrad`, but that B is N.
    noise: δ, an array (K, N, ...), as `uniform_noise` draws it.
    method: E, any function (model, x, target) to an array with an entry, of
        any shape, for each input.
    Returns an array (N,): 0 for an explanation that stands still.
    """
    raise NotImplementedError


# %%
check(max_sensitivity)
