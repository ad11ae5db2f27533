"""The chooser's stored results were made by the code that is here; the axioms' directions hold on
other seeds; and the networks that refute them are what they say."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from course.autograd import Tensor
from course.catalogue import CATALOGUE, WORDS
from course.data import mnist
from course.experiments import choose, store
from course.experiments.choose_networks import (
    CLASSES,
    SIZE,
    Saturating,
    Small,
    mirrored,
    mixed,
    rewired,
)
from course.experiments.sanity_checks import predicted
from course.methods.integrated_gradients import integrated_gradients
from course.models import build
from course.nn import Conv2d, ReLU

ROOT = Path(__file__).parents[1]
SEED = 11  # none of the experiment's


def explain(name: str):
    return CATALOGUE[name].explain


def test_stored_results_are_of_this_code_and_of_every_method():
    stored = store.load("choose")
    assert stored["code"] == choose.fingerprint(), "run python -m course.experiments.choose"
    for table in (stored["axioms"], *stored["costs"].values()):
        assert set(table) == set(CATALOGUE)
    assert "Infinity" not in json.dumps(stored)
    assert "NaN" not in json.dumps(stored)


# --- the networks ----------------------------------------------------------------------------


@pytest.mark.parametrize("wiring", choose.WIRINGS)
def test_a_rewired_network_is_the_same_function(wiring):
    model, x = Small(SEED), choose.noise_images(SEED)
    other = rewired(model, wiring, SEED)
    np.testing.assert_allclose(other(Tensor(x)).data, model(Tensor(x)).data, atol=1e-12)
    parts = [(type(m.relu1), type(m.conv2), m.scale.min()) for m in (model, other)]
    assert parts[0] == (ReLU, Conv2d, 1)
    assert parts[1] != parts[0]


def test_mirrored_network_gives_mirror_images_the_same_scores():
    model, x = mirrored(Small(SEED)), choose.noise_images(SEED)
    flipped = np.ascontiguousarray(x[..., ::-1])
    np.testing.assert_allclose(model(Tensor(flipped)).data, model(Tensor(x)).data, atol=1e-12)
    assert not np.allclose(Small(SEED)(Tensor(flipped)).data, Small(SEED)(Tensor(x)).data)


def test_mixed_logits():
    model, x = Small(SEED), choose.noise_images(SEED)
    weights = np.arange(CLASSES**2).reshape(CLASSES, CLASSES) % 7 - 3.0
    want = model(Tensor(x)).data @ weights.T
    np.testing.assert_allclose(mixed(model, weights)(Tensor(x)).data, want, atol=1e-12)


def test_saturating_network_by_hand():
    x = np.zeros((2, 1, SIZE, SIZE))
    x[0, 0, 5, 4], x[1, 0, 5, 4], x[1, 0, 0, 0] = 2, 0.25, 1
    np.testing.assert_allclose(Saturating()(Tensor(x)).data, [[1, -1], [1.25, -1.25]])


# --- the axioms --------------------------------------------------------------------------------


def test_the_path_adds_up_where_the_product_does_not():
    for biased, product_misses in ((True, True), (False, False)):
        product = choose.completeness(explain("gradient_times_input"), SEED, biased)
        path = choose.completeness(explain("integrated_gradients"), SEED, biased)
        assert path < (0.3 * product if product_misses else 1e-9)
        assert (product > 0.05) == product_misses


def test_on_digits_only_many_steps_beat_the_product():
    model, x = build("mnist_cnn", dtype=np.float64), mnist().x_test[100:112].astype(np.float64)
    target = predicted(model, x)
    path, product, competition = (
        choose.gap(explain(name), model, x, target)
        for name in ("integrated_gradients", "gradient_times_input", "competitive_gradients")
    )
    fine = integrated_gradients(model, x, target, 0, choose.FINE)
    many = choose.gap(lambda *_: fine, model, x, target)
    assert many < 0.2 * min(path, product)
    assert 0.2 < path / product < 5
    assert competition > 5 * max(path, product)


def test_only_the_path_sees_what_saturated():
    got = {name: choose.sensitivity(entry.explain) for name, entry in CATALOGUE.items()}
    assert got.pop("integrated_gradients") == pytest.approx(1)
    assert not any(got.values())


@pytest.mark.parametrize(
    ("name", "breaks"),
    [
        ("gradient", ""),
        ("integrated_gradients", ""),
        ("lrp_epsilon", ""),
        ("lrp_alpha1_beta0", "sum"),
        ("guided_backprop", "relu"),
        ("deconvnet", "relu"),
        ("grad_cam", "place"),
        ("edge_detector", ""),
    ],
)
def test_implementation_invariance(name, breaks):
    for wiring in choose.WIRINGS:
        moved = choose.implementation(explain(name), wiring, SEED)
        assert moved > 0.05 if wiring == breaks else moved < 1e-3, wiring


def test_what_is_linear():
    linear = {n for n, e in CATALOGUE.items() if choose.linearity(e.explain, SEED) < 1e-3}
    products = {"gradient_times_input", "integrated_gradients", "lrp_epsilon"}
    assert linear == {"gradient", "smoothgrad", *products}


def test_what_a_constant_shift_changes():
    moved = {n for n, e in CATALOGUE.items() if choose.input_shift(e.explain, SEED) > 1e-3}
    assert moved == {
        "gradient_times_input",
        "integrated_gradients",
        "lrp_epsilon",
        "lrp_alpha1_beta0",
        "competitive_gradients",
    }
    assert choose.shifted_baseline(SEED) < 1e-9


class PooledFirst(Small):
    """The same function: a maximum and a ReLU may be exchanged."""

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu1(self.pool1(self.conv1(x)))
        x = self.relu2(self.pool2(self.conv2(x)))
        return self.fc2(self.relu3(self.fc1(x.flatten(1))))


def test_deconvnet_loses_symmetry_to_ties_in_pooling():
    model = mirrored(Small(SEED))
    other = PooledFirst(SEED).load_state_dict(model.state_dict())
    x = choose.noise_images(SEED)
    x = (x + x[..., ::-1]) / 2
    asymmetry = []
    for network in (model, other):
        maps = explain("deconvnet")(network, x, predicted(model, x))
        asymmetry.append(choose.distance(maps[..., ::-1], maps))
    assert asymmetry[0] > 0.1
    assert asymmetry[1] < 1e-9
    assert choose.symmetry(explain("deconvnet"), SEED) == asymmetry[0]
    assert choose.symmetry(explain("gradient"), SEED) < 1e-9
    assert choose.symmetry(explain("smoothgrad"), SEED) > 0.1


def test_costs_are_in_forward_passes():
    few = ["gradient", "integrated_gradients", "edge_detector"]
    ratios = {n: np.median(r) for n, r in choose.costs("mnist_cnn", few, rounds=3).items()}
    assert 0 < ratios["edge_detector"] < ratios["gradient"] < ratios["integrated_gradients"]


# --- the pages -------------------------------------------------------------------------------


def test_both_pages_lead_to_sections_that_exist():
    for page in ("gallery", "choose"):
        text = (ROOT / "lectures" / f"{page}.md").read_text(encoding="utf-8")
        linked = re.findall(r'linked\(\s*"(\w+)",\s*"([\w-]+)"', text)
        for lecture, section in linked:
            assert f"\n({section})=\n" in (ROOT / "lectures" / f"{lecture}.md").read_text("utf-8")
    assert linked or "linked(entry)" in text


def test_the_gallery_says_something_about_every_method_of_the_catalogue():
    text = (ROOT / "lectures/gallery.md").read_text(encoding="utf-8")
    for name in {*CATALOGUE, *WORDS}:
        assert f'"{name}": "' in text, name
