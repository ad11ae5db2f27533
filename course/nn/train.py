"""A training loop short enough to read, and the accuracy that it is judged by."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from course.autograd import Tensor, cross_entropy, no_grad
from course.nn.module import Module
from course.nn.optim import Optimizer
from course.progress import progress

Augment = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def fit(
    model: Module,
    x: np.ndarray,
    y: np.ndarray,
    optimizer: Optimizer,
    epochs: int,
    batch_size: int,
    rng: np.random.Generator,
    augment: Augment | None = None,
) -> list[float]:
    """Minimise the cross-entropy of `model` on inputs x (N, ...) and classes y (N,).

    The model is in training mode meanwhile, and in evaluation mode afterwards.
    rng: shuffles the examples before every epoch, and is handed to `augment`.
    augment: replaces each batch by a varied copy of the same shape.
    Returns the mean loss of each epoch.
    """
    _check_examples(x, y)
    losses, smooth = [], np.array([np.nan, np.nan])
    model.train()
    with progress("training", epochs * -(-len(x) // batch_size)) as advance:
        for _ in range(epochs):
            total = 0.0
            order = rng.permutation(len(x))
            for start in range(0, len(x), batch_size):
                batch = order[start : start + batch_size]
                inputs = augment(x[batch], rng) if augment else x[batch]
                logits = model(Tensor(inputs))
                loss = cross_entropy(logits, y[batch])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                total += loss.item() * len(batch)
                # Single batches jump about: what is shown is a running mean over some twenty.
                now = np.array([loss.item(), (logits.data.argmax(axis=1) == y[batch]).mean()])
                smooth = now if np.isnan(smooth[0]) else 0.95 * smooth + 0.05 * now
                advance(note=f"loss {smooth[0]:.3f}  accuracy {smooth[1]:.1%}")
            losses.append(total / len(x))
    model.eval()
    return losses


def accuracy(model: Module, x: np.ndarray, y: np.ndarray, batch_size: int = 500) -> float:
    """The share of inputs x (N, ...) whose largest logit is that of their class y (N,)."""
    _check_examples(x, y)
    right = 0
    with no_grad():
        for start in range(0, len(x), batch_size):
            batch = slice(start, start + batch_size)
            logits = model(Tensor(x[batch])).data
            right += int((logits.argmax(axis=1) == y[batch]).sum())
    return right / len(x)


def _check_examples(x: np.ndarray, y: np.ndarray) -> None:
    if len(x) == 0 or y.shape != (len(x),):
        raise ValueError(f"y must hold one class for each of {len(x)} inputs, got shape {y.shape}")
