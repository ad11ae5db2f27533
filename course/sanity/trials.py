"""Explain the network and every ruined copy of it, and measure how much of the maps is left."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from course.methods.protocol import Method
from course.methods.sanity_checks import reinitialize
from course.methods.similarity import hog_similarity, rank_correlation, ssim, unit_range
from course.sanity.reader import UnusableError, check_maps
from course.sanity.shipped import COMPARED, METHODS
from course.sanity.subjects import Subject, cached, code, keep, preferences

# Rank correlation with signs; of magnitudes; of magnitudes where the input is not 0; and two
# measures of images, of magnitudes.
MEASURES = ("signed", "absolute", "support", "ssim", "hog")
SHOWN = 3  # examples whose maps the report shows
SSIM_SIDE, HOG_SIDE = 12, 21  # pixels that an image must have at least
Advance = Callable[..., None]


@dataclass(frozen=True)
class Measured:
    """What one method did on one subject.

    scores: for each test an array (steps, runs, measures), means over the examples; NaN where a
        measure does not apply. The tests: "repeat", "class", "cascade", "independent", "control",
        "data", and two nulls, "mask" and "input".
    maps: (1 + steps, SHOWN, H, W) of the first run of the cascade, the true maps first.
    signed: whether the true maps have negative entries.
    masked: whether they are mostly zero where the input is zero (or it is zero nowhere).
    changes: the largest change of the maps from what they were, as a share of their largest entry:
        "repeat", of a second call; "network", of networks drawn anew altogether; "image", of
        another image.
    constant: of how many examples the true map is constant; those are left out.
    """

    scores: dict[str, np.ndarray]
    maps: np.ndarray
    signed: bool
    masked: bool
    changes: dict[str, float]
    constant: int


def measure(
    method: Method, name: str, subject: Subject, seeds: int, training: bool, advance: Advance
) -> Measured:
    """Put a method, called `name` in messages, through all tests of a subject."""
    x, target = subject.x, subject.target

    def explain(network: Any, target: np.ndarray, where: str) -> np.ndarray:
        maps = check_maps(method(network, x.copy(), target.copy()), x, name, where)
        advance(note=f"{name} on {where}")
        return maps

    true = explain(subject.model, target, subject.name)
    kept = np.ptp(true.reshape(len(x), -1), axis=1) > 0
    if not kept.any():
        value = true.flat[0]
        raise UnusableError(f"{name} returned constant maps ({value:g} everywhere)")
    support = _like(x != 0, true)

    def compare(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return similarity(a[kept], b[kept], support[kept])  # (examples, measures)

    again = explain(subject.model, target, f"{subject.name} a second time")
    other = compare(true, explain(subject.model, subject.other, f"{subject.name}, second class"))
    parts = np.array_split(other, min(seeds, len(other)))
    found: dict[str, dict[str, list[np.ndarray]]] = {
        # No seed was drawn for it: the runs are parts of the examples.
        "class": {"second class": [part.mean(axis=0) for part in parts]},
        "repeat": {"a second call": [compare(true, again).mean(axis=0)]},
    }
    changes = {"repeat": _change(true, again), "image": _change(true, np.roll(true, 1, axis=0))}
    shown = [_flat(true[:SHOWN])]
    for seed in range(seeds):
        ruin = explain(
            reinitialize(subject.model, subject.layers, seed),
            target,
            f"{subject.name} with every layer drawn anew",
        )
        changes["network"] = max(changes.get("network", 0), _change(true, ruin))
    before: dict[str, np.ndarray] = {"cascade": true, "independent": true}
    trials = subject.destroyed(seeds) + (subject.trained_anew(seeds) if training else [])
    for trial in trials:
        where = f"{subject.name}, {trial.of} {trial.step}, run {trial.run + 1}"
        network = trial.make()
        if trial.of == "true":  # from here on, what this network predicts is asked about
            target = preferences(network, x)[0]
            before["control"] = before["data"] = explain(network, target, where)
            continue
        maps = explain(network, target, where)
        scores = compare(before[trial.of], maps).mean(axis=0)
        found.setdefault(trial.of, {}).setdefault(trial.step, []).append(scores)
        if trial.of == "cascade" and trial.run == 0:
            shown.append(_flat(maps[:SHOWN]))
    for null, factor in (("mask", support), ("input", _like(np.abs(x), true))):
        runs = [_null(factor[kept], support[kept], seed) for seed in range(seeds)]
        found[null] = {"noise": runs}
    scores_of = {test: np.array(list(steps.values())) for test, steps in found.items()}
    constant = int((~kept).sum())
    outside = true[~support]
    masked = not outside.size or bool((outside == 0).mean() > 0.5)
    signed = bool((true < 0).any())
    return Measured(scores_of, np.stack(shown), signed, masked, changes, constant)


def calls(subject: Subject, seeds: int, training: bool) -> int:
    """How often `measure` calls a method, which is how often it advances."""
    trials = len(subject.destroyed(seeds))
    return 3 + seeds + trials + (len(subject.trained_anew(seeds)) if training else 0)


def similarity(a: np.ndarray, b: np.ndarray, support: np.ndarray) -> np.ndarray:
    """MEASURES of each map of a beside that of b, (N, measures), for maps (N, [C,] H, W).

    A constant map has nothing in common with any other.
    """
    found = np.full((len(a), len(MEASURES)), np.nan)
    magnitudes = np.abs(a), np.abs(b)
    found[:, 0] = np.nan_to_num(rank_correlation(a, b))
    found[:, 1] = np.nan_to_num(rank_correlation(*magnitudes))
    found[:, 2] = np.nan_to_num(rank_correlation(*magnitudes, support))
    one, other = (unit_range(_flat(m)) for m in magnitudes)
    if min(a.shape[-2:]) >= SSIM_SIDE:
        found[:, 3] = ssim(one, other)
    if min(a.shape[-2:]) >= HOG_SIDE:
        found[:, 4] = np.nan_to_num(hog_similarity(one, other))
    return found


def _null(factor: np.ndarray, support: np.ndarray, seed: int) -> np.ndarray:
    """The measures of two noise maps that were multiplied by the same factor."""
    one, other = np.random.default_rng(seed).normal(size=(2, *factor.shape)) * factor
    return similarity(one, other, support).mean(axis=0)


def _like(image: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """The largest over channels of (N, C, H, W) where the maps are (N, H, W)."""
    return image if image.ndim == maps.ndim else image.max(axis=1)


def _flat(maps: np.ndarray) -> np.ndarray:
    """Maps (N, H, W): of several channels the entry of the largest magnitude."""
    if maps.ndim == 3:
        return maps
    strongest = np.abs(maps).argmax(axis=1, keepdims=True)
    return np.take_along_axis(maps, strongest, axis=1)[:, 0]


def _change(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a - b).max() / np.abs(a).max())


def compared(
    subject: Subject, seeds: int, training: bool, advance: Advance
) -> Mapping[str, Measured]:
    """The library's methods COMPARED, from the cache where they have been measured before."""
    found = {}
    for name in COMPARED:
        file = _file(name, subject, seeds, training)
        if file and file.is_file():
            found[name] = _read(file)
            advance(calls(subject, seeds, training), note=f"{name}, from an earlier run")
            continue
        found[name] = measure(METHODS[name], name, subject, seeds, training, advance)
        if file:
            keep(file, lambda path, m=found[name]: _write(path, m))  # type: ignore[misc]
    return found


def _file(name: str, subject: Subject, seeds: int, training: bool) -> Path | None:
    parts = (name, subject.name, subject.digest()[:12], str(seeds), str(int(training)), code())
    return cached("-".join(parts) + ".npz")


def _write(path: Path, measured: Measured) -> None:
    arrays: dict[str, Any] = {f"score_{k}": v for k, v in measured.scores.items()}
    arrays |= {f"change_{k}": v for k, v in measured.changes.items()}
    facts: dict[str, Any] = {
        "maps": measured.maps,
        "signed": measured.signed,
        "masked": measured.masked,
    }
    facts["constant"] = measured.constant
    np.savez_compressed(path, allow_pickle=False, **arrays, **facts)


def _read(path: Path) -> Measured:
    with np.load(path, allow_pickle=False) as stored:
        scores = {k.removeprefix("score_"): stored[k] for k in stored if k.startswith("score_")}
        changes = {
            k.removeprefix("change_"): float(stored[k]) for k in stored if k.startswith("change_")
        }
        signed, masked = bool(stored["signed"]), bool(stored["masked"])
        return Measured(scores, stored["maps"], signed, masked, changes, int(stored["constant"]))
