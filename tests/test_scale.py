"""Means over points in chunks: the same numbers, in bounded memory, with a bar if it takes long."""

import tracemalloc

import numpy as np
import pytest

from course import progress
from course.autograd import Tensor
from course.data import mnist, movie_words
from course.methods.saliency import gradient
from course.methods.scale import mean_over
from course.models import build


@pytest.fixture(scope="module")
def cnn():
    return build("mnist_cnn")


@pytest.fixture(scope="module")
def digits():
    data = mnist()
    return data.x_test[::700], data.y_test[::700]  # three different classes


def path(x, steps):
    """From black to x, one point at a time, and the trapezoidal rule's weights."""
    weights = np.ones(steps)
    weights[[0, -1]] = 0.5
    return (a * x for a in np.linspace(0, 1, steps, dtype=x.dtype)), weights


def integrated_gradients(model, x, target, steps, chunk):
    points, weights = path(x, steps)
    on_batch = lambda batch, rows: gradient(model, batch, target[rows])  # noqa: E731
    return x * mean_over(on_batch, points, weights, chunk)


def smoothgrad(model, x, target, samples, chunk, seed=0):
    rng = np.random.default_rng(seed)
    noisy = (x + rng.normal(scale=0.2, size=x.shape).astype(x.dtype) for _ in range(samples))
    return mean_over(lambda b, rows: gradient(model, b, target[rows]), noisy, chunk=chunk)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("method", [integrated_gradients, smoothgrad])
def test_chunks_do_not_change_the_result(method, dtype, digits):
    model = build("mnist_cnn", dtype=dtype)
    x, target = digits[0].astype(dtype), digits[1]
    whole = method(model, x, target, 20, chunk=20 * len(x))
    assert whole.shape == x.shape
    assert whole.dtype == dtype
    tolerance = 1e-12 if dtype == np.float64 else 1e-5
    for chunk in (1, 7, 50):
        parts = method(model, x, target, 20, chunk)
        # A tie in a pooling window may be broken by rounding, which only float32 shows.
        difference = np.abs(parts - whole).max(axis=(1, 2, 3)) / np.abs(whole).max()
        assert np.median(difference) <= tolerance
        assert difference.max() <= (1e-12 if dtype == np.float64 else 1e-2)


def test_integrated_gradients_add_up_to_the_change_of_the_score(digits):
    """Completeness (Sundararajan et al. 2017): no number here comes from the code under test."""
    model = build("mnist_cnn", dtype=np.float64)
    x, target = digits[0].astype(np.float64), digits[1]
    scores = [model(Tensor(a * x)).data[np.arange(len(x)), target] for a in (0, 1)]
    found = integrated_gradients(model, x, target, 100, chunk=50).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(found, scores[1] - scores[0], rtol=0.02)


def test_sentences_of_unequal_length_take_their_masks_along():
    """Completeness on word vectors, from padding to the words: `rows` finds each version's mask."""
    model, words = build("text_attention", dtype=np.float64), movie_words()
    ids = words.encode_batch(["A dull and charmless mess.", "Wonderful"])
    mask, target = ids != 0, np.array([1, 0])
    start, end = (model.embedding(i).data for i in (np.zeros_like(ids), ids))

    def on_batch(vectors, rows):
        read = lambda e: model.from_embeddings(e, mask[rows])  # noqa: E731
        return gradient(read, vectors, target[rows])

    steps = [start + (k + 0.5) / 200 * (end - start) for k in range(200)]  # the midpoint rule
    found = (end - start) * mean_over(on_batch, steps, chunk=33)
    scores = [model.from_embeddings(Tensor(e), mask).data[[0, 1], target] for e in (start, end)]
    np.testing.assert_allclose(found.sum(axis=(1, 2)), scores[1] - scores[0], rtol=1e-3)
    assert (found[~mask] == 0).all()


def test_weighted_mean_by_hand():
    points = np.array([[[1.0], [10.0]], [[2.0], [20.0]], [[4.0], [40.0]]])
    seen = []

    def on_batch(x, rows):
        seen.append((x[:, 0].tolist(), rows.tolist()))
        return x * x

    mean = mean_over(on_batch, points, [1, 2, 1], chunk=4)
    assert mean.tolist() == [[(1 + 2 * 4 + 16) / 4], [(100 + 2 * 400 + 1600) / 4]]
    assert seen == [([1, 10, 2, 20], [0, 1, 0, 1]), ([4, 40], [0, 1])]
    assert mean_over(on_batch, points).tolist() == [[7], [700]]


def test_results_may_have_another_shape():
    """Two results an input, as VarGrad needs: the gradient and its square."""
    points = np.arange(12.0).reshape(4, 1, 3)
    mean = mean_over(lambda x, rows: np.stack([x, x * x], axis=1), points, chunk=3)
    assert mean.tolist() == [[[4.5, 5.5, 6.5], [31.5, 41.5, 53.5]]]


def test_a_generator_is_read_as_it_is_needed():
    made, done = [], []

    def points():
        for k in range(6):
            made.append(k)
            yield np.full((1, 2), float(k))

    def on_batch(x, rows):
        done.append(len(made))
        return x

    assert mean_over(on_batch, points(), chunk=2).tolist() == [[2.5, 2.5]]
    assert done == [2, 4, 6]


def peak(function):
    """The most memory that the function held at once beyond what was there, in megabytes."""
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()


def test_memory_is_bounded_by_the_chunk(cnn, digits):
    x, target = digits[0][:1], digits[1][:1]
    integrated_gradients(cnn, x, target, 2, 2)  # what is loaded at the first call
    one_batch = peak(lambda: gradient(cnn, np.repeat(x, 50, axis=0), int(target[0])))
    chunked = {
        steps: peak(lambda steps=steps: integrated_gradients(cnn, x, target, steps, 50))
        for steps in (100, 300)
    }
    whole = peak(lambda: integrated_gradients(cnn, x, target, 300, 300))
    assert chunked[300] <= 40
    assert chunked[300] <= 1.1 * one_batch + 1
    assert chunked[300] <= 1.05 * chunked[100] + 0.5
    assert whole >= 3 * chunked[300]  # so the measurement sees what chunks save


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"chunk": 0}, "chunk must be at least 1 input, got 0"),
        ({"points": []}, r"points must hold at least one array \(N, ...\)"),
        ({"weights": [1, 2]}, "shorter"),
        (
            {"on_batch": lambda x, rows: x[:1]},
            r"one result an input, got an array \(1, 2\) for 3 inputs",
        ),
    ],
)
def test_errors(arguments, message):
    given = {"on_batch": lambda x, rows: x, "points": np.ones((3, 1, 2)), **arguments}
    with pytest.raises(ValueError, match=message):
        mean_over(**given)


@pytest.mark.parametrize(
    ("terminal", "patience", "shown"), [(True, 0, True), (True, 60, False), (False, 0, False)]
)
def test_bar_on_a_terminal_when_it_takes_long(terminal, patience, shown, monkeypatch, capsys):
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    if terminal:
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(progress, "PATIENCE", patience)
    mean_over(lambda x, rows: x, np.ones((6, 2, 3)), chunk=2)
    assert ("attributing" in capsys.readouterr().out) == shown
