"""What an exercise is: the vocabulary in which `course.specs` describes them.

A spec is data. The grader that reads it knows no method by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Answer = Callable[..., Any]


@dataclass(frozen=True)
class Network:
    """A network by description: the learner's process, the judge and Torch each build their own.

    name: a key of `course.models.NETWORKS`, and of `course.reference.networks.NETWORKS`.
    seed: for random weights; a network with shipped weights ignores it.
    """

    name: str
    seed: int = 0
    dtype: str = "float64"


@dataclass(frozen=True)
class Case:
    """One call of the learner's function, by argument name. A `Network` arrives as a model; the
    rest is arrays, lists of arrays, and what JSON can say (a list, not a tuple).

    expected: the right answer, worked out by hand; without one, the Torch reference is asked.
    tolerance: allowed max|a - b| as a fraction of max|b|.
    """

    name: str
    arguments: Mapping[str, Any]
    expected: np.ndarray | None = None
    tolerance: float = 1e-6


@dataclass(frozen=True)
class Property:
    """Something every right answer does, whatever the reference says.

    case: the name of the case whose arguments are varied.
    variations: functions of those arguments; the answer is computed for each.
    holds: of the answer to the case itself and to each variation, in this order.
    says: the sentence for a learner whose answer breaks it.
    """

    name: str
    case: str
    variations: Sequence[Callable[[dict[str, Any]], dict[str, Any]]]
    holds: Callable[..., bool]
    says: str


@dataclass(frozen=True)
class Mistake:
    """A plausible wrong answer, and the sentence that tells a learner that it is theirs."""

    answer: Answer
    diagnosis: str

    @property
    def name(self) -> str:
        return self.answer.__name__


@dataclass(frozen=True)
class Exercise:
    """A function to write.

    function: the library's own; its signature and docstring are the stub, its body the solution.
    reference: the right answer for given arguments, from an independent derivation.
    given: functions of the same module that the answer may call; the library's are put in their
        place, so that an earlier mistake does not spoil this exercise.
    equivalents: right answers written otherwise; the grader must accept each.
    hints: concept, formula, key line with a blank.
    seconds: that all calls together may take.
    equivalent_mutants: changed lines of the solution that still give the right answer, as
        `course author prove` writes them, and why; every other change has to be noticed.
    """

    number: str
    function: Answer
    reference: Callable[[Mapping[str, Any]], np.ndarray]
    goal: str
    anchor: str
    points: int
    cases: Callable[[np.random.Generator], list[Case]]
    mistakes: Sequence[Mistake]
    equivalents: Sequence[Answer]
    hints: tuple[str, str, str]
    properties: Sequence[Property] = ()
    given: Sequence[Answer] = ()
    seconds: float = 5.0
    equivalent_mutants: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.function.__name__


@dataclass(frozen=True)
class ModuleSpec:
    """A module of the course: its number and name are those of its files in every folder."""

    number: str
    name: str
    title: str
    summary: str
    exercises: Sequence[Exercise]

    @property
    def stem(self) -> str:
        """Of the files: `exercises/05_saliency.py` has the stem "05_saliency"."""
        return f"{self.number}_{self.name}"
