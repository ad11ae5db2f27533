"""Module 02 against Torch, by hand, and on bad input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course.autograd import Tensor, grad, no_grad
from course.data import mnist
from course.methods.units import (
    MODES,
    activation_maximization,
    foveation,
    receptive_field,
    top_patches,
)
from course.models import build
from course.nn.module import capture

torch = pytest.importorskip("torch")

from course.reference import networks  # noqa: E402
from course.reference import units as reference  # noqa: E402

MNIST_CNN = [(5, 1, 2), (2, 2, 0), (5, 1, 2)]  # up to relu2

layer = st.tuples(st.integers(1, 5), st.integers(1, 3), st.integers(0, 3))


@settings(deadline=None, max_examples=40)
@given(st.lists(layer, min_size=1, max_size=4))
def test_receptive_field_is_the_support_of_torch_s_gradient(layers):
    assert receptive_field(layers).tolist() == reference.receptive_field(layers).tolist()


def test_receptive_field_of_a_trained_unit():
    """No pixel outside the field has a gradient, and on noise every pixel inside has one."""
    model = build("mnist_cnn", dtype=np.float64)
    size, jump, start = receptive_field(MNIST_CNN)
    assert (size, jump, start) == (14, 2, -6)
    reached = np.zeros((28, 28), bool)
    for seed in range(10):
        x = np.random.default_rng(seed).uniform(size=(1, 1, 28, 28))
        inputs = Tensor(x, requires_grad=True)
        _, layers = capture(model, inputs, ["conv2"])
        reached |= (grad(layers["conv2"][0, :, 5, 7].sum(), inputs)[0, 0] != 0).reshape(28, 28)
    rows, columns = np.nonzero(reached.any(1))[0], np.nonzero(reached.any(0))[0]
    assert (rows.min(), rows.max()) == (start + 5 * jump, start + 5 * jump + size - 1)
    assert (columns.min(), columns.max()) == (start + 7 * jump, start + 7 * jump + size - 1)
    assert reached.sum() == size**2


def test_the_stack_in_the_lecture_by_hand():
    # EfficientNet-Lite0's stem and first two blocks: 3/2, 3/1, 3/2.
    assert receptive_field([(3, 2, 1)]).tolist() == [3, 2, -1]
    assert receptive_field([(3, 2, 1), (3, 1, 1)]).tolist() == [7, 2, -3]
    assert receptive_field([(3, 2, 1), (3, 1, 1), (3, 2, 1)]).tolist() == [11, 4, -5]
    assert receptive_field(np.array([(1, 1, 0)])).tolist() == [1, 1, 0]


@pytest.mark.parametrize("field", [(5, 2, -3), (3, 1, 1), (4, 2, 0), (9, 3, -8)])
def test_top_patches_equal_torch(field):
    rng = np.random.default_rng(1)
    x, maps = rng.normal(size=(8, 2, 9, 7)), rng.normal(size=(8, 5, 4))
    ours = top_patches(x, maps, np.array(field), 6)
    theirs = reference.top_patches(torch.tensor(x), torch.tensor(maps), torch.tensor(field), 6)
    assert np.array_equal(ours, theirs.numpy())


def test_a_unit_s_patch_alone_gives_its_activation():
    """What the unit sees is all that it depends on: the patch, alone, excites it as much."""
    model, x = build("mnist_cnn", dtype=np.float64), mnist().x_test[:60].astype(np.float64)
    field = receptive_field(MNIST_CNN)

    def maps_on(images):
        with no_grad():
            return capture(model, Tensor(images), ["conv2"])[1]["conv2"].data

    maps = maps_on(x)[:, 3]
    # Away from the edges, where the padding belongs to what the unit sees.
    inner = np.full_like(maps, -np.inf)
    inner[:, 4:9, 4:9] = maps[:, 4:9, 4:9]
    patches = top_patches(x, inner, field, 5)
    alone = np.zeros((5, 1, 28, 28))
    alone[:, :, 6:20, 6:20] = patches  # the field of row and column 6 begins at 6
    again = maps_on(alone)[:, 3, 6, 6]
    assert np.allclose(again, np.sort(inner.max(axis=(1, 2)))[::-1][:5], rtol=1e-9)


def test_activation_maximization_equals_torch():
    model = build("mnist_cnn", dtype=np.float64)
    theirs = networks.build("mnist_cnn", model.state_dict(), "float64")
    rng = np.random.default_rng(2)
    x, target = rng.uniform(0.2, 0.8, size=(4, 1, 28, 28)), np.array([3, 1, 7, 7])
    shifts = rng.integers(-2, 3, (6, 2))
    ours = activation_maximization(model, x, target, shifts, 0.03, 0.1)
    want = reference.activation_maximization(
        theirs, torch.tensor(x), torch.tensor(target), torch.tensor(shifts), 0.03, 0.1
    )
    assert np.abs(ours - want.detach().numpy()).max() < 1e-7
    assert ours.min() >= 0
    assert ours.max() <= 1


def test_activation_maximization_raises_the_logit():
    model = build("mnist_cnn")
    x, target = np.full((10, 1, 28, 28), 0.1, np.float32), np.arange(10)
    x += np.random.default_rng(0).normal(0, 0.02, x.shape).astype(np.float32)
    after = activation_maximization(model, x, target, np.zeros((20, 2), int), 0.03)
    with no_grad():
        before, now = (model(Tensor(v)).data[target, target] for v in (x, after))
    assert (now > before + 5).all()
    assert after.dtype == np.float32


def test_a_step_by_hand():
    # The gradient (3, -7, 4, -2) has mean magnitude 4: at rate 1 the step is (.75, -1.75, 1, -.5).
    model = build("hand", dtype=np.float64)
    x = np.array([[[[3.0, 1.0]], [[1.0, 2.0]]]])
    stepped = activation_maximization(model, x, 1, np.zeros((1, 2), int), 1.0, 0.0, (0.0, 9.0))
    assert np.allclose(stepped.ravel(), [3.75, 0, 2, 1.5], atol=1e-9)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("padding", [0, 1, 2, ((0, 1), (2, 1))])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_foveation_equals_torch(mode, padding, stride):
    ours = foveation((7, 6), 3, stride, padding, mode)
    theirs = reference.foveation((7, 6), 3, stride, padding, mode)
    assert np.array_equal(ours, theirs.detach().numpy())


@pytest.mark.parametrize(
    ("padding", "mode", "corner", "edge", "inner", "centre"),
    [
        (0, "constant", 1, 3, 4, 9),  # VALID
        (1, "constant", 4, 6, 9, 9),  # SAME
        (2, "constant", 9, 9, 9, 9),  # FULL
        (1, "wrap", 9, 9, 9, 9),
        (1, "symmetric", 9, 9, 9, 9),
        (1, "reflect", 4, 6, 16, 9),
    ],
)
def test_counts_of_mind_the_pad(padding, mode, corner, edge, inner, centre):
    counts = foveation((8, 8), 3, 1, padding, mode)
    assert [counts[0, 0], counts[0, 4], counts[1, 1], counts[4, 4]] == [corner, edge, inner, centre]


def test_replicated_edges_are_used_too_often():
    counts = foveation((9, 9), 5, 1, 2, "edge")
    assert [counts[0, 0], counts[0, 1], counts[1, 1]] == [36, 24, 16]
    assert counts[4, 4] == 25


def test_an_even_image_is_padded_on_one_side():
    """Of 32 + 2 rows a kernel of 3 at stride 2 reads 33: the padding below is never read."""
    even, odd = foveation((32, 32), 3, 2, 1), foveation((33, 33), 3, 2, 1)
    assert np.array_equal(odd, odd[::-1, ::-1])
    assert even[0].tolist() == [1, 2] * 15 + [1, 1]
    assert even.sum() == 16 * 16 * 9 - 16 * 3 - 16 * 3 + 1  # minus the zeros above and to the left
    assert odd.sum() == 17 * 17 * 9 - 4 * 17 * 3 + 4  # and of 33, those on all four sides


X = np.random.default_rng(0).uniform(size=(3, 1, 6, 6))
MAPS = np.random.default_rng(1).normal(size=(3, 4, 4))
STILL = np.zeros((1, 2), int)
BAD = {
    "pairs": (lambda: receptive_field([(3, 1)]), "rows of three ints"),
    "no stride": (lambda: receptive_field([(3, 1, 1), (3, 0, 1)]), "got (3, 0, 1)"),
    "halves": (lambda: receptive_field([(3.5, 1, 1)]), "of float64"),
    "maps missing": (lambda: top_patches(X, MAPS[:2], [3, 1, 0], 1), "each of the 3 images"),
    "all channels": (lambda: top_patches(X, MAPS[None], [3, 1, 0], 1), "got (1, 3, 4, 4)"),
    "flat images": (lambda: top_patches(X[0], MAPS, [3, 1, 0], 1), "images must be (N, C, H, W)"),
    "too many": (lambda: top_patches(X, MAPS, [3, 1, 0], 4), "from 1 to the 3 images, got 4"),
    "two numbers": (lambda: top_patches(X, MAPS, [3, 1], 1), "[size, jump, start], got [3, 1]"),
    "steps": (lambda: activation_maximization(build("small_cnn"), X, 1, 20), "got shape ()"),
    "a text": (lambda: activation_maximization(build("small_cnn"), X[0, 0], 1, STILL), "x must be"),
    "mode": (lambda: foveation((4, 4), 3, 1, 1, "zeros"), "constant, edge, reflect"),
    "stride": (lambda: foveation((4, 4), 3, 0), "got 3, 0 and 0"),
    "too small": (lambda: foveation((2, 4), 3), "holds a 3x3 window"),
}


@pytest.mark.parametrize("bad", BAD)
def test_bad_input_gets_one_clear_sentence(bad):
    call, says = BAD[bad]
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        call()
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
