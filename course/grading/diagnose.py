"""Compare two arrays, say what the difference looks like, and know a mistake by its answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from course.grading.arguments import realise
from course.grading.call import as_array
from course.grading.spec import Case, Mistake
from course.nn import Module

Arrays = Sequence[np.ndarray | None]  # one a case; None where there is no answer


def tolerance(got: np.ndarray, asked: float) -> float:
    """The relative tolerance: single precision is allowed its own rounding, whatever was asked."""
    return max(asked, 1e-4) if got.dtype.itemsize < 8 and got.dtype.kind == "f" else asked


def close(got: np.ndarray, want: np.ndarray, asked: float) -> bool:
    """max|got - want| <= tolerance * max|want|: relative to the whole map, not to each entry,
    which near zero is rounding noise. Where the right answer is zero everywhere, relative to
    1e-6."""
    with np.errstate(invalid="ignore"):  # of infinite answers, which are never close
        difference = np.abs(got.astype(np.float64) - want)
    scale = np.abs(want).max(initial=0) or 1e-6
    return bool(difference.max(initial=0) <= tolerance(got, asked) * scale)


def explain(got: np.ndarray, want: np.ndarray) -> str:
    """One sentence on how a wrong array is related to the right one."""
    got, want = got.astype(np.float64), want.astype(np.float64)
    if got.size == 1:
        return f"the answer is {got.item():.6g}, expected {want.item():.6g}"
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
    if close(np.sort(got, axis=None), np.sort(want, axis=None), 1e-6):
        return "the numbers are right, but in another order"
    off = np.abs(got - want) > 1e-4 * np.abs(want).max()
    return f"{int(off.sum())} of {got.size} numbers differ from the right answer"


def explain_shape(got: tuple[int, ...], want: tuple[int, ...]) -> str:
    """One sentence on a wrong shape."""
    says = f"returned shape {got}, expected {want}"
    if sorted(got) == sorted(want):
        return f"{says}: the axes are in another order"
    if len(got) == len(want):
        return says
    if [n for n in got if n != 1] == [n for n in want if n != 1]:
        return f"{says}: an axis of length 1 too {'many' if len(got) > len(want) else 'few'}"
    return f"{says}: {len(got)} axes instead of {len(want)}"


def worst(got: np.ndarray, want: np.ndarray) -> str:
    """Where the difference is largest, and the numbers there."""
    difference = np.abs(got.astype(np.float64) - want)
    index = np.unravel_index(int(difference.argmax()), want.shape)
    place = ", ".join(str(int(i)) for i in index)
    return (
        f"largest difference at [{place}]: got {got[index]:.6g}, expected {want[index]:.6g} "
        f"(the right answer reaches {np.abs(want).max():.4g})"
    )


@dataclass(frozen=True)
class Diagnosis:
    """A learner's answers in terms of a mistake: `factor` times it, or times its magnitude."""

    mistake: Mistake
    magnitude: bool = False
    factor: float = 1.0

    @property
    def also(self) -> str:
        """What is wrong besides the mistake; "" if nothing is."""
        parts = ["its magnitude is taken"] if self.magnitude else []
        if self.factor == -1:
            parts.append("the sign is the opposite everywhere")
        elif self.factor != 1:
            parts.append(f"everything is {self.factor:.6g} times as large")
        return " and ".join(parts)

    @property
    def says(self) -> str:
        return self.mistake.diagnosis + (f". Besides, {self.also}" if self.also else "")

    def answer(self, wrong: np.ndarray) -> np.ndarray:
        """What the learner's function should give where the mistake gives `wrong`."""
        return self.factor * (np.abs(wrong) if self.magnitude else wrong)


