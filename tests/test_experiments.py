"""The lectures' stored results were made by the code that is here, and their direction holds on a
small budget."""

from __future__ import annotations

import numpy as np
import pytest

from course.data import mnist, movie_words, sentiment
from course.methods import saliency as method
from course.models import build

pytest.importorskip("scipy")

from course.experiments import integrated_gradients as paths
from course.experiments import saliency, saliency_language, store
from course.methods import integrated_gradients as path_methods


def test_stored_results_are_of_this_code():
    code = store.fingerprint(saliency, method)
    assert store.load("saliency")["code"] == code, "run python -m course.experiments.saliency"


@pytest.mark.parametrize(
    ("experiment", "methods"), [(paths, path_methods), (saliency_language, method)]
)
def test_stored_results_of_paths_and_words_are_of_this_code(experiment, methods):
    name = experiment.__name__.rpartition(".")[2]
    code = store.fingerprint(experiment, methods)
    assert store.load(name)["code"] == code, f"run python -m course.experiments.{name}"


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
    target, scores = saliency_language.scores_of(model, ids)
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
