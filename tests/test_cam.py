"""Module 03 against Torch and captum, by hand, by its identities, and on bad input."""

from __future__ import annotations

import numpy as np
import pytest

from course.autograd import Tensor, no_grad
from course.data import mnist, photo, preprocess
from course.methods import cam
from course.models import build

torch = pytest.importorskip("torch")
captum = pytest.importorskip("captum.attr")

from course.reference import cam as reference  # noqa: E402
from course.reference import networks  # noqa: E402

RNG = np.random.default_rng(0)
X_HAND = np.array([[[[3.0, 0, -1], [1, -2, 5]]]])


def twin(name: str, dtype: str = "float64", seed: int = 0):
    model = build(name, seed, dtype)
    return model, networks.build(name, model.state_dict(), dtype)


def split(model, x):
    """Last feature maps and logits."""
    with no_grad():
        return model.features(Tensor(x)).data, model(Tensor(x)).data


def test_the_hand_sized_example():
    # f_1 = (3 0 0 / 1 0 5), f_2 = (0 0 1 / 0 2 0); S_1 = 2 F_1 - F_2 + 1 = 3 - 0.5 + 1.
    features = np.concatenate([np.maximum(X_HAND, 0), np.maximum(-X_HAND, 0)], axis=1)
    weights = np.array([[1.0, 1], [2, -1], [-1, 3]])
    assert cam.global_average_pool(features).tolist() == [[1.5, 0.5]]
    m = cam.class_activation_map(features, weights, 1)
    assert m.tolist() == [[[6, 0, -1], [2, -2, 10]]]
    model = build("hand_pooled", dtype="float64")
    assert model(Tensor(X_HAND)).data[0, 1] == 3.5 == m.mean() + 1
    signed = cam.grad_cam(model, X_HAND, 1, "relu", relu=False)
    np.testing.assert_allclose(signed, m / 6, rtol=1e-12)
    np.testing.assert_allclose(cam.grad_cam(model, X_HAND, 1, "relu"), np.maximum(m, 0) / 6)