def diagnose(
    mistakes: Sequence[Mistake], cases: Sequence[Case], gots: Arrays, wants: Arrays
) -> Diagnosis | None:
    """The one mistake, alone or with another sign, size or magnitude, that gives the learner's
    array in every case; None if there is none, or more than one.

    Simple accounts go first, and one that needs no mistake at all (the right answer times a
    constant, say) rules out all that are less simple.
    """
    limits = [case.tolerance for case in cases]
    tried = [(m, _attempts(m, cases, gots)) for m in mistakes]
    wrongs = [(mistake, arrays) for mistake, arrays in tried if arrays]
    for magnitude in (False, True):
        for scale in (_same, _opposite, _proportional):
            if scale(gots, wants, limits, magnitude) and (magnitude or scale is not _same):
                return None
            fitting = [
                Diagnosis(mistake, magnitude, factor)
                for mistake, wrong in wrongs
                if (factor := scale(gots, wrong, limits, magnitude))
            ]
            if fitting:
                return fitting[0] if len(fitting) == 1 else None
    return None


def _fits(
    gots: Arrays, wrongs: Arrays, limits: Sequence[float], magnitude: bool, factor: float
) -> bool:
    """Is every answer `factor` times the other, or its magnitude?"""
    for got, wrong, limit in zip(gots, wrongs, limits, strict=True):
        if got is None or wrong is None or got.shape != wrong.shape:
            return False
        if not close(got, factor * (np.abs(wrong) if magnitude else wrong), limit):
            return False
    return True


def _same(gots: Arrays, wrongs: Arrays, limits: Sequence[float], magnitude: bool) -> float:
    return 1.0 if _fits(gots, wrongs, limits, magnitude, 1.0) else 0.0


def _opposite(gots: Arrays, wrongs: Arrays, limits: Sequence[float], magnitude: bool) -> float:
    return -1.0 if _fits(gots, wrongs, limits, magnitude, -1.0) else 0.0


def _proportional(gots: Arrays, wrongs: Arrays, limits: Sequence[float], magnitude: bool) -> float:
    """The one factor between all answers, 0 if there is none."""
    pairs = list(zip(gots, wrongs, strict=True))
    if any(a is None or b is None or a.shape != b.shape for a, b in pairs):
        return 0.0
    got = np.concatenate([np.ravel(a) for a, _ in pairs]).astype(np.float64)  # type: ignore[arg-type]
    wrong = np.concatenate([np.ravel(b) for _, b in pairs]).astype(np.float64)  # type: ignore[arg-type]
    wrong = np.abs(wrong) if magnitude else wrong
    if np.count_nonzero(wrong) < 3 or not np.isfinite(got).all() or not np.isfinite(wrong).all():
        return 0.0  # a factor fits any single number
    factor = float(got @ wrong / (wrong @ wrong))
    return factor if _fits(gots, wrongs, limits, magnitude, factor) else 0.0


def _attempts(
    mistake: Mistake, cases: Sequence[Case], gots: Arrays
) -> list[np.ndarray | None] | None:
    """What a mistake answers in each case; None once an answer has nothing to do with it."""
    wrongs: list[np.ndarray | None] = []
    for case, got in zip(cases, gots, strict=True):
        wrong = _attempt(mistake, case)
        if got is None or wrong is None or not _related(got, wrong, case.tolerance):
            return None
        wrongs.append(wrong)
    return wrongs


def _related(got: np.ndarray, wrong: np.ndarray, asked: float) -> bool:
    """Could one be a multiple of the other, or of its magnitude?"""
    if got.shape != wrong.shape or not (np.isfinite(got).all() and np.isfinite(wrong).all()):
        return False
    # The best factor in the mean is not the best at the worst place, but nearly.
    enough = 2 * np.sqrt(got.size) * tolerance(got, asked)
    for other in (wrong.astype(np.float64), np.abs(wrong.astype(np.float64))):
        size = float((other**2).sum())
        if close(got, (float((got * other).sum()) / size if size else 0.0) * other, enough):
            return True
    return False


def _attempt(mistake: Mistake, case: Case) -> np.ndarray | None:
    """What a mistake answers; None where it fails on these arguments."""
    try:
        answer = mistake.answer(**realise(case.arguments))
        return as_array(answer)[0] if isinstance(answer, Module) else np.asarray(answer)
    except Exception:  # a wrong answer may also be wrong by raising
        return None
