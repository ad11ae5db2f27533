"""Layers, optimisers and the training loop are Torch's, step by step."""

import numpy as np
import pytest
import torch

from course import nn, progress
from course.autograd import Tensor, cross_entropy, grad

LAYERS = {
    "linear": (nn.Linear(5, 3), torch.nn.Linear(5, 3), (4, 5)),
    "linear without bias": (
        nn.Linear(5, 3, bias=False),
        torch.nn.Linear(5, 3, bias=False),
        (4, 2, 5),
    ),
    "conv": (nn.Conv2d(3, 4, 3), torch.nn.Conv2d(3, 4, 3), (2, 3, 6, 5)),
    "strided conv": (
        nn.Conv2d(3, 4, 3, stride=2, padding=1),
        torch.nn.Conv2d(3, 4, 3, stride=2, padding=1),
        (2, 3, 7, 5),
    ),
    "grouped conv": (
        nn.Conv2d(4, 6, 3, groups=2),
        torch.nn.Conv2d(4, 6, 3, groups=2),
        (2, 4, 5, 6),
    ),
    "depthwise conv": (
        nn.Conv2d(4, 4, 5, padding=2, groups=4, bias=False),
        torch.nn.Conv2d(4, 4, 5, padding=2, groups=4, bias=False),
        (2, 4, 6, 5),
    ),
    "conv1d": (nn.Conv1d(3, 4, 3, padding=1), torch.nn.Conv1d(3, 4, 3, padding=1), (2, 3, 6)),
    "valid conv1d without bias": (
        nn.Conv1d(3, 4, 2, bias=False),
        torch.nn.Conv1d(3, 4, 2, bias=False),
        (2, 3, 6),
    ),
    "layer_norm": (nn.LayerNorm(5), torch.nn.LayerNorm(5), (2, 3, 5)),
    "layer_norm with BERT's eps": (
        nn.LayerNorm(5, eps=1e-12),
        torch.nn.LayerNorm(5, eps=1e-12),
        (4, 5),
    ),
    "gelu": (nn.GELU(), torch.nn.GELU(), (4, 5)),
    "softmax": (nn.Softmax(), torch.nn.Softmax(dim=-1), (2, 4, 5)),
    "relu": (nn.ReLU(), torch.nn.ReLU(), (4, 5)),
    "relu6": (nn.ReLU6(), torch.nn.ReLU6(), (4, 5)),
    "max_pool": (nn.MaxPool2d(2), torch.nn.MaxPool2d(2), (2, 3, 6, 5)),
    "overlapping max_pool": (
        nn.MaxPool2d(3, stride=2, padding=1),
        torch.nn.MaxPool2d(3, stride=2, padding=1),
        (2, 3, 7, 6),
    ),
    "flatten": (nn.Flatten(), torch.nn.Flatten(), (2, 3, 4, 5)),
}


def torch_state(model):
    return {name: torch.tensor(value) for name, value in model.state_dict().items()}


def two_layers(seed=0):
    """A small network with a convolution, in float64, and Torch's copy of it."""
    rng = np.random.default_rng(seed)
    ours = nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1, rng=rng),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(12, 4, rng=rng),
    ).to(np.float64)
    theirs = torch.nn.Sequential(
        torch.nn.Conv2d(2, 3, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.Flatten(),
        torch.nn.Linear(12, 4),
    ).double()
    theirs.load_state_dict(torch_state(ours))
    return ours, theirs


def examples(n, seed=1):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 2, 4, 4)), rng.integers(0, 4, n)


def assert_same_parameters(ours, theirs, rtol=1e-12):
    expected = theirs.state_dict()
    assert list(ours.state_dict()) == list(expected)
    for name, value in ours.state_dict().items():
        np.testing.assert_allclose(value, expected[name].numpy(), rtol=rtol, atol=1e-12)


