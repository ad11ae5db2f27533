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
# derived from course/methods/sanity_checks.py, course/methods/similarity.py, course/methods/backprop_rules.py and
# course/specs/sanity_checks.py by `course author derive`

# %% [markdown]
# # 10 Sanity checks: does the map depend on the network?
#
# Destroy a network layer by layer, look at what its explanations make of it,
# and measure by how much.
#
# Write each function where it says `raise NotImplementedError`. Then run the
# cell below it, or `course check 10` in a terminal.

# %%
from collections.abc import Sequence
from copy import deepcopy
import numpy as np
from course.methods.protocol import Method, Target
from course.methods.saliency import gradient
from course.nn import Module, layers_from_top
from course.autograd import Tensor, grad
from course.autograd.rules import Array
from course.methods.protocol import Model, Target
from course import check

# %% [markdown]
# ## 10.1 `reinitialize_from_top` (2 points)
#
# Copy a network and draw its topmost layers anew, each by its own rule. (The
# grader looks at the parameters of the network that you return, one after the
# other.)

# %%
def reinitialize_from_top(model: Module, count: int, seed: int) -> Module:
    """A copy of the model whose `count` topmost layers are drawn anew.

    One generator, `np.random.default_rng(seed)`, is handed to each layer's own
    `reset_parameters` in turn, the output layer first. So with the same seed a
    larger count leaves the layers above as a smaller one drew them: a cascade
    destroys one network step by step.

    model: its layers, from the top, are named by `layers_from_top(model)`; it
        stays as it is.
    count: from 0, which changes nothing, to the number of these layers.
    Returns a network like model.
    """
    raise NotImplementedError


# %%
check(reinitialize_from_top)

# %% [markdown]
# ## 10.2 `cascading_randomization` (2 points)
#
# Explain the same images, for the same classes, while the network is destroyed
# layer by layer from the output down.

# %%
def cascading_randomization(
    model: Module,
    x: np.ndarray,
    target: Target,
    seed: int,
    method: Method = gradient,
    counts: Sequence[int] | None = None,
) -> np.ndarray:
    """Explanations while the network is destroyed from the output down.

    (Adebayo et al. 2018, §3.1.) The target stays what it was: whatever the
    ruined network predicts, it is asked about the same class.

    model, x, target: as for `gradient`.
    seed: of the new weights.
    method: any function (model, x, target) to an array shaped like x.
    counts: how many layers are drawn anew at each step; None for 0, 1, ... all.
    Returns an array (len(counts), N, ...); with 0 first, the true maps.
    """
    raise NotImplementedError


# %%
check(cascading_randomization)

# %% [markdown]
# ## 10.3 `rank_correlation` (3 points)
#
# Spearman's correlation of two batches of maps, map by map, where equal values
# share their mean rank.

# %%
def rank_correlation(
    a: np.ndarray, b: np.ndarray, support: np.ndarray | None = None
) -> np.ndarray:
    """Spearman's correlation of each map of a with the same map of b.

    Pearson's correlation of the ranks, where equal values share their mean
    rank. Signs count; for the absolute version hand in magnitudes.

    a, b: maps, arrays (N, ...).
    support: booleans (N, ...), the places that count; None for all.
    Returns an array (N,), NaN where a map is constant.
    """
    raise NotImplementedError


# %%
check(rank_correlation)

# %% [markdown]
# ## 10.4 `ssim` (3 points)
#
# Structural similarity of two batches of images, as scikit-image computes it
# with a Gaussian window.

# %%
def ssim(
    a: np.ndarray, b: np.ndarray, sigma: float = 1.5, data_range: float = 1.0
) -> np.ndarray:
    """Structural similarity of images (Wang et al. 2004, eq. 13).

        (2 μ_a μ_b + c₁)(2 σ_ab + c₂) / ((μ_a² + μ_b² + c₁)(σ_a² + σ_b² + c₂))

    with means and sample covariances in a Gaussian window around each pixel,
    averaged over the pixels whose window lies inside.

    a, b: images (N, H, W), in general through `unit_range`.
    sigma: of the window, which ends at 3.5 sigma: 11 x 11 pixels for 1.5.
    data_range: L, how far values can lie apart; c₁ = (0.01 L)² and
        c₂ = (0.03 L)².
    Returns an array (N,), 1 for equal images.
    """
    raise NotImplementedError


# %%
check(ssim)

# %% [markdown]
# ## 10.5 `masked_noise_null` (1 point)
#
# How alike are two maps of noise under one mask? The number beside which every
# absolute correlation has to be read.

# %%
def masked_noise_null(support: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """The absolute rank correlation of two maps that share nothing but a mask.

    What any method that multiplies by the input reaches without knowing
    anything: where the input is 0, both maps are 0, and ties agree.

    support: where the input is not 0, booleans (N, ...).
    noise: two independent maps, an array (2, N, ...).
    Returns an array (N,).
    """
    raise NotImplementedError


# %%
check(masked_noise_null)

# %% [markdown]
# ## 10.6 `guided_relu` (1 point)
#
# The one line that turns the gradient into guided backpropagation.

# %%
def guided_relu(g: Array, y: Array, x: Array) -> Array:
    """How guided backpropagation passes a gradient back through y = relu(x).

        R^l = 1[R^(l+1) > 0] · 1[z^l > 0] · R^(l+1)
                                        (Springenberg et al. 2015, figure 1c)

    g: the gradient of the score with respect to y, that is R^(l+1).
    y, x: the result and the input of the ReLU. All three have one shape, which
        is that of the answer.
    """
    raise NotImplementedError


# %%
check(guided_relu)

# %% [markdown]
# ## 10.7 `competitive_gradients` (2 points)
#
# Gradient times input, kept only where the target's entry beats every other
# label's.

# %%
def competitive_gradients(
    model: Model, x: np.ndarray, target: Target
) -> np.ndarray:
    """Gradient times input, kept only where the target beats all other labels.

        h^y = x ⊙ ∂S_y/∂x;    pixel i keeps h_i^c if h_i^c > 0 is the largest
        of all labels' h_i^y, or h_i^c < 0 the smallest; else it gets 0
                                               (Gupta and Arora 2019, §3)

    model, x, target: as for `gradient`. One backward pass for each label.
    Returns an array shaped like x.
    """
    raise NotImplementedError


# %%
check(competitive_gradients)
