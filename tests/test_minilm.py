"""MiniLM: its word pieces by BERT's rules, its numbers as the file says, and Torch's answers."""

import numpy as np
import pytest
import torch

from course.autograd import Tensor, grad, no_grad
from course.data import WordPiece, data_file, load_arrays, movie_snippets
from course.models import build, minilm_pieces, sentence_embedding
from course.models.minilm import FILE, dequantise, from_bert
from course.nn import capture, capturing
from course.reference import networks as reference

ATTENTION = [f"layers.{i}.self_attn.weights" for i in range(3)]


@pytest.fixture(scope="module")
def pieces():
    return minilm_pieces()


@pytest.fixture(scope="module")
def texts():
    return movie_snippets().texts[:600:30]


@pytest.fixture(scope="module")
def model():
    return build("minilm")


@pytest.fixture(scope="module")
def twin(model):
    return reference.build("minilm", model.state_dict())


@pytest.fixture(scope="module")
def wide_pair(model):
    """Both in float64; loading the file twice is what takes time here."""
    wide = build("minilm", dtype=np.float64)
    return wide, reference.build("minilm", wide.state_dict(), "float64")


SMALL_TOKENS = "[PAD] [UNK] [CLS] [SEP] un ##watch ##able watch ##a a . ##un"
SMALL = WordPiece(SMALL_TOKENS.split(), max_length=8)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Unwatchable.", ["un", "##watch", "##able", "."]),
        ("watch a watchun", ["watch", "a", "watch", "##un"]),
        ("unable", ["un", "##able"]),  # the longest piece first, not "##a" and then nothing
        ("unwatched a", ["[UNK]", "a"]),  # no piece fits "ed", so the whole word is unknown
        ("ünwatch", ["un", "##watch"]),
        ("", []),
        ("a a a a a a a a", ["a"] * 6),  # cut to eight with the two marks
        ("a" + "un" * 49, ["a", *["##un"] * 5]),  # 99 characters
        ("a" + "un" * 50, ["[UNK]"]),  # 101: too long for a word
        ("[SEP]", ["[UNK]"] * 3),  # marks cannot be smuggled in
    ],
)
def test_word_pieces_by_hand(text, expected):
    ids, tokens = SMALL.encode(text)
    assert tokens == ["[CLS]", *expected, "[SEP]"]
    assert [SMALL.tokens[i] for i in ids] == tokens


def test_word_pieces_of_the_shipped_vocabulary(pieces):
    """What the `tokenizers` package gives for BERT's rules and this vocabulary."""
    assert len(pieces) == 15_500
    text = "An unwatchably melodramatic tour-de-force, naïve & cliché-ridden!"
    expected = "an un ##watch ##ably mel ##od ##rama ##tic tour - de - force , naive & cl ##iche"
    assert pieces.encode(text).tokens == ["[CLS]", *expected.split(), "-", "ridden", "!", "[SEP]"]
    assert pieces.encode("film " * 200).tokens == ["[CLS]", *["film"] * 126, "[SEP]"]


