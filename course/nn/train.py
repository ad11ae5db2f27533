"""A training loop short enough to read, and the accuracy that it is judged by."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from course.autograd import Tensor, cross_entropy, no_grad
from course.nn.module import Module
from course.nn.optim import Optimizer

Augment = Callable[[np.ndarray, np.random.Generator], np.ndarray]
PATIENCE = 2.0  # seconds of training before a progress bar is worth the space


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

    rng: shuffles the examples before every epoch, and is handed to `augment`.
    augment: replaces each batch by a varied copy of the same shape.
    Returns the mean loss of each epoch.
    """
    _check_examples(x, y)
    losses = []
    with _progress(epochs * -(-len(x) // batch_size)) as show:
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
                show(loss.item(), float((logits.data.argmax(axis=1) == y[batch]).mean()))
                total += loss.item() * len(batch)
            losses.append(total / len(x))
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


@contextmanager
def _progress(steps: int) -> Iterator[Callable[[float, float], None]]:
    """A function to call once a step: on a terminal it draws a bar, if training takes a while."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console()
    if not console.is_terminal:
        yield lambda loss, right: None
        return
    bar = Progress(
        TextColumn("training"),
        BarColumn(),
        TimeRemainingColumn(),
        TextColumn("loss {task.fields[loss]:.3f}  accuracy {task.fields[right]:.1%}"),
        console=console,
        transient=True,
    )
    task = bar.add_task("", total=steps, loss=float("nan"), right=0.0)
    begin, recent = time.monotonic(), np.array([np.nan, np.nan])

    def show(loss: float, right: float) -> None:
        """Single batches jump about, so what is shown is a running mean over some twenty."""
        new = np.array([loss, right])
        recent[:] = new if np.isnan(recent[0]) else 0.95 * recent + 0.05 * new
        bar.update(task, advance=1, loss=recent[0], right=recent[1])
        if time.monotonic() - begin > PATIENCE:
            bar.start()

    try:
        yield show
    finally:
        bar.stop()
