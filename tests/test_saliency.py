"""Module 05 against Torch and captum, by hand, and on bad input."""

from __future__ import annotations

import numpy as np
import pytest

from course.data import mnist, photo, preprocess
from course.methods.saliency import gradient, gradient_times_input, saliency_map
from course.models import build

torch = pytest.importorskip("torch")
captum = pytest.importorskip("captum.attr")

from course.reference import networks  # noqa: E402
from course.reference import saliency as reference  # noqa: E402

METHODS = [gradient, saliency_map, gradient_times_input]
TOLERANCE = {"float32": 1e-4, "float64": 1e-9}


def digits(dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """A dozen test images without ties (see below), each with a class neither its own nor 0."""
    data = mnist()
    x = data.x_test[100:112].astype(dtype)
    return x, (data.y_test[100:112].astype(int) + 3) % 9 + 1


def twin(name: str, dtype: str):
    model = build(name, dtype=dtype)
    return model, networks.build(name, model.state_dict(), dtype)


def assert_close(ours: np.ndarray, theirs: np.ndarray, tolerance: float) -> None:
    """Each map by itself, relative to its own largest entry."""
    assert ours.shape == theirs.shape
    axes = tuple(range(1, ours.ndim))
    assert (np.abs(ours - theirs).max(axes) <= tolerance * np.abs(theirs).max(axes)).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["mnist_mlp", "mnist_cnn"])
@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.__name__)
def test_digits_equal_torch(method, name, dtype):
    model, theirs = twin(name, dtype)
    x, target = digits(dtype)
    want = getattr(reference, method.__name__)(theirs, torch.tensor(x), torch.tensor(target))
    ours = method(model, x, target)
    assert ours.dtype == dtype
    assert_close(ours, want.detach().numpy(), TOLERANCE[dtype])


def test_every_digit_up_to_ties():
    """In double precision all agree. In single precision a straight stroke makes exact ties in
    max-pooling, and the rounding of the matrix product may decide one: Torch's map and ours then
    differ, both right, on about one image in a hundred; everywhere else the maps are equal."""
    data = mnist()
    target = (data.y_test[:400].astype(int) + 3) % 9 + 1
    shares = {}
    for dtype, tolerance in TOLERANCE.items():
        model, theirs = twin("mnist_cnn", dtype)
        x = data.x_test[:400].astype(dtype)
        want = reference.gradient(theirs, torch.tensor(x), torch.tensor(target)).numpy()
        difference = np.abs(gradient(model, x, target) - want).max(axis=(1, 2, 3))
        shares[dtype] = (difference <= tolerance * np.abs(want).max(axis=(1, 2, 3))).mean()
    assert shares["float64"] == 1
    assert shares["float32"] > 0.97


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["mnist_mlp", "mnist_cnn"])
def test_digits_equal_captum(name, dtype):
    model, theirs = twin(name, dtype)
    x, target = digits(dtype)
    tx, tt = torch.tensor(x, requires_grad=True), torch.tensor(target)
    signed = captum.Saliency(theirs).attribute(tx, tt, abs=False).detach().numpy()
    product = captum.InputXGradient(theirs).attribute(tx, tt).detach().numpy()
    assert_close(gradient(model, x, target), signed, TOLERANCE[dtype])
    assert_close(saliency_map(model, x, target), np.abs(signed).max(axis=1), TOLERANCE[dtype])
    assert_close(gradient_times_input(model, x, target), product, TOLERANCE[dtype])


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 2e-2), ("float64", 1e-9)])
def test_photograph_equals_torch_and_captum(dtype, tolerance):
    model, theirs = twin("efficientnet_lite0", dtype)
    x = preprocess(photo("farm_animals_owl").image, size=128).astype(dtype)
    tx, target = torch.tensor(x, requires_grad=True), torch.tensor([12])
    ours = {m: m(model, x, 12) for m in METHODS}
    others = {
        m: getattr(reference, m.__name__)(theirs, tx, target).detach().numpy() for m in METHODS
    }
    signed = captum.Saliency(theirs).attribute(tx, target, abs=False).detach().numpy()
    # By relative L2, and loosely in single precision, where a ReLU6 near its kink may flip: Torch's
    # own single precision is up to 7e-3 off its double precision on our photographs.
    for method in METHODS:
        distance = np.linalg.norm(ours[method] - others[method])
        assert distance <= tolerance * np.linalg.norm(others[method])
    assert np.linalg.norm(ours[gradient] - signed) <= tolerance * np.linalg.norm(signed)


