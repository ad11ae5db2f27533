"""Module 04's claims, measured: does attention agree with gradients, with deletion, with anything?

    python -m course.experiments.attention

trains two more attention classifiers and takes a few minutes; lecture 04 reads what it writes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from course.autograd import Tensor, no_grad, softmax
from course.data import movie_words, sentiment
from course.experiments import store, train_text
from course.methods import attention, integrated_gradients, saliency
from course.models import TextAttention, text_attention
from course.nn import Module, MultiHeadAttention, Softmax, capture

Change = Callable[[np.ndarray], np.ndarray]

LAYER = "block.self_attn.weights"
SEEDS = (1, 2)  # trained anew, beside the shipped weights
SENTENCES, SHORTEST = 300, 8
FRACTION = 0.2  # of the words, deleted together


def held_out(count: int = SENTENCES) -> list[np.ndarray]:
    """The first test sentences of at least eight words, each as numbers (1, T)."""
    words = movie_words()
    found = [np.array([words.encode(text).ids]) for text in sentiment().texts_test]
    return [ids for ids in found if ids.shape[1] >= SHORTEST][:count]


def probabilities(model: Module, x: np.ndarray) -> np.ndarray:
    with no_grad():
        return softmax(model(Tensor(x))).data


def occlusion(model: Module, x: np.ndarray, target: int) -> np.ndarray:
    """The fall of the target's probability when each word's vector (1, T, D) alone becomes zero:
    (1, T)."""
    t = x.shape[1]
    without = np.where(np.eye(t, dtype=bool)[:, :, None], 0, x).astype(x.dtype)
    both = probabilities(model, np.concatenate([x, without]))[:, target]
    return (both[0] - both[1:])[None]


def rankings(network: TextAttention, x: np.ndarray, target: int) -> dict[str, np.ndarray]:
    """What each method says of the words of one sentence (1, T, D): arrays (1, T)."""
    model = readable(network)
    with no_grad():
        _, captured = capture(model, Tensor(x), [LAYER])
    slopes = saliency.gradient(model, x, target)
    path = integrated_gradients.integrated_gradients(model, x, target, 0.0, steps=32)
    return {
        "attention": attention.received_attention(captured[LAYER].data),
        "attention × gradient": attention.attention_times_gradient(model, x, target, LAYER).sum(1),
        "gradient length": saliency.aggregate_tokens(slopes, x, "l2"),
        "gradient × input": saliency.aggregate_tokens(slopes, x, "dot"),
        "Integrated Gradients": path.sum(axis=2),
        "deletion": occlusion(model, x, target),
    }


class _FromVectors(Module):
    """The classifier, from word vectors on."""

    def __init__(self, network: TextAttention) -> None:
        self.block, self.network = network.block, network

    def forward(self, x: Tensor) -> Tensor:
        return self.network.from_embeddings(x)


def readable(network: TextAttention) -> Module:
    """The classifier as methods want it: word vectors (N, T, D), without padding, to logits."""
    return _FromVectors(network)


def agreement(said: dict[str, np.ndarray]) -> dict[str, float]:
    """Spearman's correlation of the attention with each other ranking's magnitudes."""
    others = {name: np.abs(s[0]) for name, s in said.items() if name != "attention"}
    return {name: spearmanr(said["attention"][0], s).statistic for name, s in others.items()}


class _Changed(Softmax):
    def __init__(self, change: Change) -> None:
        self.change = change

    def forward(self, x: Tensor) -> Tensor:
        return Tensor(self.change(super().forward(x).data).astype(x.dtype))


@contextmanager
def changed_attention(layer: MultiHeadAttention, change: Change) -> Iterator[None]:
    """Inside the block, the layer averages with `change` of its attention (N, heads, T, T)."""
    before, layer.weights = layer.weights, _Changed(change)
    try:
        yield
    finally:
        layer.weights = before


def uniform(weights: np.ndarray) -> np.ndarray:
    """Every word looks at all alike."""
    return np.full_like(weights, 1 / weights.shape[-1])


def shuffled(rng: np.random.Generator) -> Change:
    """The same shares, dealt out anew: one permutation of the looked-at words for all."""
    return lambda weights: weights[..., rng.permutation(weights.shape[-1])]


def replaced(network: TextAttention, sentences: list[np.ndarray], seed: int) -> dict[str, Any]:
    """What becomes of the answers when the attention is not the network's own.

    For uniform and for shuffled attention: the median change of the probability (which is the total
    variation distance, there being two classes), and the share of answers that turn.
    """
    model, rng = readable(network), np.random.default_rng(seed)
    moved: dict[str, list[float]] = {"uniform": [], "shuffled": []}
    turned: dict[str, list[bool]] = {"uniform": [], "shuffled": []}
    for ids in sentences:
        x = network.embedding(ids).data
        own = probabilities(model, x)[0]
        for name, change in {"uniform": uniform, "shuffled": shuffled(rng)}.items():
            with changed_attention(network.block.self_attn, change):
                other = probabilities(model, x)[0]
            moved[name].append(float(abs(own[1] - other[1])))
            turned[name].append(bool(own.argmax() != other.argmax()))
    return {
        name: {"moved": float(np.median(moved[name])), "turned": float(np.mean(turned[name]))}
        for name in moved
    }


def compare(network: TextAttention, sentences: list[np.ndarray], seed: int) -> dict[str, Any]:
    """Agreement with attention, and comprehensiveness of every method: means over sentences."""
    model, rng = readable(network), np.random.default_rng(seed)
    agreements: list[dict[str, float]] = []
    falls: list[dict[str, float]] = []
    for ids in sentences:
        x = network.embedding(ids).data
        target = int(probabilities(model, x)[0].argmax())
        said = rankings(network, x, target)
        agreements.append(agreement(said))
        said["random"] = rng.random(ids.shape)
        falls.append(
            {
                name: float(
                    saliency.comprehensiveness(
                        model, x, target, s, np.ones(ids.shape, bool), np.zeros(32), FRACTION
                    )[0]
                )
                for name, s in said.items()
            }
        )
    return {
        "agreement": {n: float(np.mean([a[n] for a in agreements])) for n in agreements[0]},
        "comprehensiveness": {n: float(np.mean([f[n] for f in falls])) for n in falls[0]},
    }


def through_the_pipes(network: TextAttention, sentences: list[np.ndarray]) -> dict[str, float]:
    """Why does attention agree with the gradient's length? The mean rank agreement of the network's
    own attention with that length, when the gradient passes through weights that are held still,
    and when these are uniform: what is left then does not come from their size."""
    model = readable(network)
    changes: dict[str, Change] = {"held still": np.copy, "uniform": uniform}
    agreements: dict[str, list[float]] = {name: [] for name in changes}
    for ids in sentences:
        x = network.embedding(ids).data
        target = int(probabilities(model, x)[0].argmax())
        with no_grad():
            _, captured = capture(model, Tensor(x), [LAYER])
        received = attention.received_attention(captured[LAYER].data)[0]
        for name, change in changes.items():
            with changed_attention(network.block.self_attn, change):
                slopes = saliency.gradient(model, x, target)
            length = saliency.aggregate_tokens(slopes, x, "l2")[0]
            agreements[name].append(float(spearmanr(received, length).statistic))
    return {name: float(np.mean(values)) for name, values in agreements.items()}


def accuracy(network: TextAttention) -> float:
    data = sentiment()
    ids = movie_words().encode_batch(data.texts_test)
    with no_grad():
        return float((network(ids).data.argmax(axis=1) == data.y_test).mean())


def main() -> None:
    sentences, runs = held_out(), []
    trained = ((s, train_text.train("text_attention", sentiment(), 5, s)) for s in SEEDS)
    for seed, network in [(0, text_attention()), *trained]:
        assert isinstance(network, TextAttention)
        row = {
            "seed": seed,
            "accuracy": accuracy(network),
            "sentences": len(sentences),
            **compare(network, sentences, seed),
            "replaced": replaced(network, sentences, seed),
            "pipes": through_the_pipes(network, sentences),
        }
        runs.append(row)
        print(row)
    code = store.fingerprint(sys.modules[__name__], attention, saliency, integrated_gradients)
    print("wrote", store.save("attention", code, {"fraction": FRACTION, "runs": runs}))


if __name__ == "__main__":
    main()
