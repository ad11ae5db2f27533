"""Interleaved timing: in each round every engine runs once, so that all meet the same weather."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

Work = Callable[[], object]


def cpu_seconds(work: Work, repeats: int) -> float:
    """CPU time of one run, averaged over `repeats`."""
    start = time.process_time()
    for _ in range(repeats):
        work()
    return (time.process_time() - start) / repeats


def interleave(works: dict[str, Work], seconds: float, rounds: int = 7) -> dict[str, list[float]]:
    """CPU seconds of every round, for each of `works`.

    seconds: about how long one engine is timed in one round; shorter work is repeated to fill it.
    """
    repeats = {}
    for name, work in works.items():
        work()  # compilers compile, caches fill
        repeats[name] = max(1, int(seconds / max(cpu_seconds(work, 1), 1e-6)))
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            times[name].append(cpu_seconds(work, repeats[name]))
    return times


def ratios(times: dict[str, list[float]], base: str) -> dict[str, float]:
    """Median over the rounds of each engine's time over the base's in the same round."""
    return {
        name: median(t / b for t, b in zip(own, times[base], strict=True))
        for name, own in times.items()
    }
