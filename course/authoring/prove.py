"""The proof that a grader grades: right answers pass, everything else fails for its own reason."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from course.authoring import derive, hostile, mutate
from course.experiments import store
from course.grading import diagnose as diagnose_module
from course.grading import judge as judge_module
from course.grading.judge import Verdict, judge, remembering
from course.grading.run import in_child, in_kernel
from course.grading.spec import Answer, Exercise
from course.grading.warm import Warm
from course.specs import find, modules

MISTAKES, EQUIVALENTS = 6, 4  # the least that an exercise needs
MUTANT_SECONDS = 0.5  # or ten times what the solution takes
ENDLESS_SECONDS = 0.25  # for what would run for ever


@dataclass
class Proof:
    """What was shown of one exercise's grader; `problems` says where it failed."""

    exercise: str
    name: str
    equivalents: int = 0
    mistakes: int = 0
    mutants: int = 0
    killed: int = 0
    equivalent_mutants: int = 0
    wrong_arrays: int = 0
    attacks: int = 0
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        return not self.problems

    def require(self, condition: bool, problem: str) -> bool:
        if not condition:
            self.problems.append(problem)
        return condition


def prove(exercise: Exercise, processes: bool = True) -> Proof:
    """Try the grader on everything that it has to tell apart.

    processes: also hand in files, the attacks on the process among them; without, only what can
        be tried in this process.
    """
    start = time.perf_counter()
    proof = Proof(exercise.number, exercise.name)
    exercise = remembering(exercise)
    _prove_right_answers(exercise, proof)
    _prove_mistakes(exercise, proof)
    _prove_wrong_arrays(exercise, proof)
    _prove_mutants(exercise, proof)
    if processes:
        with _own_temporary_folder() as folder, Warm() as warm:
            _prove_files(exercise, proof, folder, warm)
            _prove_attacks(exercise, proof, folder, warm)
    proof.seconds = time.perf_counter() - start
    return proof


def prove_all(exercises: Sequence[Exercise], workers: int | None = None) -> Iterator[Proof]:
    """Proofs in the order of the exercises, made by a pool of processes."""
    workers = min(workers or os.cpu_count() or 1, len(exercises))
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        yield from pool.map(_prove_number, [exercise.number for exercise in exercises])


def _prove_number(number: str) -> Proof:
    return prove(find(number)[1][0])


def fingerprint() -> str:
    """Of the code that a stored proof is about."""
    specs = [import_module(f"course.specs.{spec.name}") for spec in modules()]
    methods = {e.function.__module__ for spec in modules() for e in spec.exercises}
    return store.fingerprint(
        judge_module,
        diagnose_module,
        hostile,
        mutate,
        import_module(__name__),
        import_module("course.specs._protocol"),
        *specs,
        *(import_module(name) for name in sorted(methods)),
    )


def as_results(proofs: Sequence[Proof]) -> dict[str, Any]:
    """The stored form, which the book's page reads."""
    return {"exercises": [{**asdict(p), "seconds": round(p.seconds, 1)} for p in proofs]}


def _here(exercise: Exercise, answer: Answer) -> Verdict:
    with np.errstate(all="ignore"):
        return judge(exercise, in_kernel(exercise, answer))


def _prove_right_answers(exercise: Exercise, proof: Proof) -> None:
    proof.require(_here(exercise, exercise.function).passed, "the solution fails")
    for i, answer in enumerate(exercise.equivalents):
        verdict = _here(exercise, answer)
        name = getattr(answer, "__name__", str(i))
        proof.equivalents += proof.require(
            verdict.passed, f"equivalent {name} fails: {verdict.message}"
        )
    enough = len(exercise.equivalents) >= EQUIVALENTS
    proof.require(enough, f"fewer than {EQUIVALENTS} equivalents")