@pytest.mark.parametrize("name", LAYERS)
def test_layer_and_its_gradients_equal_torch(name):
    layer, twin, shape = LAYERS[name]
    layer.to(np.float64)
    for p in layer.parameters():  # biases start at zero, factors at one: these would hide mistakes
        p.data = p.data + np.random.default_rng(3).normal(size=p.shape)
    twin.double().load_state_dict(torch_state(layer))
    values = np.random.default_rng(2).normal(scale=4, size=shape)
    x, x_torch = Tensor(values, requires_grad=True), torch.tensor(values, requires_grad=True)
    y, y_torch = layer(x), twin(x_torch)
    np.testing.assert_allclose(y.data, y_torch.detach().numpy(), rtol=1e-12, atol=1e-12)
    layer.zero_grad()
    twin.zero_grad()
    (y * y).sum().backward()
    (y_torch * y_torch).sum().backward()
    np.testing.assert_allclose(x.grad, x_torch.grad.numpy(), rtol=1e-11, atol=1e-11)
    for ours, theirs in zip(layer.parameters(), twin.parameters(), strict=True):
        np.testing.assert_allclose(ours.grad, theirs.grad.numpy(), rtol=1e-11, atol=1e-11)


def test_batch_norm_equals_torch_while_it_trains_and_afterwards():
    rng = np.random.default_rng(0)
    layer = nn.BatchNorm2d(3, eps=1e-3, momentum=0.2).to(np.float64)
    twin = torch.nn.BatchNorm2d(3, eps=1e-3, momentum=0.2).double()
    layer.weight.data, layer.bias.data = rng.normal(size=(2, 3))
    state = {**torch_state(layer), "num_batches_tracked": torch.tensor(0)}
    assert set(state) == set(twin.state_dict())
    twin.load_state_dict(state)
    for training in (True, True, False):
        layer.train(training)
        twin.train(training)
        values = rng.normal(2, 3, size=(4, 3, 5, 2))
        x, x_torch = Tensor(values, requires_grad=True), torch.tensor(values, requires_grad=True)
        layer.zero_grad()
        twin.zero_grad()
        y, y_torch = layer(x), twin(x_torch)
        (y * y * y).sum().backward()
        (y_torch**3).sum().backward()
        np.testing.assert_allclose(y.data, y_torch.detach().numpy(), rtol=1e-11, atol=1e-11)
        np.testing.assert_allclose(x.grad, x_torch.grad.numpy(), rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(layer.weight.grad, twin.weight.grad.numpy(), rtol=1e-9)
        np.testing.assert_allclose(layer.bias.grad, twin.bias.grad.numpy(), rtol=1e-9)
        expected = twin.state_dict()
        for name, value in layer.state_dict().items():
            np.testing.assert_allclose(value, expected[name].numpy(), rtol=1e-12)


def test_fit_trains_in_training_mode_and_leaves_it():
    model = nn.Sequential(nn.Conv2d(2, 4, 4), nn.BatchNorm2d(4), nn.Flatten())
    assert not model[1].training
    x, y = examples(8)
    nn.fit(model, x, y, nn.SGD(model.parameters(), 0.1), 1, 4, np.random.default_rng(0))
    assert not model[1].training
    assert (model[1].running_mean.data != 0).all()
    model[1].reset_parameters(np.random.default_rng(0))
    for name, value in model[1].state_dict().items():
        assert (value == (name in ("weight", "running_var"))).all()


def test_embedding_and_its_gradient_equal_torch():
    layer, twin = nn.Embedding(7, 4).to(np.float64), torch.nn.Embedding(7, 4).double()
    twin.load_state_dict(torch_state(layer))
    ids, seed = np.array([[3, 0, 3], [6, 3, 1]]), np.random.default_rng(0).normal(size=(2, 3, 4))
    y, y_torch = layer(ids), twin(torch.tensor(ids))
    np.testing.assert_array_equal(y.data, y_torch.detach().numpy())
    y.backward(seed)
    y_torch.backward(torch.tensor(seed))
    np.testing.assert_allclose(layer.weight.grad, twin.weight.grad.numpy(), rtol=1e-12)


def attention_pair(seed=0):
    """Our layer and Torch's, with the same random weights and biases, in float64."""
    rng = np.random.default_rng(seed)
    layer = nn.MultiHeadAttention(12, 3, rng).to(np.float64)
    layer.in_proj_bias.data = rng.normal(size=36)
    layer.out_proj.bias.data = rng.normal(size=12)
    twin = torch.nn.MultiheadAttention(12, 3, batch_first=True).double()
    twin.load_state_dict(torch_state(layer))
    return layer, twin


MASK = np.array([[True] * 5, [True, True, True, False, False]])


@pytest.mark.parametrize("mask", [None, MASK, np.tril(np.ones((5, 5), bool))])
def test_attention_its_weights_and_gradients_equal_torch(mask):
    layer, twin = attention_pair()
    values = np.random.default_rng(1).normal(size=(2, 5, 12))
    x, x_torch = Tensor(values, requires_grad=True), torch.tensor(values, requires_grad=True)
    hidden = {}  # Torch's masks say where nobody may look
    if mask is not None and len(mask) == 2:
        hidden, mask = {"key_padding_mask": torch.tensor(~mask)}, mask[:, None, None]
    elif mask is not None:
        hidden = {"attn_mask": torch.tensor(~mask)}
    with nn.capturing(layer, ["weights"]) as captured:
        y = layer(x, mask)
    y_torch, weights = twin(x_torch, x_torch, x_torch, average_attn_weights=False, **hidden)
    np.testing.assert_allclose(y.data, y_torch.detach().numpy(), rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(captured["weights"].data, weights.detach().numpy(), atol=1e-12)
    seed = np.random.default_rng(2).normal(size=y.shape)
    y.backward(seed)
    y_torch.backward(torch.tensor(seed))
    np.testing.assert_allclose(x.grad, x_torch.grad.numpy(), rtol=1e-9, atol=1e-11)
    for ours, theirs in zip(layer.parameters(), twin.parameters(), strict=True):
        np.testing.assert_allclose(ours.grad, theirs.grad.numpy(), rtol=1e-9, atol=1e-11)


def test_gradient_with_respect_to_attention_is_the_derivative():
    """Each weight was moved by itself; the output is linear in them, so a step of one is exact."""
    layer, _ = attention_pair()
    x = Tensor(np.random.default_rng(1).normal(size=(1, 4, 12)))
    y, captured = nn.capture(layer, x, ["weights"])
    seed = np.random.default_rng(2).normal(size=y.shape)
    found = grad((y * Tensor(seed)).sum(), captured["weights"])
    assert (np.abs(found) > 1e-6).all()
    layer.weights = moved = Shift()
    base = (layer(x).data * seed).sum()
    for index in ((0, 0, 1, 2), (0, 2, 3, 3)):
        moved.index = index
        assert (layer(x).data * seed).sum() - base == pytest.approx(found[index], rel=1e-9)


class Shift(nn.Softmax):
    """Attention with one weight raised by 1: what an intervention on a head looks like."""

    index = None

    def forward(self, x):
        weights = super().forward(x)
        if self.index:
            weights.data[self.index] += 1
        return weights


@pytest.mark.parametrize("padded", [False, True])
def test_transformer_block_and_its_gradients_equal_torch(padded):
    rng = np.random.default_rng(0)
    layer = nn.TransformerBlock(12, 3, 20, layer_norm_eps=1e-6, rng=rng).to(np.float64)
    for p in layer.parameters():
        p.data = p.data + rng.normal(scale=0.2, size=p.shape)
    twin = torch.nn.TransformerEncoderLayer(
        12, 3, 20, dropout=0, activation="gelu", layer_norm_eps=1e-6, batch_first=True
    ).double()
    assert list(layer.state_dict()) == list(twin.state_dict())
    twin.load_state_dict(torch_state(layer))
    values, seed = rng.normal(size=(2, 2, 5, 12))
    x, x_torch = Tensor(values, requires_grad=True), torch.tensor(values, requires_grad=True)
    y = layer(x, MASK[:, None, None] if padded else None)
    y_torch = twin(x_torch, src_key_padding_mask=torch.tensor(~MASK) if padded else None)
    np.testing.assert_allclose(y.data, y_torch.detach().numpy(), rtol=1e-9, atol=1e-10)
    y.backward(seed)
    y_torch.backward(torch.tensor(seed))
    np.testing.assert_allclose(x.grad, x_torch.grad.numpy(), rtol=1e-9, atol=1e-10)
    for ours, theirs in zip(layer.parameters(), twin.parameters(), strict=True):
        np.testing.assert_allclose(ours.grad, theirs.grad.numpy(), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nn.MultiHeadAttention(12, 5), "num_heads must divide embed_dim, got num_heads=5"),
        (
            lambda: nn.MultiHeadAttention(12, 3)(Tensor(np.ones((2, 5, 8)))),
            r"sequences \(N, T, 12\), got shape \(2, 5, 8\)",
        ),
        (
            lambda: nn.BatchNorm2d(3)(Tensor(np.ones((2, 3)))),
            r"images \(N, C, H, W\), got shape \(2, 3\)",
        ),
        (
            lambda: nn.BatchNorm2d(3).train()(Tensor(np.ones((1, 3, 1, 1)))),
            r"two numbers a channel, got shape \(1, 3, 1, 1\)",
        ),
    ],
)
def test_errors_of_normalisation_and_attention(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (lambda p: nn.SGD(p, lr=0.1), lambda p: torch.optim.SGD(p, lr=0.1)),
        (
            lambda p: nn.SGD(p, lr=0.05, momentum=0.9),
            lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9),
        ),
        (lambda p: nn.Adam(p, lr=0.01), lambda p: torch.optim.Adam(p, lr=0.01)),
        (
            lambda p: nn.Adam(p, lr=0.01, betas=(0.5, 0.9), eps=1e-3),
            lambda p: torch.optim.Adam(p, lr=0.01, betas=(0.5, 0.9), eps=1e-3),
        ),
    ],
    ids=["SGD", "momentum", "Adam", "Adam with other options"],
)
def test_optimiser_equals_torch_step_by_step(ours, theirs):
    model, twin = two_layers()
    optimizer, twin_optimizer = ours(model.parameters()), theirs(twin.parameters())
    x, y = examples(16)
    for step in range(12):
        if step == 6:
            optimizer.lr /= 10
            twin_optimizer.param_groups[0]["lr"] /= 10
        loss = cross_entropy(model(Tensor(x)), y)
        twin_loss = torch.nn.functional.cross_entropy(twin(torch.tensor(x)), torch.tensor(y))
        assert loss.item() == pytest.approx(twin_loss.item(), rel=1e-12)
        for each, value in ((optimizer, loss), (twin_optimizer, twin_loss)):
            each.zero_grad()
            value.backward()
            each.step()
        assert_same_parameters(model, twin, rtol=1e-9)


