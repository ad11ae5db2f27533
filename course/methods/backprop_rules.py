"""Methods that replace rules of backpropagation.

Each is the ordinary backward pass with other rules in the engine's table for
as long as a `with` block lasts. The network itself is never touched.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from course.autograd import Tensor, conv2d, grad, linear, rule
from course.autograd.rules import VJP, Array, Vjp
from course.methods.cam import grad_cam_map
from course.methods.protocol import Model, Target, checked
from course.methods.saliency import gradient

EPSILON = 1e-6  # small beside any activation
FORWARD: dict[str, Callable[..., Tensor]] = {"linear": linear, "conv2d": conv2d}


# --- ReLUs that let less through -------------------------------------------


def guided_relu(g: Array, y: Array, x: Array) -> Array:
    """How guided backpropagation passes a gradient back through y = relu(x).

        R^l = 1[R^(l+1) > 0] · 1[z^l > 0] · R^(l+1)
                                        (Springenberg et al. 2015, figure 1c)

    g: the gradient of the score with respect to y, that is R^(l+1).
    y, x: the result and the input of the ReLU. All three have one shape, which
        is that of the answer.
    """
    return g * (g > 0) * (x > 0)


def deconvnet_relu(g: Array, y: Array, x: Array) -> Array:
    """How a deconvolutional network passes a signal back: a ReLU of its own.

        R^l = 1[R^(l+1) > 0] · R^(l+1)        (Zeiler and Fergus 2014, §2.1)

    Where the forward pass was zero makes no difference here.
    g, y, x: as for `guided_relu`.
    """
    return g * (g > 0)


def _guided_relu6(g: Array, y: Array, x: Array) -> Array:
    return guided_relu(g, y, x) * (x < 6)


@checked
def guided_backprop(model: Model, x: np.ndarray, target: Target) -> np.ndarray:
    """The gradient, with `guided_relu` at every ReLU (Springenberg 2015).

    model, x, target: as for `gradient`. Returns an array shaped like x.
    """
    with rule(relu=guided_relu, relu6=_guided_relu6):
        return gradient(model, x, target)


@checked
def deconvnet(model: Model, x: np.ndarray, target: Target) -> np.ndarray:
    """The gradient, with `deconvnet_relu` at every ReLU (Zeiler 2014).

    model, x, target: as for `gradient`. Returns an array shaped like x.
    """
    with rule(relu=deconvnet_relu, relu6=deconvnet_relu):
        return gradient(model, x, target)


@checked
def guided_grad_cam(
    model: Model, x: np.ndarray, target: Target, layer: str
) -> np.ndarray:
    """Guided backpropagation where Grad-CAM looks (Selvaraju 2017, §3.2).

    layer: the name of the layer whose maps Grad-CAM weighs.
    model, x, target: as for `gradient`, x images (N, C, H, W).
    Returns an array shaped like x.
    """
    where = grad_cam_map(model, x, target, layer)[:, None]
    return guided_backprop(model, x, target) * where


# --- Layer-wise relevance propagation ---------------------------------------


def lrp_epsilon(
    model: Model, x: np.ndarray, target: Target, epsilon: float = EPSILON
) -> np.ndarray:
    """Layer-wise relevance propagation by the epsilon rule (Bach et al. 2015).

    The logit of the target is handed back, layer by layer, each sum sharing
    what it got among its inputs in proportion to what they had added.

    epsilon: keeps the shares finite where a sum is near zero; the larger it
        is, the more relevance is lost on the way.
    model, x, target: as for `gradient`. Returns an array shaped like x.
    """
    if not epsilon > 0:
        raise ValueError(f"epsilon must be positive, got {epsilon}")
    return _relevance(
        model,
        x,
        target,
        linear=epsilon_rule("linear", epsilon),
        conv2d=epsilon_rule("conv2d", epsilon),
        mean=epsilon_rule("mean", epsilon),
        add=(
            lambda g, y, a, b: a * g / stabilised(y, epsilon),
            lambda g, y, a, b: b * g / stabilised(y, epsilon),
        ),
    )


def lrp_alpha1_beta0(model: Model, x: np.ndarray, target: Target) -> np.ndarray:
    """Layer-wise relevance propagation that counts only what raised a sum.

    As `lrp_epsilon`, by `alpha1_beta0_rule`: nothing negative ever comes out
    where the logit is positive.
    model, x, target: as for `gradient`. Returns an array shaped like x.
    """

    def of_first(g: Array, y: Array, a: Array, b: Array) -> Array:
        up = np.maximum(a, 0)
        return up * g / stabilised(up + np.maximum(b, 0), EPSILON)

    return _relevance(
        model,
        x,
        target,
        linear=alpha1_beta0_rule("linear"),
        conv2d=alpha1_beta0_rule("conv2d"),
        mean=epsilon_rule("mean", EPSILON),  # of activations, none negative
        add=(of_first, lambda g, y, a, b: of_first(g, y, b, a)),
    )


def epsilon_rule(op: str, epsilon: float) -> Vjp:
    """Relevance in proportion to what each input added to the sum.

        R_i = Σ_j a_i w_ij / (z_j + ε sign z_j) R_j      (Bach 2015, eq. 58)

    The sum over j is the operation's own derivative rule, applied to R / z.
    op: the name of an operation that is linear in its first input.
    """
    pull = VJP[op][0]

    def share(
        g: Array, y: Array, a: Array, *others: Array, **options: Any
    ) -> Array:
        s = g / stabilised(y, epsilon)
        return a * pull(s, y, a, *others, **options)

    return share


def alpha1_beta0_rule(op: str) -> Vjp:
    """Relevance in proportion to what each input *raised* the sum by.

        R_i = Σ_j (a_i w_ij)⁺ / (Σ_k (a_k w_kj)⁺ + b_j⁺) R_j
                                     (Bach 2015, eq. 60 with α = 1, β = 0)

    A product is positive where both factors are, or where both are negative.
    op: "linear" or "conv2d".
    """
    forward, pull = FORWARD[op], VJP[op][0]

    def share(
        g: Array, y: Array, a: Array, w: Array, b: Array | None, **options: Any
    ) -> Array:
        pairs = [(part(a, 0), part(w, 0)) for part in (np.maximum, np.minimum)]
        z = np.sum(
            [forward(Tensor(a), Tensor(w), **options).data for a, w in pairs], 0
        )
        if b is not None:
            z = z + np.maximum(b, 0).reshape(-1, *[1] * (z.ndim - 2))
        s = g / stabilised(z, EPSILON)
        return np.sum(
            [a * pull(s, y, a, w, None, **options) for a, w in pairs], 0
        )

    return share


def stabilised(z: Array, epsilon: float) -> Array:
    """z moved away from zero by epsilon; zero itself counts as positive."""
    return z + epsilon * np.where(z >= 0, 1, -1).astype(z.dtype)


@checked
def _relevance(
    model: Model, x: np.ndarray, target: Target, **rules: Any
) -> np.ndarray:
    """Hand the target's logit back to the input under the given rules.

    Activation functions pass on what they get; max-pooling gives all to the
    winner, as its derivative does.
    """
    inputs = Tensor(x, requires_grad=True)
    logits = model(inputs)
    rows, start = np.arange(len(x)), np.zeros_like(logits.data)
    start[rows, target] = logits.data[rows, target]
    with rule(relu=_pass_on, relu6=_pass_on, **rules):
        return grad(logits, inputs, start)


def _pass_on(g: Array, y: Array, x: Array) -> Array:
    return g


# --- Labels that compete -----------------------------------------------------


@checked
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
    inputs = Tensor(x, requires_grad=True)
    logits = model(inputs)
    seeds = np.eye(logits.shape[1], dtype=logits.dtype)
    votes = np.stack(
        [
            x * grad(logits, inputs, np.tile(s, (len(x), 1)), retain_graph=True)
            for s in seeds
        ]
    )  # (classes, N, ...)
    own = votes[target, np.arange(len(x))]
    most = (own > 0) & (own == votes.max(axis=0))
    least = (own < 0) & (own == votes.min(axis=0))
    return np.where(most | least, own, 0)


# --- A control that knows nothing of the network ----------------------------


@checked
def edge_detector(model: Model, x: np.ndarray, target: Target) -> np.ndarray:
    """How much each pixel differs from its neighbours: the model is not asked.

    The length of Sobel's horizontal and vertical differences, the border
    repeated outwards. x: images (N, C, H, W). Returns an array shaped like x.
    """
    p = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    rows = p[:, :, :-2] + 2 * p[:, :, 1:-1] + p[:, :, 2:]
    columns = p[..., :-2] + 2 * p[..., 1:-1] + p[..., 2:]
    across = rows[..., 2:] - rows[..., :-2]
    down = columns[:, :, 2:] - columns[:, :, :-2]
    return np.hypot(across, down)
