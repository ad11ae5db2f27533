"""Module 07 against Torch, captum and NumPy, by hand, and on bad input."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from course import progress
from course.data import mnist, movie_words, photo, preprocess
from course.methods.integrated_gradients import integrated_gradients
from course.methods.saliency import gradient, gradient_times_input, saliency_map
from course.methods.scale import mean_over
from course.methods.smoothgrad import (
    gaussian_noise,
    max_sensitivity,
    smoothgrad,
    smoothgrad_squared,
    uniform_noise,
    vargrad,
)
from course.models import build
from tests.support_memory import peak_megabytes

torch = pytest.importorskip("torch")
captum = pytest.importorskip("captum.attr")
metrics = pytest.importorskip("captum.metrics")

from course.reference import integrated_gradients as reference_ig  # noqa: E402
from course.reference import networks  # noqa: E402
from course.reference import saliency as reference_saliency  # noqa: E402
from course.reference import smoothgrad as reference  # noqa: E402

MEANS = {smoothgrad: "smoothgrad", smoothgrad_squared: "smoothgrad_sq", vargrad: "vargrad"}
by_name = pytest.mark.parametrize("method", MEANS, ids=lambda m: m.__name__)
both_precisions = pytest.mark.parametrize("dtype", ["float32", "float64"])


def twin(name: str, dtype: str = "float64"):
    model = build(name, dtype=dtype)
    return model, networks.build(name, model.state_dict(), dtype)


def assert_same(ours: np.ndarray, theirs: np.ndarray, tolerance: float = 1e-9) -> None:
    """Double precision to the tolerance, each map relative to its own largest entry; single by
    relative L2, since rounding breaks ties in max-pooling and kinks of ReLUs either way."""
    assert ours.shape == theirs.shape
    if ours.dtype == np.float64:
        axes = tuple(range(1, ours.ndim))
        assert (np.abs(ours - theirs).max(axes) <= tolerance * np.abs(theirs).max(axes)).all()
    else:
        assert np.linalg.norm(ours - theirs) <= 2e-2 * np.linalg.norm(theirs)


def digits(dtype: str = "float64") -> tuple[np.ndarray, np.ndarray]:
    data = mnist()
    x = data.x_test[100:104].astype(dtype)
    return x, (data.y_test[100:104].astype(int) + 3) % 9 + 1


def given_noise(monkeypatch, noise: np.ndarray) -> None:
    """Let captum's NoiseTunnel draw this noise (K, N, ...): it asks for all copies of the first
    example, then of the second."""
    drawn = torch.tensor(noise.swapaxes(0, 1).reshape(-1, *noise.shape[2:]))

    def normal(mean, std):
        assert mean == 0
        assert std.shape == drawn.shape
        return drawn

    monkeypatch.setattr(torch, "normal", normal)


def tunnel(explainer, kind: str, x: np.ndarray, target: np.ndarray, samples: int, **options):
    found = captum.NoiseTunnel(explainer).attribute(
        torch.tensor(x), nt_type=kind, nt_samples=samples, target=torch.tensor(target), **options
    )
    return found.numpy(force=True)


# --- against Torch and captum ---------------------------------------------------------------


@both_precisions
@by_name
@pytest.mark.parametrize("name", ["mnist_mlp", "mnist_cnn", "fashion_cnn"])
def test_digits_equal_torch_and_captum(name, method, dtype, monkeypatch):
    model, theirs = twin(name, dtype)
    x, target = digits(dtype)
    noise = gaussian_noise(x, 0.15, 9, np.random.default_rng(0))
    ours = method(model, x, target, noise)
    assert ours.dtype == dtype
    t = [torch.tensor(a) for a in (x, target, noise)]
    assert_same(ours, getattr(reference, method.__name__)(theirs, *t).numpy(force=True))
    given_noise(monkeypatch, noise)
    captums = tunnel(captum.Saliency(theirs), MEANS[method], x, target, 9, abs=False)
    assert_same(ours, captums)


@both_precisions
@by_name
@pytest.mark.parametrize("name", ["text_cnn", "text_attention"])
def test_word_vectors_equal_torch_and_captum(name, method, dtype, monkeypatch):
    model, theirs = twin(name, dtype)
    ids = movie_words().encode_batch(["A dull and charmless mess , but short ."])
    x, target = model.embedding(ids).data, np.array([1])
    noise = gaussian_noise(x, 0.1, 10, np.random.default_rng(1))
    every = np.ones(ids.shape, bool)
    read = lambda e: model.from_embeddings(e, every.repeat(len(e), axis=0))  # noqa: E731
    words = torch.tensor(every)
    torch_reads = lambda e: theirs.from_embeddings(e, words.expand(len(e), -1))  # noqa: E731
    ours = method(read, x, target, noise)
    t = [torch.tensor(a) for a in (x, target, noise)]
    assert_same(ours, getattr(reference, method.__name__)(torch_reads, *t).numpy(force=True))
    given_noise(monkeypatch, noise)
    captums = tunnel(captum.Saliency(torch_reads), MEANS[method], x, target, 10, abs=False)
    assert_same(ours, captums)


@both_precisions
@by_name
def test_a_photograph_equals_torch_and_captum(method, dtype, monkeypatch):
    model, theirs = twin("efficientnet_lite0", dtype)
    x = preprocess(photo("farm_animals_owl").image, size=64).astype(dtype)
    noise, target = gaussian_noise(x, 0.15, 3, np.random.default_rng(2)), np.array([12])
    ours = method(model, x, target, noise)
    t = [torch.tensor(a) for a in (x, target, noise)]
    assert_same(ours, getattr(reference, method.__name__)(theirs, *t).numpy(force=True))
    given_noise(monkeypatch, noise)
    captums = tunnel(captum.Saliency(theirs), MEANS[method], x, target, 3, abs=False)
    assert_same(ours, captums)


@by_name
@pytest.mark.parametrize("base", [gradient_times_input, saliency_map], ids=lambda m: m.__name__)
def test_other_methods_equal_torch(base, method):
    model, theirs = twin("small_cnn")
    x = np.random.default_rng(0).normal(size=(3, 3, 8, 6))
    noise, target = gaussian_noise(x, 0.1, 5, np.random.default_rng(1)), np.array([2, 4, 1])
    t = [torch.tensor(a) for a in (x, target, noise)]
    twin_base = getattr(reference_saliency, base.__name__)
    want = getattr(reference, method.__name__)(theirs, *t, twin_base).numpy(force=True)
    assert_same(method(model, x, target, noise, base, chunk=4), want)


def test_smoothgrad_of_integrated_gradients_equals_torch_and_captum(monkeypatch):
    model, theirs = twin("mnist_cnn")
    x, target = digits()
    noise = gaussian_noise(x, 0.15, 4, np.random.default_rng(3))
    ours = smoothgrad(
        model, x, target, noise, lambda m, x, c: integrated_gradients(m, x, c, 0.05, 6)
    )
    t = [torch.tensor(a) for a in (x, target, noise)]

    def torchs_ig(model, x, target):
        return reference_ig.integrated_gradients(
            model, x, target, torch.full_like(x, 0.05), 6, "midpoint"
        )

    assert_same(ours, reference.smoothgrad(theirs, *t, torchs_ig).numpy(force=True))
    given_noise(monkeypatch, noise)
    explainer = captum.IntegratedGradients(theirs)
    options = {"baselines": 0.05, "n_steps": 6, "method": "riemann_middle"}
    assert_same(ours, tunnel(explainer, "smoothgrad", x, target, 4, **options), 1e-6)


@both_precisions
@pytest.mark.parametrize("name", ["mnist_mlp", "mnist_cnn"])
def test_max_sensitivity_equals_torch_and_captum(name, dtype):
    model, theirs = twin(name, dtype)
    x, target = digits(dtype)
    noise = uniform_noise(x, 0.1, 6, np.random.default_rng(4))
    ours = max_sensitivity(model, x, target, noise)
    assert ours.shape == (4,)
    t = [torch.tensor(a) for a in (x, target, noise)]
    tolerance = 1e-9 if dtype == "float64" else 2e-2
    np.testing.assert_allclose(ours, reference.max_sensitivity(theirs, *t).numpy(), tolerance)

    def perturbed(inputs, radius):  # captum asks for all copies of an example together
        copies = t[0].repeat_interleave(6, dim=0)
        assert inputs.shape == copies.shape
        return copies + t[2].swapaxes(0, 1).reshape(copies.shape)

    def explain(inputs, target):
        inputs = inputs[0] if isinstance(inputs, tuple) else inputs
        with torch.enable_grad():
            return (reference_saliency.gradient(theirs, inputs, target),)

    captums = metrics.sensitivity_max(
        explain, t[0], perturbed, n_perturb_samples=6, target=t[1]
    ).numpy()
    np.testing.assert_allclose(ours, captums, max(tolerance, 1e-6))


# --- what must hold -------------------------------------------------------------------------


def test_the_hand_sized_example():
    """Three copies of (3, 1, 1, 2): both units on, the first off, both on."""
    model = build("hand", dtype=np.float64)
    x = np.array([[[[3.0, 1.0]], [[1.0, 2.0]]]])
    noise = np.zeros((3, *x.shape))
    noise[1] = [[[[-2.0, 1.0]], [[-2.0, 1.0]]]]  # at (1, 2, -1, 3) the gradient is (0, -4, -2, -2)
    noise[2] = 1
    assert smoothgrad(model, x, 1, noise).ravel().tolist() == [2, -6, 2, -2]
    squares = smoothgrad_squared(model, x, 1, noise).ravel()
    np.testing.assert_allclose(squares, [6, 38, 12, 4])
    np.testing.assert_allclose(vargrad(model, x, 1, noise).ravel(), [2, 2, 8, 0], atol=1e-12)
    # It moves by (-3, 3, -6, 0), of length √54, and is √78 long.
    assert max_sensitivity(model, x, 1, noise) == pytest.approx([np.sqrt(54 / 78)])


@by_name
def test_each_is_what_numpy_says_of_the_stacked_explanations(method):
    model = build("small_cnn", seed=3, dtype=np.float64)
    x = np.random.default_rng(0).normal(size=(2, 3, 8, 6))
    noise = gaussian_noise(x, 0.2, 7, np.random.default_rng(1))
    maps = np.stack([gradient(model, x + e, 3) for e in noise])
    want = {smoothgrad: maps.mean(0), smoothgrad_squared: (maps**2).mean(0), vargrad: maps.var(0)}
    for chunk in (1, 5, 50):
        assert_same(method(model, x, 3, noise, chunk=chunk), want[method], 1e-12)


def test_a_dead_network_stands_still():
    model = build("hand", dtype=np.float64)
    x = -np.ones((2, 2, 1, 2))
    x[1] = [[[3.0, 1.0]], [[1.0, 2.0]]]
    assert gradient(model, x, 1)[0].tolist() == [[[0, 0]], [[0, 0]]]
    noise = uniform_noise(x, 0.1, 3, np.random.default_rng(0))
    assert max_sensitivity(model, x, 1, noise).tolist() == [0, 0]


def test_noise_has_the_spread_that_was_asked_for():
    x = np.random.default_rng(0).uniform(size=(2, 3, 16, 16))
    x[1] *= 10
    noise = gaussian_noise(x, 0.1, 400, np.random.default_rng(1))
    assert noise.shape == (400, 2, 3, 16, 16)
    spans = np.ptp(x, axis=(1, 2, 3))
    np.testing.assert_allclose(noise.std(axis=(0, 2, 3, 4)), 0.1 * spans, rtol=0.01)
    np.testing.assert_allclose(noise.mean(axis=(0, 2, 3, 4)) / spans, 0, atol=0.001)
    single = gaussian_noise(x.astype(np.float32), 0.1, 400, np.random.default_rng(1))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, noise, rtol=1e-5)
    flat = uniform_noise(x, 0.3, 50, np.random.default_rng(2))
    assert flat.shape == (50, 2, 3, 16, 16)
    assert 0.299 < np.abs(flat).max() <= 0.3


# --- memory and progress --------------------------------------------------------------------


PHOTOGRAPH = """
import numpy as np
from course.data import photo, preprocess
from course.methods.smoothgrad import gaussian_noise, smoothgrad
from course.models import build

