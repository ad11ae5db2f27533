"""Whole networks, the ones that `benchmarks` times, against Torch in float64."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.engines import course, torch_engine
from benchmarks.harness import ratios
from benchmarks.workloads import WORKLOADS, Workload

SMALL = [
    w._replace(shape=(2, 3, 64, 64) if w.shape[-1] == 224 else (2, *w.shape[1:]))
    for w in WORKLOADS
    if w.shape[0] == 1 or w.kind != "gradient"
]


@pytest.mark.parametrize("workload", SMALL, ids=lambda w: w.name)
def test_input_gradients_of_whole_networks_equal_torch(workload: Workload) -> None:
    rng = np.random.default_rng(0)
    drawn = workload.parameters(rng)
    parameters = {name: w.astype(np.float64) for name, w in drawn.items()}
    x = rng.normal(size=workload.shape)
    ours, theirs = (engine(workload, parameters)(x) for engine in (course, torch_engine))
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() <= 1e-9 * np.abs(theirs).max()


def test_ratios_are_medians_over_rounds_and_not_ratios_of_medians() -> None:
    times = {"torch": [1.0, 10.0, 100.0], "course": [3.0, 20.0, 100.0]}
    assert ratios(times, "torch") == {"torch": 1.0, "course": 2.0}
    assert ratios({"torch": [1.0, 9.0, 5.0], "course": [2.0, 9.0, 20.0]}, "torch")["course"] == 2.0
