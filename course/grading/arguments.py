"""The arguments of a case: as a function gets them, and on their way into another process.

An argument is an array, a number, a text, None, a `Network`, a `Function`, or a list, tuple or
dictionary of such.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from course.grading.spec import Answer, Function, Network
from course.models import build
from course.nn import Module


def each(value: Any, change: Callable[[Any], Any]) -> Any:
    """The argument with everything in it changed; lists, tuples and dictionaries stay such."""
    if isinstance(value, (list, tuple)):
        return type(value)(each(v, change) for v in value)
    if isinstance(value, dict):
        return {k: each(v, change) for k, v in value.items()}
    return change(value)


def realise(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments as a function gets them: networks built, functions imported, arrays copied."""
    return {name: each(value, _ready) for name, value in arguments.items()}


def library_function(name: str) -> Answer:
    """The function "course.methods.saliency.gradient" of that module."""
    module, _, function = name.rpartition(".")
    return getattr(import_module(module), function)


def arrays_in(value: Any) -> list[np.ndarray]:
    """The arrays of an argument, in order; of a network, its parameters."""
    found: list[np.ndarray] = []

    def look(v: Any) -> None:
        if isinstance(v, Module):
            found.extend(p.data for p in v.parameters())
        elif isinstance(v, np.ndarray):
            found.append(v)

    each(value, look)
    return found


def pack(folder: Path, arguments: Mapping[str, Any], numbers: Iterator[int]) -> dict[str, Any]:
    """Arguments as JSON, their arrays as numbered files in the folder.

    numbers: of the files; one iterator for all calls that are packed into the same folder.

    Raises TypeError for an argument that cannot be sent.
    """
    return {name: _packed(folder, name, value, numbers) for name, value in arguments.items()}


def unpack(folder: Path, packed: Mapping[str, Any]) -> dict[str, Any]:
    """What `pack` made, back."""
    return {name: _unpacked(folder, value) for name, value in packed.items()}


def _ready(value: Any) -> Any:
    if isinstance(value, Network):
        return build(value.name, value.seed, value.dtype)
    if isinstance(value, Function):
        return library_function(value.name)
    return value.copy() if isinstance(value, np.ndarray) else value


def _packed(folder: Path, name: str, value: Any, numbers: Iterator[int]) -> tuple[str, Any]:
    def pack_all(values: Any) -> list[Any]:
        return [_packed(folder, name, v, numbers) for v in values]

    match value:
        case np.ndarray() | np.generic():
            file = f"argument{next(numbers)}.npy"
            np.save(folder / file, value, allow_pickle=False)
            return "array" if isinstance(value, np.ndarray) else "scalar", file
        case Network():
            return "network", asdict(value)
        case Function():
            return "function", value.name
        case list():
            return "list", pack_all(value)
        case tuple():
            return "tuple", pack_all(value)
        case dict():
            return "dict", [pack_all(item) for item in value.items()]
        case None | bool() | int() | float() | str():
            return "value", value
    raise TypeError(f"the argument {name} holds a {type(value).__name__}, which cannot be sent")


def _unpacked(folder: Path, packed: Any) -> Any:
    kind, value = packed
    match kind:
        case "array":
            return np.load(folder / value, allow_pickle=False)
        case "scalar":
            return np.load(folder / value, allow_pickle=False)[()]
        case "network":
            return Network(**value)
        case "function":
            return Function(value)
        case "list":
            return [_unpacked(folder, v) for v in value]
        case "tuple":
            return tuple(_unpacked(folder, v) for v in value)
        case "dict":
            return {_unpacked(folder, k): _unpacked(folder, v) for k, v in value}
    return value
