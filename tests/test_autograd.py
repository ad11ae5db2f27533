"""Module 01: rules and walk against Torch, against the engine's own, and by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from course import autograd as F
from course.autograd import VJP, Tensor, grad
from course.autograd.activations import relu_vjp, softmax_vjp
from course.autograd.elementwise import mul_vjp_a
from course.autograd.linear import matmul_vjp_a, matmul_vjp_b
from course.autograd.spatial import conv_vjp_x
from course.autograd.tensor import unbroadcast
from course.data import mnist
from course.grading.judge import judge
from course.grading.run import in_child
from course.methods.autograd import backward, conv2d_vjp_x, tape_of, topological_order
from course.models import build
from course.specs import find

torch = pytest.importorskip("torch")

from course.reference import autograd as reference  # noqa: E402
from tests.support_autograd import full_shapes, quick  # noqa: E402

TOLERANCE = {"float32": 1e-5, "float64": 1e-12}


def agree(ours: np.ndarray, theirs: Any, dtype: str) -> None:
    want = theirs.numpy()
    assert ours.shape == want.shape
    assert ours.dtype == want.dtype == dtype
    assert np.abs(ours - want).max(initial=0) <= TOLERANCE[dtype] * np.abs(want).max(initial=0)


def against_torch(function: Any, *arguments: Any) -> None:
    """The function and its twin, in both precisions."""
    for dtype in TOLERANCE:
        ours = [a.astype(dtype) if isinstance(a, np.ndarray) else a for a in arguments]
        theirs = [torch.tensor(a) if isinstance(a, np.ndarray) else a for a in ours]
        agree(function(*ours), getattr(reference, function.__name__)(*theirs), dtype)


# --- the rules ------------------------------------------------------------------------------


def test_the_exercises_are_the_rules_that_the_engine_uses():
    assert VJP["mul"][0] is mul_vjp_a
    assert VJP["matmul"] == (matmul_vjp_a, matmul_vjp_b)
    assert VJP["relu"] == (relu_vjp,)
    assert VJP["softmax"] == (softmax_vjp,)


def test_elementwise_rules_equal_torch():
    rng = np.random.default_rng(0)
    g, a, b = rng.normal(size=(3, 4, 5, 2))
    a[0] = 0
    against_torch(mul_vjp_a, g, a * b, a, b)
    against_torch(relu_vjp, g, np.maximum(a, 0), a)


@pytest.mark.parametrize("batch", [(), (4,), (2, 3)])
def test_matmul_rules_equal_torch(batch):
    rng = np.random.default_rng(1)
    sizes = ((2, 3), (2, 5), (5, 3))
    g, a, b = (rng.normal(size=(*batch, *s)) for s in sizes)
    against_torch(matmul_vjp_a, g, a @ b, a, b)
    against_torch(matmul_vjp_b, g, a @ b, a, b)


@pytest.mark.parametrize("dim", [0, 1, 2, -1])
def test_softmax_rule_equals_torch(dim):
    rng = np.random.default_rng(2)
    g, x = rng.normal(size=(2, 3, 4, 5))
    for dtype in TOLERANCE:
        p = torch.softmax(torch.tensor(x.astype(dtype)), dim)
        want = reference.softmax_vjp(torch.tensor(g.astype(dtype)), p, p.log(), dim)
        agree(softmax_vjp(g.astype(dtype), p.numpy(), x.astype(dtype), dim), want, dtype)


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", [0, 1, 2])
@pytest.mark.parametrize("kernel", [(1, 1), (3, 2), (2, 5)])
def test_convolution_by_loops_equals_torch_and_the_engines_kernel(kernel, padding, stride):
    rng = np.random.default_rng(3)
    x, w = rng.normal(size=(2, 3, 7, 6)), rng.normal(size=(4, 3, *kernel))
    y = F.conv2d(Tensor(x), Tensor(w), None, stride, padding).data
    g = rng.normal(size=y.shape)
    against_torch(conv2d_vjp_x, g, x, w, stride, padding)
    fast = conv_vjp_x(g, y, x, w, None, (stride,) * 2, (padding,) * 2, (1, 1), 1)
    assert conv2d_vjp_x(g, x, w, stride, padding) == pytest.approx(fast, abs=1e-12)


@quick
@given(full_shapes, st.data())
def test_unbroadcast_is_the_adjoint_of_broadcasting(shape, data):
    """<broadcast(x), g> = <x, unbroadcast(g)> for every x and g, and equal to Torch."""
    small = tuple(data.draw(st.sampled_from([1, n])) for n in shape)
    small = small[data.draw(st.integers(0, len(small))) :]
    rng = np.random.default_rng(4)
    g, x = rng.normal(size=shape), rng.normal(size=small)
    pulled = unbroadcast(g, small)
    assert pulled.shape == small
    assert float((pulled * x).sum()) == pytest.approx(float((x * g).sum()))
    assert np.array_equal(pulled, unbroadcast(g, list(small)))
    against_torch(unbroadcast, g, small)


def test_unbroadcast_by_hand():
    g = np.array([[1.0, 2, 3], [4, 5, 6]])
    assert unbroadcast(g, (2, 1)).tolist() == [[6], [15]]
    assert unbroadcast(g, (3,)).tolist() == [5, 7, 9]
    assert unbroadcast(g, ()).tolist() == 21


# --- the walk -------------------------------------------------------------------------------


def in_order(order: Any, inputs_of: list[list[int]]) -> bool:
    place = {int(node): k for k, node in enumerate(order)}
    return len(place) == len(order) and all(
        place[i] < place[node] for node in place for i in inputs_of[node]
    )


@pytest.mark.parametrize("seed", range(20))
def test_order_of_random_graphs(seed):
    rng = np.random.default_rng(seed)
    number = rng.permutation(12)
    inputs_of: list[list[int]] = [[] for _ in number]
    for k in range(1, 12):
        chosen = rng.choice(k, size=min(k, rng.integers(0, 4)), replace=False)
        inputs_of[number[k]] = [int(number[i]) for i in chosen]
    needed = {int(number[11])}
    while more := {i for node in needed for i in inputs_of[node]} - needed:
        needed |= more
    for order in (topological_order, reference.topological_order):
        found = [int(i) for i in order(inputs_of, int(number[11]))]
        assert found[-1] == number[11]
        assert set(found) == needed
        assert in_order(found, inputs_of)


def test_a_deep_graph_needs_no_recursion():
    depth = 20_000
    order = topological_order([[], *([k] for k in range(depth))], depth)
    assert order.tolist() == list(range(depth + 1))


def test_backward_by_hand():
    # e = d c, d = c + a, c = a b at a = 3, b = 2: ∂e/∂a = 2ab² + 2ab, ∂e/∂b = 2a²b + a².
    tape: Any = [("leaf", [], {}), ("leaf", [], {}), ("mul", [0, 1], {}), ("add", [2, 0], {}),
                 ("mul", [3, 2], {})]  # fmt: skip
    values = [np.array(v) for v in (3.0, 2.0, 6.0, 9.0, 54.0)]
    assert [float(backward(tape, values, 4, i)) for i in range(5)] == [36, 45, 15, 6, 1]
    assert float(backward(tape, values, 3, 0)) == 3  # b + 1
    assert float(backward(tape, values, 2, 3)) == 0


@pytest.mark.parametrize("name", ["mnist_mlp", "mnist_cnn"])
def test_on_a_network_both_walks_agree(name):
    """The pixels' gradient and every parameter's, by the walk over numbers and by the engine."""
    model = build(name, dtype=np.float64)
    x = Tensor(mnist().x_test[:2].astype(np.float64), requires_grad=True)
    score = model(x)[np.arange(2), [3, 8]].sum()
    tape, values = tape_of(score)
    assert in_order(topological_order([node[1] for node in tape], len(tape) - 1),
                    [list(node[1]) for node in tape])  # fmt: skip
    wanted = [x, *model.parameters()]
    for tensor, want in zip(wanted, grad(score, wanted), strict=True):
        at = next(i for i, v in enumerate(values) if v is tensor.data)
        assert np.array_equal(backward(tape, values, len(tape) - 1, at), want)


def test_tape_of_says_what_it_cannot_write():
    x = Tensor(np.ones((1, 2)), requires_grad=True)
    with pytest.raises(ValueError, match="an input of linear is missing"):
        tape_of(F.linear(x, Tensor(np.ones((3, 2)))).sum())


def test_a_drawn_graph_flows_downwards_and_no_box_hides_another():
    from course.plot.graph import place_nodes

    inputs_of = [[], [], [0, 1], [2, 0], [3, 2], [4, 0]]
    place = place_nodes(inputs_of, range(6))
    assert all(place[i, 1] > place[node, 1] for node in range(6) for i in inputs_of[node])
    assert len({tuple(p) for p in place}) == 6
    assert place[:, 1].tolist() == [4, 4, 3, 2, 1, 0]  # the longest way to the output


# --- the judge, on arguments that are lists of arrays ------------------------------------------


def handed_in(tmp_path: Any, body: str) -> Any:
    path = tmp_path / "answer.py"
    path.write_text(
        "import numpy as np\nfrom course.methods.autograd import backward as right\n"
        f"def backward(tape, values, output, wanted):\n    {body}\n"
    )
    exercise = find("01.9")[1][0]
    return judge(exercise, in_child(exercise, path))


def test_lists_of_arrays_reach_a_submission(tmp_path):
    assert handed_in(tmp_path, "return right(tape, values, output, wanted)").passed


def test_changing_an_array_in_a_list_is_noticed(tmp_path):
    body = "g = right(tape, values, output, wanted); values[0] += 1; return g"
    verdict = handed_in(tmp_path, body)
    assert verdict.layer == "manners"
    assert "changes its argument values in place" in verdict.message
    body = "g = right(tape, values, output, wanted); values.pop(); return g"
    assert handed_in(tmp_path, body).layer == "manners"
