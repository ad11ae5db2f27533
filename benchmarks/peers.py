"""JAX, HIPS autograd and MyGrad, each where it is installed (the `bench` extra)."""

from __future__ import annotations

import importlib
import math
from typing import Any

import numpy as np

from benchmarks.engines import Engine
from benchmarks.networks import Parameters
from benchmarks.workloads import Answer, Workload, attribution


def _optional(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


jax, hips, mygrad = (_optional(name) for name in ("jax", "autograd", "mygrad"))


class _Ops:
    """The operations that are the same lines for every engine that looks like NumPy (`np`)."""

    def __init__(self, np_like: Any) -> None:
        self.np = np_like

    def relu(self, x: Any) -> Any:
        return self.np.maximum(x, 0)

    def relu6(self, x: Any) -> Any:
        return self.np.minimum(self.np.maximum(x, 0), 6)

    def linear(self, x: Any, w: Any, b: Any) -> Any:
        return x @ w.T + b

    def reshape(self, x: Any, shape: tuple[int, ...]) -> Any:
        return self.np.reshape(x, shape)

    def permute(self, x: Any, axes: tuple[int, ...]) -> Any:
        return self.np.transpose(x, axes)

    def mean(self, x: Any, axis: Any) -> Any:
        return self.np.mean(x, axis)

    def softmax(self, x: Any) -> Any:
        e = self.np.exp(x - self.np.max(x, -1, keepdims=True))
        return e / self.np.sum(e, -1, keepdims=True)

    def layer_norm(self, x: Any, w: Any, b: Any) -> Any:
        centred = x - self.np.mean(x, -1, keepdims=True)
        variance = self.np.mean(centred * centred, -1, keepdims=True)
        return centred / self.np.sqrt(variance + 1e-5) * w + b

    def pad(self, x: Any, pad: tuple[int, int, int, int]) -> Any:
        left, right, top, bottom = pad
        widths = ((0, 0), (0, 0), (top, bottom), (left, right))
        return self.np.pad(x, widths, "constant", constant_values=0)

    def max_pool2d(self, x: Any, k: int) -> Any:
        rows = self.np.maximum(x[:, :, ::k], x[:, :, 1::k])
        return self.np.maximum(rows[:, :, :, ::k], rows[:, :, :, 1::k])

    def conv2d(
        self, x: Any, w: Any, b: Any, stride: int = 1, padding: int = 0, groups: int = 1
    ) -> Any:
        """Patches as k*k shifted copies, then one matrix product: what one writes in NumPy."""
        if groups > 1:
            raise NotImplementedError("depthwise convolutions take these engines minutes")
        o, _, kh, kw = w.shape
        x = self.pad(x, (padding,) * 4)
        ho, wo = ((x.shape[a] - k) // stride + 1 for a, k in ((2, kh), (3, kw)))
        shifts = [
            x[:, :, i : i + stride * ho : stride, j : j + stride * wo : stride]
            for i, j in np.ndindex(kh, kw)
        ]
        patches = self.np.concatenate(shifts, axis=1).reshape((len(x), -1, ho * wo))
        y = w.transpose((0, 2, 3, 1)).reshape((o, -1)) @ patches
        return y.reshape((len(x), o, ho, wo)) + b[:, None, None]


class _JaxOps(_Ops):
    def conv2d(
        self, x: Any, w: Any, b: Any, stride: int = 1, padding: int = 0, groups: int = 1
    ) -> Any:
        y = jax.lax.conv_general_dilated(
            *(x, w, (stride, stride), [(padding, padding)] * 2), feature_group_count=groups
        )
        return y + b[:, None, None]

    def max_pool2d(self, x: Any, k: int) -> Any:
        window = (1, 1, k, k)
        return jax.lax.reduce_window(x, -math.inf, jax.lax.max, window, window, "VALID")


def jax_engine(workload: Workload, parameters: Parameters) -> Answer:
    """Compiled. Compilation happens in the first call, which is not timed."""
    jnp = importlib.import_module("jax.numpy")
    ops = _JaxOps(jnp)
    p = {name: jnp.asarray(w) for name, w in parameters.items()}

    def score(x: Any, p: Any, target: Any) -> Any:
        return workload.network(ops, p, x)[jnp.arange(len(x)), target].sum()

    compiled = jax.jit(jax.grad(score))
    return attribution(workload.kind, lambda x, target: np.asarray(compiled(x, p, target)))


def hips_engine(workload: Workload, parameters: Parameters) -> Answer:
    anp = importlib.import_module("autograd.numpy")
    ops = _Ops(anp)

    def score(x: Any, target: np.ndarray) -> Any:
        return anp.sum(workload.network(ops, parameters, x)[np.arange(len(x)), target])

    gradient = hips.grad(score)
    return attribution(workload.kind, lambda x, target: gradient(x, target))


class _MyGradOps(_Ops):
    """MyGrad has no pad, and layers of its own."""

    def conv2d(
        self, x: Any, w: Any, b: Any, stride: int = 1, padding: int = 0, groups: int = 1
    ) -> Any:
        if groups > 1:
            raise NotImplementedError("MyGrad has no grouped convolution")
        layers = importlib.import_module("mygrad.nnet.layers")
        return layers.conv_nd(x, w, stride=stride, padding=padding) + b[:, None, None]

    def max_pool2d(self, x: Any, k: int) -> Any:
        return importlib.import_module("mygrad.nnet.layers").max_pool(x, (k, k), k)

    def pad(self, x: Any, pad: tuple[int, int, int, int]) -> Any:
        raise NotImplementedError("MyGrad has no padding")


def mygrad_engine(workload: Workload, parameters: Parameters) -> Answer:
    mygrad.turn_memory_guarding_off()
    ops = _MyGradOps(mygrad)

    def gradient(x: np.ndarray, target: np.ndarray) -> np.ndarray:
        inputs = mygrad.tensor(x)
        workload.network(ops, parameters, inputs)[np.arange(len(x)), target].sum().backward()
        return inputs.grad

    return attribution(workload.kind, gradient)


PEERS: dict[str, Engine] = {
    name: engine
    for name, module, engine in (
        ("JAX", jax, jax_engine),
        ("HIPS autograd", hips, hips_engine),
        ("MyGrad", mygrad, mygrad_engine),
    )
    if module is not None
}
