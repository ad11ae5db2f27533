"""Module 06 against Torch, captum and scipy, by hand, and on bad input."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from course import progress
from course.autograd import Tensor
from course.data import mnist, movie_words, photo, preprocess
from course.methods.integrated_gradients import (
    completeness_gap,
    expected_gradients,
    integrated_gradients,
    split_integrated_gradients,
    straight_line_path,
)
from course.methods.protocol import score
from course.methods.quadrature import RULES, quadrature
from course.methods.saliency import gradient_times_input
from course.models import build

torch = pytest.importorskip("torch")
captum = pytest.importorskip("captum.attr")

from course.reference import integrated_gradients as reference  # noqa: E402
from course.reference import networks  # noqa: E402

CAPTUM = {
    "left": "riemann_left",
    "right": "riemann_right",
    "midpoint": "riemann_middle",
    "trapezoid": "riemann_trapezoid",
    "gauss_legendre": "gausslegendre",
}


def twin(name: str, dtype: str = "float64"):
    model = build(name, dtype=dtype)
    return model, networks.build(name, model.state_dict(), dtype)


def assert_close(ours: np.ndarray, theirs: np.ndarray, tolerance: float) -> None:
    """Each map by itself, relative to its own largest entry."""
    assert ours.shape == theirs.shape
    axes = tuple(range(1, ours.ndim))
    assert (np.abs(ours - theirs).max(axes) <= tolerance * np.abs(theirs).max(axes)).all()


def assert_same(ours: np.ndarray, theirs: np.ndarray, tolerance: float) -> None:
    """Double precision to the tolerance; single by relative L2, since on so many points of a path
    a maximum may tie, which rounding breaks either way. captum's weights are always single."""
    if ours.dtype == np.float64:
        assert_close(ours, theirs, tolerance)
    else:
        assert np.linalg.norm(ours - theirs) <= 1e-2 * np.linalg.norm(theirs)


def digits(dtype: str = "float64") -> tuple[np.ndarray, np.ndarray]:
    data = mnist()
    x = data.x_test[100:104].astype(dtype)
    return x, (data.y_test[100:104].astype(int) + 3) % 9 + 1


# --- the integral ---------------------------------------------------------------------------


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("steps", [2, 3, 8, 50])
def test_rules_equal_captums_but_for_its_trapezoid(rule, steps):
    from captum.attr._utils.approximation_methods import approximation_parameters

    nodes, weights = quadrature(steps, rule)
    step_sizes, alphas = approximation_parameters(CAPTUM[rule])
    factor = (steps - 1) / steps if rule == "trapezoid" else 1
    np.testing.assert_allclose(nodes, alphas(steps), atol=1e-6)
    np.testing.assert_allclose(factor * weights, step_sizes(steps), atol=1e-6)
    assert weights.sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("rule", "degree"),
    [("left", 0), ("right", 0), ("midpoint", 1), ("trapezoid", 1), ("gauss_legendre", 9)],
)
def test_a_rule_is_exact_up_to_its_degree_and_no_further(rule, degree):
    nodes, weights = quadrature(5, rule)
    errors = [abs(weights @ nodes**n - 1 / (n + 1)) for n in range(degree + 2)]
    assert max(errors[:-1]) < 1e-14
    assert errors[-1] > 1e-7


def test_the_trapezoid_is_scipys():
    scipy = pytest.importorskip("scipy.integrate")
    values = np.random.default_rng(0).normal(size=9)
    nodes, weights = quadrature(9, "trapezoid")
    assert weights @ values == pytest.approx(scipy.trapezoid(values, nodes))


