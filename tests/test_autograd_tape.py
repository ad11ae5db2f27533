"""The tape itself: what is recorded, what is freed, which rules apply, and what is refused."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as TF

from course import autograd as F
from course.autograd import Tensor, grad, no_grad, rule

RNG = np.random.default_rng(0)


def leaf(*shape: int) -> Tensor:
    return Tensor(RNG.normal(size=shape), requires_grad=True)


# --- gradients: of what, and where they are left ------------------------------------------------


def test_backward_fills_grad_of_leaves_and_adds_up() -> None:
    x, w = leaf(3, 2), leaf(4, 2)
    F.linear(x, w).sum().backward()
    once = w.grad.copy()
    F.linear(x, w).sum().backward()
    assert w.grad == pytest.approx(2 * once)
    assert once == pytest.approx(np.broadcast_to(x.data.sum(0), (4, 2)))


def test_grad_leaves_no_grad_behind() -> None:
    x, w = leaf(3, 2), leaf(4, 2)
    grad(F.linear(x, w).sum(), x)
    assert x.grad is None
    assert w.grad is None


def test_grad_at_a_hidden_layer() -> None:
    x = leaf(3)
    hidden = x * 2
    assert grad((hidden**2).sum(), hidden) == pytest.approx(2 * hidden.data)


def test_grad_of_several_inputs_one_inside_the_other() -> None:
    x = leaf(3)
    hidden = x * 2
    g_hidden, g_x = grad((hidden**2).sum(), [hidden, x])
    assert g_hidden == pytest.approx(4 * x.data)
    assert g_x == pytest.approx(8 * x.data)


def test_an_input_that_plays_no_part_has_gradient_zero() -> None:
    x, unused = leaf(3), leaf(2, 2)
    assert (grad((x + 0 * x).sum(), unused) == 0).all()


def test_a_seed_weighs_the_outputs() -> None:
    x, seed = leaf(3), np.array([1.0, -2.0, 0.5])
    assert grad(x * x, x, seed) == pytest.approx(2 * x.data * seed)


def test_the_callers_array_is_their_own() -> None:
    x, seed = leaf(3), np.ones(3)
    g = grad(x + 0, x, seed)
    g += 1
    assert seed.tolist() == [1, 1, 1]


def test_parameters_that_were_not_asked_for_cost_nothing(monkeypatch: Any) -> None:
    def refuse(*args: Any, **options: Any) -> np.ndarray:
        raise AssertionError("a parameter gradient was computed")

    for op in ("conv2d", "linear"):
        first, *others = F.VJP[op]
        monkeypatch.setitem(F.VJP, op, (first, *[refuse] * len(others)))
    x, kernel, b, w = leaf(2, 1, 4, 4), leaf(3, 1, 3, 3), leaf(3), leaf(5, 12)
    y = F.linear(F.conv2d(x, kernel, b).relu().flatten(1), w).sum()
    assert grad(y, x, retain_graph=True).shape == x.shape
    with pytest.raises(AssertionError, match="parameter gradient"):
        grad(y, w)


def test_branches_that_lead_nowhere_are_not_walked(monkeypatch: Any) -> None:
    x, other = leaf(3), leaf(3)
    y = (x * 2 + other.exp()).sum()
    monkeypatch.setitem(F.VJP, "exp", (lambda *_: pytest.fail("walked"),))
    assert grad(y, x).tolist() == [2, 2, 2]


def test_no_grad_records_nothing_and_ends() -> None:
    x = leaf(3)
    with suppress(KeyError), no_grad():
        assert (x * 2).node is None
        raise KeyError
    assert (x * 2).node is not None
    assert x.detach().requires_grad is False


# --- memory and depth ---------------------------------------------------------------------------


def test_no_reference_cycle_keeps_a_graph_alive() -> None:
    gc.collect()
    gc.disable()
    try:
        x = leaf(2, 3)
        hidden = (x * 2).relu()
        alive = weakref.ref(hidden)
        y = F.softmax(hidden).sum()
        grad(y, x, retain_graph=True)
        del hidden, y
        assert alive() is None
    finally:
        gc.enable()


def test_backward_frees_the_activations_that_it_has_used() -> None:
    x = leaf(2, 3)
    hidden = (x * 2).relu()
    alive = weakref.ref(hidden)
    y = hidden.exp().sum()
    del hidden
    grad(y, x)
    assert alive() is None


def test_ten_thousand_operations_in_a_chain() -> None:
    x = Tensor(np.ones(1), requires_grad=True)
    y = x
    for _ in range(10_000):
        y = y + 1
    assert grad(y, x).tolist() == [1]
    y = x
    for _ in range(10_000):
        y = y + 1
    del y  # letting go of a long chain must not recurse either


def test_a_graph_that_doubles_is_walked_once_a_node() -> None:
    x = Tensor(np.ones(1), requires_grad=True)
    y = x
    for _ in range(60):  # 2^60 paths
        y = y + y
    assert grad(y, x).tolist() == [2.0**60]


def test_the_engine_imports_only_numpy() -> None:
    code = (
        "import sys, course.autograd; "
        "print(*sorted({'torch', 'matplotlib', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


# --- rules --------------------------------------------------------------------------------------


def guided(g: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Springenberg et al. 2015: pass what is positive both ways."""
    return g * (x > 0) * (g > 0)


class GuidedReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx: Any, g: torch.Tensor) -> torch.Tensor:
        return g.clamp(min=0) * (ctx.saved_tensors[0] > 0)


def test_guided_backprop_in_functional_reused_and_nested_calls() -> None:
    w = [RNG.normal(size=s) for s in ((3, 2, 3, 3), (3, 3, 3, 3), (1, 3 * 4 * 4))]
    x = RNG.normal(size=(2, 2, 4, 4))

    def network(t: Any, F: Any, relu: Any, weights: list[Any]) -> Any:
        def block(h: Any) -> Any:  # one ReLU, called from inside another function
            return relu(F.conv2d(h, weights[1], padding=1))

        h = relu(F.conv2d(t, weights[0], padding=1))
        h = relu(h - 0.1) + block(block(h))  # the same function and the same kernel again
        return F.linear(h.reshape(2, -1), weights[2]).sum()

    inputs = Tensor(x, requires_grad=True)
    y = network(inputs, F, F.relu, [Tensor(v) for v in w])
    plain = grad(y, inputs, retain_graph=True)
    with rule(relu=guided):
        ours = grad(y, inputs, retain_graph=True)
    theirs = torch.tensor(x, requires_grad=True)
    z = network(theirs, TF, GuidedReLU.apply, [torch.tensor(v) for v in w])
    z.backward()
    assert ours == pytest.approx(theirs.grad.numpy(), abs=1e-12)
    assert np.abs(ours - plain).max() > 0.1
    assert grad(y, inputs) == pytest.approx(plain)  # and afterwards the old rule is back


EPS = 0.25


def stabilised(z: Any) -> Any:
    return z + EPS * (np.where(z >= 0, 1.0, -1.0))


def lrp_linear(r: np.ndarray, y: np.ndarray, x: np.ndarray, w: np.ndarray, b: Any) -> np.ndarray:
    """Bach et al. 2015, eq. 58."""
    return x * ((r / stabilised(y)) @ w)


def lrp_conv(r: Any, y: Any, x: Any, w: Any, b: Any, **options: Any) -> np.ndarray:
    s = r / stabilised(y)
    return x * F.VJP["conv2d"][0](s, y, x, w, b, **options)


