"""Replaced rules of backpropagation against Torch and captum, by their identities, and by hand."""

from __future__ import annotations

import numpy as np
import pytest

from course.autograd import Tensor, no_grad, relu
from course.data import mnist, photo, preprocess
from course.methods import backprop_rules as rules
from course.methods.saliency import gradient, gradient_times_input
from course.models import build
from course.nn import Conv2d, Linear, Module

torch = pytest.importorskip("torch")
captum = pytest.importorskip("captum.attr")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from course.reference import backprop_rules as reference  # noqa: E402
from course.reference import networks  # noqa: E402

RNG = np.random.default_rng(0)
METHODS = [
    rules.guided_backprop,
    rules.deconvnet,
    rules.lrp_epsilon,
    rules.lrp_alpha1_beta0,
    rules.competitive_gradients,
    rules.edge_detector,
]
every_method = pytest.mark.parametrize("method", METHODS, ids=lambda m: m.__name__)


def close(ours: np.ndarray, theirs, tolerance: float = 1e-9) -> None:
    want = theirs.numpy(force=True)
    assert np.abs(want).max() > 0
    np.testing.assert_allclose(ours, want, atol=tolerance * np.abs(want).max(), rtol=0)


def example(name: str) -> tuple[np.ndarray, np.ndarray]:
    if name == "small_cnn":
        return RNG.normal(size=(4, 3, 8, 6)), np.array([2, 4, 1, 3])
    data = mnist()
    return data.x_test[100:106].astype(float), (data.y_test[100:106].astype(int) + 3) % 9 + 1


# --- Against the Torch twin ---------------------------------------------------------------


@every_method
@pytest.mark.parametrize("name", ["small_cnn", "mnist_cnn", "mnist_mlp"])
def test_every_method_equals_torch(method, name):
    for seed in range(3 if name == "small_cnn" else 1):
        model = build(name, seed, "float64")
        theirs = networks.build(name, model.state_dict(), "float64")
        x, target = example(name)
        want = getattr(reference, method.__name__)(theirs, torch.tensor(x), torch.tensor(target))
        close(method(model, x, target), want)


@pytest.mark.parametrize("method", METHODS[:4], ids=lambda m: m.__name__)
def test_a_photograph_equals_torch(method):
    """EfficientNet-Lite0: ReLU6, residual sums, an average, depthwise convolutions."""
    model = build("efficientnet_lite0", dtype="float64")
    theirs = networks.build("efficientnet_lite0", model.state_dict(), "float64")
    x = preprocess(photo("farm_animals_dog").image, 64).astype(float)
    want = getattr(reference, method.__name__)(theirs, torch.tensor(x), torch.tensor([235]))
    close(method(model, x, 235), want, 1e-7)


@pytest.mark.filterwarnings("ignore:Setting backward hooks")
@pytest.mark.parametrize(("name", "layer"), [("small_cnn", "4"), ("mnist_cnn", "relu2")])
def test_guided_grad_cam_equals_torch_and_captum(name, layer):
    model = build(name, 5, "float64")
    theirs = networks.build(name, model.state_dict(), "float64")
    x, target = example(name)
    tx, tt = torch.tensor(x), torch.tensor(target)
    ours = rules.guided_grad_cam(model, x, target, layer)
    close(ours, reference.guided_grad_cam(theirs, tx, tt, layer))
    method = captum.GuidedGradCam(theirs, theirs.get_submodule(layer))
    close(ours, method.attribute(tx.requires_grad_(), tt, interpolate_mode="bilinear"))


# --- Against captum, whether a ReLU is a module or a function -------------------------------


class Ours(Module):
    """Convolution, ReLU, linear layer, ReLU, linear layer; the ReLUs are function calls."""

    def __init__(self, rng: np.random.Generator, bias: bool) -> None:
        self.conv = Conv2d(2, 5, 3, padding=1, bias=bias, rng=rng)
        self.fc1 = Linear(5 * 6 * 4, 12, bias=bias, rng=rng)
        self.fc2 = Linear(12, 4, bias=bias, rng=rng)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(relu(self.fc1(relu(self.conv(x)).flatten(1))))