@pytest.mark.parametrize("size", [128, 224])
def test_identities_on_efficientnet(size):
    """mean(CAM) + bias = logit, and CAM = Z Grad-CAM, in single precision."""
    model = build("efficientnet_lite0")
    x = np.concatenate(
        [preprocess(photo(n).image, size) for n in ("farm_animals_dog", "farm_animals_cat")]
    )
    target = np.array([281, 235])
    features, logits = split(model, x)
    m = cam.class_activation_map(features, model.fc.weight.data, target)
    assert m.shape == (2, size // 32, size // 32)
    got = m.mean(axis=(1, 2)) + model.fc.bias.data[target]
    assert np.abs(got - logits[[0, 1], target]).max() < 1e-4
    signed = cam.grad_cam(model, x, target, "head_relu", relu=False)
    assert np.abs(signed * m[0].size - m).max() < 1e-4 * np.abs(m).max()


def test_before_the_last_relu_is_another_map():
    model = build("efficientnet_lite0")
    x = preprocess(photo("farm_animals_dog").image, 128)
    after, before = (cam.grad_cam(model, x, 235, layer) for layer in ("head_relu", "head"))
    assert np.abs(after - before).max() > 0.05 * after.max()


@pytest.mark.parametrize("relu", [True, False])
@pytest.mark.parametrize(
    ("name", "layer"),
    [("small_cnn", "1"), ("small_cnn", "3"), ("mnist_gap", "relu2"), ("mnist_cnn", "relu2")],
)
def test_grad_cam_equals_torch_and_captum(name, layer, relu):
    model, theirs = twin(name)
    shape = {"small_cnn": (3, 3, 8, 6), "mnist_gap": (3, 1, 28, 20)}.get(name, (3, 1, 28, 28))
    x, target = RNG.normal(size=shape), np.array([2, 4, 1])
    ours = cam.grad_cam(model, x, target, layer, relu)
    tx, tt = torch.tensor(x), torch.tensor(target)
    want = reference.grad_cam(theirs, tx, tt, layer, relu).numpy(force=True)
    other = captum.LayerGradCam(theirs, theirs.get_submodule(layer)).attribute(
        tx.requires_grad_(), tt, relu_attributions=relu
    )
    assert np.abs(want).max() > 0
    np.testing.assert_allclose(ours, want, atol=1e-9 * np.abs(want).max())
    np.testing.assert_allclose(ours, other.numpy(force=True)[:, 0], atol=1e-9 * np.abs(want).max())


@pytest.mark.parametrize("align_corners", [True, False])
@pytest.mark.parametrize("size", [(7, 5), (13, 4), (3, 20), (1, 1), (2, 9)])
def test_upsampling_equals_torch(size, align_corners):
    maps = RNG.normal(size=(3, 4, 5))
    got = cam.upsample_bilinear(maps, size, align_corners)
    want = reference.upsample_bilinear(torch.tensor(maps), size, align_corners).numpy()
    np.testing.assert_allclose(got, want, atol=1e-12)
    assert cam.upsample_bilinear(maps.astype(np.float32), size).dtype == np.float32


def test_upsampling_by_hand():
    # Two pixels to four: outer edges agree, so the places are -1/4, 1/4, 3/4, 5/4.
    got = cam.upsample_bilinear(np.array([[[0.0, 4.0]]]), (1, 4))
    assert got.tolist() == [[[0, 1, 3, 4]]]
    got = cam.upsample_bilinear(np.array([[[0.0, 3.0]]]), (1, 4), align_corners=True)
    np.testing.assert_allclose(got, [[[0, 1, 2, 3]]])


def test_grad_cam_map_has_the_size_of_the_image():
    model, theirs = twin("mnist_gap")
    x, target = RNG.normal(size=(2, 1, 28, 20)), np.array([3, 1])
    want = reference.grad_cam(theirs, torch.tensor(x), torch.tensor(target), "relu3")
    want = reference.upsample_bilinear(want, (28, 20)).numpy(force=True)
    got = cam.grad_cam_map(model, x, target, "relu3")
    np.testing.assert_allclose(got, want, atol=1e-12)


def test_pointing_and_energy_by_hand():
    regions = np.zeros((4, 2, 3), bool)
    regions[:, :, 0] = True
    maps = np.array(
        [
            [[9.0, 1, 0], [0, -20, 2]],  # hit; 9 of 12
            [[1, 5, 0], [1, 0, 1]],  # miss; 2 of 8
            [[7, 7, 0], [0, 0, 0]],  # a tie across the border
            [[-3, -3, -3], [-3, -3, -3]],  # flat: what chance gives
        ]
    )
    np.testing.assert_allclose(cam.pointing_game(maps, regions), [1, 0, 0.5, 1 / 3])
    np.testing.assert_allclose(cam.energy_inside(maps, regions), [0.75, 0.25, 0.5, 1 / 3])


def test_pointing_equals_torch():
    maps, regions = RNG.integers(-3, 4, (40, 3, 4)).astype(float), RNG.random((40, 3, 4)) < 0.4
    want = reference.pointing_game(torch.tensor(maps), torch.tensor(regions)).numpy()
    np.testing.assert_allclose(cam.pointing_game(maps, regions), want)


def test_the_network_that_averages_reads_digits_on_a_page():
    from course.experiments.train_gap import somewhere
    from course.nn import accuracy

    data = mnist()
    pages = somewhere(data.x_test[:500], np.random.default_rng(5))
    assert accuracy(build("mnist_gap"), pages, data.y_test[:500]) > 0.9


ONES = np.ones((1, 3, 2, 2))
BAD = {
    "one map": (lambda: cam.upsample_bilinear(np.zeros((4, 4)), (8, 8)),
                "maps must be an array (N, H, W), got (4, 4)"),
    "no array": (lambda: cam.global_average_pool([1.0]),
                 "features must be an array (N, K, H, W), got list"),
    "empty map": (lambda: cam.global_average_pool(np.zeros((1, 2, 0, 3))),
                  "got (1, 2, 0, 3)"),
    "other channels": (lambda: cam.class_activation_map(ONES, np.zeros((5, 4)), 1),
                       "weights must be an array (C, K), got (5, 4), where N = 1, K = 3"),
    "too many targets": (
        lambda: cam.class_activation_map(
            np.zeros((2, 3, 2, 2)), np.zeros((5, 3)), np.array([1, 2, 3])
        ),
        "one for each of the 2 inputs, got shape (3,)",
    ),
    "other size": (lambda: cam.pointing_game(np.zeros((1, 4, 4)), np.zeros((1, 8, 8), bool)),
                   "regions must be an array (N, H, W), got (1, 8, 8), where N = 1, H = 4"),
    "flat layer": (lambda: cam.grad_cam(build("mnist_gap"), np.zeros((1, 1, 28, 28)), 1, "fc"),
                   "layer must give feature maps (N, K, H, W), got (1, 10)"),
}  # fmt: skip


@pytest.mark.parametrize("bad", BAD)
def test_bad_input_gets_one_clear_sentence(bad):
    call, says = BAD[bad]
    with pytest.raises(ValueError, match=r"must|one for each") as caught:
        call()
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_layer_that_is_not_there():
    with pytest.raises(KeyError, match="no layer is called 'conv9'; the model has conv1"):
        cam.grad_cam(build("mnist_gap"), np.zeros((1, 1, 28, 28)), 1, "conv9")


def test_a_target_that_is_not_there():
    with pytest.raises(ValueError, match="target must be from 0 to 4, got 5"):
        cam.class_activation_map(ONES, np.zeros((5, 3)), 5)


def test_stored_results_are_of_this_code():
    from course.experiments import cam as experiment
    from course.experiments import store, train_gap
    from course.methods import saliency

    code = store.fingerprint(experiment, cam, saliency, train_gap)
    assert store.load("cam")["code"] == code, "run python -m course.experiments.cam"


def test_cam_points_at_the_object_that_was_asked_for():
    from course.experiments import cam as experiment

    rng = np.random.default_rng(21)
    digits = experiment.point_at_digits(build("mnist_gap"), experiment.pages(mnist(), rng, 60))
    network = build("efficientnet_lite0")
    animals = experiment.point_at_animals(network, experiment.pairs(network, rng, 6, 128))
    # A map that does not know the question has at most 1/2.
    assert digits["CAM"]["pointing"] > 0.7
    assert digits["CAM"]["pointing"] > digits["saliency"]["pointing"] + 0.1
    assert animals["CAM"]["pointing"] > 0.8
    for row in (digits, animals):
        assert row["input"]["pointing"] == pytest.approx(0.5)