def test_lrp_epsilon_against_loops_over_every_connection() -> None:
    x, k, kb = RNG.normal(size=(1, 2, 3, 3)), RNG.normal(size=(2, 2, 2, 2)), RNG.normal(size=2)
    w, b = RNG.normal(size=(3, 8)), RNG.normal(size=3)
    inputs = Tensor(x, requires_grad=True)
    y = F.linear(F.conv2d(inputs, Tensor(k), Tensor(kb)).relu().flatten(1), Tensor(w), Tensor(b))
    with rule(relu=lambda r, y, x: r, linear=lrp_linear, conv2d=lrp_conv):
        ours = grad(y, inputs, y.data)

    z1 = np.zeros((2, 2, 2))
    for o, i, j in np.ndindex(2, 2, 2):
        z1[o, i, j] = (k[o] * x[0, :, i : i + 2, j : j + 2]).sum() + kb[o]
    a1 = np.maximum(z1, 0)
    z2 = w @ a1.ravel() + b
    r1 = np.zeros(8)
    for out in range(3):
        for i in range(8):
            r1[i] += a1.ravel()[i] * w[out, i] / stabilised(z2[out]) * z2[out]
    r0 = np.zeros((2, 3, 3))
    for o, i, j in np.ndindex(2, 2, 2):
        for c, u, v in np.ndindex(2, 2, 2):
            share = x[0, c, i + u, j + v] * k[o, c, u, v] / stabilised(z1[o, i, j])
            r0[c, i + u, j + v] += share * r1.reshape(2, 2, 2)[o, i, j]
    assert ours[0] == pytest.approx(r0, abs=1e-12)


def test_rules_nest_and_are_restored_after_an_exception() -> None:
    x = Tensor(np.array([1.0]), requires_grad=True)

    def slope() -> float:
        return float(grad((x.relu() * 1.0).sum(), x)[0])

    with rule(relu=lambda g, y, x: 2 * g):
        assert slope() == 2
        with suppress(ZeroDivisionError), rule(relu=lambda g, y, x: 3 * g):
            assert slope() == 3
            raise ZeroDivisionError
        assert slope() == 2
        with rule(mul=lambda g, y, a, b: 5 * g):
            assert slope() == 10  # both rules hold
    assert slope() == 1


def test_one_function_replaces_the_first_inputs_rule_and_a_tuple_all() -> None:
    x, w = leaf(1, 2), leaf(3, 2)
    expected = grad(F.linear(x, w).sum(), w)
    with rule(linear=lambda g, y, x, w, b: 0 * x):
        g_x, g_w = grad(F.linear(x, w).sum(), [x, w])
    assert (g_x == 0).all()
    assert g_w == pytest.approx(expected)
    with rule(linear=(lambda g, y, x, w, b: 0 * x, lambda g, y, x, w, b: 0 * w)):
        assert (grad(F.linear(x, w).sum(), w) == 0).all()


def test_a_rule_does_not_change_the_forward_pass() -> None:
    x = leaf(3)
    with rule(relu=guided):
        assert np.array_equal(x.relu().data, np.maximum(x.data, 0))


# --- errors -------------------------------------------------------------------------------------

X = Tensor(np.zeros((2, 3)), requires_grad=True)
IMAGE = Tensor(np.zeros((1, 3, 5, 4)))
KERNEL = Tensor(np.zeros((4, 3, 3, 3)))

