"""What a case may hold: it reaches the learner's process, the kernel and Torch as it was meant."""

from __future__ import annotations

import json
import sys
from itertools import count
from types import ModuleType

import numpy as np
import pytest

from course.grading import memo
from course.grading.arguments import pack, realise, unpack
from course.grading.judge import judge
from course.grading.run import in_child, in_kernel
from course.grading.spec import Case, Exercise, Function, Network
from course.methods import saliency
from course.models import HandNetwork
from course.specs._protocol import HAND, HAND_INPUT, in_torch

GRADIENT = Function("course.methods.saliency.gradient")
ARGUMENTS = {
    "tuple": (1, (2, [3, (4,)]), ()),
    "list": [None, True, "text", 0.1, float("inf")],
    "dict": {"a": (1, 2), 3: [4]},
    "scalar": np.float32(0.1),
    "integer": np.int64(3),
    "network": Network("small_cnn", 3, "float32"),
    "function": GRADIENT,
    "several": [(GRADIENT, HAND), GRADIENT],
}


def sent(arguments, folder):
    return unpack(folder, pack(folder, arguments, count()))


@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_value_arrives_as_it_was_sent(name, tmp_path):
    value = ARGUMENTS[name]
    packed = json.loads(json.dumps(pack(tmp_path, {"a": value}, count())))
    found = unpack(tmp_path, packed)["a"]
    assert found == value
    assert type(found) is type(value)
    assert repr(found) == repr(value)  # True is no 1, and no tuple inside is a list


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "uint8", "bool"])
def test_an_array_arrives_as_it_was_sent(dtype, tmp_path):
    arrays = [np.arange(6).reshape(2, 3).astype(dtype), np.zeros((0, 2), dtype)]
    found = sent({"x": arrays[0], "more": (arrays, arrays[0].T)}, tmp_path)
    for got, want in zip([found["x"], *found["more"][0]], [arrays[0], *arrays], strict=True):
        np.testing.assert_array_equal(got, want)
        assert got.dtype == want.dtype
    np.testing.assert_array_equal(found["more"][1], arrays[0].T)


def test_what_cannot_be_sent_is_named(tmp_path):
    with pytest.raises(TypeError, match="the argument rng holds a Generator"):
        pack(tmp_path, {"rng": [np.random.default_rng(0)]}, count())


@pytest.mark.parametrize(
    "name", ["os.system", "gradient", "course", "course.gradient", "courses.a.b"]
)
def test_a_function_is_one_of_the_library(name):
    with pytest.raises(ValueError, match="name must be course"):
        Function(name)


def test_a_function_is_imported_and_arrays_are_copied():
    x = np.ones(2)
    ready = realise({"explain": GRADIENT, "xs": [x], "model": (HAND,)})
    assert ready["explain"] is saliency.gradient
    assert ready["xs"][0] is not x
    assert isinstance(ready["model"][0], HandNetwork)


# --- through the grader ---------------------------------------------------------------------


def weighted(explain, model, x, targets, weights):
    """The sum of explanations of several targets, each with its weight."""
    return sum(w * explain(model, x, t) for t, w in zip(targets, weights, strict=True))


CASE = {
    "explain": GRADIENT,
    "model": HAND,
    "x": HAND_INPUT,
    "targets": (0, 1),
    "weights": [np.array(2.0), 3],
}
EXERCISE = Exercise(
    number="00.1",
    function=weighted,
    reference=lambda arguments: np.zeros(0),
    goal="Weigh.",
    anchor="",
    points=1,
    cases=lambda rng: [Case("hand", CASE, 2 * FIRST + 3 * SECOND)],
    mistakes=(),
    equivalents=(),
    hints=("", "", ""),
)
# S_0 = h_1 + h_2 and S_1 = 3 h_1 - 2 h_2, with h_1 = (1, -1, 2, 0) x and h_2 = (0, 2, 1, 1) x.
FIRST = np.array([[[[1.0, 1.0]], [[3.0, 1.0]]]])
SECOND = np.array([[[[3.0, -7.0]], [[4.0, -2.0]]]])
SOURCE = """
def weighted(explain, model, x, targets, weights):
    assert explain.__module__ == "course.methods.saliency", explain
    assert isinstance(targets, tuple) and isinstance(weights, list)
    return sum(w * explain(model, x, t) for t, w in zip(targets, weights))
"""