class Theirs(nn.Module):
    def __init__(self, bias: bool, functional: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 5, 3, padding=1, bias=bias)
        self.fc1 = nn.Linear(5 * 6 * 4, 12, bias=bias)
        self.fc2 = nn.Linear(12, 4, bias=bias)
        self.functional = functional
        if not functional:
            self.relu1, self.relu2 = nn.ReLU(), nn.ReLU()

    def forward(self, x):
        if self.functional:
            return self.fc2(functional.relu(self.fc1(functional.relu(self.conv(x)).flatten(1))))
        return self.fc2(self.relu2(self.fc1(self.relu1(self.conv(x)).flatten(1))))


def pair(seed: int, functional: bool = False, bias: bool = True):
    rng = np.random.default_rng(seed)
    ours = Ours(rng, bias).to(np.float64)
    for p in ours.parameters():
        p.data += 0.1 * rng.normal(size=p.shape)  # biases that are not zero
    theirs = Theirs(bias, functional).double()
    theirs.load_state_dict({k: torch.tensor(v) for k, v in ours.state_dict().items()})
    return ours, theirs, rng.normal(size=(3, 2, 6, 4)), np.array([1, 3, 2])


CAPTUM = {
    rules.guided_backprop: "GuidedBackprop",
    rules.deconvnet: "Deconvolution",
}


@pytest.mark.filterwarnings("ignore:Setting backward hooks")
@pytest.mark.parametrize("method", CAPTUM, ids=lambda m: m.__name__)
@pytest.mark.parametrize("seed", range(4))
def test_captum_agrees_where_relus_are_modules(method, seed):
    ours, theirs, x, target = pair(seed)
    tx, tt = torch.tensor(x, requires_grad=True), torch.tensor(target)
    want = getattr(captum, CAPTUM[method])(theirs).attribute(tx, tt)
    close(method(ours, x, target), want)
    assert np.abs(method(ours, x, target) - gradient(ours, x, target)).max() > 0.01


@pytest.mark.filterwarnings("ignore:Setting backward hooks")
@pytest.mark.parametrize("method", CAPTUM, ids=lambda m: m.__name__)
def test_captum_returns_the_plain_gradient_where_relus_are_functions_and_we_do_not(method):
    ours, functional, x, target = pair(7, functional=True)
    _, modules, *_ = pair(7)
    tx, tt = torch.tensor(x, requires_grad=True), torch.tensor(target)
    silent = getattr(captum, CAPTUM[method])(functional).attribute(tx, tt)
    close(gradient(ours, x, target), silent)
    close(method(ours, x, target), getattr(captum, CAPTUM[method])(modules).attribute(tx, tt))
    twin = getattr(reference, method.__name__)
    for theirs in (functional, modules):  # our Torch twin catches both
        close(method(ours, x, target), twin(theirs, torch.tensor(x), tt))


@pytest.mark.parametrize("seed", range(3))
def test_lrp_equals_captum_on_networks_without_biases(seed):
    """captum adds the bias to the positive part as it is, however negative; we clamp it."""
    from captum.attr._utils.lrp_rules import Alpha1_Beta0_Rule, EpsilonRule

    for method, rule in [
        (rules.lrp_epsilon, lambda: EpsilonRule(1e-6)),
        (rules.lrp_alpha1_beta0, Alpha1_Beta0_Rule),
    ]:
        ours, theirs, x, target = pair(seed, bias=False)
        x = np.abs(x)  # captum's rule leaves out products of two negative factors
        for layer in (theirs.conv, theirs.fc1, theirs.fc2):
            layer.rule = rule()
        tx, tt = torch.tensor(x, requires_grad=True), torch.tensor(target)
        close(method(ours, x, target), captum.LRP(theirs).attribute(tx, tt), 1e-4)


# --- Identities ---------------------------------------------------------------------------


def logits(model, x: np.ndarray) -> np.ndarray:
    with no_grad():
        return model(Tensor(x)).data


def test_lrp_epsilon_is_gradient_times_input_when_epsilon_is_small():
    """Also with biases and max-pooling (Ancona et al. 2018, proposition 1)."""
    model = build("mnist_cnn", dtype="float64")
    x, target = example("mnist_cnn")
    product = gradient_times_input(model, x, target)
    small = rules.lrp_epsilon(model, x, target, 1e-12)
    np.testing.assert_allclose(small, product, atol=1e-7 * np.abs(product).max())
    large = rules.lrp_epsilon(model, x, target, 1.0)
    assert np.abs(large).sum() < 0.9 * np.abs(product).sum()