# --- against Torch and captum ---------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", ["mnist_mlp", "mnist_cnn", "fashion_cnn"])
def test_digits_equal_torch_and_captum(name, rule, dtype):
    model, theirs = twin(name, dtype)
    x, target = digits(dtype)
    # A flat baseline would make max-pooling tie along the whole path.
    baseline = np.random.default_rng(1).uniform(0, 0.3, x.shape).astype(dtype)
    ours = integrated_gradients(model, x, target, baseline, 12, rule)
    assert ours.dtype == dtype
    t = [torch.tensor(a) for a in (x, target, baseline)]
    torchs = reference.integrated_gradients(theirs, *t, 12, rule).numpy()
    method = captum.IntegratedGradients(theirs)
    captums = method.attribute(t[0], t[2], t[1], n_steps=12, method=CAPTUM[rule])
    captums = captums.numpy(force=True) / (11 / 12 if rule == "trapezoid" else 1)
    assert_same(ours, torchs, 1e-9)
    assert_same(ours, captums, 1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", ["text_cnn", "text_attention"])
def test_sentences_equal_torch_and_captum(name, rule, dtype):
    model, theirs = twin(name, dtype)
    ids = movie_words().encode_batch(["A dull and charmless mess , but short ."])
    x, mask = model.embedding(ids).data, ids != 0
    baseline = model.embedding(np.zeros_like(ids)).data
    ours = integrated_gradients(
        lambda e: model.from_embeddings(e, np.ones((1, ids.shape[1]), bool)),
        x, 1, baseline, 12, rule,
    )  # fmt: skip
    words = torch.tensor(mask)
    read = lambda e: theirs.from_embeddings(e, words.expand(len(e), -1))  # noqa: E731
    t = [torch.tensor(a) for a in (x, [1], baseline)]
    torchs = reference.integrated_gradients(read, *t, 12, rule).numpy()
    captums = captum.IntegratedGradients(read).attribute(
        t[0], t[2], t[1], n_steps=12, method=CAPTUM[rule]
    )
    captums = captums.numpy(force=True) / (11 / 12 if rule == "trapezoid" else 1)
    assert_same(ours, torchs, 1e-9)
    assert_same(ours, captums, 1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rule", RULES)
def test_a_photograph_equals_torch_and_captum(rule, dtype):
    model, theirs = twin("efficientnet_lite0", dtype)
    x = preprocess(photo("farm_animals_owl").image, size=64).astype(dtype)
    baseline = np.random.default_rng(1).normal(size=x.shape).astype(dtype)
    ours = integrated_gradients(model, x, 12, baseline, 4, rule)
    t = [torch.tensor(a) for a in (x, [12], baseline)]
    torchs = reference.integrated_gradients(theirs, *t, 4, rule).numpy()
    captums = captum.IntegratedGradients(theirs).attribute(
        t[0], t[2], t[1], n_steps=4, method=CAPTUM[rule]
    )
    captums = captums.numpy(force=True) / (3 / 4 if rule == "trapezoid" else 1)
    assert_same(ours, torchs, 1e-9)
    assert_same(ours, captums, 1e-6)


def test_expected_and_split_equal_torch():
    model, theirs = twin("mnist_cnn")
    x, target = digits()
    rng = np.random.default_rng(3)
    baselines, alphas = mnist().x_test[:9].astype(float), rng.uniform(size=9)
    tx, tt = torch.tensor(x), torch.tensor(target)
    want = reference.expected_gradients(
        theirs, tx, tt, torch.tensor(baselines), torch.tensor(alphas)
    )
    assert_close(expected_gradients(model, x, target, baselines, alphas), want.numpy(), 1e-9)
    want = reference.split_integrated_gradients(
        theirs, tx, tt, torch.zeros_like(tx), share=0.8, steps=15
    )
    ours = split_integrated_gradients(model, x, target, 0.0, share=0.8, steps=15)
    assert_close(ours.swapaxes(0, 1), want.numpy().swapaxes(0, 1), 1e-9)


def test_expected_gradients_are_captums_gradient_shap_without_noise():
    """GradientShap draws its own baselines and points: equal in the mean over many."""
    model, theirs = twin("mnist_mlp")
    x, target = digits()
    baselines = mnist().x_test[:20].astype(float)
    nodes, _ = quadrature(16, "midpoint")
    b, a = np.repeat(baselines, 16, axis=0), np.tile(nodes, 20)
    ours = expected_gradients(model, x, target, b, a)
    torch.manual_seed(0)
    tx, tb = torch.tensor(x, requires_grad=True), torch.tensor(baselines)
    drawn = captum.GradientShap(theirs).attribute(
        tx, tb, n_samples=1500, stdevs=0.0, target=torch.tensor(target)
    )
    difference = np.linalg.norm(ours - drawn.numpy(force=True)) / np.linalg.norm(ours)
    assert difference < 0.1


# --- what must hold -------------------------------------------------------------------------


def test_the_hand_sized_example():
    """From 0 to (3, 1, 1, 2) both units of the network are on all the way."""
    model = build("hand", dtype=np.float64)
    x = np.array([[[[3.0, 1.0]], [[1.0, 2.0]]]])
    ours = integrated_gradients(model, x, 1, 0.0, steps=1)
    assert ours.ravel().tolist() == [9, -7, 4, -4]
    assert completeness_gap(model, x, 1, 0.0, ours).tolist() == [0]
    assert completeness_gap(model, x, 1, 0.0, ours + 1).tolist() == [4]
    # From (-1, 2, 1, 0), where the first unit's input is -1, to x, where it is 4: it is off for
    # the first fifth of the way. The second unit's input goes from 5 to 5.
    start = np.array([[[[-1.0, 2.0]], [[1.0, 0.0]]]])
    ours = integrated_gradients(model, x, 1, start, steps=5)
    np.testing.assert_allclose(ours.ravel(), [4 * 0.8 * 3, -1 * (0.8 * -3 - 4), 0, 2 * -2])
    assert completeness_gap(model, x, 1, start, ours) == pytest.approx(0)


def test_sensitivity_where_the_gradient_fails():
    """f = 1 - relu(1 - x) at 2: the gradient is 0 and IG is 1 (Sundararajan et al. 2017, §2.1)."""
    f = lambda x: 1 - (1 - x).relu()  # noqa: E731
    x = np.array([[2.0]])
    assert gradient_times_input(f, x, 0).tolist() == [[0]]
    assert integrated_gradients(f, x, 0, 0.0, 50).item() == pytest.approx(1)


def test_of_a_network_without_biases_it_is_gradient_times_input():
    model = build("mnist_cnn", dtype=np.float64)
    for name, value in model.state_dict().items():
        if name.endswith("bias"):
            value[:] = 0
            model.load_state_dict({**model.state_dict(), name: value})
    x, target = digits()
    product = gradient_times_input(model, x, target)
    assert_close(integrated_gradients(model, x, target, 0.0, 3), product, 1e-9)
    np.testing.assert_allclose(product.sum(axis=(1, 2, 3)), score(model, x, target), rtol=1e-9)


def test_the_gap_is_below_a_percent_with_64_steps():
    model = build("mnist_cnn")
    data = mnist()
    x, target = data.x_test[:100], data.y_test[:100]
    change = score(model, x, target) - score(model, np.zeros_like(x), target)
    found = integrated_gradients(model, x, target, 0.0, 64)
    gap = completeness_gap(model, x, target, 0.0, found)
    assert (np.abs(gap) / np.abs(change)).mean() < 0.01


def test_the_parts_add_up_and_the_first_makes_its_share():
    model = build("small_cnn", seed=5, dtype=np.float64)
    x = np.random.default_rng(0).normal(size=(3, 3, 8, 6))
    target = np.array([1, 4, 2])
    change = score(model, x, target) - score(model, np.zeros_like(x), target)
    before, after = split_integrated_gradients(model, x, target, 0.0, 0.7, 400)
    whole = integrated_gradients(model, x, target, 0.0, 400)
    assert_close(before + after, whole, 2e-2)
    made = before.sum(axis=(1, 2, 3)) / change
    assert ((made > 0.69) & (made < 0.9)).all()


def test_expected_gradients_add_up_to_the_difference_from_the_mean_score():
    model = build("mnist_mlp", dtype=np.float64)
    x, target = digits()
    baselines = mnist().x_test[:8].astype(float)
    nodes, _ = quadrature(400, "midpoint")
    b, a = np.repeat(baselines, 400, axis=0), np.tile(nodes, 8)
    found = expected_gradients(model, x, target, b, a).sum(axis=(1, 2, 3))
    scores = model(Tensor(baselines)).data[:, target].mean(axis=0)
    np.testing.assert_allclose(found, score(model, x, target) - scores, rtol=0.01)


def test_chunks_do_not_change_the_result():
    model = build("mnist_cnn", dtype=np.float64)
    x, target = digits()
    whole = integrated_gradients(model, x, target, 0.0, 10, chunk=40)
    for chunk in (1, 7):
        assert_close(integrated_gradients(model, x, target, 0.0, 10, chunk=chunk), whole, 1e-12)


MEASURE = """
from pathlib import Path
from course.data import photo, preprocess
from course.methods.integrated_gradients import integrated_gradients
from course.models import build

network = build("efficientnet_lite0")
x = preprocess(photo("farm_animals_dog").image, size=128)
assert integrated_gradients(network, x, 235, 0.0, steps=50).shape == x.shape
# ru_maxrss would start at what the process that started this one holds.
lines = Path("/proc/self/status").read_text().splitlines()
print(*(line.split()[1] for line in lines if line.startswith("VmHWM")))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_fifty_steps_of_a_photograph_take_less_than_400_megabytes():
    """Of the whole process, Python, NumPy and the network's weights among them."""
    ran = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert 50_000 < int(ran.stdout) < 400_000


def test_it_reports_progress_when_it_takes_long(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(progress, "PATIENCE", 0)
    integrated_gradients(build("small_cnn"), np.zeros((1, 3, 8, 6)), 1, 0.5, 20)
    assert "attributing" in capsys.readouterr().out


# --- bad input ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("baseline", "error", "says"),
    [
        ("black", TypeError, "baseline must hold numbers"),
        (None, TypeError, "baseline must hold numbers"),
        (np.nan, ValueError, "baseline must be finite"),
        (np.zeros((4, 1, 1)), ValueError, r"broadcast to x, \(2, 3, 8, 6\), got shape \(4, 1, 1\)"),
    ],
    ids=["a word", "nothing", "nan", "another shape"],
)
def test_a_bad_baseline_gets_one_clear_sentence(baseline, error, says):
    x = np.zeros((2, 3, 8, 6))
    with pytest.raises(error, match=says):
        integrated_gradients(build("small_cnn"), x, 1, baseline)


def test_bad_steps_and_rules():
    with pytest.raises(ValueError, match="steps must be at least 1, got 0"):
        quadrature(0, "midpoint")
    with pytest.raises(ValueError, match="steps must be at least 2, got 1"):
        quadrature(1, "trapezoid")
    with pytest.raises(ValueError, match=r"one of left, right, .*, got 'simpson'"):
        quadrature(4, "simpson")


def test_a_baseline_may_be_a_number_or_a_colour():
    model = build("small_cnn", seed=2, dtype=np.float64)
    x = np.random.default_rng(0).normal(size=(2, 3, 8, 6))
    colour = np.array([0.5, -1, 0.2])[:, None, None]
    whole = np.broadcast_to(colour, x.shape)
    ours = integrated_gradients(model, x, 3, colour, 4)
    assert np.array_equal(ours, integrated_gradients(model, x, 3, whole, 4))
    path = straight_line_path(whole, x, np.array([0, 1]))
    assert np.array_equal(path[0], whole)
    assert np.allclose(path[1], x)