def test_optimiser_leaves_parameters_without_a_gradient_alone():
    used, unused = Tensor(np.ones(2), requires_grad=True), Tensor(np.ones(2), requires_grad=True)
    optimizer = nn.SGD([used, unused], lr=0.5)
    used.sum().backward()
    optimizer.step()
    assert used.data.tolist() == [0.5, 0.5]
    assert unused.data.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("params", "lr", "message"),
    [([], 0.1, "params must hold at least one"), ([Tensor(1.0)], 0, "lr must be positive, got 0")],
)
def test_optimiser_errors(params, lr, message):
    with pytest.raises(ValueError, match=message):
        nn.Adam(params, lr)


def test_fit_equals_a_loop_in_torch():
    model, twin = two_layers()
    x, y = examples(22)

    def mirrored(batch, rng):
        return batch[..., ::-1] if rng.random() < 0.5 else batch

    losses = nn.fit(
        model, x, y, nn.Adam(model.parameters(), 0.01), 3, 8, np.random.default_rng(7), mirrored
    )
    rng, optimizer, expected = (
        np.random.default_rng(7),
        torch.optim.Adam(twin.parameters(), 0.01),
        [],
    )
    for _ in range(3):
        order, total = rng.permutation(22), 0.0
        for batch in (order[:8], order[8:16], order[16:]):
            inputs = torch.tensor(mirrored(x[batch], rng).copy())
            loss = torch.nn.functional.cross_entropy(twin(inputs), torch.tensor(y[batch]))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(batch)
        expected.append(total / 22)
    assert losses == pytest.approx(expected, rel=1e-9)
    assert_same_parameters(model, twin, rtol=1e-9)


