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
# derived from course/methods/units.py and course/specs/units.py by `course author derive`

# %% [markdown]
# # 02 Units: what a neuron looks for
#
# Look at what excites a unit, draw what would excite it more, and find out how
# much of the answer is the unit's.
#
# Write each function where it says `raise NotImplementedError`. Then run the
# cell below it, or `course check 02` in a terminal.

# %%
from collections.abc import Sequence
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from course.autograd import Tensor, grad
from course.methods.protocol import Model, Target
from course import check

# %% [markdown]
# ## 02.1 `receptive_field` (2 points)
#
# Work out which pixels a unit can see: how many, how far those of its neighbour
# are shifted, and where those of the first unit begin.

# %%
def receptive_field(layers: Sequence[Sequence[int]]) -> np.ndarray:
    """Which input pixels a unit can see, along one axis.

    Unit i of the last layer sees `size` pixels from `start + i * jump` on.
    `start` is negative where the first unit's field begins in the padding.

    layers: (kernel, stride, padding) of each convolution or pooling layer, in
        the order of the forward pass. A kernel k with dilation d counts as
        (k - 1) d + 1.
    Returns the array [size, jump, start], in input pixels.
    """
    raise NotImplementedError


# %%
check(receptive_field)

# %% [markdown]
# ## 02.2 `top_patches` (3 points)
#
# Find the patches that excite a channel most, one from an image, and cut out
# exactly what the unit sees.

# %%
def top_patches(
    images: np.ndarray, activations: np.ndarray, field: np.ndarray, count: int
) -> np.ndarray:
    """The patches that excite one channel most, each from another image.

    Of every image the position where the channel is strongest, of these the
    `count` strongest, and of each the pixels that the unit there can see
    (Zeiler and Fergus 2014, §4.1; Girshick et al. 2014, §3.1).

    images: an array (N, C, H, W).
    activations: the channel's maps on them, an array (N, h, w).
    field: [size, jump, start], as `receptive_field` gives it.
    Returns an array (count, C, size, size), the strongest first; zero where
    the unit sees beyond the image.
    """
    raise NotImplementedError


# %%
check(top_patches)

# %% [markdown]
# ## 02.3 `activation_maximization` (4 points)
#
# Climb from given images to images that excite a unit more, with jitter,
# smoothness and bounds.

# %%
def activation_maximization(
    model: Model,
    x: np.ndarray,
    target: Target,
    shifts: np.ndarray,
    rate: float = 0.1,
    smoothness: float = 0.0,
    bounds: tuple[float, float] = (0.0, 1.0),
) -> np.ndarray:
    """Change images until a unit is as excited as it can be, step by step.

        x <- clip(x + rate · g / mean|g|)    (Mordvintsev et al. 2015)
        g = ∂/∂x [ a(x) - smoothness · V(x) ]

    V is half the sum of squared differences of neighbouring pixels, down and
    across (Mahendran and Vedaldi 2015, §3, with β = 2). The mean of |g| is
    each image's own; where it is zero, the image stays as it is. In step t the
    image is rolled by shifts[t] before a and V are taken, and the step rolled
    back (jitter).

    model: maps a Tensor (N, C, H, W) to the activations a, a Tensor (N, units).
    x: the images to start from, an array (N, C, H, W).
    target: the unit to excite: one int for all, or (N,) ints.
    shifts: rows and columns to roll in each step, ints (steps, 2); zeros for
        no jitter. Its length is the number of steps.
    rate: the mean size of a step, in units of x.
    bounds: the least and greatest value that a pixel may take.
    Returns an array shaped like x.
    """
    raise NotImplementedError


# %%
check(activation_maximization)

# %% [markdown]
# ## 02.4 `foveation` (3 points)
#
# Count how often a convolution uses each pixel, for any stride and any kind of
# padding.

# %%
def foveation(
    shape: tuple[int, int],
    kernel: int,
    stride: int = 1,
    padding: int | tuple[tuple[int, int], tuple[int, int]] = 0,
    mode: str = "constant",
) -> np.ndarray:
    """How often each pixel is used by one convolution.

    The number of places, over all windows, in which the convolution reads the
    pixel or, where the padding repeats pixels, a copy of it (Alsallakh et al.
    2021, §3). It is the adjoint of the convolution with ones, applied to ones.

    shape: the input's height and width.
    kernel, stride: of the convolution, the same for rows and columns.
    padding: for all sides, or ((top, bottom), (left, right)).
    mode: of `np.pad`. Torch calls "constant" zeros, "edge" replicate and
        "wrap" circular; "symmetric" repeats the edge where "reflect" does not.
    Returns the counts, an array of ints (H, W).
    """
    raise NotImplementedError


# %%
check(foveation)
