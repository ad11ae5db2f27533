"""The language half of module 05 against Torch and captum, by hand, and on bad input."""

from __future__ import annotations

import numpy as np
import pytest

from course.autograd import Tensor
from course.data import movie_words
from course.methods.saliency import aggregate_tokens, comprehensiveness, gradient
from course.models import build

torch = pytest.importorskip("torch")
captum = pytest.importorskip("captum.attr")

from course.reference import networks  # noqa: E402
from course.reference import saliency as reference  # noqa: E402

WAYS = ("sum", "mean", "l2", "dot")
SENTENCES = [
    "A dull and charmless mess .",
    "Wonderful",
    "It never feels long , and the cast is a joy to watch from start to end .",
]


def sentences(name: str, dtype: str):
    """The network, its Torch twin, vectors and mask of three sentences, and their targets."""
    model = build(name, dtype=dtype)
    theirs = networks.build(name, model.state_dict(), dtype)
    ids = movie_words().encode_batch(SENTENCES)
    return model, theirs, model.embedding(ids).data, ids != 0, np.array([1, 0, 1])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["text_cnn", "text_attention"])
def test_sentences_equal_torch_and_captum(name, dtype):
    model, theirs, x, mask, target = sentences(name, dtype)
    g = gradient(lambda e: model.from_embeddings(e, mask), x, target)
    tx, tt = torch.tensor(x, requires_grad=True), torch.tensor(target)
    read = lambda e: theirs.from_embeddings(e, torch.tensor(mask))  # noqa: E731
    theirs_g = captum.Saliency(read).attribute(tx, tt, abs=False)
    product = captum.InputXGradient(read).attribute(tx, tt).numpy(force=True)
    tolerance = 1e-4 if dtype == "float32" else 1e-9
    for how in WAYS:
        want = reference.aggregate_tokens(theirs_g, tx.detach(), how).numpy()
        found = aggregate_tokens(g, x, how)
        assert found.shape == mask.shape
        assert found.dtype == dtype
        np.testing.assert_allclose(found, want, rtol=0, atol=tolerance * np.abs(want).max())
        assert (found[~mask] == 0).all()
    np.testing.assert_allclose(
        aggregate_tokens(g, x, "dot"), product.sum(2), atol=tolerance * np.abs(product).max()
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["text_cnn", "text_attention"])
@pytest.mark.parametrize("fraction", [0.05, 0.2, 0.5, 1.0])
def test_comprehensiveness_equals_torch(name, dtype, fraction):
    model, theirs, x, mask, target = sentences(name, dtype)
    scores = np.random.default_rng(2).normal(size=mask.shape)
    padding = model.embedding.weight.data[0]
    ours = comprehensiveness(
        lambda e: model.from_embeddings(e, mask), x, target, scores, mask, padding, fraction
    )
    words = torch.tensor(mask)
    want = reference.comprehensiveness(
        lambda e: theirs.from_embeddings(e, words),
        *(torch.tensor(a) for a in (x, target, scores, mask, padding)),
        fraction,
    )
    np.testing.assert_allclose(ours, want, atol=1e-5 if dtype == "float32" else 1e-10)


def test_aggregation_by_hand():
    g, e = np.array([[[3.0, -7.0], [4.0, -2.0]]]), np.array([[[3.0, 1.0], [1.0, 2.0]]])
    assert aggregate_tokens(g, e, "sum").tolist() == [[-4, 2]]
    assert aggregate_tokens(g, e, "mean").tolist() == [[-2, 1]]
    assert aggregate_tokens(g, e, "l2").tolist() == [[58**0.5, 20**0.5]]
    assert aggregate_tokens(g, e, "dot").tolist() == [[2, 0]]


def test_comprehensiveness_by_hand():
    """Logits (Σ first numbers, 0): two tokens of five go, however long the padding."""
    model = lambda e: Tensor([[1.0, 0.0]]) * e[:, :, 0].sum(1, keepdim=True)  # noqa: E731
    x = np.zeros((1, 9, 2))
    x[0, :5, 0] = [0.5, 0.25, 2, -1, 0.125]
    mask = np.arange(9)[None] < 5
    scores = np.array([[1.0, 5.0, 4.0, -9.0, 0.0, 99.0, 99.0, 99.0, 99.0]])
    sigmoid = lambda s: 1 / (1 + np.exp(-s))  # noqa: E731
    found = comprehensiveness(model, x, 0, scores, mask, np.zeros(2), 0.4)
    assert found == pytest.approx(sigmoid(1.875) - sigmoid(1.875 - 2.25))
    found = comprehensiveness(model, x, 1, scores, mask, np.array([0.5, 0]), 0.21)
    assert found == pytest.approx(sigmoid(-1.875) - sigmoid(-(1.875 - 2.25 + 1)))


def test_the_count_is_what_arithmetic_says():
    """0.2 of 15 words are 3 words, not 4 because of rounding in the last bit."""
    for words in range(1, 80):
        assert np.ceil(0.2 * words) == -(-words // 5)


def test_an_unknown_aggregation():
    with pytest.raises(ValueError, match='must be "sum", "mean", "l2" or "dot", got \'max\''):
        aggregate_tokens(np.zeros((1, 2, 3)), np.zeros((1, 2, 3)), "max")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("scores", np.zeros((3, 4)), r"scores must be \(3, 18\), got shape \(3, 4\)"),
        ("mask", np.ones((3, 18)), r"mask must be booleans \(3, 18\), got float64"),
        ("replacement", np.zeros(5), r"replacement must be \(32,\), got shape \(5,\)"),
        ("fraction", 20, r"fraction must be in \(0, 1\], got 20"),
    ],
)
def test_bad_arguments_get_one_clear_sentence(name, value, says):
    model, _, x, mask, target = sentences("text_cnn", "float64")
    given = {
        "scores": np.zeros(mask.shape),
        "mask": mask,
        "replacement": np.zeros(32),
        "fraction": 0.2,
        name: value,
    }
    with pytest.raises(ValueError, match=says):
        comprehensiveness(lambda e: model.from_embeddings(e, mask), x, target, **given)
