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
# derived from course/methods/integrated_gradients.py and course/specs/integrated_gradients.py by `course author derive`

# %% [markdown]
# # 06 Integrated Gradients: the whole way instead of the last step
#
# A gradient knows the neighbourhood. Follow it from an input that says nothing
# to the one to be explained, and what it collects adds up to the change of the
# score.
#
# The library's own answers.

# %%
import numpy as np
from course.methods.protocol import Model, Target, score
from course.methods.quadrature import quadrature
from course.methods.saliency import gradient
from course.methods.scale import mean_over
from course import check

# %% [markdown]
# ## 06.1 `straight_line_path` (1 point)
#
# Mix a baseline and a batch of inputs: one mixture for each fraction of the
# way.

# %%
def straight_line_path(
    baseline: np.ndarray, x: np.ndarray, alphas: np.ndarray
) -> np.ndarray:
    """The inputs at the fractions α of the way from a baseline to x.

        γ(α) = x̄ + α (x - x̄)        (Sundararajan et al. 2017, §3)

    baseline: x̄, an array that broadcasts to x.
    x: an array (N, ...).
    alphas: an array (K,); 0 is the baseline, 1 is x.
    Returns an array (K, N, ...) in the dtype of x.
    """
    alphas = np.asarray(alphas, x.dtype).reshape(-1, *[1] * x.ndim)
    return baseline + alphas * (x - baseline)


# %%
check(straight_line_path)

# %% [markdown]
# ## 06.2 `integrated_gradients` (4 points)
#
# Average the gradient along the way from a baseline, by any rule of quadrature,
# and multiply by the way.

# %%
def integrated_gradients(
    model: Model,
    x: np.ndarray,
    target: Target,
    baseline: np.ndarray,
    steps: int = 50,
    rule: str = "midpoint",
    chunk: int = 8,
) -> np.ndarray:
    """The gradient averaged along the way from a baseline, times that way.

        IG_i(x) = (x_i - x̄_i) · ∫_0^1 ∂S_c(x̄ + α (x - x̄)) / ∂x_i dα

    (Sundararajan et al. 2017, eq. 1), the integral by a quadrature rule.

    model: maps a Tensor (B, ...) to logits; B is up to chunk, whatever N is.
    x: the inputs, an array (N, ...).
    target: the class to explain: one int for all, or (N,) ints.
    baseline: x̄, where the path starts: a number, or an array that broadcasts
        to x.
    steps, rule: as for `quadrature`.
    chunk: how many points of the path go through the model at once. Eight
        photographs of 128 pixels take EfficientNet-Lite0 some 150 MB.
    Returns an array shaped like x, signed.
    """
    targets = np.broadcast_to(target, len(x))
    alphas, weights = quadrature(steps, rule)
    points = (straight_line_path(baseline, x, a)[0] for a in alphas)
    average = mean_over(
        lambda batch, rows: gradient(model, batch, targets[rows]),
        points,
        weights,
        chunk,
    )
    return (x - baseline) * average


# %%
check(integrated_gradients)

# %% [markdown]
# ## 06.3 `completeness_gap` (1 point)
#
# Test an explanation: do its entries add up to the change of the score?

# %%
def completeness_gap(
    model: Model,
    x: np.ndarray,
    target: Target,
    baseline: np.ndarray,
    attributions: np.ndarray,
) -> np.ndarray:
    """By how much attributions miss the change of the score that they explain.

        gap = Σ_i A_i - (S_c(x) - S_c(x̄))

    Zero for the exact integral (Sundararajan et al. 2017, proposition 1).

    model, x, target, baseline: as for `integrated_gradients`.
    attributions: an array shaped like x.
    Returns an array (N,), positive where the attributions add up to too much.
    """
    change = score(model, x, target) - score(model, baseline, target)
    return attributions.reshape(len(x), -1).sum(axis=1) - change


# %%
check(completeness_gap)

# %% [markdown]
# ## 06.4 `expected_gradients` (2 points)
#
# Average over many baselines, looking at one point of the path from each.

# %%
def expected_gradients(
    model: Model,
    x: np.ndarray,
    target: Target,
    baselines: np.ndarray,
    alphas: np.ndarray,
    chunk: int = 8,
) -> np.ndarray:
    """Integrated Gradients averaged over baselines, a point of each path.

        EG_i(x) = mean_k (x_i - x̄_ki) · ∂S_c(x̄_k + α_k (x - x̄_k)) / ∂x_i

    (Erion et al. 2021), with x̄_k and α_k drawn by the caller.

    model, x, target, chunk: as for `integrated_gradients`.
    baselines: x̄_k, each shaped like one input: an array (K, ...).
    alphas: how far along its path each is looked at, an array (K,).
    Returns an array shaped like x, signed.
    """
    targets = np.broadcast_to(target, len(x))

    def on_batch(pairs: np.ndarray, rows: np.ndarray) -> np.ndarray:
        points, ways = pairs[:, 0], pairs[:, 1]
        return ways * gradient(model, points, targets[rows])

    # A point and the way that its gradient is to be multiplied with.
    pairs = (
        np.stack([straight_line_path(b, x, a)[0], x - b], axis=1)
        for b, a in zip(baselines.astype(x.dtype), alphas, strict=True)
    )
    return mean_over(on_batch, pairs, chunk=chunk)


# %%
check(expected_gradients)

# %% [markdown]
# ## 06.5 `split_integrated_gradients` (3 points)
#
# Cut the path where the score has made its change, and integrate before and
# after.

# %%
def split_integrated_gradients(
    model: Model,
    x: np.ndarray,
    target: Target,
    baseline: np.ndarray,
    share: float = 0.95,
    steps: int = 50,
) -> np.ndarray:
    """Integrated Gradients in two parts, before and after the score saturates.

    The path is cut at the first of `steps` equally spaced points at which
    the score has made the share of its change:

        S_c(γ(α)) ≥ S_c(x̄) + share · (S_c(x) - S_c(x̄))

    (Miglani et al. 2020). Where the score falls along the path, so does
    the bound, and ≥ is ≤.

    model, x, target, baseline: as for `integrated_gradients`.
    share: of the change of the score, in (0, 1].
    steps: of the search and, by the midpoint rule, of each part.
    Returns an array (2, N, ...): the part before the cut, which is their Split
    IG, and the part after it. Their sum is integrated_gradients.
    """
    alphas = np.arange(1, steps + 1) / steps
    path = straight_line_path(baseline, x, alphas)
    scores = np.stack([score(model, point, target) for point in path])
    done = scores - score(model, baseline, target)
    reached = done * np.sign(done[-1]) >= share * np.abs(done[-1])
    cut = path[reached.argmax(axis=0), np.arange(len(x))]
    before = integrated_gradients(model, cut, target, baseline, steps)
    after = integrated_gradients(model, x, target, cut, steps)
    return np.stack([before, after])


# %%
check(split_integrated_gradients)