def test_accuracy_counts_right_answers():
    logits = np.eye(4)[[0, 1, 2, 3, 0]]
    labels = np.array([0, 1, 2, 0, 1])
    assert nn.accuracy(nn.Flatten(), logits, labels) == 3 / 5
    assert nn.accuracy(nn.Flatten(), logits, labels, batch_size=2) == 3 / 5


@pytest.mark.parametrize("y", [np.zeros(3, int), np.zeros((4, 1), int)])
def test_examples_and_classes_must_pair_up(y):
    model, _ = two_layers()
    x, _ = examples(4)
    with pytest.raises(ValueError, match="one class for each of 4 inputs"):
        nn.accuracy(model, x, y)
    with pytest.raises(ValueError, match="one class for each of 4 inputs"):
        nn.fit(model, x, y, nn.SGD(model.parameters(), 0.1), 1, 2, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("terminal", "patience", "shown"), [(True, 0, True), (True, 60, False), (False, 0, False)]
)
def test_progress_shows_on_a_terminal_when_it_takes_long(
    terminal, patience, shown, monkeypatch, capsys
):
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    if terminal:
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(progress, "PATIENCE", patience)
    model, _ = two_layers()
    x, y = examples(8)
    nn.fit(model, x, y, nn.SGD(model.parameters(), 0.1), 2, 4, np.random.default_rng(0))
    output = capsys.readouterr().out
    if shown:
        assert "loss" in output
        assert "accuracy" in output
    else:
        assert output == ""