def bert_in_torch(ids):
    """BERT (Devlin et al. 2019) straight from the file's numbers and names, one text at a time."""
    w = {k: torch.tensor(v, dtype=torch.float64) for k, v in dequantise(stored()).items()}
    affine = lambda x, name: x @ w[f"{name}.weight"].T + w[f"{name}.bias"]  # noqa: E731

    def norm(x, name):
        x = (x - x.mean(-1, keepdim=True)) / (x.var(-1, correction=0, keepdim=True) + 1e-12).sqrt()
        return x * w[f"{name}.weight"] + w[f"{name}.bias"]

    x = w["embeddings.word_embeddings.weight"][ids]
    x = x + w["embeddings.position_embeddings.weight"][: len(ids)]
    x = norm(x + w["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
    for i in range(3):
        name = f"encoder.layer.{i}"
        q, k, v = (
            affine(x, f"{name}.attention.self.{part}").unflatten(1, (12, 32)).transpose(0, 1)
            for part in ("query", "key", "value")
        )
        mixed = (q @ k.mT / 32**0.5).softmax(-1) @ v
        mixed = affine(mixed.transpose(0, 1).flatten(1), f"{name}.attention.output.dense")
        x = norm(x + mixed, f"{name}.attention.output.LayerNorm")
        hidden = affine(x, f"{name}.intermediate.dense")
        hidden = hidden * (1 + torch.special.erf(hidden / 2**0.5)) / 2
        x = norm(x + affine(hidden, f"{name}.output.dense"), f"{name}.output.LayerNorm")
    return (x.mean(0) / x.mean(0).norm()).numpy()


def stored():
    return load_arrays(data_file(FILE))


def test_parameters_stand_where_bert_wants_them(wide_pair, pieces, texts):
    """The names in the file, against the network: query is query, and key is key."""
    for text in texts[:3]:
        ids = pieces.encode(text).ids
        expected = bert_in_torch(ids)
        np.testing.assert_allclose(wide_pair[0]([ids]).data[0], expected, atol=1e-9)


def test_numbers_are_the_files(model):
    file = stored()
    table = model.embedding.weight.data
    q, s = (file[f"embeddings.word_embeddings.weight.{part}"] for part in "qs")
    np.testing.assert_array_equal(table[1234], q[1234].astype(np.float32) * np.float32(s[1234, 0]))
    names = {name.removesuffix(".q") for name in file if not name.endswith(".s")}
    assert set(dequantise(file)) == names - {"vocab", "orig_id"}
    numbers = sum(value.size for value in from_bert(dequantise(file)).values())
    assert numbers == sum(p.data.size for p in model.parameters())


def test_sentence_embeddings_equal_torch(model, twin, wide_pair, pieces, texts):
    ids = torch.tensor(pieces.encode_batch(texts))
    found = sentence_embedding(texts, model, pieces, chunk=7)
    assert found.shape == (20, 384)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-6)
    assert np.abs(found - twin(ids).numpy()).max() <= 1e-4 * np.abs(found).max()
    wide = sentence_embedding(texts, wide_pair[0], pieces)
    assert np.abs(wide - wide_pair[1](ids).numpy()).max() <= 1e-9


def test_attention_equals_torch_in_every_layer_and_head(model, twin, pieces, texts):
    ids = pieces.encode_batch(texts)
    with no_grad():
        _, captured = capture(model, ids, ATTENTION)
    twin(torch.tensor(ids))
    length = ids.shape[1]
    for layer, name in zip(twin.layers, ATTENTION, strict=True):
        weights = captured[name].data
        assert weights.shape == (20, 12, length, length)
        assert np.abs(weights - layer.attention.numpy()).max() <= 1e-5
        np.testing.assert_allclose(weights.sum(axis=3), 1, rtol=1e-5)
        assert (weights.swapaxes(1, 3)[ids == 0] == 0).all()


def test_padding_changes_nothing(model, pieces, texts):
    alone = np.concatenate([sentence_embedding([t], model, pieces) for t in texts[:4]])
    np.testing.assert_allclose(sentence_embedding(texts[:4], model, pieces), alone, atol=1e-6)


def test_gradient_of_a_similarity_equals_torch(wide_pair, pieces):
    """With respect to the word pieces' vectors, and to one layer's attention."""
    model, twin = wide_pair
    ids = pieces.encode_batch(["A dull film.", "I was bored by this picture"])
    mask, vectors = ids != 0, model.embedding(ids).data
    inputs, e = Tensor(vectors, requires_grad=True), torch.tensor(vectors, requires_grad=True)

    with capturing(model, ATTENTION) as captured:
        found = model.from_embeddings(inputs, mask)
    similarity = (found[0] * found[1]).sum()
    expected = twin.from_embeddings(e, torch.tensor(mask))
    twin_similarity = (expected[0] * expected[1]).sum()
    ours = grad(similarity, [inputs, captured[ATTENTION[1]]])
    theirs = torch.autograd.grad(twin_similarity, [e, twin.layers[1].attention])
    assert similarity.item() == pytest.approx(twin_similarity.item(), rel=1e-9)
    for a, b in zip(ours, theirs, strict=True):
        assert np.abs(a - b.numpy()).max() <= 1e-9 * np.abs(a).max()


def test_like_meanings_are_near(model, pieces):
    sentences = [
        "The film is boring.",
        "I nearly fell asleep in this dull movie.",
        "The recipe needs two eggs and some flour.",
        "Beat the eggs, then add flour.",
    ]
    e = sentence_embedding(sentences, model, pieces)
    near, far = e[0] @ e[1], e[0] @ e[2]
    assert min(near, e[2] @ e[3]) > 0.5
    assert max(far, e[1] @ e[3]) < 0.2


def test_errors(model, pieces):
    with pytest.raises(ValueError, match="a text may have 128 word pieces, got 129"):
        model(np.ones((1, 129), int))
    with pytest.raises(TypeError, match=r"integers \(N, T\), got float64"):
        model(np.ones((1, 3)))
    with pytest.raises(TypeError, match=r"got one string; try \[text\]"):
        sentence_embedding("one text", model, pieces)