def test_the_hand_sized_example():
    model = build("hand", dtype=np.float64)
    x = np.array([[[[3.0, 1.0]], [[1.0, 2.0]]]])
    # h = (4, 5), S = (9, 2, 6); the gradient of S_1 is 3 (1, -1, 2, 0) - 2 (0, 2, 1, 1).
    assert gradient(model, x, 1).ravel().tolist() == [3, -7, 4, -2]
    assert saliency_map(model, x, 1).ravel().tolist() == [4, 7]
    assert gradient_times_input(model, x, 1).ravel().tolist() == [9, -7, 4, -4]


def test_a_dead_unit_passes_no_gradient():
    model = build("hand", dtype=np.float64)
    x = np.array([[[[1.0, 2.0]], [[-1.0, 3.0]]]])  # h_1 = relu(-3) = 0
    assert gradient(model, x, 1).ravel().tolist() == [0, -4, -2, -2]


def test_one_target_means_the_same_for_all():
    model = build("small_cnn", seed=1, dtype=np.float64)
    x = np.random.default_rng(0).normal(size=(3, 3, 8, 6))
    each = gradient(model, x, np.array([2, 2, 2]))
    assert np.array_equal(gradient(model, x, 2), each)
    assert np.array_equal(gradient(model, x, np.int64(2)), each)


BAD = {
    "a string": ("digit", 1, TypeError, "x must be a NumPy array (N, ...), got str"),
    "bytes of pixels": (np.zeros((1, 3, 8, 6), np.uint8), 1, TypeError, "got uint8; scale it"),
    "no batch": (np.zeros(6), 1, ValueError, "got shape (6,); try x[None]"),
    "nan": (np.full((1, 3, 8, 6), np.nan), 1, ValueError, "got 144 NaN or infinite of 144"),
    "wrong channels": (np.zeros((1, 4, 8, 6)), 1, ValueError, "x has 4 channels"),
    "wrong size": (np.zeros((1, 3, 9, 9)), 1, ValueError, "the input ends in 128 features"),
    "target too large": (np.zeros((2, 3, 8, 6)), 5, ValueError, "from 0 to 4, got 5"),
    "target negative": (np.zeros((2, 3, 8, 6)), -1, ValueError, "from 0 to 4, got -1"),
    "target a word": (np.zeros((2, 3, 8, 6)), "owl", TypeError, "got 'owl'"),
    "target a fraction": (np.zeros((2, 3, 8, 6)), 1.5, TypeError, "got 1.5"),
    "too many targets": (
        np.zeros((2, 3, 8, 6)),
        np.array([1, 2, 3]),
        ValueError,
        "one for each of the 2 inputs, got shape (3,)",
    ),
}


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.__name__)
@pytest.mark.parametrize("bad", BAD)
def test_bad_input_gets_one_clear_sentence(method, bad):
    x, target, error, says = BAD[bad]
    with pytest.raises(error) as caught:
        method(build("small_cnn"), x, target)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_model_that_is_none():
    x = np.zeros((1, 3, 8, 6))
    with pytest.raises(TypeError, match="model must be callable, got str"):
        gradient("resnet", x, 0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"Tensor of logits \(1, classes\), got \(1, 3, 8, 6\)"):
        gradient(lambda t: t * 2, x, 0)
