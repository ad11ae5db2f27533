"""How long a learner waits for a verdict: `python -m benchmarks.grader`.

Cold is what `course check` costs from the command line to its end, first with Torch's answers to
be computed and then with them on disk; warm is a verdict within `course watch`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from course.grading.judge import judge
from course.grading.run import in_child
from course.grading.spec import Exercise
from course.grading.warm import Warm
from course.specs import find

SOLUTIONS = Path(__file__).parents[1] / "solutions"
WANTED = {"cold, Torch": "", "cold, on disk": "1000", "warm": "100"}  # milliseconds


def milliseconds(work: Callable[[], object], times: int) -> float:
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        taken.append(1e3 * (time.perf_counter() - start))
    return median(taken)


def check(which: str, file: Path, cache: str) -> None:
    """`course check` in a process of its own; an empty `cache` has no Torch answers."""
    command = "from course.cli import main; main()"
    subprocess.run(
        [sys.executable, "-c", command, "check", which, "--file", str(file)],
        env={**os.environ, "COURSE_CACHE": cache},
        stdout=subprocess.DEVNULL,
        check=True,
    )


def measure(exercise: Exercise, file: Path, warm: Warm, times: int) -> list[float]:
    def verdict() -> None:
        assert judge(exercise, in_child(exercise, file, warm=warm)).passed

    cache = os.environ["COURSE_CACHE"]
    cold_torch = milliseconds(lambda: check(exercise.number, file, ""), max(1, times // 3))
    check(exercise.number, file, cache)
    verdict()
    return [
        cold_torch,
        milliseconds(lambda: check(exercise.number, file, cache), times),
        milliseconds(verdict, 3 * times),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.grader", description=__doc__)
    parser.add_argument("module", nargs="?", default="05")
    parser.add_argument("--times", type=int, default=9, help="the median of so many is told")
    options = parser.parse_args()
    spec, exercises = find(options.module)
    file = SOLUTIONS / f"{spec.stem}.py"
    table = Table("exercise", *WANTED, title="From asking to the verdict, milliseconds")
    with tempfile.TemporaryDirectory() as cache, Warm() as warm:
        os.environ["COURSE_CACHE"] = cache
        for exercise in exercises:
            found = measure(exercise, file, warm, options.times)
            table.add_row(f"{exercise.number} {exercise.name}", *(f"{ms:.0f}" for ms in found))
    table.add_section()
    table.add_row("wanted, at most", *WANTED.values())
    Console().print(table)


if __name__ == "__main__":
    main()