def test_without_biases_relevance_is_conserved():
    ours, _, x, target = pair(2, bias=False)
    score = logits(ours, x)[np.arange(3), target]
    for method in (rules.lrp_epsilon, rules.lrp_alpha1_beta0):
        total = method(ours, x, target).sum(axis=(1, 2, 3))
        np.testing.assert_allclose(total, score, rtol=1e-4)


def test_alpha1_beta0_has_the_sign_of_the_logit():
    model = build("mnist_cnn")
    x = mnist().x_test[:20]
    z = logits(model, x)
    for target in (z.argmax(axis=1), z.argmin(axis=1)):
        r = rules.lrp_alpha1_beta0(model, x, target)
        sign = np.sign(z[np.arange(20), target]).reshape(-1, 1, 1, 1)
        assert (r * sign >= 0).all()
        assert np.abs(r).max() > 0


def test_relu_rules_by_hand():
    g = np.array([2.0, -3, 4, -5, 6])
    x = np.array([1.0, 1, -1, -1, 0])
    assert rules.guided_relu(g, np.maximum(x, 0), x).tolist() == [2, 0, 0, 0, 0]
    assert rules.deconvnet_relu(g, np.maximum(x, 0), x).tolist() == [2, 0, 4, 0, 6]


def test_guided_backprop_by_hand():
    model = build("hand", dtype="float64")
    x = np.array([[[[3.0, 1.0]], [[1.0, 2.0]]]])
    # Both units are on. S_1 = 3 h_1 - 2 h_2 hands 3 to the first and -2 to the second.
    assert rules.guided_backprop(model, x, 1).ravel().tolist() == [3, -3, 6, 0]
    # At (1, 2, -1, 3) the first is off: guided backpropagation has nothing left, DeconvNet has.
    x = np.array([[[[1.0, 2.0]], [[-1.0, 3.0]]]])
    assert not rules.guided_backprop(model, x, 1).any()
    assert rules.deconvnet(model, x, 1).ravel().tolist() == [3, -3, 6, 0]


def test_competition_by_hand():
    model = build("hand", dtype="float64")
    x = np.array([[[[3.0, 1.0]], [[1.0, 2.0]]]])
    # Gradient times input of the three labels: (3, 1, 3, 2), (9, -7, 4, -4), (-3, 5, 0, 4).
    labels = [rules.competitive_gradients(model, x, c).ravel().tolist() for c in range(3)]
    assert labels == [[0, 0, 0, 0], [9, -7, 4, -4], [-3, 5, 0, 4]]


def test_of_each_pixel_two_labels_keep_something_at_most():
    model = build("mnist_cnn")
    x = mnist().x_test[:3]
    kept = np.stack([rules.competitive_gradients(model, x, c) for c in range(10)])
    assert ((kept > 0).sum(axis=0) <= 1).all()
    assert ((kept < 0).sum(axis=0) <= 1).all()
    assert (kept != 0).sum() > 300


def test_edges_equal_scipy_and_ask_no_network():
    ndimage = pytest.importorskip("scipy.ndimage")
    x = RNG.normal(size=(2, 3, 8, 6))
    want = np.array(
        [[np.hypot(*(ndimage.sobel(m, a, mode="nearest") for a in (0, 1))) for m in n] for n in x]
    )

    def never(inputs: Tensor) -> Tensor:
        raise AssertionError

    np.testing.assert_allclose(rules.edge_detector(never, x, 0), want, atol=1e-12)


# --- Manners ------------------------------------------------------------------------------


@every_method
def test_bad_input_gets_one_clear_sentence(method):
    with pytest.raises(TypeError, match="x must be a NumPy array"):
        method(build("small_cnn"), "digit", 1)
    with pytest.raises(ValueError, match="target must be"):
        method(build("small_cnn"), np.zeros((2, 3, 8, 6)), np.array([1, 2, 3]))


def test_epsilon_has_to_be_positive():
    with pytest.raises(ValueError, match="epsilon must be positive, got 0"):
        rules.lrp_epsilon(build("small_cnn"), np.zeros((1, 3, 8, 6)), 1, 0)


@every_method
def test_rules_end_with_the_call(method):
    model, (x, target) = build("small_cnn", 1, "float64"), example("small_cnn")
    before = gradient(model, x, target)
    method(model, x, target)
    assert np.array_equal(gradient(model, x, target), before)
