"""The lectures' stored results were made by the code that is here, and their direction holds on a
small budget."""

from __future__ import annotations

from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location

import numpy as np
import pytest

from course.data import mnist, movie_words, sentiment
from course.methods import saliency as method
from course.methods import smoothgrad as noise_methods
from course.models import build

pytest.importorskip("scipy")

from course.experiments import integrated_gradients as paths
from course.experiments import saliency, saliency_language, smoothgrad, store

OTHERS = ("proof", "sanity_checks", "choose")  # which have tests of their own
EXPERIMENTS = [path.stem for path in sorted(store.FOLDER.glob("*.json")) if path.stem not in OTHERS]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_stored_results_are_of_this_code(name):
    experiment = import_module(f"course.experiments.{name}")
    again = f"run python -m course.experiments.{name}"
    assert store.load(name)["code"] == store.code_of(experiment), again


def test_the_code_of_an_experiment_is_all_that_it_calls(monkeypatch):
    before = store.code_of(saliency_language)

    def gradient(model, x, target):
        """Another one."""
        return np.zeros_like(x)

    gradient.__module__ = method.__name__
    monkeypatch.setattr(method, "gradient", gradient)  # called through a module
    assert store.code_of(saliency_language) != before
    monkeypatch.undo()
    monkeypatch.setattr(method, "gradient_times_input", gradient)  # never called
    assert store.code_of(saliency_language) == before


def test_an_experiment_that_runs_has_the_code_that_is_imported():
    path = saliency_language.__file__
    running = spec_from_file_location("running", path)
    module = module_from_spec(running)
    running.loader.exec_module(module)
    assert store.code_of(module) == store.code_of(saliency_language)


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


def test_saturated_parts_of_a_path_weigh_much_with_layer_normalisation_and_little_without():
    data = mnist()
    small = data._replace(x_train=data.x_train[:3000], y_train=data.y_train[:3000])
    x = data.x_test[:30].astype(np.float64)
    rows = {}
    for kind in paths.KINDS:
        model = paths.train(kind, small, seed=11, epochs=3)
        rows[kind] = paths.saturation(model.to(np.float64), x)
    assert rows["layernorm"]["l1"] > 4 * abs(rows["layernorm"]["change"])
    assert rows["tanh"]["l1"] > 1.5 * rows["tanh"]["change"]
    assert abs(rows["relu"]["l1"] - rows["relu"]["change"]) < 0.02


@pytest.mark.parametrize("name", saliency_language.NETWORKS)
def test_the_dot_product_finds_the_words_that_the_sum_does_not(name):
    ids = movie_words().encode_batch(sentiment().texts_test[:150])
    model = saliency_language.NETWORKS[name]()
    target, slopes = saliency_language.slopes_of(model, ids)
    scores = saliency_language.scores_of(model, ids, slopes)
    lost = {how: saliency_language.drop(model, ids, target, s).mean() for how, s in scores.items()}
    assert lost["dot"] > 2 * lost["l2"]
    assert lost["dot"] > 2 * lost["sum"]
    valence = saliency_language.valences(ids)
    towards_positive = np.where(target == 1, 1, -1)[:, None]
    found = {
        how: saliency_language.agreements(scores[how] * towards_positive, valence).mean()
        for how in ("sum", "dot")
    }
    assert found["dot"] > found["sum"] + 0.15


def test_smoothing_calms_the_map_of_any_network():
    x = mnist().x_test[:10]
    for network in ("mnist_cnn", "fashion_cnn"):
        model = build(network)
        bare = smoothgrad.measures(model, x, method.gradient, seed=5)
        noise = noise_methods.gaussian_noise(x, 0.15, 16, np.random.default_rng(5))
        same = smoothgrad.measures(model, x, smoothgrad.smoothed(noise), seed=5)
        assert same["sensitivity"] < 0.6 * bare["sensitivity"]
        assert same["variation"] < 0.95 * bare["variation"]
        anew = smoothgrad.smoothed_anew(0.15, 4, np.random.default_rng(6))
        assert smoothgrad.measures(model, x, anew, 5)["sensitivity"] > 1.2 * same["sensitivity"]
    bare, same = smoothgrad.untrained(x, seed=5)
    assert same["sensitivity"] < 0.6 * bare["sensitivity"]


def test_total_variation_by_hand():
    maps = np.array([[[0.0, 2], [0, 2]], [[3, 3], [3, 3]]])
    # Differences of 2 along rows, none along columns, and a mean of 1.
    assert smoothgrad.total_variation(maps).tolist() == [1, 0]
