"""Optimisers: they move every parameter a little against its gradient (names: `torch.optim`)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from course.autograd import Tensor


class Optimizer:
    """Parameters, a learning rate `lr` that may be changed at any time, and `step`."""

    def __init__(self, params: Iterable[Tensor], lr: float) -> None:
        self.params = list(params)
        if not self.params:
            raise ValueError("params must hold at least one tensor, got none")
        if lr <= 0:
            raise ValueError(f"lr must be positive, got {lr}")
        self.lr = lr

    def zero_grad(self) -> None:
        """Forget the gradients; otherwise the next backward pass adds to them."""
        for p in self.params:
            p.grad = None

    def step(self) -> None:
        """Update every parameter that has a gradient."""
        for i, p in enumerate(self.params):
            if p.grad is not None:
                p.data = p.data - self.lr * self.direction(i, p.grad)

    def direction(self, i: int, g: np.ndarray) -> np.ndarray:
        """Where parameter i should move, for its gradient g; the step is -lr times this."""
        raise NotImplementedError(f"{type(self).__name__} defines no direction")


class SGD(Optimizer):
    """The gradient itself, or with momentum a running sum of it: v = momentum v + g."""

    def __init__(self, params: Iterable[Tensor], lr: float, momentum: float = 0.0) -> None:
        super().__init__(params, lr)
        self.momentum = momentum
        self.velocity = [np.zeros_like(p.data) for p in self.params]

    def direction(self, i: int, g: np.ndarray) -> np.ndarray:
        self.velocity[i] = self.momentum * self.velocity[i] + g
        return self.velocity[i]


class Adam(Optimizer):
    """Running means of the gradient and of its square, one over the root of the other (Kingma and
    Ba 2015, algorithm 1): a step of about lr for every parameter, however large its gradient."""

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        super().__init__(params, lr)
        self.betas, self.eps = betas, eps
        self.mean = [np.zeros_like(p.data) for p in self.params]
        self.square = [np.zeros_like(p.data) for p in self.params]
        self.steps = [0] * len(self.params)

    def direction(self, i: int, g: np.ndarray) -> np.ndarray:
        beta1, beta2 = self.betas
        self.steps[i] += 1
        self.mean[i] = beta1 * self.mean[i] + (1 - beta1) * g
        self.square[i] = beta2 * self.square[i] + (1 - beta2) * g * g
        # Both started at zero; these factors undo the pull towards it.
        mean = self.mean[i] / (1 - beta1 ** self.steps[i])
        square = self.square[i] / (1 - beta2 ** self.steps[i])
        return mean / (np.sqrt(square) + self.eps)
