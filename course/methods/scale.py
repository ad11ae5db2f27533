"""Means over many inputs, such as the steps of a path or noisy copies, in
little memory.

Fifty inputs go through a network together in a third of the time that they
take one by one; five thousand together may not fit into memory. So they go in
chunks, and only a running sum is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from operator import length_hint

import numpy as np

from course.progress import progress

OnBatch = Callable[[np.ndarray, np.ndarray], np.ndarray]


def mean_over(
    on_batch: OnBatch,
    points: Iterable[np.ndarray],
    weights: Iterable[float] | None = None,
    chunk: int = 50,
) -> np.ndarray:
    """The weighted mean of a function over points: Σ_k w_k f(p_k) / Σ_k w_k.

    on_batch: maps inputs (B, ...) to as many results, (B, ...). Its second
        argument, (B,) ints, says which of the N examples each input is a
        version of: `lambda x, rows: gradient(model, x, target[rows])`.
    points: for each k the inputs there, an array (N, ...). A generator makes
        them when they are needed, so that they are never all in memory.
    weights: one number a point; None counts all alike.
    chunk: at most so many inputs go through on_batch at once. However many
        points there are, memory holds one such batch, with what on_batch makes
        of it, and a sum of N results. The mean depends on chunk by rounding
        only.
    Returns the N means, an array in the dtype of on_batch's results.
    """
    if chunk < 1:
        raise ValueError(f"chunk must be at least 1 input, got {chunk}")
    sums: dict[int, np.ndarray] = {}
    whole = 0.0
    versions = _versions(points, weights)
    steps = length_hint(points if weights is None else weights)
    with progress("attributing", steps or None) as advance:
        while part := list(islice(versions, chunk)):
            inputs, rows, factors = zip(*part, strict=True)
            results = on_batch(np.stack(inputs), np.array(rows))
            if len(results) != len(rows):
                raise ValueError(
                    f"on_batch must give one result an input, got an array "
                    f"{results.shape} for {len(rows)} inputs"
                )
            for row, factor, result in zip(rows, factors, results, strict=True):
                sums[row] = sums.get(row, 0) + factor * result.astype(float)
                whole += factor if row == 0 else 0
            advance(rows.count(0))
    if not sums:
        raise ValueError("points must hold at least one array (N, ...)")
    return (np.stack(list(sums.values())) / whole).astype(results.dtype)


def _versions(
    points: Iterable[np.ndarray], weights: Iterable[float] | None
) -> Iterator[tuple[np.ndarray, int, float]]:
    """Every input of every point, with its row there and the point's weight."""
    if weights is None:
        pairs: Iterable[tuple[np.ndarray, float]] = ((p, 1.0) for p in points)
    else:
        pairs = zip(points, weights, strict=True)
    for point, weight in pairs:
        for row, x in enumerate(point):
            yield x, row, weight