ERRORS: dict[str, tuple[Any, type[Exception], str]] = {
    "add": (lambda: X + np.zeros((2, 4)), ValueError, r"\(2, 3\) and \(2, 4\) do not broadcast"),
    "matmul": (lambda: X @ np.zeros((4, 2)), ValueError, r"\(2, 3\) @ \(4, 2\): 3 is not 4"),
    "matmul vector": (lambda: X @ np.zeros(3), ValueError, r"matrices, got .*\(3,\)"),
    "matmul batches": (
        lambda: np.zeros((2, 4, 2, 3)) * X @ np.zeros((3, 3, 1)),
        ValueError,
        r"\(2, 4, 2, 3\) and \(3, 3, 1\) do not broadcast",
    ),
    "linear bias": (
        lambda: F.linear(X, Tensor(np.zeros((4, 3))), Tensor(np.zeros(1))),
        ValueError,
        r"bias \(1,\).*\(4, 3\)",
    ),
    "conv2d bias": (
        lambda: F.conv2d(IMAGE, KERNEL, Tensor(np.zeros(3))),
        ValueError,
        r"bias \(3,\).*\(4, 3, 3, 3\)",
    ),
    "linear": (lambda: F.linear(X, KERNEL.reshape(4, 27)), ValueError, r"3 features.*\(4, 27\)"),
    "conv2d channels": (
        lambda: F.conv2d(IMAGE, KERNEL, groups=3),
        ValueError,
        r"3 channels.*\(4, 3, 3, 3\) with groups=3",
    ),
    "conv2d rank": (lambda: F.conv2d(X, KERNEL), ValueError, r"got \(2, 3\)"),
    "conv2d size": (lambda: F.conv2d(IMAGE, KERNEL, dilation=2), ValueError, "3x3.*5x4"),
    "conv2d stride": (lambda: F.conv2d(IMAGE, KERNEL, stride=0), ValueError, "stride"),
    "max_pool2d": (lambda: F.max_pool2d(IMAGE, 6), ValueError, "6x6 window.*5x4"),
    "max_pool2d rank": (lambda: F.max_pool2d(X, 2), ValueError, r"\(N, C, H, W\).*\(2, 3\)"),
    "avg_pool2d rank": (lambda: F.avg_pool2d(X, 2), ValueError, r"\(N, C, H, W\).*\(2, 3\)"),
    "pad": (lambda: F.pad(IMAGE, (1, 2, 3)), ValueError, "pairs"),
    "pad mode": (lambda: F.pad(IMAGE, (1, 1), "mirror"), ValueError, "reflect.*'mirror'"),
    "interpolate": (lambda: F.interpolate(IMAGE), ValueError, "either size or scale_factor"),
    "interpolate mode": (lambda: F.interpolate(IMAGE, 3, mode="cubic"), ValueError, "'cubic'"),
    "embedding": (lambda: F.embedding([0, 9], X), IndexError, "0 to 9.* 2 rows"),
    "embedding type": (lambda: F.embedding([0.5], X), TypeError, "integers, got float"),
    "gelu": (lambda: F.gelu(X, "erf"), ValueError, "'erf'"),
    "pow": (lambda: X**X, TypeError, "number, got Tensor"),
    "cat": (lambda: F.cat([]), ValueError, "nothing to join"),
    "cross_entropy": (lambda: F.cross_entropy(X, [0, 1], "max"), ValueError, "'max'"),
    "integers": (
        lambda: Tensor(np.arange(3), requires_grad=True),
        TypeError,
        "floating-point.*int64",
    ),
    "complex": (lambda: Tensor(np.array([1j])), TypeError, "real numbers, got dtype complex128"),
    "text": (lambda: Tensor("cat"), TypeError, "real numbers"),
    "tensor": (lambda: Tensor(X), TypeError, "already a Tensor"),
    "not a scalar": (lambda: (X * 2).backward(), RuntimeError, r"scalar.*\(2, 3\).*seed"),
    "seed": (lambda: grad(X * 2, X, np.ones(3)), ValueError, r"\(3,\).*\(2, 3\)"),
    "constant": (lambda: IMAGE.sum().backward(), RuntimeError, "requires_grad=True"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_say_what_came_and_what_was_expected(name: str) -> None:
    call, kind, message = ERRORS[name]
    with pytest.raises(kind, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_an_unknown_rule_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"'rleu'.*'relu'"), rule(rleu=guided):
        pass


def test_backward_twice_is_refused_unless_the_graph_is_kept() -> None:
    x = leaf(3)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad == pytest.approx(4 * x.data)
    with pytest.raises(RuntimeError, match="retain_graph=True"):
        y.backward()
