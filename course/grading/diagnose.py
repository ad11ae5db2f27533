"""Compare two arrays, and say what the difference looks like."""

from __future__ import annotations

import numpy as np


def tolerance(got: np.ndarray, asked: float) -> float:
    """The relative tolerance: single precision is allowed its own rounding, whatever was asked."""
    return max(asked, 1e-4) if got.dtype.itemsize < 8 and got.dtype.kind == "f" else asked


def close(got: np.ndarray, want: np.ndarray, asked: float) -> bool:
    """max|got - want| <= tolerance * max|want|: relative to the whole map, not to each entry,
    which near zero is rounding noise."""
    difference = np.abs(got.astype(np.float64) - want)
    return bool(difference.max(initial=0) <= tolerance(got, asked) * np.abs(want).max(initial=0))


def explain(got: np.ndarray, want: np.ndarray) -> str:
    """One sentence on how a wrong array is related to the right one."""
    got = got.astype(np.float64)
    if not got.any():
        return "the answer is all zeros"
    size = float((want**2).sum())
    factor = float((got * want).sum()) / size if size else 0.0
    if factor and close(got / factor, want, 1e-4):
        if abs(factor + 1) < 1e-4:
            return "the answer has the right size but the opposite sign everywhere"
        return f"the answer is {factor:.6g} times the right one everywhere"
    if close(np.abs(got), np.abs(want), 1e-4):
        flipped = int((np.sign(got) != np.sign(want)).sum())
        return f"the magnitudes are right, but {flipped} of {got.size} signs are not"
    off = np.abs(got - want) > 1e-4 * np.abs(want).max()
    return f"{int(off.sum())} of {got.size} numbers differ from the right answer"


def worst(got: np.ndarray, want: np.ndarray) -> str:
    """Where the difference is largest, and the numbers there."""
    difference = np.abs(got.astype(np.float64) - want)
    index = np.unravel_index(int(difference.argmax()), want.shape)
    place = ", ".join(str(int(i)) for i in index)
    return (
        f"largest difference at [{place}]: got {got[index]:.6g}, expected {want[index]:.6g} "
        f"(the map reaches {np.abs(want).max():.4g})"
    )
