"""The proof itself can fail; and no wrong answer, however composed, gets a wrong diagnosis."""

from __future__ import annotations

import ast
import random
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from course.authoring import mutate
from course.authoring.prove import MUTANT_SECONDS, _here, _time_limit, fingerprint, prove
from course.experiments import store
from course.grading.call import as_array, realise
from course.grading.diagnose import close, diagnose
from course.grading.judge import SEED, judge
from course.grading.run import in_kernel
from course.grading.spec import Mistake
from tests.answers import EXERCISES, SALIENCY, by_name

pytest.importorskip("torch")


def values(answer, cases):
    """The answer's array for each case; None where it fails."""
    found = []
    for case in cases:
        try:
            found.append(as_array(answer(**realise(case.arguments)))[0])
        except Exception:
            found.append(None)
    return found


class Bank:
    """An exercise's mistakes, computed on the judged cases and on cases that nobody has seen."""

    def __init__(self, exercise):
        self.exercise = exercise
        self.cases = [exercise.cases(np.random.default_rng(s)) for s in (SEED, 1)]
        self.right = [values(exercise.function, cases) for cases in self.cases]
        self.wrong = {
            m.name: [values(m.answer, cases) for cases in self.cases] for m in exercise.mistakes
        }

    def diagnose(self, gots, what=""):
        """By the cases of the judge; every account has to hold on the unseen cases as well."""
        # The mistakes' arrays are known already: they are looked up, not computed once more.
        found = diagnose(self._looked_up(), self.cases[0], gots[0], self.right[0])
        if found:
            wrongs = self.wrong[found.mistake.name]
            for cases, got_all, wrong_all in zip(self.cases, gots, wrongs, strict=True):
                for case, got, wrong in zip(cases, got_all, wrong_all, strict=True):
                    told = found.answer(wrong)
                    assert got.shape == told.shape, (what, found)
                    assert close(got, told, max(case.tolerance, 1e-5)), (what, found)
        return found

    def _looked_up(self):
        return [
            Mistake(self._replay(mistake.name), mistake.diagnosis)
            for mistake in self.exercise.mistakes
        ]

    def _replay(self, name):
        arrays = iter(self.wrong[name][0])

        def answer(**arguments):
            return next(arrays)

        answer.__name__ = name
        return answer

    def composed(self, combine, *names):
        """The arrays of `combine` of the named mistakes on all cases, or None if it cannot be; ""
        stands for the right answer."""
        groups = [self.wrong[name] if name else self.right for name in names]
        try:
            return [
                [combine(*arrays) for arrays in zip(*(g[i] for g in groups), strict=True)]
                for i in range(len(self.cases))
            ]
        except (TypeError, ValueError, IndexError):
            return None


@pytest.fixture(scope="module", params=EXERCISES, ids=by_name)
def bank(request):
    return Bank(request.param)


TWISTS = {
    "opposite": lambda wrong: -wrong,
    "doubled": lambda wrong: 2 * wrong,
    "a negative third": lambda wrong: -wrong / 3,
    "magnitude": lambda wrong: np.abs(wrong),
    "opposite magnitude": lambda wrong: -np.abs(wrong),
}


@pytest.mark.parametrize("twist", TWISTS)
def test_a_twisted_mistake_is_told_as_that_or_not_at_all(bank, twist):
    told = 0
    for name in bank.wrong:
        found = bank.diagnose(bank.composed(TWISTS[twist], name))
        told += found is not None and found.mistake.name == name
    # Magnitudes of several mistakes coincide, and a magnitude has no sign to take.
    assert told >= (1 if "magnitude" in twist else len(bank.wrong) - 2)


