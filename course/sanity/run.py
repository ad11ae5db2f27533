"""All of it: a method on several networks, beside the library's, with verdicts."""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from course.methods.protocol import Method
from course.progress import progress
from course.sanity.shipped import COMPARED
from course.sanity.subjects import EXAMPLES, Subject, code, subject
from course.sanity.trials import MEASURES, Measured, calls, compared, measure
from course.sanity.verdicts import TITLES, Verdict, judge

QUICK_SEEDS = 2
QUICK_EXAMPLES = 2  # divides the usual


@dataclass(frozen=True)
class Result:
    """What was found on one network. others: the library's methods, by name."""

    subject: Subject
    own: Measured
    others: Mapping[str, Measured]
    verdicts: list[Verdict]


@dataclass(frozen=True)
class Run:
    """One call of `course sanity`. source: the file, or "the library"."""

    name: str
    source: str
    results: list[Result]
    settings: dict[str, Any]


def run(
    method: Method,
    name: str,
    source: str,
    networks: Sequence[str],
    examples: int | None = None,
    seeds: int = 3,
    quick: bool = False,
) -> Run:
    """Put a method, a function (model, x, target), through all tests on each of the networks.

    networks: names of EXAMPLES. examples: None for what EXAMPLES says.
    quick: fewer seeds and examples, and no network is trained.
    Raises UnusableError if the method's answers are no maps, ValueError for too many examples.
    """
    begin = time.perf_counter()
    seeds = min(seeds, QUICK_SEEDS) if quick else seeds

    def of(network: str) -> Subject:
        usual = EXAMPLES[network] // QUICK_EXAMPLES if quick else None
        return subject(network, examples or usual)

    subjects = [of(network) for network in dict.fromkeys(networks)]
    steps = sum(calls(s, seeds, not quick) for s in subjects) * (1 + len(COMPARED))
    results = []
    with progress(" sanity", steps) as advance:
        for asked in subjects:
            own = measure(method, name, asked, seeds, not quick, advance)
            others = compared(asked, seeds, not quick, advance)
            verdicts = judge(own, others[COMPARED[0]], asked)
            results.append(Result(asked, own, others, verdicts))
    settings = {
        "networks": [s.name for s in subjects],
        "examples": [len(s.x) for s in subjects],
        "seeds": seeds,
        "quick": quick,
        "seconds": round(time.perf_counter() - begin, 1),
        "versions": _versions(),
        "code": code(),
    }
    return Run(name, source, results, settings)


def _versions() -> dict[str, str]:
    try:
        own = version("saliency-from-scratch")
    except PackageNotFoundError:
        own = "not installed"
    return {"course": own, "numpy": np.__version__, "python": platform.python_version()}


def as_json(run: Run) -> dict[str, Any]:
    """Everything but the maps, as what JSON can hold; NaN is null."""
    return {
        "method": run.name,
        "source": run.source,
        "settings": run.settings,
        "measures": list(MEASURES),
        "networks": {
            r.subject.name: {
                "layers": r.subject.steps,
                "verdicts": [{"title": TITLES[v.test], **v._asdict()} for v in r.verdicts],
                "scores": _numbers(r.own),
                "others": {name: _numbers(m) for name, m in r.others.items()},
            }
            for r in run.results
        },
    }


def _numbers(measured: Measured) -> dict[str, Any]:
    """For each test [step][run][measure]."""
    rounded = {test: np.round(s, 6) for test, s in measured.scores.items()}
    return {t: np.where(np.isnan(s), np.array(None), s).tolist() for t, s in rounded.items()}
