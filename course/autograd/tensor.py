"""The tape: every Tensor remembers the operation that made it, and `grad` walks back along it.

Reverse-mode differentiation needs three things:

1. `record` notes, for every result, the operation's name and its inputs (the graph);
2. `VJP`, in `rules`, is a table from an operation's name to its derivative rules, one per input;
3. `pull_back` visits the graph from the output to the inputs and multiplies along the way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from course.autograd.rules import current_rules

Function = TypeVar("Function", bound=Callable[..., Any])
_recording: ContextVar[bool] = ContextVar("recording", default=True)


class Node(NamedTuple):
    """How a tensor was made: `op` names its row in `VJP`; `inputs` may hold None (no bias)."""

    op: str
    inputs: tuple[Tensor | None, ...]
    options: dict[str, Any]


FREED = Node("freed", (), {})


class Tensor:
    """An array that can be differentiated with respect to.

    data: anything NumPy can make an array of. Python numbers and lists become float32, as in
        Torch; NumPy arrays keep their dtype.
    requires_grad: whether `backward` leaves a gradient (a NumPy array) in `.grad`.
    """

    __slots__ = ("__weakref__", "data", "grad", "node", "requires_grad")
    __array_ufunc__ = None  # so that `array * tensor` asks the tensor, not NumPy

    def __init__(self, data: Any, requires_grad: bool = False) -> None:
        if isinstance(data, Tensor):
            raise TypeError("data is already a Tensor; use tensor.detach() for a copy off the tape")
        array = np.asarray(data)
        if not isinstance(data, (np.ndarray, np.generic)) and array.dtype == np.float64:
            array = array.astype(np.float32)
        if array.dtype.kind not in "fiub":
            raise TypeError(f"data must be real numbers, got dtype {array.dtype}")
        if requires_grad and array.dtype.kind != "f":
            raise TypeError(f"only floating-point tensors can require gradients, got {array.dtype}")
        self.data = array
        self.requires_grad = requires_grad
        self.grad: np.ndarray | None = None
        self.node: Node | None = None

    shape = property(lambda self: self.data.shape)
    ndim = property(lambda self: self.data.ndim)
    dtype = property(lambda self: self.data.dtype)

    def item(self) -> float:
        return self.data.item()

    def numpy(self) -> np.ndarray:
        return self.data

    def detach(self) -> Tensor:
        return Tensor(self.data)

    def backward(self, gradient: Any = None, retain_graph: bool = False) -> None:
        """Add d(self)/d(leaf) to `.grad` of every leaf that requires gradients."""
        leaves = [t for t in topological_order(self) if t.requires_grad and t.node is None]
        for leaf, g in zip(leaves, pull_back(self, leaves, gradient, retain_graph), strict=True):
            leaf.grad = g if leaf.grad is None else leaf.grad + g

    def __len__(self) -> int:
        return len(self.data)

    def __repr__(self) -> str:
        made = f", made by {self.node.op}" if self.node else ""
        flag = ", requires_grad=True" if self.requires_grad and not self.node else ""
        return f"Tensor({np.array2string(self.data, precision=4, threshold=20)}{flag}{made})"

    if TYPE_CHECKING:  # operations attach themselves with @method; tell the type checker so

        def __getattr__(self, name: str) -> Callable[..., Any]: ...
        def __getitem__(self, index: Any) -> Tensor: ...
        def __neg__(self) -> Tensor: ...
        def __add__(self, other: Any) -> Tensor: ...

        __sub__ = __mul__ = __truediv__ = __pow__ = __matmul__ = __add__
        __radd__ = __rsub__ = __rmul__ = __rtruediv__ = __add__


def method(*names: str) -> Callable[[Function], Function]:
    """Make a function of tensors a method of Tensor too, under its own or the given names."""

    def attach(function: Function) -> Function:
        for name in names or (function.__name__,):
            setattr(Tensor, name, function)
        return function

    return attach


def as_tensor(value: Any, like: Tensor | None = None) -> Tensor:
    """Wrap a number or array; a bare Python number takes the dtype of its partner."""
    if isinstance(value, Tensor):
        return value
    if like is not None and isinstance(value, (int, float)):
        return Tensor(np.asarray(value, dtype=like.dtype))
    return Tensor(value)


def record(op: str, data: np.ndarray, *inputs: Tensor | None, **options: Any) -> Tensor:
    """The tensor that holds `data`, with a note that `op` made it from `inputs`."""
    out = Tensor(data)
    if _recording.get() and any(t is not None and t.requires_grad for t in inputs):
        out.requires_grad = True
        out.node = Node(op, inputs, options)
    return out


@contextmanager
def no_grad() -> Iterator[None]:
    """Inside this block nothing is recorded, so nothing is kept in memory."""
    token = _recording.set(False)
    try:
        yield
    finally:
        _recording.reset(token)


def unbroadcast(g: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Sum `g` down to `shape`: the adjoint of NumPy's broadcasting.

    Where the forward pass repeated a number along an axis, the gradients of
    the copies add up.

    g: a gradient, of a shape that `shape` broadcasts to.
    Returns an array of the given shape.
    """
    if g.shape == shape:
        return g
    g = g.sum(axis=tuple(range(g.ndim - len(shape))))
    stretched = tuple(i for i, n in enumerate(shape) if n == 1)
    return g.sum(axis=stretched, keepdims=True)