PAIRS = {
    "the one": lambda a, b: a,
    "mean": lambda a, b: (a + b) / 2,
    "difference": lambda a, b: a - b,
    "product": lambda a, b: a * b,
    "larger": np.maximum,
    "smaller": np.minimum,
    "stronger": lambda a, b: np.where(np.abs(a) > np.abs(b), a, b),
    "first for one image": lambda a, b: np.concatenate([a[:1], b[1:]]),
    "alternating": lambda a, b: np.where(np.indices(a.shape).sum(axis=0) % 2, a, b),
    "sign of the other": lambda a, b: np.abs(a) * np.sign(b),
}
CHANGES = {
    "": lambda a: a,
    "opposite": lambda a: -a,
    "magnitude": np.abs,
    "positive part": lambda a: np.maximum(a, 0),
    "doubled": lambda a: 2 * a,
    "a negative third": lambda a: -a / 3,
}
# An exercise; fewer where there are many, so that all of them take about as long as 40 times 150.
# Of 3000 an exercise, at most 3 are told wrongly: where one of two mistakes is the larger in every
# number of every case, the larger of the two cannot be told from it.
COMBINATIONS = min(150, 6000 // len(EXERCISES))


def test_no_combination_of_mistakes_gets_a_wrong_diagnosis(bank):
    """Any two answers, each changed, joined, and changed again: what is told of them is so, also
    on cases that the diagnosis has not seen; `Bank.diagnose` asserts that."""
    draw = random.Random(bank.exercise.number)
    names = ["", *bank.wrong]  # "" for the right answer
    told = tried = 0
    for _ in range(COMBINATIONS):
        pair = draw.choice(list(PAIRS))
        one, other, all_ = draw.choices(list(CHANGES), k=3)
        a, b = draw.sample(names, 2)

        def combine(x, y, pair=pair, one=one, other=other, all_=all_):
            return CHANGES[all_](PAIRS[pair](CHANGES[one](x), CHANGES[other](y)))

        gots = bank.composed(combine, a, b)
        if gots is not None:
            tried += 1
            told += bank.diagnose(gots, f"{all_}({pair}({one} {a}, {other} {b}))") is not None
    assert tried > COMBINATIONS / 2
    assert told < tried


def test_the_larger_of_two_mistakes_is_neither():
    bank = Bank(next(e for e in SALIENCY if e.name == "saliency_map"))
    for names in combinations(
        ["map_of_product", "channel_norm", "channel_sum", "first_channel"], 2
    ):
        found = bank.diagnose(bank.composed(np.maximum, *names), names)
        # A sum over channels is never below a norm, and neither is below the first of them.
        larger = "channel_sum" if "channel_sum" in names else "channel_norm"
        want = None if "map_of_product" in names else larger
        assert (found.mistake.name if found else None) == want


@pytest.mark.parametrize("factor", [-1, 2, -0.5])
def test_the_right_answer_scaled_is_no_unrelated_mistake(bank, factor):
    found = bank.diagnose([[factor * a for a in arrays] for arrays in bank.right])
    assert found is None or (factor == -1 and found.factor == 1)


def test_random_answers_are_diagnosed_as_nothing(bank):
    rng = np.random.default_rng(0)
    for _ in range(20):
        gots = [[rng.normal(size=a.shape) for a in arrays] for arrays in bank.right]
        assert bank.diagnose(gots) is None
        off = [[a + 0.01 * rng.normal(size=a.shape) for a in arrays] for arrays in bank.right]
        assert bank.diagnose(off) is None


def test_a_wrong_target_with_the_wrong_sign_is_told_as_both():
    exercise = SALIENCY[0]
    predicted = next(m for m in exercise.mistakes if m.name == "predicted_class")
    verdict = judge(exercise, in_kernel(exercise, lambda **a: -predicted.answer(**a)))
    assert (verdict.mistake, verdict.also) == (
        "predicted_class",
        "the sign is the opposite everywhere",
    )
    assert verdict.message.startswith(predicted.diagnosis)


# --- the proof can fail ---------------------------------------------------------------------


def problems(**changes):
    return prove(replace(SALIENCY[2], **changes), processes=False).problems


def test_a_missing_case_leaves_survivors():
    exercise = SALIENCY[0]

    def one_image(rng):
        # One image, and the class that the hand-sized network predicts: much looks right there.
        return [replace(exercise.cases(rng)[0], name="batch")]

    found = prove(replace(exercise, cases=one_image, properties=()), processes=False).problems
    assert any(p.startswith("nobody notices the change to: ") for p in found)
    assert any(p.startswith("mistake batch_mean is told as passed") for p in found)


def test_a_wrong_equivalent_and_too_few_of_them_are_told():
    found = problems(equivalents=[lambda model, x, target: x])
    assert any(p.startswith("equivalent <lambda> fails") for p in found)
    assert "fewer than 4 equivalents" in found


def test_a_right_answer_among_the_mistakes_is_told():
    right = Mistake(SALIENCY[2].function, "this is right")
    found = problems(mistakes=[*SALIENCY[2].mistakes, right])
    assert found == ["mistake gradient_times_input is told as passed"]


def test_a_listed_mutant_that_is_noticed_is_told():
    found = problems(equivalent_mutants={"return x": "it is not"})
    assert found == ["listed as an equivalent mutant, but noticed or unknown: return x"]


# --- mutants --------------------------------------------------------------------------------


def sample(a, n):
    """A function with something of everything."""
    total = 0.0
    for i in range(1, n):
        if a[i] < 2:
            total += -np.abs(a[:i]).max(axis=0) * 3
    return total - n


MUTATED = [
    "for i in range(n, 1):",
    "for i in range(1, n + 1):",
    "for i in range(2, n):",
    "if a[i] <= 2:",
    "if a[i] < 3:",
    "total -= -np.abs(a[:i]).max(axis=0) * 3",
    "total += np.abs(a[:i]).max(axis=0) * 3",
    "total += -a[:i].max(axis=0) * 3",
    "total += -np.abs(a[:i - 1]).max(axis=0) * 3",
    "total += -np.abs(a[1:i]).max(axis=0) * 3",
    "total += -np.abs(a[:i]).max(axis=1) * 3",
    "total += -np.abs(a[:i]).max() * 3",
    "total += -np.abs(a[:i]).mean(axis=0) * 3",
    "total += -np.abs(a[:i]).max(axis=0) / 3",
    "without total = 0.0",
    "return n - total",
    "return -(total - n)",
    "return total + n",
]


@pytest.mark.parametrize("line", MUTATED)
def test_the_mutants_hold_every_kind_of_change(line):
    assert line in {mutant.line for mutant in mutate.mutants(sample)}


def test_a_mutant_is_the_changed_function_and_its_line_reads_as_code():
    mutants = mutate.mutants(sample)
    assert len(mutants) > 40
    for mutant in mutants:
        ast.parse(mutant.line.removeprefix("without ") + (" pass" * mutant.line.endswith(":")))
    by_line = {mutant.line: mutant.function for mutant in mutants}
    a = np.array([1.0, 1.0, 5.0])
    assert sample(a, 3) == -6
    assert by_line["return total + n"](a, 3) == 0
    assert by_line["total += np.abs(a[:i]).max(axis=0) * 3"](a, 3) == 0


def test_an_endless_mutant_is_killed_in_time():
    def endless(model, x, target):
        while True:
            pass

    with _time_limit(0.2):
        assert _here(SALIENCY[0], endless).layer == "call"
    assert SALIENCY[0].seconds > MUTANT_SECONDS


# --- the stored numbers ---------------------------------------------------------------------


def test_the_stored_proof_is_of_this_code():
    stored = store.load("proof")
    again = "course author prove --json course/experiments/results/proof.json"
    assert stored["code"] == fingerprint(), f"run {again}"
    assert [e["exercise"] for e in stored["exercises"]] == [e.number for e in EXERCISES]
    assert all(e["problems"] == [] for e in stored["exercises"])
