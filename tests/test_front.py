"""The front page: its figure says what was measured, and its picture is of this code."""

from __future__ import annotations

import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from course import front
from course.data import photo, preprocess
from course.experiments import front as experiment
from course.experiments import store
from course.methods.sanity_checks import reinitialize_from_top
from course.models import build

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def picture() -> Any:
    spec = spec_from_file_location("front_picture", ROOT / "book" / "front_picture.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_stored_numbers_are_of_these_settings() -> None:
    again = "run python -m course.experiments.front, then python book/front_picture.py"
    assert store.load("front")["settings"] == experiment.settings(), again


def test_stored_picture_is_of_this_code(picture: Any) -> None:
    with Image.open(picture.PICTURE) as image:
        assert image.info["made of"] == picture.made_of(), "run python book/front_picture.py"
    assert picture.PICTURE.stat().st_size < 400_000


def test_no_colour_of_the_picture_changes_the_sign_of_a_map(picture: Any) -> None:
    """The palette has the very white that stands for zero, and white paper."""
    colours = np.array(picture.palette().getpalette()).reshape(-1, 3)
    assert len(colours) <= 256
    assert [247, 247, 247] in np.clip(colours, 0, 247).tolist()
    assert [255, 255, 255] in colours.tolist()


def test_figure_shows_the_measured_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    maps = {name: np.linspace(-1, 1, 12).reshape(3, 4) for name in experiment.NAMES}
    monkeypatch.setattr(front, "maps", lambda network, x, target: maps)
    html = front.figure()
    alts = re.findall(r'<img alt="([^"]+)"', html)
    assert len(alts) == html.count("<img") == len(set(alts)) == 1 + 2 * len(experiment.NAMES)
    kept = [float(n) for n in re.findall(r"<b>(-?\d\.\d\d)</b> ±", html)]
    rows = [store.load("front")["likeness"][name]["20"] for name in experiment.NAMES]
    assert kept == pytest.approx([np.mean([v for v in r if v is not None]) for r in rows], abs=0.01)


def test_mean_leaves_out_what_is_not_there() -> None:
    assert front.mean_and_spread([1.0, None, 3.0]) == (2.0, pytest.approx(np.sqrt(2)))


def test_guided_backpropagation_notices_less_than_the_gradient() -> None:
    network, x = build("efficientnet_lite0"), preprocess(photo("world_animals_panda").image, 96)
    ruin = reinitialize_from_top(network, experiment.SHOWN, seed=11)
    target = int(experiment.probabilities(network, x).argmax())
    found = experiment.likeness(
        *(experiment.maps(model, x, target) for model in (network, ruin)),
    )
    assert found["edge_detector"] == 1
    assert found["guided_backprop"] > found["gradient"] + 0.2
    assert found["lrp_alpha1_beta0"] > found["integrated_gradients"] + 0.2
