"""What the numbers mean: passes, fails or cannot tell, by one rule, with the reason in words.

The rule. A similarity means nothing by itself: .99 may be what noise reaches, and .7 what two
equally good networks share. So each is placed between two anchors measured in the same run:

- *nothing left*: 0; but for magnitudes of a method whose maps vanish where the input does, what
  two noise maps reach that were multiplied by the same input;
- *nothing changed*: what a second call on the same network gives; for networks trained on permuted
  labels, what a network gives that was trained on true labels from another seed.

    kept = (similarity - nothing left) / (nothing changed - nothing left)

A method that keeps more than half, in every run, is nearer to "nothing changed": it fails. One that
keeps less than half in every run passes. Where runs disagree, or the anchors lie too close together
to tell anything apart, nobody can tell. A step counts only if the gradient, which changes exactly
as the network's function does, itself loses more than half there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from course.sanity.subjects import Subject
from course.sanity.trials import MEASURES, Measured

PASSES, FAILS, CANNOT_TELL = "passes", "fails", "cannot tell"
HALF = 0.5
APART = 0.2  # anchors that lie closer together tell nothing apart
CLOSE = 0.05  # below a correlation that it is as good as
SAME = 1e-6  # a change, as a share of the largest entry, that is rounding

TITLES = {
    "cascade": "Destroy the network from the top",
    "independent": "Destroy one layer at a time",
    "data": "Train it on permuted labels",
    "class": "Ask for another class",
    "network": "Control: looks at the network",
    "image": "Control: looks at the image",
    "repeat": "Control: repeats itself",
}
TESTS = ("cascade", "independent", "data", "class")  # the others are controls
UNCHANGED = {
    "cascade": "an unchanged network gives",
    "independent": "an unchanged network gives",
    "data": "true labels from another seed give",
    "class": "the same question gives",
}
SIGNED, ABSOLUTE, SUPPORT = (MEASURES.index(m) for m in ("signed", "absolute", "support"))


class Verdict(NamedTuple):
    """test: a key of TITLES. says: the reason, in sentences. keeps, gradient: shares with their
    ranges, "" where nothing was judged."""

    test: str
    outcome: str
    says: str
    keeps: str = ""
    gradient: str = ""


def kept(measured: Measured, test: str) -> np.ndarray:
    """What is kept, an array (steps, runs): with signs, or of magnitudes on the support of the
    input, whichever is more. NaN where the anchors are not apart.

    Magnitudes are looked at too because a map whose sign flips as a whole has changed for the
    correlation, and not for the eye. Maps that are nowhere negative have no signs.
    """
    ceiling = measured.scores["control" if test == "data" else "repeat"].mean(axis=(0, 1))
    null = measured.scores["input"][:, :, SUPPORT].mean() if measured.masked else 0.0
    shares = []
    for measure, low in ((SIGNED, 0.0), (SUPPORT, null))[not measured.signed :]:
        span = ceiling[measure] - low
        if span > APART:
            shares.append((measured.scores[test][:, :, measure] - low) / span)
    if not shares:
        return np.full(measured.scores[test].shape[:2], np.nan)
    return np.max(shares, axis=0)


def judged_steps(gradient: Measured, test: str) -> np.ndarray:
    """The steps at which the gradient keeps less than half in every run, as indices."""
    return np.flatnonzero((kept(gradient, test) < HALF).all(axis=1))


def judge(own: Measured, gradient: Measured, subject: Subject) -> list[Verdict]:
    """All verdicts on a method; `gradient` was measured in the same way."""
    return [
        *(_verdict(test, own, gradient, subject) for test in ("cascade", "independent")),
        _verdict("data", own, gradient, subject)
        if "data" in own.scores
        else Verdict("data", CANNOT_TELL, "Not run: no network was trained anew here."),
        _verdict("class", own, gradient, subject),
        _network(own),
        _image(own),
        _repeat(own),
    ]


def _verdict(test: str, own: Measured, gradient: Measured, subject: Subject) -> Verdict:
    mine, scale = kept(own, test), kept(gradient, test)
    if np.isnan(mine).any():
        same = (
            "two networks trained on the same labels"
            if test == "data"
            else "one network, asked twice"
        )
        return Verdict(
            test,
            CANNOT_TELL,
            f"Its maps of {same} agree hardly better than noise does: nothing is there that could "
            "be lost.",
        )
    judged = judged_steps(gradient, test)
    if not len(judged):
        return Verdict(
            test,
            CANNOT_TELL,
            f"The gradient itself keeps {_spread(scale[scale.mean(axis=1).argmin()])} here: the "
            "change matters too little to the network to ask it of an explanation.",
        )
    worst = int(judged[mine[judged].mean(axis=1).argmax()])
    runs = mine[worst]
    says = f"{_when(test, worst, subject)}, its maps keep {_spread(runs)} of the similarity that "
    says += UNCHANGED[test]
    if (mine[judged] < HALF).all():
        outcome, tail = PASSES, ", and less at every other step" if len(judged) > 1 else ""
    elif (runs > HALF).all():
        outcome, tail = FAILS, ", more than half in every run"
    else:
        outcome, tail = CANNOT_TELL, ", more than half in some runs only"
    says += f"{tail}. The gradient keeps {_spread(scale[worst])}."
    if left_out := [subject.steps[i] for i in range(len(scale)) if i not in judged]:
        says += (
            f" Not judged: {', '.join(left_out)}, where the gradient itself keeps more than half."
        )
    says += _tied(own, worst) if test == "cascade" else ""
    return Verdict(test, outcome, says, _spread(runs), _spread(scale[worst]))


def _tied(own: Measured, step: int) -> str:
    """A warning where the absolute correlation is high, and so is that of noise."""
    reached = own.scores["cascade"][step, :, ABSOLUTE].mean()
    null = own.scores["input"][0, :, ABSOLUTE].mean()
    if not own.masked or reached < HALF or null < reached - CLOSE:
        return ""
    return (
        f" Its absolute rank correlation over all pixels, {reached:.2f}, says nothing: noise "
        f"multiplied by the same input reaches {null:.2f}."
    )


def _network(own: Measured) -> Verdict:
    moves, noise = own.changes["network"], own.changes["repeat"]
    if moves <= SAME:
        return Verdict(
            "network",
            FAILS,
            "Networks whose every layer was drawn anew get the same maps, to the last digit: "
            "whatever these maps show, it is not what the network computes.",
        )
    if noise > SAME and np.isnan(kept(own, "cascade")).any():
        return Verdict(
            "network", CANNOT_TELL, "Its maps change as much from call to call on one network."
        )
    return Verdict(
        "network", PASSES, "Its maps are others when every layer of the network is drawn anew."
    )


def _image(own: Measured) -> Verdict:
    if own.changes["image"] <= SAME:
        return Verdict("image", FAILS, "Every image gets the same map.")
    return Verdict("image", PASSES, "Different images get different maps.")


def _repeat(own: Measured) -> Verdict:
    if own.changes["repeat"] <= SAME:
        return Verdict("repeat", PASSES, "A second call gives the same maps.")
    agree = np.nanmean(own.scores["repeat"][0, :, SIGNED if own.signed else SUPPORT])
    return Verdict(
        "repeat",
        FAILS,
        f"A second call gives other maps, which agree with the first by {agree:.2f} (rank "
        "correlation). That is what “unchanged” means above; a fixed seed would make it 1.",
    )


def _when(test: str, step: int, subject: Subject) -> str:
    layer = subject.steps[step] if test in ("cascade", "independent") else ""
    reached = " and all layers above it" if step else ", the output layer,"
    return {
        "cascade": f"With {layer}{reached} drawn anew",
        "independent": f"With {layer} alone drawn anew",
        "data": "On networks trained on permuted labels",
        "class": "Asked for the network's second choice",
    }[test]


def _spread(runs: np.ndarray) -> str:
    """The mean and the range of the runs in percent, never below zero."""
    mean, low, high = (
        f"{100 * max(0, share):.0f}" for share in (runs.mean(), runs.min(), runs.max())
    )
    share = f"{mean}\N{NO-BREAK SPACE}%"
    return share if low == high else f"{share} ({low} to {high})"


def counts(verdicts: Sequence[Verdict]) -> dict[str, int]:
    """How many of the tests, without the controls, have each outcome."""
    tests = [v.outcome for v in verdicts if v.test in TESTS]
    return {outcome: tests.count(outcome) for outcome in (PASSES, FAILS, CANNOT_TELL)}
