"""How alike are two maps? The measures that sanity checks are read with.

All compare a batch with a batch, map by map, and return one number each.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import signature
from typing import Any

import numpy as np


def rank_correlation(
    a: np.ndarray, b: np.ndarray, support: np.ndarray | None = None
) -> np.ndarray:
    """Spearman's correlation of each map of a with the same map of b.

    Pearson's correlation of the ranks, where equal values share their mean
    rank. Signs count; for the absolute version hand in magnitudes.

    a, b: maps, arrays (N, ...).
    support: booleans (N, ...), the places that count; None for all.
    Returns an array (N,), NaN where a map is constant.
    """

    def ranks(values: np.ndarray) -> np.ndarray:
        _, group, sizes = np.unique(
            values, return_inverse=True, return_counts=True
        )
        last = sizes.cumsum()  # the last place of each group of equals
        return (last - (sizes - 1) / 2)[group]

    found = []
    for i in range(len(a)):
        chosen = np.ones(a[i].shape, bool) if support is None else support[i]
        r, s = ranks(a[i][chosen]), ranks(b[i][chosen])
        r, s = r - r.mean(), s - s.mean()
        length = np.sqrt((r @ r) * (s @ s))
        found.append(r @ s / length if length > 0 else np.nan)
    return np.array(found)


def unit_range(maps: np.ndarray) -> np.ndarray:
    """Each map (N, H, W) stretched to [0, 1]; a constant one becomes 0."""
    low = maps.min(axis=(1, 2), keepdims=True)
    span = maps.max(axis=(1, 2), keepdims=True) - low
    return (maps - low) / np.where(span > 0, span, 1)


def _window_fits(
    measure: Callable[..., np.ndarray],
) -> Callable[..., np.ndarray]:
    """Let a measure assume that its window fits into the images."""
    parameters = signature(measure)

    @wraps(measure)
    def call(*args: Any, **options: Any) -> np.ndarray:
        given = parameters.bind(*args, **options)
        given.apply_defaults()
        images, sigma = given.arguments["a"], given.arguments["sigma"]
        side = 2 * int(3.5 * sigma + 0.5) + 1
        if min(images.shape[1:]) < side:
            raise ValueError(
                f"images must be at least as large as the window of {side} "
                f"pixels, got {images.shape[1:]}"
            )
        return measure(*args, **options)

    return call


@_window_fits
def ssim(
    a: np.ndarray, b: np.ndarray, sigma: float = 1.5, data_range: float = 1.0
) -> np.ndarray:
    """Structural similarity of images (Wang et al. 2004, eq. 13).

        (2 μ_a μ_b + c₁)(2 σ_ab + c₂) / ((μ_a² + μ_b² + c₁)(σ_a² + σ_b² + c₂))

    with means and sample covariances in a Gaussian window around each pixel,
    averaged over the pixels whose window lies inside.

    a, b: images (N, H, W), in general through `unit_range`.
    sigma: of the window, which ends at 3.5 sigma: 11 x 11 pixels for 1.5.
    data_range: L, how far values can lie apart; c₁ = (0.01 L)² and
        c₂ = (0.03 L)².
    Returns an array (N,), 1 for equal images.
    """
    reach = int(3.5 * sigma + 0.5)
    offsets = np.arange(-reach, reach + 1)
    window = np.exp(-0.5 * (offsets / sigma) ** 2)
    window /= window.sum()

    def local_mean(images: np.ndarray) -> np.ndarray:
        for axis in (1, 2):  # the Gaussian is a product of two
            views = np.lib.stride_tricks.sliding_window_view(
                images, len(window), axis
            )
            images = views @ window
        return images

    size = len(window) ** 2
    mean_a, mean_b = local_mean(a), local_mean(b)
    sample = size / (size - 1)
    cov = sample * (local_mean(a * b) - mean_a * mean_b)
    var_a = sample * (local_mean(a * a) - mean_a**2)
    var_b = sample * (local_mean(b * b) - mean_b**2)
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    luminance = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    structure = (2 * cov + c2) / (var_a + var_b + c2)
    return (luminance * structure).mean(axis=(1, 2))


def hog(
    images: np.ndarray, cell: int = 7, block: int = 3, orientations: int = 9
) -> np.ndarray:
    """Histograms of oriented gradients (Dalal and Triggs 2005, §6).

    Every cell votes for the directions of its differences, weighed by their
    lengths; overlapping blocks of cells are normalised by L2-Hys (length 1,
    clipped at 0.2, length 1 again).

    images: an array (N, H, W) of at least block x block cells.
    cell, block: side in pixels, side in cells.
    Returns an array (N, features).
    """
    n, rows, columns = len(images), *(s // cell for s in images.shape[1:])
    if min(rows, columns) < block:
        raise ValueError(
            f"images must be at least {block * cell} pixels high and wide for "
            f"{block} cells of {cell}, got {images.shape[1:]}"
        )
    down, across = np.zeros_like(images), np.zeros_like(images)
    down[:, 1:-1] = images[:, 2:] - images[:, :-2]
    across[:, :, 1:-1] = images[:, :, 2:] - images[:, :, :-2]
    length = np.hypot(down, across)
    angle = np.rad2deg(np.arctan2(down, across)) % 180
    votes = (angle // (180 / orientations)).astype(int) % orientations
    cells = np.stack(
        [
            np.where(votes == i, length, 0)[:, : rows * cell, : columns * cell]
            .reshape(n, rows, cell, columns, cell)
            .mean(axis=(2, 4))
            for i in range(orientations)
        ],
        axis=-1,
    )  # (N, rows, columns, orientations)
    blocks = np.lib.stride_tricks.sliding_window_view(
        cells, (block, block), (1, 2)
    )  # (N, rows', columns', orientations, block, block)
    vectors = np.moveaxis(blocks, 3, -1).reshape(n, -1, block**2 * orientations)
    return _unit(np.minimum(_unit(vectors), 0.2)).reshape(n, -1)


def _unit(vectors: np.ndarray, epsilon: float = 1e-5) -> np.ndarray:
    square = (vectors**2).sum(axis=-1, keepdims=True)
    return vectors / np.sqrt(square + epsilon**2)


def hog_similarity(a: np.ndarray, b: np.ndarray, cell: int = 7) -> np.ndarray:
    """The rank correlation of two images' histograms of oriented gradients.

    a, b: images (N, H, W). Returns an array (N,).
    """
    return rank_correlation(hog(a, cell), hog(b, cell))