network = build("efficientnet_lite0")
x = preprocess(photo("farm_animals_owl").image, size=128)
noise = gaussian_noise(x, 0.15, 50, np.random.default_rng(0))
assert smoothgrad(network, x, 12, noise).shape == x.shape
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_fifty_copies_of_a_photograph_stay_below_400_megabytes_and_are_counted():
    peak, shown = peak_megabytes(PHOTOGRAPH)
    assert 50 < peak < 400
    assert "attributing" in shown
    assert "48/50" in shown or "50/50" in shown


def test_a_loop_within_a_loop_has_no_bar_of_its_own(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(progress, "PATIENCE", 0)

    def inner(x, rows):
        return np.stack([mean_over(lambda y, _: y, np.ones((7, 1, 2)))[0] for _ in x])

    mean_over(inner, np.ones((3, 1, 2)), chunk=1)
    shown = capsys.readouterr().out
    assert "3/3" in shown
    assert "7/7" not in shown


# --- bad input ------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [*MEANS, max_sensitivity], ids=lambda m: m.__name__)
@pytest.mark.parametrize(
    ("noise", "error", "says"),
    [
        ("gaussian", TypeError, "noise must hold numbers, got <U8"),
        (0.15, ValueError, r"noise must be \(K, 2, 3, 8, 6\), K for each input, got shape \(\)"),
        (np.zeros((2, 3, 8, 6)), ValueError, r"got shape \(2, 3, 8, 6\)"),
        (np.zeros((0, 2, 3, 8, 6)), ValueError, r"got shape \(0, 2, 3, 8, 6\)"),
        (np.zeros((5, 1, 3, 8, 6)), ValueError, r"got shape \(5, 1, 3, 8, 6\)"),
        (np.full((1, 2, 3, 8, 6), np.nan), ValueError, "noise must be finite"),
    ],
    ids=["a word", "a level", "one sample", "none", "of one example", "nan"],
)
def test_bad_noise_gets_one_clear_sentence(method, noise, error, says):
    with pytest.raises(error, match=says):
        method(build("small_cnn"), np.zeros((2, 3, 8, 6)), 1, noise)


def test_noise_in_another_precision_follows_the_input():
    model = build("small_cnn")
    x = np.random.default_rng(0).normal(size=(1, 3, 8, 6)).astype(np.float32)
    noise = np.random.default_rng(1).normal(size=(3, *x.shape))
    assert smoothgrad(model, x, 2, noise).dtype == np.float32