def test_state_dict_round_trip(tmp_path):
    model, _ = two_layers(0)
    other, _ = two_layers(1)
    x, _ = examples(3)
    assert np.abs(model(Tensor(x)).data - other(Tensor(x)).data).max() > 0.1
    model.save(tmp_path / "weights.npz")
    np.testing.assert_array_equal(
        other.load(tmp_path / "weights.npz")(Tensor(x)).data, model(Tensor(x)).data
    )
    model.save(tmp_path / "half.npz", dtype=np.float16)
    other.load(tmp_path / "half.npz")
    for ours, theirs in zip(model.parameters(), other.parameters(), strict=True):
        assert theirs.dtype == np.float64
        np.testing.assert_allclose(theirs.data, ours.data, rtol=2**-11, atol=1e-7)


def test_state_dict_is_a_copy():
    model, _ = two_layers()
    state = model.state_dict()
    state["0.weight"][:] = 7
    assert not (model.state_dict()["0.weight"] == 7).any()
    model.load_state_dict(state)
    state["0.weight"][:] = 8
    assert (model.state_dict()["0.weight"] == 7).all()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda s: s.pop("4.bias"), KeyError, "state lacks 4.bias"),
        (lambda s: s.update(more=np.ones(1)), KeyError, "state has more, which the model has not"),
        (
            lambda s: s.update({"4.bias": np.ones(5)}),
            ValueError,
            r"4.bias is \(4,\) in the model, \(5,\) in the state",
        ),
    ],
)
def test_load_state_dict_errors_change_nothing(change, error, message):
    model, _ = two_layers()
    before = model.state_dict()
    state = {name: value + 1 for name, value in before.items()}
    change(state)
    with pytest.raises(error, match=message):
        model.load_state_dict(state)
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_to_converts_parameters_and_results():
    model, _ = two_layers()
    x, _ = examples(2)
    assert model(Tensor(x)).dtype == np.float64
    assert model.to(np.float32) is model
    assert {p.dtype for p in model.parameters()} == {np.dtype(np.float32)}
    assert model(Tensor(x.astype(np.float32))).dtype == np.float32
    with pytest.raises(TypeError, match="dtype must be a floating-point type, got int64"):
        model.to(np.int64)


