"""Module 05's claims about words, measured: which aggregation finds the words that matter?

    python -m course.experiments.saliency_language

asks the two shipped classifiers of sentences and takes about two minutes; lecture 05 reads it.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from scipy.stats import rankdata, spearmanr

from course.autograd import no_grad
from course.data import movie_words, sentiment, word_valences
from course.experiments import store
from course.methods import saliency
from course.models.text import TextClassifier, text_attention, text_cnn

NETWORKS = {"text_cnn": text_cnn, "text_attention": text_attention}
WAYS = ("sum", "mean", "l2", "dot")
FRACTION = 0.2
CONTROLS = 5  # seeds of random scores
BOOTSTRAPS = 1000
LEAST = 3  # rated words in a sentence, to speak of their order


def scores_of(model: TextClassifier, ids: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The predicted classes (N,) of sentences ids (N, T), and each aggregation's scores (N, T)."""
    mask, x = ids != 0, model.embedding(ids).data
    with no_grad():
        predicted = model(ids).data.argmax(axis=1)
    slopes = saliency.gradient(lambda e: model.from_embeddings(e, mask), x, predicted)
    return predicted, {how: saliency.aggregate_tokens(slopes, x, how) for how in WAYS}


def drop(
    model: TextClassifier, ids: np.ndarray, target: np.ndarray, scores: np.ndarray, word: int = 0
) -> np.ndarray:
    """Comprehensiveness (N,) with the vector of the word number `word`, [PAD], as replacement."""
    mask, vectors = ids != 0, model.embedding.weight.data
    return saliency.comprehensiveness(
        lambda e: model.from_embeddings(e, mask),
        model.embedding(ids).data,
        target,
        scores,
        mask,
        vectors[word],
        FRACTION,
    )


def valences(ids: np.ndarray) -> np.ndarray:
    """People's ratings of the words, (N, T); NaN where a word has none."""
    rated = word_valences()
    return np.array([rated.get(token, np.nan) for token in movie_words().tokens])[ids]


def agreements(scores: np.ndarray, valence: np.ndarray) -> np.ndarray:
    """Spearman's correlation of scores and ratings, for each sentence in which both vary."""
    found = []
    for s, v in zip(scores, valence, strict=True):
        rated = ~np.isnan(v)
        if rated.sum() >= LEAST and np.ptp(s[rated]) and np.ptp(v[rated]):
            found.append(spearmanr(s[rated], v[rated]).statistic)
    return np.array(found)


def detection(scores: np.ndarray, valence: np.ndarray, mask: np.ndarray) -> float:
    """How often a rated word has a higher score than an unrated one, of all words (AUC)."""
    rated, ranks = ~np.isnan(valence[mask]), rankdata(scores[mask])
    n = int(rated.sum())
    return float((ranks[rated].sum() - n * (n + 1) / 2) / (n * (len(rated) - n)))


def spread(values: np.ndarray, rng: np.random.Generator) -> dict[str, float]:
    """The mean, and the standard deviation of the mean over resampled sentences."""
    means = rng.choice(values, (BOOTSTRAPS, len(values))).mean(axis=1)
    return {"mean": float(values.mean()), "sd": float(means.std(ddof=1)), "n": len(values)}


def measure(model: TextClassifier, ids: np.ndarray) -> dict[str, Any]:
    """All three measures of the four aggregations on one network."""
    rng = np.random.default_rng(0)
    mask, valence = ids != 0, valences(ids)
    target, scores = scores_of(model, ids)
    towards_positive = np.where(target == 1, 1, -1)[:, None]
    found: dict[str, Any] = {}
    for how, s in scores.items():
        found[how] = {
            "drop": spread(drop(model, ids, target, s), rng),
            "drop of [UNK]": spread(drop(model, ids, target, s, word=1), rng),
            "agreement": spread(agreements(s * towards_positive, valence), rng),
            "detection": detection(np.abs(s), valence, mask),
        }
    chance = [
        drop(model, ids, target, np.random.default_rng(seed).normal(size=ids.shape)).mean()
        for seed in range(CONTROLS)
    ]
    found["random"] = {"mean": float(np.mean(chance)), "sd": float(np.std(chance, ddof=1))}
    return found


def main() -> None:
    ids = movie_words().encode_batch(sentiment().texts_test)
    results: dict[str, Any] = {"fraction": FRACTION, "sentences": len(ids), "networks": {}}
    for name, shipped in NETWORKS.items():
        results["networks"][name] = measure(shipped(), ids)
        print(name, results["networks"][name])
    code = store.fingerprint(sys.modules[__name__], saliency)
    print("wrote", store.save("saliency_language", code, results))


if __name__ == "__main__":
    main()
