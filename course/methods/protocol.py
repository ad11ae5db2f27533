"""What every method is given, and checks that answer bad input clearly."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import signature
from typing import Any

import numpy as np

from course.autograd import Tensor, no_grad
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


def check_baseline(baseline: Any, x: np.ndarray) -> np.ndarray:
    """A number, or an array that broadcasts to x, as an array like x."""
    array = np.asarray(baseline)
    if array.dtype.kind not in "fiu":
        raise TypeError(
            f"baseline must hold numbers, got {array.dtype}: {baseline!r}"
        )
    if not np.isfinite(array).all():
        raise ValueError("baseline must be finite, got NaN or infinity")
    try:
        return np.broadcast_to(array.astype(x.dtype), x.shape)
    except ValueError:
        raise ValueError(
            f"baseline must be one number or broadcast to x, {x.shape}, "
            f"got shape {array.shape}"
        ) from None


def check_mask(mask: Any, x: np.ndarray) -> np.ndarray:
    """mask as booleans (N, T), for word vectors x (N, T, D)."""
    mask = _shaped("mask", mask, x.shape[:2])
    if mask.dtype != bool:
        raise ValueError(
            f"mask must be booleans {mask.shape}, got {mask.dtype}"
        )
    return mask


def check_noise(noise: Any, x: np.ndarray) -> np.ndarray:
    """noise for K copies of each example, (K, N, ...), in the dtype of x."""
    array = np.asarray(noise)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"noise must hold numbers, got {array.dtype}")
    if array.shape[1:] != x.shape or len(array) == 0:
        raise ValueError(
            f"noise must be (K, {', '.join(map(str, x.shape))}), K for each "
            f"input, got shape {array.shape}"
        )
    if not np.isfinite(array).all():
        raise ValueError("noise must be finite, got NaN or infinity")
    return array.astype(x.dtype, copy=False)


def check_share(name: str, share: Any) -> Any:
    """A share as it came, if it is a number above 0 and at most 1."""
    if not 0 < share <= 1:
        raise ValueError(f"{name} must be in (0, 1], got {share!r}")
    return share


def _shaped(name: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
    array = np.asarray(value)
    if array.shape != shape:
        raise ValueError(f"{name} must be {shape}, got shape {array.shape}")
    return array


# What a method may ask for besides model, x and target, by parameter name.
CHECKS: dict[str, Callable[[Any, np.ndarray], Any]] = {
    "attributions": lambda a, x: _shaped("attributions", a, x.shape),
    "baseline": check_baseline,
    "fraction": lambda share, x: check_share("fraction", share),
    "mask": check_mask,
    "noise": check_noise,
    "replacement": lambda v, x: _shaped("replacement", v, x.shape[2:]),
    "scores": lambda scores, x: _shaped("scores", scores, x.shape[:2]),
    "share": lambda share, x: check_share("share", share),
}


def score(model: Model, x: np.ndarray, target: Target) -> np.ndarray:
    """The logit of each example's class: x (N, ...) gives an array (N,)."""
    with no_grad():
        return model(Tensor(x)).data[np.arange(len(x)), target]


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
    """Let a method assume good input, as a learner's version may.

    Parameters named in CHECKS are looked at too; `baseline` arrives as an array
    shaped like x.
    """
    parameters = signature(method)

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
        given = parameters.bind(
            _CheckedModel(model, target), x, target, *args, **options
        )
        for name in CHECKS.keys() & given.arguments.keys():
            given.arguments[name] = CHECKS[name](given.arguments[name], x)
        return method(*given.args, **given.kwargs)

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