def test_kaiming_uniform_is_torchs():
    """Same bounds: Torch's numbers and ours fill the same interval, evenly."""
    shape = (64, 16, 5, 5)
    ours = nn.kaiming_uniform(shape, np.random.default_rng(0))
    theirs = torch.nn.init.kaiming_uniform_(torch.empty(shape), nonlinearity="relu").numpy()
    assert ours.dtype == np.float32
    assert ours.var() == pytest.approx(2 / (16 * 5 * 5), rel=0.03)
    for quantile in (0, 0.25, 0.75, 1):
        assert np.quantile(ours, quantile) == pytest.approx(np.quantile(theirs, quantile), rel=0.05)


def test_xavier_uniform_is_torchs():
    ours = nn.xavier_uniform((300, 100), np.random.default_rng(0))
    theirs = torch.nn.init.xavier_uniform_(torch.empty(300, 100)).numpy()
    assert ours.dtype == np.float32
    assert ours.var() == pytest.approx(2 / (300 + 100), rel=0.03)
    for quantile in (0, 0.25, 0.75, 1):
        assert np.quantile(ours, quantile) == pytest.approx(np.quantile(theirs, quantile), rel=0.05)


def test_reset_parameters_draws_from_the_generator():
    layer = nn.Linear(4, 3, rng=np.random.default_rng(5)).to(np.float64)
    first = layer.weight.data
    layer.bias.data += 1
    layer.reset_parameters(np.random.default_rng(6))
    assert not np.isclose(layer.weight.data, first).any()
    assert layer.weight.dtype == np.float64
    assert (layer.bias.data == 0).all()
    layer.reset_parameters(np.random.default_rng(5))
    np.testing.assert_array_equal(layer.weight.data, first)


def test_conv_errors():
    with pytest.raises(ValueError, match="groups=2 for 3 and 4"):
        nn.Conv2d(3, 4, 3, groups=2)


def test_module_without_forward():
    with pytest.raises(NotImplementedError, match="Module defines no forward"):
        nn.Module()(Tensor(1.0))


def test_shared_modules_and_parameters_come_once():
    layer = nn.Linear(2, 2)
    model = nn.Sequential(layer, nn.ReLU(), layer)
    twin_layer = torch.nn.Linear(2, 2)
    twin = torch.nn.Sequential(twin_layer, torch.nn.ReLU(), twin_layer)
    for names in ("named_modules", "named_parameters"):
        assert [n for n, _ in getattr(model, names)()] == [n for n, _ in getattr(twin, names)()]


@pytest.mark.parametrize("layer", ["0", "2"])
def test_gradient_at_a_captured_layer_equals_torch(layer):
    model, twin = two_layers()
    x, _ = examples(3)
    output, captured = nn.capture(model, Tensor(x), [layer])
    kept = []
    hook = twin[int(layer)].register_forward_hook(lambda module, inputs, out: kept.append(out))
    expected = torch.autograd.grad(twin(torch.tensor(x))[:, 2].sum(), kept)[0]
    hook.remove()
    np.testing.assert_allclose(captured[layer].data, kept[0].detach().numpy(), atol=1e-12)
    ours = grad(output[:, 2].sum(), captured[layer])
    np.testing.assert_allclose(ours, expected.numpy(), atol=1e-12)
    assert np.abs(ours).max() > 0.01


def test_a_layer_used_twice_is_captured_at_its_last_call():
    class Twice(nn.Module):
        def __init__(self):
            self.half = nn.Linear(1, 1, bias=False)
            self.half.weight.data = np.array([[0.5]])

        def forward(self, x):
            return self.half(self.half(x))

    output, captured = nn.capture(Twice(), Tensor(np.array([[8.0]])), ["half"])
    assert captured["half"] is output
    assert output.item() == 2


def test_capture_by_an_unknown_name():
    model, _ = two_layers()
    with pytest.raises(KeyError, match="no layer is called 'conv9'; the model has 0, 1, 2, 3, 4"):
        nn.capture(model, Tensor(np.ones((1, 2, 4, 4))), ["conv9"])


def test_capturing_ends_with_its_block():
    model, _ = two_layers()
    x = Tensor(examples(1)[0])
    with pytest.raises(RuntimeError, match="stop"), nn.capturing(model, ["1"]) as outputs:
        raise RuntimeError("stop")
    model(x)
    assert outputs == {}
