"""What the specs of attribution methods share: inputs that tell answers apart, and manners."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np

from course.autograd import Tensor
from course.grading.arguments import each, library_function, realise
from course.grading.memo import memoised
from course.grading.spec import Answer, Case, Function, Network, Property

HAND = Network("hand")
HAND_INPUT = np.array([[[[3.0, 1.0]], [[1.0, 2.0]]]])  # (1, 2, 1, 2): the lecture's example


def in_torch(
    function: Answer, module: str | None = None
) -> Callable[[Mapping[str, Any]], np.ndarray]:
    """The function of the same name in `course.reference`, for NumPy arguments.

    module: of the reference, where it is not called as the function's own module.

    An array becomes a tensor, a network or a function its twin. A `target` is given for each
    example of x, or else of the first array. Torch is imported when an answer is asked for that is
    not on disk yet, not when the spec is read.
    """
    home = module or _name_in_torch(function.__module__)
    name = f"{home}.{function.__name__}"

    def reference(arguments: Mapping[str, Any]) -> np.ndarray:
        import torch

        twin = library_function(name)
        ready = {key: each(value, _torch_twin) for key, value in arguments.items()}
        if isinstance(arguments.get("target"), int | np.integer | np.ndarray):
            arrays = (v for v in arguments.values() if isinstance(v, np.ndarray))
            examples = arguments.get("x", next(arrays))
            ready["target"] = torch.tensor(np.broadcast_to(arguments["target"], len(examples)))
        answer = twin(**ready)
        if isinstance(answer, torch.nn.Module):
            answer = torch.nn.utils.parameters_to_vector(answer.parameters())
        return answer.detach().numpy() if isinstance(answer, torch.Tensor) else np.asarray(answer)

    return memoised(reference, name)


def _name_in_torch(name: str) -> str:
    return name.replace(".methods.", ".reference.")


def _torch_twin(value: Any) -> Any:
    """What stands for the value of a NumPy argument in Torch: a tensor for an array, say."""
    import torch

    from course.reference import networks

    if isinstance(value, Network):
        model = realise({"model": value})["model"]
        return networks.build(value.name, model.state_dict(), value.dtype)
    if isinstance(value, Function):
        return library_function(_name_in_torch(value.name))
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
        return torch.tensor(value.copy())  # Torch refuses views that step backwards
    return value


def telling_targets(model: Network, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Classes that are neither class 0 nor the predicted one, so that mixing them up shows."""
    logits = realise({"model": model})["model"](Tensor(x)).data
    others = [[c for c in range(1, len(row)) if c != row.argmax()] for row in logits]
    return np.array([rng.choice(classes) for classes in others])


@cache
def _test_digits() -> np.ndarray:
    """Unzipping them takes longer than judging an answer."""
    from course.data import mnist

    return mnist().x_test


def image_cases(rng: np.random.Generator) -> list[Case]:
    """A batch of colour images higher than wide, one target for a batch, single precision, and
    real digits: those in double precision, since their straight strokes make exact ties in
    max-pooling, which single precision may break either way."""
    network = Network("small_cnn", seed=int(rng.integers(1 << 31)))
    x = rng.normal(size=(4, 3, 8, 6))
    digits = _test_digits()[rng.choice(2000, 3, replace=False)].astype(np.float64)
    trained = Network("mnist_cnn")
    single = Network("small_cnn", network.seed, "float32")
    return [
        Case("batch", {"model": network, "x": x, "target": telling_targets(network, x, rng)}),
        Case("one target", {"model": network, "x": x[:2], "target": 3}),
        Case(
            "digits",
            {"model": trained, "x": digits, "target": telling_targets(trained, digits, rng)},
        ),
        Case(
            "single precision",
            {"model": single, "x": x.astype(np.float32), "target": 2},
            tolerance=1e-4,
        ),
    ]


# Arguments that have one entry for each example.
PER_EXAMPLE = {"x", "target", "baseline", "attributions", "scores", "mask"}


def _alone(index: int) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def vary(arguments: dict[str, Any]) -> dict[str, Any]:
        one = slice(index, index + 1)
        alone = {k: v[one] if k in PER_EXAMPLE else v for k, v in arguments.items()}
        return alone | ({"noise": alone["noise"][:, one]} if "noise" in alone else {})

    return vary


def _other_weights(arguments: dict[str, Any]) -> dict[str, Any]:
    model: Network = arguments["model"]
    return {**arguments, "model": Network(model.name, model.seed + 1, model.dtype)}


MANNERS = (
    Property(
        "batch",
        case="batch",
        variations=(_alone(0), _alone(3)),
        holds=lambda all_, first, last: (
            np.allclose(all_[:1], first, rtol=1e-4) and np.allclose(all_[3:], last, rtol=1e-4)
        ),
        says="an image explained alone gets another map than in a batch; treat each by itself",
    ),
    Property(
        "weights",
        case="batch",
        variations=(_other_weights,),
        holds=lambda one, other: not np.allclose(one, other, rtol=1e-2),
        says="other weights give the same answer; it must come from the model",
    ),
)
