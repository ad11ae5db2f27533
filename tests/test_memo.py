"""Torch's answers on disk: found again without Torch, and never trusted when damaged."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from course.grading import memo
from course.grading.spec import Network

X = np.arange(6.0).reshape(2, 3)
HAND = Network("hand")
SMALL = Network("small_cnn", seed=1)


class Doubler:
    """A reference that counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, arguments):
        self.asked += 1
        return 2 * arguments["x"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(memo, "_references", lambda: "as installed")
    return tmp_path / "cache"


def ask(arguments, name="double"):
    """Whether the reference had to be asked; the answer must be right in either case."""
    reference = Doubler()
    answer = memo.memoised(reference, name)(arguments)
    np.testing.assert_array_equal(answer, 2 * arguments["x"])
    assert answer.dtype == arguments["x"].dtype
    return bool(reference.asked)


def test_the_second_time_the_reference_is_not_asked(folder):
    assert [ask({"x": X}), ask({"x": X})] == [True, False]
    assert [f.suffix for f in folder.iterdir()] == [".npy"]


OTHERS = {
    "a number": {"x": X + 1},
    "shape": {"x": X.T},
    "same bytes, another shape": {"x": X.reshape(3, 2)},
    "dtype": {"x": X.astype(np.float32)},
    "order of axes": {"x": np.asfortranarray(X[::-1])},
    "an integer": {"x": X, "target": 1},
    "true is not one": {"x": X, "target": True},
    "a float": {"x": X, "target": 1.0},
    "text": {"x": X, "target": "1"},
    "a tuple": {"x": X, "target": (1, 2)},
    "a network": {"x": X, "model": HAND},
    "another network": {"x": X, "model": SMALL},
    "its seed": {"x": X, "model": Network("small_cnn", seed=2)},
    "its dtype": {"x": X, "model": Network("small_cnn", seed=1, dtype="float32")},
}


def test_whatever_differs_is_another_answer(folder):
    ask({"x": X})
    assert {name: ask(arguments) for name, arguments in OTHERS.items()} == dict.fromkeys(
        OTHERS, True
    )
    assert ask({"x": X}, name="another function")
    assert {name: ask(arguments) for name, arguments in OTHERS.items()} == dict.fromkeys(
        OTHERS, False
    )


def test_other_weights_of_the_same_network_are_another_answer(folder, monkeypatch):
    ask({"x": X, "model": SMALL})
    other = memo.realise({"m": Network("small_cnn", seed=3)})["m"]
    monkeypatch.setattr(memo, "realise", lambda arguments: {"model": other})
    memo._parameters.cache_clear()
    try:
        assert ask({"x": X, "model": SMALL})
    finally:
        memo._parameters.cache_clear()


def test_another_reference_is_another_answer(folder, monkeypatch):
    ask({"x": X})
    monkeypatch.setattr(memo, "_references", lambda: "as edited")
    assert ask({"x": X})


def test_what_has_no_description_is_asked_every_time(folder):
    arguments = {"x": X, "baseline": object()}
    assert [ask(arguments), ask(arguments)] == [True, True]


DAMAGE = {
    "empty": lambda stored: b"",
    "cut": lambda stored: stored[: len(stored) // 2],
    "one bit": lambda stored: stored[:-40] + bytes([stored[-40] ^ 1]) + stored[-39:],
    "noise": lambda stored: np.random.default_rng(0).bytes(300),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_written_anew(folder, damage):
    ask({"x": X})
    (file,) = folder.iterdir()
    file.write_bytes(DAMAGE[damage](file.read_bytes()))
    assert [ask({"x": X}), ask({"x": X})] == [True, False]


@pytest.mark.parametrize("place", ["a file", "below a file", "nowhere"])
def test_without_a_folder_every_answer_is_asked(folder, place, tmp_path, monkeypatch):
    file = tmp_path / "taken"
    file.write_text("mine")
    chosen = {"a file": file, "below a file": file / "cache", "nowhere": ""}[place]
    monkeypatch.setenv("COURSE_CACHE", str(chosen))
    assert [ask({"x": X}), ask({"x": X})] == [True, True]
    assert file.read_text() == "mine"


def test_the_folder_stays_small_and_the_oldest_goes(folder, monkeypatch):
    ask({"x": X})
    size = next(folder.iterdir()).stat().st_size
    monkeypatch.setattr(memo, "LIMIT", 4 * size)
    monkeypatch.setattr(memo, "ENOUGH", 3 * size)
    os.utime(next(folder.iterdir()), (1, 1))
    for i in range(1, 4):
        ask({"x": X + i})
        for file in folder.iterdir():
            os.utime(file, (file.stat().st_mtime - 100,) * 2)
    assert not ask({"x": X})  # used again: now the newest
    ask({"x": X + 4})
    assert len(list(folder.iterdir())) == 3
    assert not ask({"x": X})
    assert ask({"x": X + 1})


def test_many_at_once_do_no_harm(folder):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: ask({"x": X + i % 5}), range(100)))
    assert len(list(folder.iterdir())) == 5
    assert not ask({"x": X})


def test_the_folder_is_the_platforms(monkeypatch, tmp_path):
    monkeypatch.delenv("COURSE_CACHE", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert memo.cache_folder() == tmp_path / "saliency-from-scratch"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert memo.cache_folder() == tmp_path / ".cache" / "saliency-from-scratch"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert memo.cache_folder() == tmp_path / "Library" / "Caches" / "saliency-from-scratch"


TWICE = """
import sys
from course.grading.judge import judge
from course.grading.run import in_kernel
from course.specs import find
for exercise in find("05")[1]:
    assert judge(exercise, in_kernel(exercise, exercise.function)).passed
print("torch" in sys.modules)
"""


def test_a_second_check_does_not_import_torch(tmp_path):
    pytest.importorskip("torch")
    environment = {**os.environ, "COURSE_CACHE": str(tmp_path)}
    imported = [
        subprocess.run(
            [sys.executable, "-c", TWICE], env=environment, check=True, capture_output=True
        ).stdout.strip()
        for _ in range(2)
    ]
    assert imported == [b"True", b"False"]
