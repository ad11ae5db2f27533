"""The front page: its figure says what was measured, and its picture is of this code."""

from __future__ import annotations

import re
import tomllib
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib import colormaps
from PIL import Image

from course import front
from course.data import photo, preprocess
from course.experiments import front as experiment
from course.experiments import store
from course.methods.sanity_checks import reinitialize_from_top
from course.models import build
from course.specs import modules

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
        assert image.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
    assert picture.PICTURE.stat().st_size < 400_000


def test_no_colour_of_the_picture_changes_the_sign_of_a_map(picture: Any) -> None:
    """The palette has the very grey that stands for zero."""
    colours = np.array(picture.palette().getpalette()).reshape(-1, 3)
    assert len(colours) <= 256
    zero = np.rint(255 * np.array(colormaps["RdBu_r"](0.5)[:3]))
    assert np.abs(colours - zero).max(axis=1).min() <= 1


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


# --- the page that maps lectures to slides and papers ----------------------------------------


def test_every_lecture_has_a_source() -> None:
    text = (ROOT / "lectures" / "sources.md").read_text(encoding="utf-8")
    by_lecture = text.partition("## By lecture")[2].partition("\n## ")[0]
    listed = re.findall(r"^\| \[\]\((\w+\.md)\)", by_lecture, re.MULTILINE)
    pages = (ROOT / "lectures").glob("[0-9]*.md")
    assert listed == sorted(p.name for p in pages if not p.stem.endswith("_exercises"))


def test_what_is_planned_is_not_there_yet_and_on_the_front_page() -> None:
    """A module that gets written leaves the list of the planned ones."""
    text = (ROOT / "lectures" / "sources.md").read_text(encoding="utf-8")
    planned = set(re.findall(r"planned, (\d\d)", text))
    written = {module.number for module in modules()}
    assert planned == {f"{n:02}" for n in range(1, 17)} - written
    index = (ROOT / "lectures" / "index.md").read_text(encoding="utf-8")
    prose = index.partition("Eight more are planned")[2].partition("\n\n")[0]
    assert set(re.findall(r"\b(\d\d)\b", prose)) == planned


def test_every_row_says_where_or_that_it_is_not() -> None:
    text = (ROOT / "lectures" / "sources.md").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| ")]
    assert len(rows) > 70
    here = re.compile(r"\{ref\}|\.md|planned, \d\d|not covered|chapters above")
    heads = ("| Slide", "| Lecture", "| Abstract, idea by idea")
    silent = [r for r in rows if not r[0].startswith(heads) and not here.search(" ".join(r[:2]))]
    assert silent == []


# --- how to cite -----------------------------------------------------------------------------


def test_the_page_cites_as_the_citation_file_does() -> None:
    page = (ROOT / "lectures" / "index.md").read_text(encoding="utf-8")
    entry = page.partition("```bibtex")[2].partition("```")[0]
    bibtex = {k: v.strip("{}") for k, v in re.findall(r"(\w+)\s*= (\{+.*?\}+),?\n", entry)}
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    stated = dict(re.findall(r'^(?:  - )?(\w+): "?(.+?)"?$', citation, re.MULTILINE))
    assert bibtex["title"] == stated["title"]
    assert bibtex["author"] == stated["name"]
    assert bibtex["version"] == stated["version"]
    assert bibtex["license"] == stated["license"]
    settings = (ROOT / "book" / "_config.yml").read_text(encoding="utf-8")
    assert f'copyright: "{bibtex["year"]}"' in settings


def test_the_readme_says_what_is_there() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    facts = re.search(r"^Python ([\d.]+) or newer · .* code (\S+), .* (\d+) of 16", readme, re.M)
    assert facts
    assert project["requires-python"] == f">={facts[1]}"
    assert project["license"] == facts[2]
    assert len(modules()) == int(facts[3])
    kept = [store.load("front")["likeness"][n]["20"] for n in experiment.NAMES[-3:]]
    assert re.findall(r"[01]\.\d\d", readme.partition("beneath are")[2][:40]) == [
        f"{front.mean_and_spread(values)[0]:.2f}" for values in kept
    ]
    for path in re.findall(r"\]\(([^)]+)\)|src=\"([^\"]+)\"", readme):
        assert (ROOT / "".join(path)).exists()