def _prove_mistakes(exercise: Exercise, proof: Proof) -> None:
    for mistake in exercise.mistakes:
        verdict = _here(exercise, mistake.answer)
        told = verdict.mistake or verdict.layer or "passed"
        proof.mistakes += proof.require(
            not verdict.passed and (verdict.mistake, verdict.also) == (mistake.name, ""),
            f"mistake {mistake.name} is told as {told} {verdict.also}".rstrip(),
        )
    names = {mistake.name for mistake in exercise.mistakes}
    proof.require(len(names) == len(exercise.mistakes), "two mistakes have the same name")
    proof.require(len(names) >= MISTAKES, f"fewer than {MISTAKES} mistakes")
    proof.require(all(exercise.hints), "an empty hint")


def _prove_wrong_arrays(exercise: Exercise, proof: Proof) -> None:
    for name in [*hostile.DISTORTIONS, "the input"]:
        verdict = _here(exercise, hostile.distorted(exercise, name))
        proof.wrong_arrays += proof.require(not verdict.passed, f"{name}: accepted")


def _prove_mutants(exercise: Exercise, proof: Proof) -> None:
    undiagnosed = replace(exercise, mistakes=())
    survivors = []
    start = time.perf_counter()
    _here(undiagnosed, exercise.function)
    limit = max(MUTANT_SECONDS, 10 * (time.perf_counter() - start))
    for mutant in mutate.mutants(exercise.function):
        proof.mutants += 1
        survived = False
        with suppress(TimeoutError), _time_limit(limit):
            survived = _here(undiagnosed, mutant.function).passed
        proof.killed += not survived
        if survived:
            survivors.append(mutant.line)
    explained = exercise.equivalent_mutants
    for line in survivors:
        proof.equivalent_mutants += proof.require(
            bool(explained.get(line)), f"nobody notices the change to: {line}"
        )
    for line in explained.keys() - set(survivors):
        proof.problems.append(f"listed as an equivalent mutant, but noticed or unknown: {line}")


def _prove_files(exercise: Exercise, proof: Proof, folder: Path, warm: Warm) -> None:
    """The files that the course hands out: the stub is not written, the solution passes."""
    spec, _ = find(exercise.number)
    stub, solution = derive.exercise_file(spec), derive.solution_file(spec)
    verdict = _of_file(exercise, stub, folder, warm)
    proof.require(verdict.layer == "written", f"the stub gets: {verdict.layer or 'passed'}")
    verdict = _of_file(exercise, solution, folder, warm)
    proof.require(verdict.passed, f"the solution's file fails: {verdict.message}")


def _prove_attacks(exercise: Exercise, proof: Proof, folder: Path, warm: Warm) -> None:
    for name, attack in hostile.ATTACKS.items():
        limited = replace(exercise, seconds=ENDLESS_SECONDS) if attack.endless else exercise
        verdict = _of_file(limited, attack.text(exercise, folder), folder, warm)
        proof.attacks += proof.require(
            verdict.layer == attack.layer and bool(verdict.message),
            f"{name}: fails at {verdict.layer or 'nothing'}, not at {attack.layer}",
        )


def _of_file(exercise: Exercise, source: str, folder: Path, warm: Warm) -> Verdict:
    path = folder / "answer.py"
    path.write_text(source, encoding="utf-8")
    return judge(exercise, in_child(exercise, path, warm=warm))


@contextmanager
def _own_temporary_folder() -> Iterator[Path]:
    """A folder in which the grader keeps its files, so that an attack on them meets no others."""
    before, variable = tempfile.tempdir, os.environ.get("TMPDIR")
    with tempfile.TemporaryDirectory(prefix="course-proof-") as name:
        tempfile.tempdir = os.environ["TMPDIR"] = name
        try:
            yield Path(name)
        finally:
            tempfile.tempdir = before
            if variable is None:
                del os.environ["TMPDIR"]
            else:
                os.environ["TMPDIR"] = variable


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Whatever runs inside is interrupted after so many seconds, and again if it goes on."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"longer than {seconds:g} seconds")

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds, 0.5)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
