"""The methods of attribution side by side: what each is called, and one call for all of them.

The book's front page, gallery, chooser and interactive page, and `course sanity`, all draw from
this table. Whoever wants the options of a method calls its function in `course.methods`.
CATALOGUE has the methods for images, WORDS those for sentences.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import Literal

import numpy as np

from course.autograd import no_grad
from course.methods import attention
from course.methods import backprop_rules as rules
from course.methods.cam import grad_cam_map
from course.methods.integrated_gradients import integrated_gradients
from course.methods.protocol import Method, Model, Target
from course.methods.saliency import aggregate_tokens, gradient, gradient_times_input
from course.methods.smoothgrad import gaussian_noise, smoothgrad, smoothgrad_squared, vargrad
from course.models import EfficientNetLite0, MnistCNN, MnistGAP
from course.models.text import TextClassifier
from course.nn import capture

NOISE, COPIES, STEPS = 0.15, 16, 16
LAST_MAPS = {EfficientNetLite0: "head_relu", MnistCNN: "relu2", MnistGAP: "relu3"}
ATTENTION = "block.self_attn.weights"  # of TextAttention
Meaning = Literal["sensitivity", "contribution", "control", "weight"]


@dataclass(frozen=True)
class Entry:
    """One method: `explain(model, x, target)` maps images (N, C, H, W) to attributions whose
    channels may have been joined, (N, C or 1, H, W). In WORDS it maps the numbers of the words of
    sentences without padding, (N, T), to one number a word.

    title, lecture, paper: as the book calls it, the chapter's file, the key in its bibliography.
    meaning: "sensitivity" is measured per unit of the input, so magnitudes are shown; a
        "contribution" has the score's units, and its sign says for or against; a "control" does
        not ask the network; a "weight" is a share that the network itself computes.
    section: the label of the section in the lecture.
    asks, assumes: the question that it answers, and what it needs; phrases.
    passes: forward and backward passes for each input. n is the number of copies or steps, here
        COPIES or STEPS, and C the number of classes.
    """

    title: str
    lecture: str
    paper: str
    meaning: Meaning
    explain: Method
    section: str
    asks: str
    assumes: str
    passes: tuple[str, str]


def last_feature_maps(model: Model) -> str:
    """The layer that Grad-CAM looks at: the last whose maps still have a height and a width."""
    for kind, layer in LAST_MAPS.items():
        if isinstance(model, kind):
            return layer
    known = ", ".join(kind.__name__ for kind in LAST_MAPS)
    raise ValueError(
        f"Grad-CAM needs feature maps: model must be one of {known}, got {type(model).__name__}"
    )


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
    "gradient": Entry(
        "Gradient",
        "05_saliency",
        "simonyan2013",
        "sensitivity",
        gradient,
        "sec-saliency-gradient",
        "Which pixel would move the score most if it changed a little?",
        "a derivative",
        ("1", "1"),
    ),
    "smoothgrad": Entry(
        "SmoothGrad",
        "07_smoothgrad",
        "smilkov2017",
        "sensitivity",
        _smoothgrad,
        "sec-smoothgrad",
        "The same, on average over the neighbourhood",
        "a derivative; a size of noise",
        ("n", "n"),
    ),
    "smoothgrad_squared": Entry(
        "SmoothGrad²",
        "07_smoothgrad",
        "hooker2019",
        "sensitivity",
        _smoothgrad_squared,
        "sec-smoothgrad-squares",
        "How large is the gradient in the neighbourhood, whatever its sign?",
        "a derivative; a size of noise",
        ("n", "n"),
    ),
    "vargrad": Entry(
        "VarGrad",
        "07_smoothgrad",
        "adebayo2018local",
        "sensitivity",
        _vargrad,
        "sec-smoothgrad-squares",
        "How much does the gradient vary in the neighbourhood?",
        "a derivative; a size of noise",
        ("2n", "2n"),
    ),
    "guided_backprop": Entry(
        "Guided backprop",
        RULES,
        "springenberg2014",
        "sensitivity",
        rules.guided_backprop,
        "sec-sanity-guided",
        "Which strokes excite units that speak for the class?",
        "ReLUs whose backward rule can be replaced",
        ("1", "1"),
    ),
    "deconvnet": Entry(
        "DeconvNet",
        RULES,
        "zeiler2014",
        "sensitivity",
        rules.deconvnet,
        "sec-sanity-guided",
        "What does the signal draw when only its positive part comes back?",
        "ReLUs whose backward rule can be replaced",
        ("1", "1"),
    ),
    "grad_cam": Entry(
        "Grad-CAM",
        "03_cam",
        "selvaraju2017",
        "contribution",
        _grad_cam,
        "sec-cam-grad",
        "Which region speaks for the class?",
        "feature maps that still have a height and a width; a choice of layer",
        ("1", "1"),
    ),
    "guided_grad_cam": Entry(
        "Guided Grad-CAM",
        RULES,
        "selvaraju2017",
        "sensitivity",
        _guided_grad_cam,
        "sec-sanity-guided",
        "Which strokes lie where Grad-CAM looks?",
        "ReLUs whose backward rule can be replaced; feature maps",
        ("2", "2"),
    ),
    "gradient_times_input": Entry(
        "Gradient × input",
        "05_saliency",
        "shrikumar2016",
        "contribution",
        gradient_times_input,
        "sec-saliency-times-input",
        "To first order, what does each pixel add, compared with zero?",
        "a derivative; that zero means nothing",
        ("1", "1"),
    ),
    "integrated_gradients": Entry(
        "Integrated Gradients",
        "06_integrated_gradients",
        "sundararajan2017",
        "contribution",
        _integrated_gradients,
        "sec-ig-path",
        "What does each pixel add to the score, compared with a baseline?",
        "a derivative along the whole path; a baseline",
        ("n", "n"),
    ),
    "lrp_epsilon": Entry(
        "LRP-ε",
        RULES,
        "bach2015",
        "contribution",
        rules.lrp_epsilon,
        "sec-sanity-guided",
        "How is the logit shared out, layer by layer?",
        "a rule for every layer",
        ("1", "1"),
    ),
    "lrp_alpha1_beta0": Entry(
        "LRP-α1β0",
        RULES,
        "bach2015",
        "contribution",
        rules.lrp_alpha1_beta0,
        "sec-sanity-guided",
        "How is the logit shared out among what raised each sum?",
        "a rule for every layer; ReLUs",
        ("1", "1"),
    ),
    "competitive_gradients": Entry(
        "Competition for gradients",
        RULES,
        "gupta2019",
        "contribution",
        rules.competitive_gradients,
        "sec-sanity-competition",
        "Which pixels does the class claim against all others?",
        "a derivative; few enough classes",
        ("1", "C"),
    ),
    "edge_detector": Entry(
        "Edge detector",
        RULES,
        "adebayo2018",
        "control",
        rules.edge_detector,
        "sec-sanity-guided",
        "Where do neighbouring pixels differ?",
        "nothing, not even a network",
        ("0", "0"),
    ),
}


# --- words -----------------------------------------------------------------------------------


def _vectors(model: TextClassifier, ids: np.ndarray) -> tuple[TextClassifier, np.ndarray]:
    """The classifier from word vectors on, and the vectors (N, T, D)."""
    reader = copy(model)
    reader.forward = model.from_embeddings  # type: ignore[assignment]
    return reader, model.embedding(ids).data


def _aggregated(how: str) -> Method:
    def explain(model: TextClassifier, ids: np.ndarray, target: Target) -> np.ndarray:
        reader, vectors = _vectors(model, ids)
        return aggregate_tokens(gradient(reader, vectors, target), vectors, how)

    return explain


def _path_of_words(model: TextClassifier, ids: np.ndarray, target: Target) -> np.ndarray:
    """From the zero vector."""
    reader, vectors = _vectors(model, ids)
    return integrated_gradients(reader, vectors, target, baseline=0, steps=STEPS).sum(axis=2)


def _received(model: TextClassifier, ids: np.ndarray, target: Target) -> np.ndarray:
    with no_grad():
        _, found = capture(model, ids, [ATTENTION])  # type: ignore[arg-type]
    return attention.received_attention(found[ATTENTION].data)


def _attention_times_gradient(model: TextClassifier, ids: np.ndarray, target: Target) -> np.ndarray:
    """Added over the tokens that give the attention."""
    reader, vectors = _vectors(model, ids)
    return attention.attention_times_gradient(reader, vectors, target, ATTENTION).sum(axis=1)


LANGUAGE = "05_saliency_language"
WORDS: dict[str, Entry] = {
    "sum": Entry(
        "Sum of the gradient",
        LANGUAGE,
        "li2016",
        "sensitivity",
        _aggregated("sum"),
        "sec-saliency-tokens",
        "How would the score change if every number of the word's vector grew alike?",
        "a derivative with respect to word vectors",
        ("1", "1"),
    ),
    "length": Entry(
        "Length of the gradient",
        LANGUAGE,
        "li2016",
        "sensitivity",
        _aggregated("l2"),
        "sec-saliency-tokens",
        "How much could some small change of the word's vector move the score?",
        "a derivative with respect to word vectors",
        ("1", "1"),
    ),
    "gradient_times_input": Entry(
        "Gradient × input",
        LANGUAGE,
        "li2016",
        "contribution",
        _aggregated("dot"),
        "sec-saliency-tokens",
        "To first order, what does the word add, compared with the zero vector?",
        "a derivative with respect to word vectors",
        ("1", "1"),
    ),
    "integrated_gradients": Entry(
        "Integrated Gradients",
        "06_integrated_gradients",
        "sundararajan2017",
        "contribution",
        _path_of_words,
        "sec-ig-baselines",
        "What does the word add, compared with the zero vector?",
        "a derivative along the whole path; a baseline",
        ("n", "n"),
    ),
    "attention": Entry(
        "Attention received",
        "04_attention",
        "jain2019",
        "weight",
        _received,
        "sec-attention-gradient",
        "How much of the word goes into the averages?",
        "attention",
        ("1", "0"),
    ),
    "attention_times_gradient": Entry(
        "Attention × gradient",
        "04_attention",
        "serrano2019",
        "contribution",
        _attention_times_gradient,
        "sec-attention-gradient",
        "To first order, what does the attention that the word gets add?",
        "attention; a derivative with respect to it",
        ("1", "1"),
    ),
}
