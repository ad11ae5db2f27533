"""Sanity checks for saliency maps (Adebayo et al. 2018).

A map that explains a network must change when the network does. So destroy
the network, layer by layer, and look at what the map makes of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy

import numpy as np

from course.methods.protocol import Method, Target
from course.methods.saliency import gradient
from course.methods.similarity import rank_correlation
from course.nn import Module


def layers_from_top(model: Module) -> list[str]:
    """The names of the layers that draw their own weights, the output first.

    Raises ValueError where there is none.
    """
    names = [
        name
        for name, layer in model.named_modules()
        if hasattr(layer, "reset_parameters")
    ]
    if not names:
        raise ValueError(
            f"model has no layer that can be drawn anew: {type(model).__name__}"
        )
    return names[::-1]


def reinitialize(model: Module, names: Sequence[str], seed: int) -> Module:
    """A copy of the model, the named layers drawn anew by their own rule.

    names: of layers, in the order in which they draw from the seed.
    The model itself stays as it is.
    """
    copy, rng = deepcopy(model), np.random.default_rng(seed)
    layers = dict(copy.named_modules())
    for name in names:
        layers[name].reset_parameters(rng)
    return copy


def reinitialize_from_top(model: Module, count: int, seed: int) -> Module:
    """A copy of the model whose `count` topmost layers are drawn anew.

    With the same seed, a larger count leaves the layers above as they were
    drawn for a smaller one: so a cascade destroys one network step by step.
    """
    names = layers_from_top(model)
    if not 0 <= count <= len(names):
        raise ValueError(f"count must be 0 to {len(names)}, got {count}")
    return reinitialize(model, names[:count], seed)


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
    if counts is None:
        counts = range(len(layers_from_top(model)) + 1)
    ruined = (reinitialize_from_top(model, k, seed) for k in counts)
    return np.stack([method(network, x, target) for network in ruined])


def independent_randomization(
    model: Module,
    x: np.ndarray,
    target: Target,
    seed: int,
    method: Method = gradient,
) -> np.ndarray:
    """Explanations with one layer drawn anew, all others as trained.

    (Adebayo et al. 2018, §3.2.) All arguments as for `cascading_randomization`.
    Returns an array (1 + layers, N, ...): the true maps, then one for each
    layer, the output first.
    """
    choices: list[list[str]] = [[], *([n] for n in layers_from_top(model))]
    networks = (reinitialize(model, names, seed) for names in choices)
    return np.stack([method(network, x, target) for network in networks])


def masked_noise_null(support: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """The absolute rank correlation of two maps that share nothing but a mask.

    What any method that multiplies by the input reaches without knowing
    anything: where the input is 0, both maps are 0, and ties agree.

    support: where the input is not 0, booleans (N, ...).
    noise: two independent maps, an array (2, N, ...).
    Returns an array (N,).
    """
    one, other = np.abs(noise * support)
    return rank_correlation(one, other)
