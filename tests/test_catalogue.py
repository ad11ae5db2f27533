"""The table of methods: every line of it can be called, and points at things that exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from course import autograd
from course.autograd import Tensor
from course.catalogue import CATALOGUE, COPIES, WORDS, Entry, last_feature_maps, pixel_map
from course.data import mnist, movie_words
from course.methods import attention, backprop_rules, cam, saliency
from course.methods.integrated_gradients import completeness_gap
from course.models import build

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", CATALOGUE)
def test_maps_of_every_method(name: str) -> None:
    x = mnist().x_test[:2]
    maps = CATALOGUE[name].explain(build("mnist_cnn"), x, np.array([3, 8]))
    assert maps.shape == x.shape
    assert np.isfinite(maps).all()
    assert maps.any(axis=(1, 2, 3)).all()


SENTENCE = "A dull script wastes a wonderful cast ."


@pytest.mark.parametrize("name", WORDS)
def test_one_number_a_word(name: str) -> None:
    ids = movie_words().encode_batch([SENTENCE])
    for network in ("text_attention",) if "attention" in name else ("text_cnn", "text_attention"):
        scores = WORDS[name].explain(build(network), ids, 0)
        assert scores.shape == ids.shape
        assert np.isfinite(scores).all()
        assert scores.any()


def test_the_path_of_words_is_complete_and_attention_is_shared_out() -> None:
    model: Any = build("text_attention")
    ids = movie_words().encode_batch([SENTENCE])
    vectors = model.embedding(ids).data
    words = WORDS["integrated_gradients"].explain(model, ids, 1)
    spread = words[:, :, None] * np.ones_like(vectors) / vectors.shape[2]
    gap = completeness_gap(model.from_embeddings, vectors, 1, 0, spread)
    assert np.abs(gap) < 0.05 * np.abs(words).sum()
    assert WORDS["attention"].explain(model, ids, 1).sum() == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize("name", CATALOGUE)
def test_the_passes_that_are_said_are_those_that_are_made(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry, model = CATALOGUE[name], build("mnist_cnn")
    seen = {"forward": 0, "backward": 0}
    forward = type(model).forward

    def counted_forward(self: Any, x: Tensor) -> Tensor:
        seen["forward"] += len(x)
        return forward(self, x)

    def counted_grad(output: Tensor, inputs: Tensor, *args: Any, **options: Any) -> np.ndarray:
        seen["backward"] += len(inputs)
        return autograd.grad(output, inputs, *args, **options)

    monkeypatch.setattr(type(model), "forward", counted_forward)
    for module in (saliency, cam, backprop_rules, attention):
        monkeypatch.setattr(module, "grad", counted_grad)
    entry.explain(model, mnist().x_test[:3], np.array([1, 3, 8]))
    value = {"0": 0, "1": 1, "2": 2, "n": COPIES, "2n": 2 * COPIES, "C": 10}
    said = [3 * value[passes] for passes in entry.passes]
    assert [seen["forward"], seen["backward"]] == said


@pytest.mark.parametrize("entry", [*CATALOGUE.values(), *WORDS.values()], ids=lambda e: e.title)
def test_lecture_and_paper_exist(entry: Entry) -> None:
    lecture = (ROOT / "lectures" / f"{entry.lecture}.md").read_text()
    assert entry.paper in lecture, "the chapter cites the method's paper"
    assert f"\n({entry.section})=\n" in lecture, "the chapter has the section"
    keys = re.findall(r"^@\w+\{(\w+),", (ROOT / "book/references.bib").read_text(), re.MULTILINE)
    assert entry.paper in keys


def test_no_feature_maps() -> None:
    with pytest.raises(ValueError, match=r"must be one of EfficientNetLite0, .*, got MnistMLP"):
        last_feature_maps(build("mnist_mlp"))


def test_one_number_a_pixel() -> None:
    colours = np.array([1.0, -3.0, 0.5]).reshape(1, 3, 1, 1)
    assert pixel_map(colours, "contribution") == -1.5
    assert pixel_map(colours, "sensitivity") == 3
