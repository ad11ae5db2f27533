"""The methods that module 10 tests, and the measures that it tests them with."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from course.methods import backprop_rules as rules
from course.methods.cam import grad_cam_map
from course.methods.integrated_gradients import integrated_gradients, straight_line_path
from course.methods.protocol import Method, Model, Target
from course.methods.quadrature import quadrature
from course.methods.saliency import gradient, gradient_times_input
from course.methods.scale import mean_over
from course.methods.similarity import hog_similarity, rank_correlation, ssim, unit_range
from course.methods.smoothgrad import gaussian_noise, smoothgrad

CHUNK = 64
NOISE = 0.15
Means = dict[str, float]


def path_gradient(model: Model, x: np.ndarray, target: Target, steps: int) -> np.ndarray:
    """Integrated Gradients from zero without the factor in front: the path's mean gradient."""
    targets = np.broadcast_to(target, len(x))
    alphas, weights = quadrature(steps, "midpoint")
    return mean_over(
        lambda batch, rows: gradient(model, batch, targets[rows]),
        straight_line_path(np.zeros_like(x), x, alphas),
        weights,
        CHUNK,
    ).astype(x.dtype)


def methods(
    x: np.ndarray, layer: str | None, copies: int = 12, steps: int = 12
) -> dict[str, Method]:
    """The methods by name, each a function (model, x, target) to maps like x.

    x: the images to be explained: SmoothGrad adds the same noise whichever network is asked.
    layer: where Grad-CAM looks; None leaves out the two that need feature maps.
    copies, steps: of SmoothGrad and Integrated Gradients.
    """
    noise = gaussian_noise(x, NOISE, copies, np.random.default_rng(0))
    found: dict[str, Method] = {
        "gradient": gradient,
        "SmoothGrad": lambda m, x, c: smoothgrad(m, x, c, noise, chunk=CHUNK),
        "IG without × input": lambda m, x, c: path_gradient(m, x, c, steps),
        "gradient × input": gradient_times_input,
        "IG": lambda m, x, c: integrated_gradients(m, x, c, 0, steps, chunk=CHUNK),
        "guided backprop": rules.guided_backprop,
        "DeconvNet": rules.deconvnet,
        "LRP-ε": rules.lrp_epsilon,
        "LRP-α1β0": rules.lrp_alpha1_beta0,
        "CGI": rules.competitive_gradients,
        "edge detector": rules.edge_detector,
    }
    if layer is not None:
        found["Grad-CAM"] = lambda m, x, c: grad_cam_map(m, x, c, layer)[:, None]
        found["guided Grad-CAM"] = lambda m, x, c: rules.guided_grad_cam(m, x, c, layer)
    return found


def noise_like(
    a: np.ndarray, b: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Two maps of noise that have nothing in common but where a and b are zero."""
    one, other = rng.normal(size=(2, *a.shape))
    return one * (a != 0), other * (b != 0)


def compare(
    a: np.ndarray, b: np.ndarray, support: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """How alike maps (N, 1, H, W) are by each measure, one number a map.

    support: where "support" compares magnitudes; None leaves it out. SSIM and HOG see signed maps,
    each stretched to [0, 1], as Adebayo et al. 2018 have it.
    """
    one, other = (unit_range(m[:, 0].astype(float)) for m in (a, b))
    found = {
        "signed": rank_correlation(a, b),
        "abs": rank_correlation(np.abs(a), np.abs(b)),
        "ssim": ssim(one, other),
        "hog": hog_similarity(one, other),
    }
    if support is not None:
        found["support"] = rank_correlation(np.abs(a), np.abs(b), support)
    return found


def means(found: dict[str, np.ndarray], digits: int = 3) -> Means:
    """The mean of each measure over the images; a constant map has no correlation, and is left
    out; where all are constant, it counts as 0."""
    mean: Callable[[np.ndarray], float] = lambda v: (  # noqa: E731
        float(np.nanmean(v)) if np.isfinite(v).any() else 0.0
    )
    return {name: round(mean(values), digits) for name, values in found.items()}
