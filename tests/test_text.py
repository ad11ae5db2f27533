"""Sentences, tokens and the two sentiment classifiers."""

from collections import Counter

import numpy as np
import pytest
import torch

from course import data
from course.autograd import Tensor, no_grad
from course.data import data_file, movie_words, sentiment
from course.experiments import train_text
from course.methods.saliency import gradient
from course.models import build
from course.nn import accuracy, capture
from course.reference import networks as reference

NAMES = ("text_cnn", "text_attention")
TEXTS = (
    "A gorgeous, witty, seductive movie.",
    "The plot is a dull mess.",
    "Too long, and yet I was never bored by its charming and very funny heroes",
    "Awful",
)


@pytest.fixture(scope="module")
def words():
    return movie_words()


@pytest.fixture(scope="module")
def sentences():
    return sentiment()


@pytest.fixture(scope="module", params=NAMES)
def pair(request):
    """A classifier and its Torch twin, in float64."""
    model = build(request.param, dtype=np.float64)
    return model, reference.build(request.param, model.state_dict(), "float64")


def test_snippets_are_those_of_the_file():
    texts, ratings = data.movie_snippets()
    assert len(texts) == len(ratings) == 10_605
    assert texts[2] == "Effective but too tepid biopic"
    assert ratings[2] == -0.6
    assert min(map(len, texts)) > 1
    assert (ratings.min() >= -4) & (ratings.max() <= 4)


def test_sentiment_splits_the_clear_snippets(sentences):
    texts, ratings = data.movie_snippets()
    train, test = sentences.texts_train, sentences.texts_test
    assert (len(train), len(test)) == (9000, 1043)
    clear = [(t, r > 0) for t, r in zip(texts, ratings, strict=True) if abs(r) > 0.5]
    found = [*zip(train, sentences.y_train, strict=True), *zip(test, sentences.y_test, strict=True)]
    assert Counter(found) == Counter(clear)
    assert 0.47 < sentences.y_test.mean() < 0.53
    assert sentiment().texts_test == test


def test_word_valences():
    valences = data.word_valences()
    assert len(valences) == 7217
    assert valences["afu"] == -2.9
    assert valences["sob"] == pytest.approx(-1.9)  # rated -2.8 and -1.0
    assert valences["horrible"] < -2 < 2 < valences["wonderful"]
    assert all(-4 <= v <= 4 for v in valences.values())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The Lord's 2nd film!", ["the", "lord", "'", "s", "2nd", "film", "!"]),
        ("Café naïve ÀÉÎõü", ["cafe", "naive", "aeiou"]),
        ("e\u0301clair\tand\nline\r end", ["eclair", "and", "line", "end"]),
        ("co-writer/director…", ["co", "-", "writer", "/", "director", "…"]),
        ("$5+3~2^`|<=>", ["$", "5", "+", "3", "~", "2", "^", "`", "|", "<", "=", ">"]),
        ("\u20ac and \u00a9 stay\u00a0joined\u20ac", ["€", "and", "©", "stay", "joined€"]),
        ("東京 in Japan カナ", ["東", "京", "in", "japan", "カナ"]),
        ("a\u200bb\x00c\ufffdd\u00ade", ["abcde"]),
        ("", []),
    ],
)
def test_words_by_berts_rules(text, expected):
    assert data.split_words(text) == expected


def test_vocabulary_encodes_and_pads(words):
    ids, tokens = words.encode("A dull MESS, xyzzy")
    assert tokens == ["a", "dull", "mess", ",", "[UNK]"]
    assert [words.tokens[i] for i in ids] == tokens
    batch = words.encode_batch(["dull", "a dull mess"])
    assert batch.tolist() == [[words.ids["dull"], 0, 0], ids[:3]]
    assert batch.dtype == np.int64


def test_vocabulary_file_is_what_the_training_sentences_say(words, sentences):
    counts = Counter(word for text in sentences.texts_train for word in data.split_words(text))
    assert words.tokens[:3] == ["[PAD]", "[UNK]", "."]
    assert set(words.tokens[2:]) == {word for word, n in counts.items() if n >= 2}
    frequencies = [counts[word] for word in words.tokens[2:]]
    assert frequencies == sorted(frequencies, reverse=True)
    assert train_text.frequent_words(sentences.texts_train) == words.tokens


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda v: v.encode(b"bytes"), TypeError, "text must be a string, got bytes"),
        (lambda v: v.encode_batch("a text"), TypeError, r"got one string; try \[text\]"),
        (lambda v: v.encode_batch([]), ValueError, "must hold at least one, got none"),
        (lambda v: data.Vocabulary(["a", "b"]), ValueError, r"must start with \[PAD\], \[UNK\]"),
        (
            lambda v: data.Vocabulary(["[PAD]", "[UNK]", "a", "a"]),
            ValueError,
            "tokens must differ, got 1 twice",
        ),
    ],
)
def test_vocabulary_errors(call, error, message, words):
    with pytest.raises(error, match=message):
        call(words)


@pytest.mark.parametrize("name", NAMES)
def test_shipped_classifiers_reach_73_percent(name, words, sentences):
    x = words.encode_batch(sentences.texts_test)
    assert accuracy(build(name), x, sentences.y_test) >= 0.73


@pytest.mark.parametrize("name", NAMES)
def test_shipped_weights_are_small(name):
    assert data_file(f"weights/{name}.npz").stat().st_size <= 1_000_000


