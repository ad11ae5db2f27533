"""Lecture 02's stored results were made by the code that is here, and their direction holds on a
small budget."""

from __future__ import annotations

import numpy as np

from course.data import mnist
from course.experiments import store, units
from course.methods import units as method
from course.models import MnistCNN, build


def test_stored_results_are_of_this_code():
    code = store.fingerprint(units, method)
    assert store.load("units")["code"] == code, "run python -m course.experiments.units"


def test_purity_by_hand():
    classes = np.array([0, 0, 1, 1, 2, 2])
    # The first channel likes both zeros best, the second a zero and a one, the third never fires.
    strongest = np.array([[9, 8, 1, 2, 3, 4], [9, 1, 8, 2, 3, 4], [-1, -2, -3, -4, -5, -6]], float)
    assert units.purity(strongest.T[:, :, None, None], classes, top=2) == 0.75


def test_deeper_channels_are_purer_than_chance_and_than_random_ones():
    data = mnist()
    trained = units.purities(build("mnist_cnn"), data)
    random = units.purities(MnistCNN(np.random.default_rng(1)), data)
    chance = units.chance_purity(data.y_test, np.random.default_rng(0))
    assert trained["relu2"] > trained["relu1"] + 0.1
    assert trained["relu2"] > random["relu2"] + 0.05
    assert random["relu2"] > chance + 0.05


def test_about_half_of_the_first_layer_fires_on_ink():
    row = units.sparsity(build("mnist_cnn"), mnist().x_test[:300])
    assert 0.35 < row["ink"] < 0.65
    assert row["blank"] < row["ink"]


def test_high_frequencies_by_hand():
    i = np.arange(16)
    slow, fast = np.cos(2 * np.pi * i / 8), np.cos(2 * np.pi * i / 2)
    image = np.tile(slow + 2 * fast, (1, 1, 16, 1))
    # A wave at the Nyquist frequency has twice the power of another of the same height.
    assert np.isclose(units.high_frequency_share(image)[0], 8 / 9)
    assert np.isclose(units.high_frequency_share(image.swapaxes(2, 3) + 5)[0], 8 / 9)


def test_regularisation_lowers_both_the_noise_and_the_logit():
    model = build("mnist_cnn")
    plain, both = (units.dreams(model, recipe, seed=9, steps=50) for recipe in ("plain", "both"))
    assert both["high"] < 0.6 * plain["high"]
    assert 10 < both["logit"] < plain["logit"]


def test_the_side_that_is_never_padded_is_blind():
    even, odd = units.Setting(32, "constant"), units.Setting(33, "constant")
    found = {s: next(units.detectors(s, (1,), steps=450, each=2))[0] for s in (even, odd)}
    assert found[even]["last"] < 0.2 < 0.4 < found[even]["inside"]
    assert found[odd]["last"] > 0.5
