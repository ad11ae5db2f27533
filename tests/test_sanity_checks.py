"""The randomisation tests and their null against Torch and scipy, and on bad input."""

from __future__ import annotations

import numpy as np
import pytest

from course.methods.saliency import gradient, gradient_times_input
from course.methods.sanity_checks import (
    cascading_randomization,
    independent_randomization,
    masked_noise_null,
    reinitialize,
    reinitialize_from_top,
)
from course.models import build
from course.nn import Module, ReLU, layers_from_top

RNG = np.random.default_rng(0)


def changed(one: Module, other: Module) -> set[str]:
    """The layers whose parameters differ."""
    a, b = one.state_dict(), other.state_dict()
    return {k.rpartition(".")[0] for k in a if not np.array_equal(a[k], b[k])}


@pytest.mark.parametrize("count", range(5))
def test_the_topmost_layers_change_and_no_others(count):
    model = build("mnist_cnn")
    before = model.state_dict()
    order = ["fc2", "fc1", "conv2", "conv1"]
    assert layers_from_top(model) == order
    assert changed(model, reinitialize_from_top(model, count, 3)) == set(order[:count])
    assert all(np.array_equal(v, before[k]) for k, v in model.state_dict().items())


def test_a_cascade_destroys_one_network_step_by_step():
    model = build("mnist_cnn")
    steps = [reinitialize_from_top(model, k, 5).state_dict() for k in range(5)]
    for k in range(1, 4):
        assert np.array_equal(steps[k]["fc2.weight"], steps[k + 1]["fc2.weight"])
    other = reinitialize_from_top(model, 1, 6).state_dict()
    assert not np.array_equal(steps[1]["fc2.weight"], other["fc2.weight"])


def test_new_weights_follow_the_layers_own_rule():
    fresh = reinitialize_from_top(build("mnist_cnn"), 4, 0)
    for name, fan_in in [("fc1", 1568), ("conv2", 400)]:
        layer = getattr(fresh, name)
        bound = (6 / fan_in) ** 0.5
        assert np.abs(layer.weight.data).max() <= bound
        assert layer.weight.data.std() == pytest.approx(bound / 3**0.5, rel=0.02)
        assert not layer.bias.data.any()
        assert layer.weight.dtype == np.float32
    assert reinitialize_from_top(build("small_cnn", dtype="float64"), 3, 0)[0].weight.dtype == float


def test_one_layer_alone_gets_the_weights_of_the_cascade():
    model = build("mnist_cnn")
    alone = reinitialize(model, ["conv2"], 3)
    assert changed(model, alone) == {"conv2"}
    all_ = reinitialize_from_top(model, 4, 3)
    assert np.array_equal(alone.conv2.weight.data, all_.conv2.weight.data)


def test_the_same_class_is_asked_for_at_every_step():
    asked = []

    def method(model, x, target):
        asked.append((changed(model, trained), np.array(target)))
        return x

    trained, x, target = build("mnist_mlp"), RNG.random((3, 1, 28, 28)), np.array([4, 1, 7])
    cascading_randomization(trained, x, target, 0, method)
    assert [layers for layers, _ in asked] == [
        set(),
        {"fc3"},
        {"fc3", "fc2"},
        {"fc3", "fc2", "fc1"},
    ]
    assert all(np.array_equal(t, target) for _, t in asked)
    asked.clear()
    independent_randomization(trained, x, target, 0, method)
    assert [layers for layers, _ in asked] == [set(), {"fc3"}, {"fc2"}, {"fc1"}]


def test_the_first_maps_are_those_of_the_trained_network():
    model, x = build("small_cnn", 1, "float64"), RNG.normal(size=(2, 3, 8, 6))
    maps = cascading_randomization(model, x, 2, 0)
    assert maps.shape == (4, 2, 3, 8, 6)
    assert np.array_equal(maps[0], gradient(model, x, 2))
    assert np.abs(maps[1] - maps[0]).max() > 0.1 * np.abs(maps[0]).max()
    some = cascading_randomization(model, x, 2, 0, gradient_times_input, counts=[3, 0])
    assert np.array_equal(some[1], gradient_times_input(model, x, 2))
    np.testing.assert_allclose(some[0], x * maps[3])


def test_noise_under_a_mask_agrees_by_its_ties():
    stats = pytest.importorskip("scipy.stats")
    found = []
    for share in (0.1, 0.19, 0.5, 1.0):
        support = RNG.random((20, 1, 28, 28)) < share
        noise = RNG.normal(size=(2, *support.shape))
        got = masked_noise_null(support, noise)
        one, other = np.abs(noise * support)
        want = [
            stats.spearmanr(a.ravel(), b.ravel()).statistic for a, b in zip(one, other, strict=True)
        ]
        np.testing.assert_allclose(got, want, atol=1e-12)
        found.append(got.mean())
    assert found[0] > 0.99
    assert found[1] > 0.97
    assert 0.8 < found[2] < 0.9
    assert abs(found[3]) < 0.03


def test_bad_input_gets_one_clear_sentence():
    model = build("small_cnn")
    with pytest.raises(ValueError, match="count must be 0 to 3, got 4"):
        reinitialize_from_top(model, 4, 0)
    with pytest.raises(ValueError, match="count must be 0 to 3, got -1"):
        reinitialize_from_top(model, -1, 0)
    with pytest.raises(KeyError, match="no layer called 'fc9' draws its own weights"):
        reinitialize(model, ["fc9"], 0)
    with pytest.raises(ValueError, match="no layer that can be drawn anew: ReLU"):
        layers_from_top(ReLU())


@pytest.mark.parametrize("name", ["small_cnn", "mnist_mlp"])
def test_the_torch_twins_agree(name):
    torch = pytest.importorskip("torch")
    from course.reference import networks
    from course.reference import sanity_checks as reference

    model = build(name, dtype="float64")
    theirs = networks.build(name, model.state_dict(), "float64")
    shape = (2, 3, 8, 6) if name == "small_cnn" else (2, 1, 28, 28)
    x, target = RNG.normal(size=shape), np.array([2, 1])
    want = reference.cascading_randomization(theirs, torch.tensor(x), torch.tensor(target), 7)
    np.testing.assert_allclose(
        cascading_randomization(model, x, target, 7), want.numpy(), atol=1e-12
    )
    ruined = reference.reinitialize_from_top(theirs, 2, 4)
    for key, value in reinitialize_from_top(model, 2, 4).state_dict().items():
        assert np.array_equal(value, ruined.state_dict()[key].numpy()), key
    support, noise = RNG.random((3, 9)) < 0.4, RNG.normal(size=(2, 3, 9))
    null = reference.masked_noise_null(torch.tensor(support), torch.tensor(noise))
    np.testing.assert_allclose(masked_noise_null(support, noise), null.numpy(), atol=1e-12)


def test_the_grader_judges_a_network_by_its_parameters_and_guards_the_one_it_hands_out():
    from course.grading.call import as_array
    from course.grading.judge import judge
    from course.grading.run import in_kernel
    from course.specs import find

    weights, complaint = as_array(build("hand"))
    assert complaint == ""
    assert weights.tolist() == [1, -1, 2, 0, 0, 2, 1, 1, 1, 1, 3, -2, -1, 2]

    def in_place(model, count, seed):
        rng, layers = np.random.default_rng(seed), dict(model.named_modules())
        for name in layers_from_top(model)[:count]:
            layers[name].reset_parameters(rng)
        return model

    exercise = find("10.1")[1][0]
    verdict = judge(exercise, in_kernel(exercise, in_place))
    assert verdict.layer == "manners"
    assert verdict.message == "changes its argument model in place; work on a copy"