def topological_order(output: Tensor) -> list[Tensor]:
    """Every tensor that `output` was made of, each after all that it was made from.

    A loop, not recursion: deep networks do not hit Python's limit, and no closure keeps the graph
    alive after its last use.
    """
    order: list[Tensor] = []
    seen: set[int] = set()
    stack = [(output, False)]
    while stack:
        tensor, inputs_done = stack.pop()
        if inputs_done:
            order.append(tensor)
        elif id(tensor) not in seen:
            seen.add(id(tensor))
            stack.append((tensor, True))
            if tensor.node is not None:
                stack += [(t, False) for t in tensor.node.inputs if t is not None]
    return order


def pull_back(
    output: Tensor, inputs: Sequence[Tensor], seed: Any = None, retain_graph: bool = False
) -> list[np.ndarray]:
    """Gradients of `output`, weighted by `seed`, with respect to each of `inputs`."""
    grads = {id(output): _seed(output, seed)}
    order = topological_order(output)
    wanted = {id(t) for t in inputs}
    needed = set(wanted)  # only what lies between the output and what was asked for
    for tensor in order:
        if tensor.node is FREED:
            raise RuntimeError(
                "this graph was freed by an earlier backward pass; "
                "pass retain_graph=True to that one to walk it twice"
            )
        if tensor.node and not needed.isdisjoint(map(id, tensor.node.inputs)):
            needed.add(id(tensor))
    vjps = current_rules()
    while order:  # popping lets each activation go as soon as it has been used
        tensor = order.pop()
        node, key = tensor.node, id(tensor)
        if node is None or key not in needed:
            continue
        if not retain_graph:
            tensor.node = FREED
        if key not in grads:
            continue
        g = grads[key] if key in wanted else grads.pop(key)
        arrays = [None if t is None else t.data for t in node.inputs]
        for t, vjp in zip(node.inputs, vjps[node.op], strict=False):
            if t is not None and id(t) in needed:
                share = unbroadcast(vjp(g, tensor.data, *arrays, **node.options), t.shape)
                grads[id(t)] = grads[id(t)] + share if id(t) in grads else share
    return [_own(grads.get(id(t)), t) for t in inputs]


def grad(
    output: Tensor, inputs: Tensor | Sequence[Tensor], seed: Any = None, retain_graph: bool = False
) -> Any:
    """d(output)/d(inputs), as `torch.autograd.grad`: nothing else is computed or stored.

    output: a scalar, or any tensor together with a `seed` of its shape (the vector in vJp).
    inputs: one tensor, or a list of them; leaves or intermediate results.
    Returns one NumPy array shaped like the tensor, or a list of them.
    """
    several = [inputs] if isinstance(inputs, Tensor) else inputs
    found = pull_back(output, several, seed, retain_graph)
    return found[0] if isinstance(inputs, Tensor) else found


def _seed(output: Tensor, seed: Any) -> np.ndarray:
    if not output.requires_grad:
        raise RuntimeError(
            "the output depends on no tensor that requires gradients; "
            "create the input with Tensor(x, requires_grad=True)"
        )
    if seed is None and output.data.size != 1:
        raise RuntimeError(
            f"backward starts at a scalar, got an output of shape {output.shape}; "
            "sum it, or pass a seed of that shape"
        )
    if seed is None:
        return np.ones_like(output.data)
    seed = np.asarray(seed.data if isinstance(seed, Tensor) else seed, dtype=output.dtype)
    if seed.shape != output.shape:
        raise ValueError(f"seed has shape {seed.shape}, the output has {output.shape}")
    return seed


def _own(g: np.ndarray | None, tensor: Tensor) -> np.ndarray:
    """A writable, contiguous copy for the caller; zeros where the output did not depend on it."""
    return np.zeros_like(tensor.data) if g is None else np.array(g, tensor.dtype, order="C")
