"""The lectures' stored results were made by the code that is here, and their direction holds on a
small budget."""

from __future__ import annotations

import pytest

from course.data import mnist
from course.methods import saliency as method
from course.models import build

pytest.importorskip("scipy")

from course.experiments import saliency, store


def test_stored_results_are_of_this_code():
    code = store.fingerprint(saliency, method)
    assert store.load("saliency")["code"] == code, "run python -m course.experiments.saliency"


def test_unknown_results_say_how_to_make_them():
    with pytest.raises(FileNotFoundError, match=r"python -m course\.experiments\.nothing"):
        store.load("nothing")


@pytest.mark.parametrize("name", ["mnist_mlp", "mnist_cnn"])
def test_a_certain_network_has_next_to_no_gradient_of_the_probability(name):
    row = saliency.saturation(build(name), mnist().x_test[:400])
    assert row["certain"] > 0.3
    assert row["logit"] > 1000 * row["probability"]
    assert row["agreement"] < 0.9


def test_the_map_prefers_the_animal_that_was_asked_for():
    network = build("efficientnet_lite0")
    row = saliency.collages(network, saliency.recognised_tiles(network), seed=11, count=3)
    assert row["own"] > 0.27  # 0.25 for a map that knows no class
    assert row["wins"] >= 0.75  # 0.5
