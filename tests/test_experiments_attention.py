"""Lecture 04's stored results were made by the code that is here, and their direction holds on a
small budget."""

from __future__ import annotations

import numpy as np
import pytest

from course.methods import attention as method
from course.methods import integrated_gradients, saliency
from course.models import build, minilm_pieces

pytest.importorskip("scipy")

from course.experiments import attention, pronouns, store


@pytest.fixture(scope="module")
def network():
    return build("text_attention")


@pytest.fixture(scope="module")
def minilm():
    return build("minilm"), minilm_pieces()


def test_stored_results_are_of_this_code():
    code = store.fingerprint(attention, method, saliency, integrated_gradients)
    assert store.load("attention")["code"] == code, "run python -m course.experiments.attention"


def test_attention_goes_with_the_gradients_length_and_not_with_the_answer(network):
    row = attention.compare(network, attention.held_out(60), seed=5)
    agreement, falls = row["agreement"], row["comprehensiveness"]
    assert agreement["gradient length"] > 0.65
    assert agreement["gradient length"] > agreement["Integrated Gradients"] + 0.2
    assert falls["attention"] < 0.5 * falls["Integrated Gradients"]
    assert falls["attention × gradient"] > 1.5 * falls["attention"]
    assert falls["random"] < falls["attention"]


def test_an_attention_that_is_not_its_own_seldom_turns_an_answer(network):
    row = attention.replaced(network, attention.held_out(60), seed=5)
    for kind in ("uniform", "shuffled"):
        assert 0 < row[kind]["moved"] < 0.15
        assert 0 < row[kind]["turned"] < 0.3


def test_the_agreement_comes_through_the_weights(network):
    row = attention.through_the_pipes(network, attention.held_out(60))
    assert row["held still"] > 0.7
    assert row["uniform"] < 0.2


def test_replacing_attention_by_itself_changes_nothing_and_is_undone(network):
    x = network.embedding(attention.held_out(1)[0]).data
    model = attention.readable(network)
    before = attention.probabilities(model, x)
    with attention.changed_attention(network.block.self_attn, lambda weights: weights):
        assert np.array_equal(attention.probabilities(model, x), before)
    with attention.changed_attention(network.block.self_attn, attention.uniform):
        assert not np.array_equal(attention.probabilities(model, x), before)
    assert np.array_equal(attention.probabilities(model, x), before)


def test_deletion_is_a_fall_of_the_probability(network):
    x = network.embedding(attention.held_out(1)[0]).data
    model = attention.readable(network)
    falls = attention.occlusion(model, x, 1)
    without = x.copy()
    without[0, 3] = 0
    expected = (
        attention.probabilities(model, x)[0, 1] - attention.probabilities(model, without)[0, 1]
    )
    assert falls.shape == x.shape[:2]
    assert falls[0, 3] == pytest.approx(expected, abs=1e-6)


def test_one_head_finds_the_noun_of_the_pronouns_gender_and_is_not_needed(minilm):
    asked = pronouns.sentences(pronouns.PEOPLE[:4])
    own, other = pronouns.pronoun_attention(*minilm, asked)
    right = (own > other).mean(axis=0)
    assert right[1, 10] > 0.9
    assert right[1, 8] < 0.1  # always the other one
    assert 0.3 < right[1, 5] < 0.8
    she = np.array([s.pronoun == "she" for s in asked])
    gap = {}
    for name, off in {"whole": {}, "without": {0: [1], 1: [8, 9, 10]}}.items():
        leaning = pronouns.leaning(*minilm, asked, off)
        gap[name] = leaning[she].mean() - leaning[~she].mean()
    assert gap["without"] > 0.8 * gap["whole"] > 0


def test_even_heads_leave_padding_alone(minilm):
    model, pieces = minilm
    asked = pronouns.sentences(pronouns.PEOPLE[:1])
    together = pronouns.leaning(model, pieces, asked, {1: [5]})
    alone = pronouns.leaning(model, pieces, asked[3:4], {1: [5]})
    assert together[3] == pytest.approx(alone[0], abs=1e-5)
