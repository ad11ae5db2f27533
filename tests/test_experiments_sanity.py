"""Lecture 10's stored results were made by the code that is here, and their directions hold on a
small budget."""

from __future__ import annotations

import numpy as np
import pytest

from course.data import mnist
from course.experiments import sanity_checks as experiment
from course.experiments import sanity_data, sanity_theory, store
from course.experiments.sanity_methods import compare, methods, noise_like
from course.methods.sanity_checks import reinitialize_from_top
from course.models import build


def test_stored_results_are_of_this_code():
    assert store.load("sanity_checks")["code"] == experiment.fingerprint(), (
        "run python -m course.experiments.sanity_checks"
    )


@pytest.fixture(scope="module")
def after_the_logits_layer():
    """Every measure and method on twelve digits, the output layer drawn anew from an own seed."""
    model, x = build("mnist_cnn"), mnist().x_test[100:112]
    target, ruined = experiment.predicted(model, x), reinitialize_from_top(model, 1, 77)
    rng, found, null = np.random.default_rng(0), {}, {}
    for name, method in methods(x, "relu2", copies=4, steps=4).items():
        a, b = method(model, x, target), method(ruined, x, target)
        found[name] = {k: np.nanmean(v) for k, v in compare(a, b, x > 0).items()}
        pair = noise_like(a, b, rng)
        null[name] = {k: np.nanmean(v) for k, v in compare(*pair, x > 0).items()}
    return found, null


def test_the_gradient_changes_and_guided_backpropagation_does_not(after_the_logits_layer):
    found, _ = after_the_logits_layer
    assert found["gradient"]["signed"] < 0.25
    assert found["guided backprop"]["signed"] > 0.6
    assert found["LRP-α1β0"]["support"] > 0.95
    assert found["CGI"]["abs"] < 0.3
    assert found["edge detector"]["signed"] == pytest.approx(1)


def test_absolute_correlation_of_products_is_what_noise_under_the_mask_has(after_the_logits_layer):
    found, null = after_the_logits_layer
    for name in ("gradient × input", "IG", "LRP-ε"):
        assert found[name]["abs"] > 0.98
        assert null[name]["abs"] > 0.97
        assert found[name]["support"] < 0.7
        assert abs(null[name]["support"]) < 0.15


def test_networks_that_memorise_noise(monkeypatch):
    monkeypatch.setitem(
        sanity_data.NETWORKS, "mnist_mlp", (*sanity_data.NETWORKS["mnist_mlp"][:2], 300, 30)
    )
    monkeypatch.setattr(sanity_data, "IMAGES", 16)
    found = sanity_data.randomised_labels("mnist_mlp", 5)
    assert found["accuracy"]["random labels"]["train"] > 0.95
    assert found["accuracy"]["random labels"]["test"] < 0.25
    assert found["other seed"]["gradient"]["signed"] > (
        found["random labels"]["gradient"]["signed"] + 0.2
    )


def test_guided_backpropagation_recovers_the_image_from_random_filters():
    found = sanity_theory.recovery(11)
    guided = found["conv"]["guided backprop"]
    assert guided == sorted(guided)
    assert guided[-1] > 0.9
    assert found["dense"]["guided backprop"][-1] < 0.25
    assert abs(found["conv"]["gradient"][-1]) < 0.15
    assert found["conv + pool"]["DeconvNet"][-1] > found["conv"]["DeconvNet"][-1] + 0.1
