"""Judge an answer in layers, from "does it load" to "is it right for every input".

Only the first failure is told: it comes with its cause, a number to look at, and, where the answer
is one of the exercise's known mistakes, the name of that mistake.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from course.grading.call import Outcome
from course.grading.diagnose import close, diagnose, explain, explain_shape, worst
from course.grading.run import Runner
from course.grading.spec import Case, Exercise

SEED = 20181  # of the cases that a learner is judged on


@dataclass
class Verdict:
    """What the learner is told.

    layer: the first that failed, "" when all passed. Of: load, written, call, type, shape, finite,
        value, property, manners.
    case: the name of the case that failed.
    detail: numbers to look at, lines of text.
    mistake: the name of the known mistake that the answer is, if it is one.
    also: what is wrong besides that mistake, such as the sign everywhere.
    built_on: with --mine, a sentence on the earlier functions that the answer called.
    got, want: the two arrays that differ, or, of an answer that passed, those of the last case.
    """

    exercise: str
    name: str
    points: int
    layer: str = ""
    message: str = ""
    case: str = ""
    detail: str = ""
    line: int = 0
    mistake: str = ""
    also: str = ""
    printed: str = ""
    built_on: str = ""
    checks: int = 0
    got: np.ndarray | None = None
    want: np.ndarray | None = None

    @property
    def passed(self) -> bool:
        return not self.layer

    def as_json(self) -> dict[str, Any]:
        fields = {k: v for k, v in asdict(self).items() if k not in ("got", "want")}
        return {**fields, "passed": self.passed}


class _FailedLayerError(Exception):
    """The first failing layer; carries the fields of the verdict."""

    def __init__(self, layer: str, message: str, **fields: Any) -> None:
        super().__init__(message)
        self.fields = {"layer": layer, "message": message, **fields}


def remembering(exercise: Exercise) -> Exercise:
    """The same exercise, its cases drawn and its reference asked once a seed."""
    drawn: dict[str, list[Case]] = {}
    answers: dict[int, np.ndarray] = {}

    def cases(rng: np.random.Generator) -> list[Case]:
        state = repr(rng.bit_generator.state)
        if state not in drawn:
            drawn[state] = exercise.cases(rng)
        return drawn[state]

    def reference(arguments: Mapping[str, Any]) -> np.ndarray:
        if id(arguments) not in answers:  # the cases above live as long as this dictionary
            answers[id(arguments)] = exercise.reference(arguments)
        return answers[id(arguments)]

    return replace(exercise, cases=cases, reference=reference)


def judge(exercise: Exercise, run: Runner, seed: int = SEED) -> Verdict:
    """Run the answer on every case and variation of the exercise, and compare."""
    cases = exercise.cases(np.random.default_rng(seed))
    calls = [dict(case.arguments) for case in cases]
    by_name = {case.name: i for i, case in enumerate(cases)}
    for prop in exercise.properties:
        calls += [vary(dict(calls[by_name[prop.case]])) for vary in prop.variations]
    outcomes, printed = run(calls)
    verdict = Verdict(exercise.number, exercise.name, exercise.points, printed=printed)
    try:
        _came_back(outcomes[0])
        _judge_values(exercise, cases, outcomes, verdict)
        _judge_properties(exercise, by_name, outcomes, verdict)
        _judge_manners(outcomes)
    except _FailedLayerError as failure:
        for name, value in failure.fields.items():
            setattr(verdict, name, value)
    return verdict


def _judge_values(
    exercise: Exercise, cases: list[Case], outcomes: Sequence[Outcome], verdict: Verdict
) -> None:
    # After a failure, what comes later is of no use but to the diagnosis.
    for case, outcome in zip(cases, outcomes, strict=False):
        want = _expected(exercise, case)
        if failure := _wrong(case, want, outcome):
            if exercise.mistakes:
                failure.fields |= _known(exercise, cases, outcomes)
            raise failure
        verdict.got, verdict.want = outcome.value, want
        verdict.checks += 1


def _judge_properties(
    exercise: Exercise, by_name: dict[str, int], outcomes: Sequence[Outcome], verdict: Verdict
) -> None:
    rest = iter(range(len(by_name), len(outcomes)))
    for prop in exercise.properties:
        varied = [_array(outcomes[next(rest, -1)]) for _ in prop.variations]
        if not prop.holds(_array(outcomes[by_name[prop.case]]), *varied):
            raise _FailedLayerError("property", prop.says, case=prop.name)
        verdict.checks += 1


def _judge_manners(outcomes: Sequence[Outcome]) -> None:
    for outcome in outcomes:
        if outcome.changed:
            what = " and ".join(outcome.changed)
            says = f"changes its argument {what} in place; work on a copy"
            raise _FailedLayerError("manners", says)


def _expected(exercise: Exercise, case: Case) -> np.ndarray:
    return exercise.reference(case.arguments) if case.expected is None else case.expected


_LAYERS = {"not loaded": "load", "not written": "written"}


def _came_back(outcome: Outcome) -> None:
    if outcome.kind != "answer":
        layer = _LAYERS.get(outcome.kind, "call")
        raise _FailedLayerError(layer, outcome.message, line=outcome.line)


def _array(outcome: Outcome) -> np.ndarray:
    """The outcome's array, if it is one that can be compared at all."""
    _came_back(outcome)
    if outcome.value is None:
        raise _FailedLayerError("type", outcome.message)
    return outcome.value


def _wrong(case: Case, want: np.ndarray, outcome: Outcome) -> _FailedLayerError | None:
    """What is wrong with type, shape, finiteness or values of one answer, if anything is."""
    got = _array(outcome)
    detail = ""
    if got.shape != want.shape:
        layer, message = "shape", explain_shape(got.shape, want.shape)
    elif not np.isfinite(got).all():
        bad = int((~np.isfinite(got)).sum())
        layer, message = "finite", f"{bad} of {got.size} numbers are NaN or infinite"
        detail = f"the first at index {_plain(np.argwhere(~np.isfinite(got))[0])}"
    elif close(got, want, case.tolerance):
        return None
    else:
        layer, message, detail = "value", explain(got, want), worst(got, want)
        if want.size <= 12:
            detail = _side_by_side(got, want)
    return _FailedLayerError(layer, message, case=case.name, detail=detail, got=got, want=want)


def _known(exercise: Exercise, cases: list[Case], outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The fields that tell which known mistake the answer is; none if it is none."""
    n = min(len(cases), len(outcomes))
    wants = [_expected(exercise, case) for case in cases[:n]]
    gots = [outcome.value for outcome in outcomes[:n]]
    found = diagnose(exercise.mistakes, cases[:n], gots, wants)
    return (
        {"mistake": found.mistake.name, "also": found.also, "message": found.says} if found else {}
    )


def _side_by_side(got: np.ndarray, want: np.ndarray) -> str:
    """Both in full, with as many digits as it takes to see a difference."""
    for precision in (5, 8, 17):
        shown = [
            " ".join(np.array2string(a, precision=precision, separator=", ").split())
            for a in (want, got)
        ]
        if shown[0] != shown[1]:
            break
    return f"expected {shown[0]}\ngot      {shown[1]}"


def _plain(index: np.ndarray) -> tuple[int, ...]:
    return tuple(int(i) for i in index)
