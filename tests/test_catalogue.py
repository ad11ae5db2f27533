"""The table of methods: every line of it can be called, and points at things that exist."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from course.catalogue import CATALOGUE, last_feature_maps, pixel_map
from course.data import mnist
from course.models import build

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", CATALOGUE)
def test_maps_of_every_method(name: str) -> None:
    x = mnist().x_test[:2]
    maps = CATALOGUE[name].explain(build("mnist_cnn"), x, np.array([3, 8]))
    assert maps.shape == x.shape
    assert np.isfinite(maps).all()
    assert maps.any(axis=(1, 2, 3)).all()


@pytest.mark.parametrize("name", CATALOGUE)
def test_lecture_and_paper_exist(name: str) -> None:
    entry = CATALOGUE[name]
    lecture = (ROOT / "lectures" / f"{entry.lecture}.md").read_text()
    assert entry.paper in lecture, "the chapter cites the method's paper"
    keys = re.findall(r"^@\w+\{(\w+),", (ROOT / "book/references.bib").read_text(), re.MULTILINE)
    assert entry.paper in keys


def test_no_feature_maps() -> None:
    with pytest.raises(ValueError, match=r"must be one of EfficientNetLite0, .*, got MnistMLP"):
        last_feature_maps(build("mnist_mlp"))


def test_one_number_a_pixel() -> None:
    colours = np.array([1.0, -3.0, 0.5]).reshape(1, 3, 1, 1)
    assert pixel_map(colours, "contribution") == -1.5
    assert pixel_map(colours, "sensitivity") == 3
