"""Module: a function with named parameters, built from smaller ones, as in `torch.nn`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

from course.autograd import Tensor


class _Capture(NamedTuple):
    names: dict[int, str]  # by id(module)
    outputs: dict[str, Tensor]


_captured: ContextVar[_Capture | None] = ContextVar("captured", default=None)


class Module:
    """Subclasses set tensors and modules as attributes and define `forward`.

    Every tensor that is an attribute is a parameter, and attribute names are its name:
    `model.fc1.weight` is "fc1.weight" in `state_dict`. One that requires no gradient is stored
    with the others and never trained, as the statistics of `BatchNorm2d`.

    A new module is in evaluation mode, unlike Torch's: here networks are explained more than
    trained. `fit` switches to training mode and back.
    """

    training = False

    def forward(self, *args: Any) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} defines no forward")

    def __call__(self, *args: Any) -> Tensor:
        output = self.forward(*args)
        capture = _captured.get()
        if capture is not None and id(self) in capture.names:
            capture.outputs[capture.names[id(self)]] = output
        return output

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules that are attributes, with their names."""
        for name, value in vars(self).items():
            if isinstance(value, Module):
                yield name, value

    def named_modules(self) -> Iterator[tuple[str, Module]]:
        """This module under the name "", then all inside it; one that is shared comes once."""
        stack: list[tuple[str, Module]] = [("", self)]
        seen: set[int] = set()
        while stack:
            name, module = stack.pop()
            if id(module) in seen:
                continue
            seen.add(id(module))
            yield name, module
            prefix = f"{name}." if name else ""
            children = [(prefix + child, m) for child, m in module.named_children()]
            stack.extend(reversed(children))

    def named_parameters(self) -> Iterator[tuple[str, Tensor]]:
        """(name, tensor) of every parameter; one that is shared comes once."""
        seen: set[int] = set()
        for prefix, module in self.named_modules():
            for name, value in vars(module).items():
                if isinstance(value, Tensor) and id(value) not in seen:
                    seen.add(id(value))
                    yield f"{prefix}.{name}" if prefix else name, value

    def parameters(self) -> list[Tensor]:
        return [p for _, p in self.named_parameters()]

    def zero_grad(self) -> None:
        for p in self.parameters():
            p.grad = None

    def train(self, mode: bool = True) -> Self:
        """Switch this module and all inside it to training mode (or, with False, back)."""
        for _, module in self.named_modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        return self.train(False)

    def to(self, dtype: Any) -> Self:
        """Convert every parameter in place: float64 for checks, float32 for speed."""
        if np.dtype(dtype).kind != "f":
            raise TypeError(f"dtype must be a floating-point type, got {np.dtype(dtype)}")
        for p in self.parameters():
            p.data, p.grad = p.data.astype(dtype), None
        return self

    def state_dict(self) -> dict[str, np.ndarray]:
        """A copy of every parameter, by name."""
        return {name: p.data.copy() for name, p in self.named_parameters()}

    def load_state_dict(self, state: Mapping[str, np.ndarray]) -> Self:
        """Set every parameter, each in the dtype it has now.

        Names and shapes must agree exactly; otherwise an error says which do not, and nothing
        is changed.
        """
        own = dict(self.named_parameters())
        if missing := [name for name in own if name not in state]:
            raise KeyError(f"state lacks {', '.join(missing)}")
        if extra := [name for name in state if name not in own]:
            raise KeyError(f"state has {', '.join(extra)}, which the model has not")
        for name, p in own.items():
            if np.shape(state[name]) != p.shape:
                raise ValueError(
                    f"{name} is {p.shape} in the model, {np.shape(state[name])} in the state"
                )
        for name, p in own.items():
            p.data, p.grad = np.array(state[name], p.dtype), None
        return self

    def save(self, path: str | Path, dtype: Any = None) -> None:
        """Write the parameters as an `.npz` file; dtype float16 halves it, at 3 to 4 digits."""
        state = {name: p.data.astype(dtype or p.dtype) for name, p in self.named_parameters()}
        np.savez_compressed(path, allow_pickle=False, **state)

    def load(self, path: str | Path) -> Self:
        """Read the parameters that `save` wrote."""
        with np.load(path, allow_pickle=False) as stored:
            return self.load_state_dict(dict(stored))


class Sequential(Module):
    """Modules applied one after the other; their positions are their names: "0", "1" ..."""

    def __init__(self, *layers: Module) -> None:
        self.layers = layers

    def named_children(self) -> Iterator[tuple[str, Module]]:
        yield from ((str(i), layer) for i, layer in enumerate(self.layers))

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Module]:
        return iter(self.layers)

    def __getitem__(self, index: int) -> Module:
        return self.layers[index]

    def forward(self, x: Tensor) -> Tensor:
        for layer in self:
            x = layer(x)
        return x


@contextmanager
def capturing(model: Module, names: Sequence[str]) -> Iterator[dict[str, Tensor]]:
    """Collect the outputs of the named modules from forward passes inside the block."""
    modules = {name: m for name, m in model.named_modules() if name}
    if unknown := [name for name in names if name not in modules]:
        raise KeyError(f"no layer is called {unknown[0]!r}; the model has {', '.join(modules)}")
    capture = _Capture({id(modules[name]): name for name in names}, {})
    token = _captured.set(capture)
    try:
        yield capture.outputs
    finally:
        _captured.reset(token)


def capture(model: Module, x: Tensor, names: Sequence[str]) -> tuple[Tensor, dict[str, Tensor]]:
    """The model's output and the named layers' outputs, all on one tape.

    So `grad(output.sum(), captured["conv2"])` is the gradient at a hidden layer. A layer that is
    called several times is captured at its last call.
    """
    with capturing(model, names) as outputs:
        output = model(x)
    return output, outputs
