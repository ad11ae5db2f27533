"""What every method is given, and checks that answer bad input clearly."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from course.autograd import Tensor
from course.nn import capture

Model = Callable[[Tensor], Tensor]
Target = int | np.ndarray
Method = Callable[..., np.ndarray]


def check_input(x: Any) -> np.ndarray:
    """x as a floating-point array (N, ...), or an error that says what came."""
    if not isinstance(x, np.ndarray):
        raise TypeError(
            f"x must be a NumPy array (N, ...), got {type(x).__name__}"
        )
    if x.dtype.kind != "f":
        raise TypeError(
            f"x must hold floating-point numbers, got {x.dtype}; scale it first"
        )
    if x.ndim < 2:
        raise ValueError(
            f"x must be a batch (N, ...), got shape {x.shape}; try x[None]"
        )
    if not np.isfinite(x).all():
        bad = int((~np.isfinite(x)).sum())
        raise ValueError(
            f"x must be finite, got {bad} NaN or infinite of {x.size} numbers"
        )
    return x


def check_target(target: Any, n: int) -> Target:
    """target as an int or an array of n ints."""
    classes = np.asarray(target)
    if classes.dtype.kind not in "iu":
        raise TypeError(
            f"target must be an int or an array of ints, got {target!r}"
        )
    if classes.ndim == 0:
        return int(classes)
    if classes.shape != (n,):
        raise ValueError(
            f"target must be one int, or one for each of the {n} inputs, "
            f"got shape {classes.shape}"
        )
    return classes


class _CheckedModel:
    """The model, except that a call looks at the shape of what comes out."""

    def __init__(self, model: Model, target: Target) -> None:
        self._model, self._target = model, target

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def __call__(self, x: Tensor) -> Tensor:
        logits = self._model(x)
        if (
            not isinstance(logits, Tensor)
            or logits.ndim != 2
            or len(logits) != len(x)
        ):
            shape = getattr(logits, "shape", type(logits).__name__)
            raise ValueError(
                f"model must map {len(x)} inputs to a Tensor of logits "
                f"({len(x)}, classes), got {shape}"
            )
        classes, worst = logits.shape[1], np.asarray(self._target)
        if worst.min() < 0 or worst.max() >= classes:
            out = worst.flat[int(((worst < 0) | (worst >= classes)).argmax())]
            raise ValueError(
                f"target must be from 0 to {classes - 1}, got {out}"
            )
        return logits


def checked(method: Method) -> Method:
    """Let a method assume good input, as a learner's version may."""

    @wraps(method)
    def call(
        model: Model, x: np.ndarray, target: Target, *args: Any, **options: Any
    ) -> np.ndarray:
        if not callable(model):
            raise TypeError(
                f"model must be callable, got {type(model).__name__}"
            )
        x = check_input(x)
        target = check_target(target, len(x))
        return method(_CheckedModel(model, target), x, target, *args, **options)

    return call


def feature_maps(model: Model, x: Tensor, layer: str) -> tuple[Tensor, Tensor]:
    """The logits (N, classes), and a layer's output (N, K, H, W), on one tape.

    layer: its name in `model.named_modules()`.
    """
    logits, outputs = capture(model, x, [layer])  # type: ignore[arg-type]
    if layer not in outputs:
        raise ValueError(f"layer {layer!r} takes no part in the forward pass")
    maps = outputs[layer]
    if maps.ndim != 4:
        raise ValueError(
            f"layer must give feature maps (N, K, H, W), got {maps.shape} "
            f"from {layer!r}"
        )
    return logits, maps
