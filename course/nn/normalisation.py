"""Layers that keep activations at mean 0 and variance 1, then scale and shift them as trained."""

from __future__ import annotations

import numpy as np

from course import autograd as F
from course.autograd import Tensor
from course.nn.module import Module


class _Norm(Module):
    """A factor and an offset for each of `size` features; both start by changing nothing."""

    def __init__(self, size: int, eps: float) -> None:
        self.weight = Tensor(np.ones(size, np.float32), requires_grad=True)
        self.bias = Tensor(np.zeros(size, np.float32), requires_grad=True)
        self.eps = eps

    def reset_parameters(self, rng: np.random.Generator) -> None:
        """Back to the start, which is the same for every rng."""
        self.weight.data = np.ones_like(self.weight.data)
        self.bias.data = np.zeros_like(self.bias.data)


class LayerNorm(_Norm):
    """Normalises the last dimension of x (..., size), each row by itself (Ba et al. 2016)."""

    def __init__(self, normalized_shape: int, eps: float = 1e-5) -> None:
        super().__init__(normalized_shape, eps)

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, self.weight, self.bias, self.eps)


class BatchNorm2d(_Norm):
    """Normalises each channel of images (N, C, H, W) (Ioffe and Szegedy 2015).

    In training mode by the statistics of the batch, of which it keeps running means; in evaluation
    mode by these, so that an image's result does not depend on the others. Torch's state_dict has
    an entry more, `num_batches_tracked`, which changes no result.
    """

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__(num_features, eps)
        self.momentum = momentum
        self.running_mean = Tensor(np.zeros(num_features, np.float32))
        self.running_var = Tensor(np.ones(num_features, np.float32))

    def reset_parameters(self, rng: np.random.Generator) -> None:
        super().reset_parameters(rng)
        self.running_mean.data = np.zeros_like(self.running_mean.data)
        self.running_var.data = np.ones_like(self.running_var.data)

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != 4:
            raise ValueError(f"x must be images (N, C, H, W), got shape {x.shape}")
        mean, variance = self.running_mean, self.running_var
        if self.training:
            n = len(x) * x.shape[2] * x.shape[3]
            if n < 2:
                raise ValueError(f"training needs two numbers a channel, got shape {x.shape}")
            mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
            self._keep(self.running_mean, mean.data)
            self._keep(self.running_var, variance.data * (n / (n - 1)))  # unbiased, as in Torch
        return F.batch_norm(x, mean, variance, self.weight, self.bias, self.eps)

    def _keep(self, running: Tensor, new: np.ndarray) -> None:
        running.data = (1 - self.momentum) * running.data + self.momentum * new
