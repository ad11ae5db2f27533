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
# derived from course/methods/cam.py and course/specs/cam.py by `course author derive`

# %% [markdown]
# # 03 CAM: where the network looks
#
# A logit is an average over places. What stands there before it is averaged?
#
# The library's own answers.

# %%
import numpy as np
from course.autograd import Tensor, grad
from course.methods.protocol import Model, Target, feature_maps
from course import check

# %% [markdown]
# ## 03.1 `global_average_pool` (1 point)
#
# Average each feature map over all its places: (N, K, H, W) to (N, K).

# %%
def global_average_pool(features: np.ndarray) -> np.ndarray:
    """The mean of each feature map over all its places.

        F_k = 1 / (H·W) Σ_ij f_k(i, j)

    Zhou et al. 2016 call it an average and write the sum; networks
    divide, and so do we.

    features: the last feature maps, an array (N, K, H, W).
    Returns an array (N, K).
    """
    return features.mean(axis=(2, 3))


# %%
check(global_average_pool)

# %% [markdown]
# ## 03.2 `class_activation_map` (2 points)
#
# Weigh the feature maps by a class's own weights, and add them up place by
# place.

# %%
def class_activation_map(
    features: np.ndarray, weights: np.ndarray, target: Target
) -> np.ndarray:
    """What each place of the last feature maps says for a class.

        M_c(i, j) = Σ_k w_k^c f_k(i, j)        (Zhou et al. 2016, eq. 2)

    The mean of M_c, plus the bias of class c, is the logit S_c. The sign is
    kept: a negative entry is evidence against the class.

    features: the last feature maps, an array (N, K, H, W).
    weights: of the linear layer behind the average, an array (C, K).
    target: the class to explain: one int for all, or (N,) ints.
    Returns an array (N, H, W).
    """
    chosen = np.broadcast_to(weights[target], features.shape[:2])
    return np.einsum("nk,nkij->nij", chosen, features)


# %%
check(class_activation_map)

# %% [markdown]
# ## 03.3 `grad_cam` (3 points)
#
# Average the gradient over each feature map of a layer, weigh the maps by it,
# add them up, and cut off what is negative.

# %%
def grad_cam(
    model: Model, x: np.ndarray, target: Target, layer: str, relu: bool = True
) -> np.ndarray:
    """A class activation map for any network and any of its layers.

        α_k = 1/Z Σ_ij ∂S_c / ∂A_k(i, j)    (Selvaraju et al. 2017, eq. 1)
        L_c(i, j) = ReLU(Σ_k α_k A_k(i, j))                       (eq. 2)

    A are the layer's feature maps and Z = H·W counts their places. Where the
    layer goes straight into an average and a linear layer, this is the class
    activation map divided by Z, with the negative part cut off.

    model: maps a Tensor (N, ...) to logits, a Tensor (N, classes).
    x: the inputs, an array (N, ...).
    target: the class to explain: one int for all, or (N,) ints.
    layer: the name of a layer whose output is (N, K, H, W).
    relu: whether to cut off the negative part, as the paper does.
    Returns an array (N, H, W), as coarse as the layer.
    """
    logits, features = feature_maps(model, Tensor(x), layer)
    score = logits[np.arange(len(x)), target].sum()
    gradient = grad(score, features)
    weights = gradient.mean(axis=(2, 3), keepdims=True)
    cam = (weights * features.data).sum(axis=1)
    return np.maximum(cam, 0) if relu else cam


# %%
check(grad_cam)

# %% [markdown]
# ## 03.4 `upsample_bilinear` (2 points)
#
# Enlarge a map by mixing neighbours, with the right place for each new pixel.

# %%
def upsample_bilinear(
    maps: np.ndarray, size: tuple[int, int], align_corners: bool = False
) -> np.ndarray:
    """Enlarge maps by linear interpolation, the rows first, then the columns.

    Along an axis of n entries, entry i of the larger map lies at the place

        (i + 1/2) · n / out - 1/2        outer edges agree
        i · (n - 1) / (out - 1)          align_corners: corner centres agree

    of the smaller one, moved to its nearest end if it lies outside, and mixes
    the two neighbours there. As Torch's `interpolate`, mode "bilinear".

    maps: an array (N, H, W).
    size: the height and the width wanted, in pixels.
    Returns an array (N, *size).
    """
    mixed = maps
    for axis, out in ((1, size[0]), (2, size[1])):
        n = maps.shape[axis]
        if align_corners:
            place = np.linspace(0, n - 1, out)
        else:
            place = (np.arange(out) + 0.5) * n / out - 0.5
        place = np.maximum(place, 0)
        left = place.astype(int)
        right = np.minimum(left + 1, n - 1)
        share = place - left
        if axis == 1:
            share = share[:, None]
        near, far = mixed.take(left, axis), mixed.take(right, axis)
        mixed = (1 - share) * near + share * far
    return mixed.astype(maps.dtype)


# %%
check(upsample_bilinear)

# %% [markdown]
# ## 03.5 `pointing_game` (2 points)
#
# Say for each map whether its strongest place lies in the region; ties share
# the point.

# %%
def pointing_game(maps: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """Does the strongest place of each map lie in its region?

    1 is a hit and 0 a miss (Zhang et al. 2016, without their margin of
    15 pixels). Where several places are equally strong, the score is the
    share of them that lie in the region: a flat map scores as chance does.

    maps: an array (N, H, W).
    regions: where the object is, an array (N, H, W) of bools.
    Returns an array (N,); its mean is the accuracy.
    """
    strongest = maps == maps.max(axis=(1, 2), keepdims=True)
    hits = (strongest & regions).sum(axis=(1, 2))
    return hits / strongest.sum(axis=(1, 2))


# %%
check(pointing_game)
