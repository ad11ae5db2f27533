"""Ours, Torch, Captum, and the floor below which no engine made of matrix products can go.

An engine is a function of a workload and its parameters; it returns what is timed, a function of
the input array. Peers that may be missing are in `peers`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import captum.attr
import numpy as np
import torch
from torch.nn import functional

from benchmarks.networks import Parameters
from benchmarks.workloads import NOISE, TARGET, Answer, Workload, attribution
from course import autograd

Engine = Callable[[Workload, Parameters], Answer]


def course(workload: Workload, parameters: Parameters) -> Answer:
    """Ours. Parameters require gradients, as in a trained model: they must not be paid for."""
    p = {name: autograd.Tensor(w, requires_grad=True) for name, w in parameters.items()}

    def gradient(x: np.ndarray, target: np.ndarray) -> np.ndarray:
        inputs = autograd.Tensor(x, requires_grad=True)
        logits = workload.network(autograd, p, inputs)
        return autograd.grad(logits[np.arange(len(x)), target].sum(), inputs)

    return attribution(workload.kind, gradient)


class TorchOps:
    """Torch's functions, where their signatures differ from ours by a detail."""

    conv2d, max_pool2d = functional.conv2d, functional.max_pool2d
    linear, pad = functional.linear, functional.pad
    relu, relu6, reshape, permute = torch.relu, functional.relu6, torch.reshape, torch.permute
    mean = torch.mean

    @staticmethod
    def softmax(x: torch.Tensor) -> torch.Tensor:
        return torch.softmax(x, -1)

    @staticmethod
    def layer_norm(x: torch.Tensor, w: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return functional.layer_norm(x, w.shape, w, b)


def _torch_model(
    workload: Workload, parameters: Parameters
) -> Callable[[torch.Tensor], torch.Tensor]:
    torch.set_num_threads(1)
    p = {name: torch.from_numpy(w).requires_grad_() for name, w in parameters.items()}
    return lambda x: workload.network(TorchOps, p, x)


def torch_engine(workload: Workload, parameters: Parameters) -> Answer:
    model = _torch_model(workload, parameters)

    def gradient(x: np.ndarray, target: np.ndarray) -> np.ndarray:
        inputs = torch.from_numpy(x).requires_grad_()
        score = model(inputs).gather(1, torch.from_numpy(target)[:, None]).sum()
        return torch.autograd.grad(score, inputs)[0].numpy()

    return attribution(workload.kind, gradient)


def captum_engine(workload: Workload, parameters: Parameters) -> Answer:
    """Captum's own classes; its SmoothGrad draws its own noise, so that answer is not compared."""
    model = _torch_model(workload, parameters)
    saliency = captum.attr.Saliency(model)
    integrated = captum.attr.IntegratedGradients(model)
    smooth = captum.attr.NoiseTunnel(saliency)

    def answer(x: np.ndarray) -> np.ndarray:
        inputs, n = torch.from_numpy(x).requires_grad_(), len(x)
        if workload.kind == "gradient":
            found = saliency.attribute(inputs, target=TARGET, abs=False)
        elif workload.kind == "path":
            options = {"n_steps": n, "method": "riemann_middle"}
            found = integrated.attribute(inputs[:1], target=TARGET, **options)
        else:
            noise = {"nt_samples": n, "stdevs": NOISE, "nt_type": "smoothgrad"}
            found = smooth.attribute(inputs[:1], target=TARGET, abs=False, **noise)
        return found.detach().numpy()

    return answer


class _Recorder:
    """`course.autograd`, noting the shape of every matrix product on the way."""

    def __init__(self) -> None:
        self.products: list[tuple[int, int, int]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(autograd, name)

    def conv2d(self, x: Any, w: Any, b: Any, **options: Any) -> Any:
        y = autograd.conv2d(x, w, b, **options)
        if options.get("groups", 1) == 1:  # a depthwise convolution is no matrix product
            rows = y.shape[0] * y.shape[2] * y.shape[3]
            self.products.append((rows, math.prod(w.shape[1:]), w.shape[0]))
        return y

    def linear(self, x: Any, w: Any, b: Any) -> Any:
        self.products.append((math.prod(x.shape[:-1]), w.shape[1], w.shape[0]))
        return autograd.linear(x, w, b)


def gemm_floor(workload: Workload, parameters: Parameters) -> Answer:
    """NumPy's bare matrix products of the forward pass and of the input gradient, nothing else."""
    recorder = _Recorder()
    p = {name: autograd.Tensor(w) for name, w in parameters.items()}
    workload.network(recorder, p, autograd.Tensor(np.zeros(workload.shape, np.float32)))
    arrays = [
        tuple(np.zeros(shape, np.float32) for shape in ((m, k), (k, n), (m, n)))
        for m, k, n in recorder.products
    ]

    def answer(x: np.ndarray) -> np.ndarray:
        for patches, weights, outputs in arrays:
            np.matmul(patches, weights, out=outputs)
            np.matmul(outputs, weights.T, out=patches)
        return x

    return answer


ENGINES: dict[str, Engine] = {
    "torch": torch_engine,
    "course": course,
    "captum": captum_engine,
    "GEMM floor": gemm_floor,
}
NOT_COMPARED = {("GEMM floor", kind) for kind in ("gradient", "path", "noise")} | {
    ("captum", "noise")
}
