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
from course.nn import Module, layers_from_top


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
    names = layers_from_top(model)
    if not 0 <= count <= len(names):
        raise ValueError(f"count must be 0 to {len(names)}, got {count}")
    copy, rng = deepcopy(model), np.random.default_rng(seed)
    layers = dict(copy.named_modules())
    for name in names[:count]:
        layers[name].reset_parameters(rng)  # type: ignore[attr-defined]
    return copy


def reinitialize(model: Module, names: Sequence[str], seed: int) -> Module:
    """A copy of the model in which only the named layers are drawn anew.

    They get the weights that a cascade from the same seed gives them.
    """
    layers = layers_from_top(model)
    if unknown := [name for name in names if name not in layers]:
        raise KeyError(
            f"no layer called {unknown[0]!r} draws its own weights; "
            f"the model has {', '.join(layers)}"
        )
    drawn = reinitialize_from_top(model, len(layers), seed).state_dict()
    new = {
        key: value
        for key, value in drawn.items()
        if key.rpartition(".")[0] in names
    }
    return deepcopy(model).load_state_dict(model.state_dict() | new)


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