def test_logits_and_gradient_at_the_word_vectors_equal_torch(pair, words, sentences):
    model, twin = pair
    ids = words.encode_batch([*TEXTS, *sentences.texts_test[:20]])
    mask, target = ids != 0, np.arange(len(ids)) % 2
    vectors = model.embedding(ids).data
    with no_grad():
        logits = model(ids).data
    found = gradient(lambda e: model.from_embeddings(e, mask), vectors, target)
    e = torch.tensor(vectors, requires_grad=True)
    expected = twin.from_embeddings(e, torch.tensor(mask))
    score = expected.gather(1, torch.tensor(target)[:, None]).sum()
    expected_gradient = torch.autograd.grad(score, e)[0].numpy()
    np.testing.assert_allclose(logits, expected.detach().numpy(), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(twin(torch.tensor(ids)).numpy(), logits, rtol=1e-9, atol=1e-9)
    assert np.abs(found - expected_gradient).max() <= 1e-9 * np.abs(expected_gradient).max()
    assert (found[~mask] == 0).all()
    assert (np.abs(found).sum(axis=(1, 2)) > 0).all()


def test_padding_changes_nothing(pair, words):
    model, _ = pair
    alone = [model(words.encode_batch([text])).data[0] for text in TEXTS]
    together = model(words.encode_batch(TEXTS)).data
    np.testing.assert_allclose(together, alone, rtol=1e-12, atol=1e-12)
    assert np.ptp(together[:, 1]) > 1  # so it is no constant that agrees


def test_one_mask_for_many_versions_of_a_sentence(pair, words):
    model, _ = pair
    ids = words.encode_batch(TEXTS)[1:2]  # short, so padding stands behind it
    vectors = np.repeat(model.embedding(ids).data, 5, axis=0)
    logits = model.from_embeddings(Tensor(vectors), ids != 0).data
    np.testing.assert_allclose(logits, np.repeat(model(ids).data, 5, axis=0), rtol=1e-12)


def test_attention_can_be_captured_and_equals_torch(words):
    model = build("text_attention", dtype=np.float64)
    twin = reference.build("text_attention", model.state_dict(), "float64")
    ids = words.encode_batch(TEXTS)
    _, captured = capture(model, ids, ["block.self_attn.weights"])
    weights = captured["block.self_attn.weights"].data
    twin(torch.tensor(ids))
    np.testing.assert_allclose(weights, twin.block.attention.numpy(), atol=1e-12)
    assert weights.shape == (4, 2, ids.shape[1], ids.shape[1])
    assert weights[:, :, :, 0].min() > 0
    assert (weights.swapaxes(1, 3)[ids == 0] == 0).all()  # nobody looks at padding


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda m: m(np.ones((2, 3))), TypeError, r"integers \(N, T\), got float64 of shape"),
        (lambda m: m([1, 2]), TypeError, r"integers \(N, T\), got int64 of shape \(2,\)"),
        (
            lambda m: m.from_embeddings(Tensor(np.ones((3, 32)))),
            ValueError,
            r"embeddings must be \(N, T, D\), got shape \(3, 32\)",
        ),
        (
            lambda m: m.from_embeddings(Tensor(np.ones((2, 3, 32))), np.ones((2, 3))),
            ValueError,
            r"mask must be booleans \(2, 3\), got float64",
        ),
        (lambda m: m([[9107]]), IndexError, "the table has 9107 rows"),
    ],
)
def test_classifier_errors(call, error, message, pair):
    with pytest.raises(error, match=message):
        call(pair[0])


def test_attention_has_eighty_positions():
    with pytest.raises(ValueError, match="a sentence may have 80 words, got 81"):
        build("text_attention")(np.ones((1, 81), int))


def test_starting_vectors_know_which_words_are_alike(words):
    vectors = train_text.starting_vectors(words, 32)
    assert vectors.shape == (len(words), 32)
    assert vectors.std() == pytest.approx(1, rel=1e-3)
    np.testing.assert_allclose(vectors.mean(axis=0), 0, atol=1e-3)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def alike(a, b):
        return unit[words.ids[a]] @ unit[words.ids[b]]

    for a, b, c in (("movie", "film", "gold"), ("dull", "boring", "two"), ("he", "she", "war")):
        assert alike(a, b) > alike(a, c) + 0.2


def test_forgotten_words_are_unknown_and_padding_stays():
    ids = np.repeat([[5, 6, 7, 0]], 4000, axis=0)
    found = train_text.forget_words(ids, np.random.default_rng(0))
    assert (found[:, 3] == 0).all()
    assert ((found == ids) | (found == 1)).all()
    assert (found[:, :3] == 1).mean() == pytest.approx(0.1, abs=0.01)


@pytest.mark.parametrize(
    "name", ["text_cnn", pytest.param("text_attention", marks=pytest.mark.slow)]
)
def test_training_again_on_a_small_budget(name, words, sentences):
    """A third of the sentences, two epochs: well above the half that guessing gets."""
    part = sentences._replace(
        texts_train=sentences.texts_train[::3], y_train=sentences.y_train[::3]
    )
    model = train_text.train(name, part, 2, seed=11)
    x = words.encode_batch(sentences.texts_test)
    assert accuracy(model, x, sentences.y_test) >= 0.6
