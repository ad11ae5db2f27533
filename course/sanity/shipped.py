"""Methods of the library under their names, as functions (model, x, target)."""

from __future__ import annotations

import numpy as np

from course.methods.backprop_rules import (
    competitive_gradients,
    deconvnet,
    edge_detector,
    guided_backprop,
    lrp_alpha1_beta0,
    lrp_epsilon,
)
from course.methods.integrated_gradients import integrated_gradients
from course.methods.protocol import Method, Model, Target
from course.methods.saliency import gradient, gradient_times_input, saliency_map
from course.methods.smoothgrad import gaussian_noise, smoothgrad


def _integrated_gradients(model: Model, x: np.ndarray, target: Target) -> np.ndarray:
    """From zero, in eight steps: of all methods it takes the longest."""
    return integrated_gradients(model, x, target, baseline=0, steps=8)


def _smoothgrad(model: Model, x: np.ndarray, target: Target) -> np.ndarray:
    """Sixteen copies, always with the same noise."""
    noise = gaussian_noise(x, 0.15, 16, np.random.default_rng(0))
    return smoothgrad(model, x, target, noise)


METHODS: dict[str, Method] = {
    "gradient": gradient,
    "saliency_map": saliency_map,
    "gradient_times_input": gradient_times_input,
    "integrated_gradients": _integrated_gradients,
    "smoothgrad": _smoothgrad,
    "guided_backprop": guided_backprop,
    "deconvnet": deconvnet,
    "lrp_epsilon": lrp_epsilon,
    "lrp_alpha1_beta0": lrp_alpha1_beta0,
    "competitive_gradients": competitive_gradients,
    "edge_detector": edge_detector,
}
# What a reader's method is shown beside: the first is the scale of the verdicts.
COMPARED = (
    "gradient", "gradient_times_input", "integrated_gradients", "guided_backprop",
    "lrp_alpha1_beta0", "edge_detector",
)  # fmt: skip