def test_a_function_reaches_kernel_and_child(tmp_path):
    assert judge(EXERCISE, in_kernel(EXERCISE, weighted)).passed
    path = tmp_path / "answer.py"
    path.write_text(SOURCE)
    verdict = judge(EXERCISE, in_child(EXERCISE, path))
    assert verdict.passed, verdict


@pytest.mark.parametrize("change", ["weights[0][...] = 5", "weights.pop(0)"])
def test_changing_an_array_in_a_list_is_told(change, tmp_path):
    path = tmp_path / "answer.py"
    path.write_text(f"{SOURCE.replace('return', 'answer =')}    {change}\n    return answer\n")
    verdict = judge(EXERCISE, in_child(EXERCISE, path))
    assert (verdict.layer, "weights" in verdict.message) == ("manners", True), verdict


# --- Torch ----------------------------------------------------------------------------------


@pytest.fixture
def twins(monkeypatch):
    """Functions of one's own in course.methods and course.reference, for one test."""
    torch = pytest.importorskip("torch")
    monkeypatch.setenv("COURSE_CACHE", "")
    method, reference = ModuleType("course.methods.own"), ModuleType("course.reference.own")
    monkeypatch.setitem(sys.modules, "course.methods.own", method)
    monkeypatch.setitem(sys.modules, "course.reference.own", reference)

    def ask(answer, **arguments):
        def function():
            pass

        function.__module__, function.__name__ = "course.methods.own", "answer"
        reference.answer = lambda **given: answer(torch, **given)
        return in_torch(function)(arguments)

    return ask


def test_torch_gets_the_twin_of_a_function(twins):
    from course.reference import saliency as in_reference

    def answer(torch, explain, model, x, target):
        assert explain is in_reference.gradient
        return explain(model, x, target)

    got = twins(answer, explain=GRADIENT, model=HAND, x=HAND_INPUT, target=1)
    np.testing.assert_allclose(got, SECOND)


def test_torch_needs_no_model_and_no_x(twins):
    attention = np.random.default_rng(0).random((2, 3, 4, 4))
    got = twins(lambda torch, attention: attention.mean(dim=1), attention=attention)
    np.testing.assert_allclose(got, attention.mean(axis=1))
    tokens = np.arange(3)
    got = twins(lambda torch, tokens, target: tokens + target, tokens=tokens, target=2)
    np.testing.assert_array_equal(got, [2, 3, 4])


def test_torch_gets_arrays_of_every_kind_and_place(twins):
    def answer(torch, tokens, mask, backwards, layers, words, target, x):
        assert tokens.dtype == torch.int64
        assert mask.dtype == torch.bool
        assert all(isinstance(a, torch.Tensor) for a in layers)
        assert isinstance(layers, tuple)
        assert isinstance(words, np.ndarray)
        assert target.tolist() == [1, 1]
        return backwards * 2.0

    got = twins(
        answer,
        tokens=np.arange(3),
        mask=np.ones(2, bool),
        backwards=np.arange(3.0)[::-1],
        layers=(np.zeros(2), np.ones(3)),
        words=np.array(["a", "b"]),
        target=np.int64(1),
        x=np.zeros((2, 3)),
    )
    np.testing.assert_array_equal(got, [4, 2, 0])


@pytest.mark.parametrize(
    ("answer", "want"),
    [
        (lambda torch, x: x.requires_grad_() * 2, [2.0, 4.0]),
        (lambda torch, x: x.argsort(), [0, 1]),
        (lambda torch, x: x.numpy() + 1, [2.0, 3.0]),
        (lambda torch, x: float(x.sum()), 3.0),
    ],
    ids=["with grad", "integers", "an array", "a number"],
)
def test_a_reference_may_return_what_it_has(twins, answer, want):
    got = twins(answer, x=np.array([1.0, 2.0]))
    assert isinstance(got, np.ndarray)
    np.testing.assert_array_equal(got, want)


def test_another_function_is_another_stored_answer(monkeypatch, tmp_path):
    pytest.importorskip("torch")
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path))
    asked = []
    recall = memo.memoised(lambda arguments: asked.append(1) or np.zeros(1), "own")
    other = Function("course.methods.saliency.saliency_map")
    for function in (
        GRADIENT,
        other,
        GRADIENT,
        other,
        [GRADIENT],
        {"a": GRADIENT},
        {"b": GRADIENT},
    ):
        recall({"explain": function})
    assert len(asked) == 5
