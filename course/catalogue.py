"""The methods of attribution side by side: what each is called, and one call for all of them.

The book's front page, gallery, chooser and interactive page, and `course sanity`, all draw from
this table. Whoever wants the options of a method calls its function in `course.methods`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from course.methods import backprop_rules as rules
from course.methods.cam import grad_cam_map
from course.methods.integrated_gradients import integrated_gradients
from course.methods.protocol import Method, Model, Target
from course.methods.saliency import gradient, gradient_times_input
from course.methods.smoothgrad import gaussian_noise, smoothgrad, smoothgrad_squared, vargrad
from course.models import EfficientNetLite0, MnistCNN, MnistGAP

NOISE, COPIES, STEPS = 0.15, 16, 16
LAST_MAPS = {EfficientNetLite0: "head_relu", MnistCNN: "relu2", MnistGAP: "relu3"}
Meaning = Literal["sensitivity", "contribution", "control"]


@dataclass(frozen=True)
class Entry:
    """One method: `explain(model, x, target)` maps images (N, C, H, W) to attributions whose
    channels may have been joined, (N, C or 1, H, W).

    title, lecture, paper: as the book calls it, the chapter's file, the key in its bibliography.
    meaning: "sensitivity" is measured per unit of the input, so magnitudes are shown; a
        "contribution" has the score's units, and its sign says for or against; a "control" does
        not ask the network.
    """

    title: str
    lecture: str
    paper: str
    meaning: Meaning
    explain: Method


def last_feature_maps(model: Model) -> str:
    """The layer that Grad-CAM looks at: the last whose maps still have a height and a width."""
    try:
        return LAST_MAPS[type(model)]
    except KeyError:
        known = ", ".join(kind.__name__ for kind in LAST_MAPS)
        raise ValueError(
            f"Grad-CAM needs feature maps: model must be one of {known}, got {type(model).__name__}"
        ) from None


def pixel_map(attributions: np.ndarray, meaning: Meaning) -> np.ndarray:
    """Attributions (N, C, H, W) as one number a pixel (N, H, W): contributions of the colours
    add up, of sensitivities and controls the largest magnitude counts."""
    if meaning == "contribution":
        return attributions.sum(axis=1)
    return np.abs(attributions).max(axis=1)


def _noise(x: np.ndarray) -> np.ndarray:
    """The same for every network, so that maps differ by the network alone."""
    return gaussian_noise(x, NOISE, COPIES, np.random.default_rng(0))


def _smoothgrad(model: Model, x: np.ndarray, target: Target) -> np.ndarray:
    return smoothgrad(model, x, target, _noise(x))


def _smoothgrad_squared(model: Model, x: np.ndarray, target: Target) -> np.ndarray:
    return smoothgrad_squared(model, x, target, _noise(x))


def _vargrad(model: Model, x: np.ndarray, target: Target) -> np.ndarray:
    return vargrad(model, x, target, _noise(x))


def _integrated_gradients(model: Model, x: np.ndarray, target: Target) -> np.ndarray:
    """From zero."""
    return integrated_gradients(model, x, target, baseline=0, steps=STEPS)


def _grad_cam(model: Model, x: np.ndarray, target: Target) -> np.ndarray:
    return grad_cam_map(model, x, target, last_feature_maps(model))[:, None]


def _guided_grad_cam(model: Model, x: np.ndarray, target: Target) -> np.ndarray:
    return rules.guided_grad_cam(model, x, target, last_feature_maps(model))


RULES = "10_sanity_checks"  # where the rules of backpropagation are taught
CATALOGUE: dict[str, Entry] = {
    "gradient": Entry("Gradient", "05_saliency", "simonyan2013", "sensitivity", gradient),
    "smoothgrad": Entry("SmoothGrad", "07_smoothgrad", "smilkov2017", "sensitivity", _smoothgrad),
    "smoothgrad_squared": Entry(
        "SmoothGrad²", "07_smoothgrad", "hooker2019", "sensitivity", _smoothgrad_squared
    ),
    "vargrad": Entry("VarGrad", "07_smoothgrad", "adebayo2018local", "sensitivity", _vargrad),
    "guided_backprop": Entry(
        "Guided backprop", RULES, "springenberg2014", "sensitivity", rules.guided_backprop
    ),
    "deconvnet": Entry("DeconvNet", RULES, "zeiler2014", "sensitivity", rules.deconvnet),
    "grad_cam": Entry("Grad-CAM", "03_cam", "selvaraju2017", "contribution", _grad_cam),
    "guided_grad_cam": Entry(
        "Guided Grad-CAM", RULES, "selvaraju2017", "sensitivity", _guided_grad_cam
    ),
    "gradient_times_input": Entry(
        "Gradient × input", "05_saliency", "shrikumar2016", "contribution", gradient_times_input
    ),
    "integrated_gradients": Entry(
        "Integrated Gradients",
        "06_integrated_gradients",
        "sundararajan2017",
        "contribution",
        _integrated_gradients,
    ),
    "lrp_epsilon": Entry("LRP-ε", RULES, "bach2015", "contribution", rules.lrp_epsilon),
    "lrp_alpha1_beta0": Entry(
        "LRP-α1β0", RULES, "bach2015", "contribution", rules.lrp_alpha1_beta0
    ),
    "competitive_gradients": Entry(
        "Competition for gradients", RULES, "gupta2019", "contribution", rules.competitive_gradients
    ),
    "edge_detector": Entry("Edge detector", RULES, "adebayo2018", "control", rules.edge_detector),
}
