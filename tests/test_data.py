"""What the loaders promise, held against the files, Torch's resampling and cases by hand."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from course import data
from course.data.store import FILES


def test_mnist_is_balanced_and_scaled():
    digits = data.mnist()
    assert digits.x_train.shape == (12000, 1, 28, 28)
    assert digits.x_test.shape == (2000, 1, 28, 28)
    assert np.bincount(digits.y_train).tolist() == [1200] * 10
    assert np.bincount(digits.y_test).tolist() == [200] * 10
    for x in (digits.x_train, digits.x_test):
        assert x.dtype == np.float32
        assert (x.min(), x.max()) == (0, 1)
        np.testing.assert_allclose(x * 255, np.rint(x * 255), atol=1e-4)
        assert x[:, :, 4:24, 4:24].mean() > 1.5 * x.mean()  # ink in the middle, paper around it


def test_fashion_mnist_is_balanced_and_scaled():
    clothes = data.fashion_mnist()
    assert clothes.x_train.shape == (12000, 1, 28, 28)
    assert clothes.x_test.shape == (2000, 1, 28, 28)
    assert np.bincount(clothes.y_train).tolist() == [1200] * 10
    assert np.bincount(clothes.y_test).tolist() == [200] * 10
    assert clothes.x_test.dtype == np.float32
    assert (clothes.x_test.min(), clothes.x_test.max()) == (0, 1)
    assert len(data.FASHION_LABELS) == 10
    # The labels' order: trousers (1) are two columns, bags (8) wide, shoes (5, 7, 9) flat.
    mean = [clothes.x_train[clothes.y_train == i, 0].mean(axis=0) for i in range(10)]
    assert mean[1][24, 14] < 0.5 * mean[1][24, [10, 17]].mean()
    assert all(mean[i][:8].mean() < 0.1 < mean[i][14:22].mean() for i in (5, 7))
    assert mean[9][4:8].mean() > 2 * mean[7][4:8].mean()


def test_photographs_are_free_and_credited():
    animals, objects = data.photos("photos_cc0_pd"), data.photos("photos_4class")
    assert (len(animals), len(objects)) == (29, 121)
    assert {p.name for p in data.photos()} == {p.stem for p in FILES.rglob("*.jpg")}
    for p in animals + objects:
        assert p.image.dtype == np.uint8
        assert p.image.ndim == 3
        assert p.image.shape[2] == 3
        assert p.licence.lower() in ("cc0-1.0", "public domain")
        assert p.author
        assert p.source.startswith("http")
    assert all(p.image.shape == (160, 160, 3) for p in objects)


def test_photo_by_name():
    owl = data.photo("farm_animals_owl")
    assert owl.name == "farm_animals_owl"
    assert max(owl.image.shape) <= 448


@pytest.mark.parametrize(
    ("name", "hint"),
    [("owl", "farm_animals_owl"), ("farm_animals_dgo", "farm_animals_dog"), ("", "photos()")],
)
def test_unknown_photo_lists_close_matches(name, hint):
    with pytest.raises(KeyError, match="no photograph is called") as error:
        data.photo(name)
    assert hint in str(error.value)


def test_unknown_collection():
    with pytest.raises(KeyError, match=r"photos_cc0_pd, photos_4class, got 'cats'"):
        data.photos("cats")


def test_preprocess_keeps_the_centred_square_and_its_orientation():
    image = np.zeros((40, 100, 3), np.uint8)
    image[:, :30] = image[:, 70:] = (255, 0, 0)  # what the crop cuts away
    image[:20, 30:50, 1] = 255  # upper left quarter of what it keeps
    x = data.preprocess(image, 40)
    assert x.shape == (1, 3, 40, 40)
    assert x.dtype == np.float32
    green = np.full((40, 40), -127 / 128)
    green[:20, :20] = 1
    np.testing.assert_array_equal(x[0, 1], green.astype(np.float32))
    assert (x[0, [0, 2]] == np.float32(-127 / 128)).all()
    assert np.array_equal(data.preprocess(image.transpose(1, 0, 2), 40), x.transpose(0, 1, 3, 2))


@pytest.mark.parametrize("size", [96, 300])
def test_preprocess_resamples_as_torch(size):
    image = data.photo("tools_hammer1").image
    planes = torch.tensor(image).permute(2, 0, 1)[None].double()
    expected = torch.nn.functional.interpolate(planes, (size, size), mode="bicubic", antialias=True)
    x = data.preprocess(image, size)
    # Pillow rounds to whole levels, after each of its two passes.
    off = np.abs(x * 128 + 127 - expected.clamp(0, 255).numpy())
    assert off.max() <= 1.5
    assert off.mean() < 0.4


def test_to_image_undoes_preprocess():
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    x = data.preprocess(image, 32)
    np.testing.assert_array_equal(data.to_image(x), image)
    np.testing.assert_array_equal(data.to_image(x[0]), image)
    assert data.to_image(np.full((3, 2, 2), 9.0)).max() == 255


@pytest.mark.parametrize(
    ("image", "size", "error", "message"),
    [
        ("owl.jpg", 224, TypeError, "uint8, got str"),
        (np.zeros((8, 8, 3)), 224, TypeError, "uint8, got float64"),
        (np.zeros((8, 8), np.uint8), 224, ValueError, r"RGB \(H, W, 3\), got shape \(8, 8\)"),
        (np.zeros((8, 8, 4), np.uint8), 224, ValueError, r"got shape \(8, 8, 4\)"),
        (np.zeros((0, 8, 3), np.uint8), 224, ValueError, r"got shape \(0, 8, 3\)"),
        (np.zeros((8, 8, 3), np.uint8), 0, ValueError, "size must be at least 1 pixel, got 0"),
    ],
)
def test_preprocess_errors(image, size, error, message):
    with pytest.raises(error, match=message):
        data.preprocess(image, size)


def test_to_image_wants_one_image():
    with pytest.raises(ValueError, match=r"one image.*got shape \(2, 3, 4, 4\)"):
        data.to_image(np.zeros((2, 3, 4, 4)))


def test_imagenet_labels():
    labels = data.imagenet_labels()
    assert len(labels) == 1000
    known = {
        0: "tench",
        105: "koala",
        235: "German shepherd",
        388: "giant panda",
        999: "toilet tissue",
    }
    assert {i: labels[i] for i in known} == known
    twice = {name for name in labels if labels.count(name) > 1}
    assert twice == {"crane", "maillot"}


def test_missing_data_file():
    with pytest.raises(FileNotFoundError, match=r"'mnist\.npz'.*mnist_12k2k\.npz"):
        data.data_file("mnist.npz")


def test_arrays_that_need_pickle_are_refused(tmp_path):
    np.savez(tmp_path / "bad.npz", a=np.array([{"run": "me"}], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle"):
        data.load_arrays(tmp_path / "bad.npz")


def test_every_shipped_file_has_its_provenance():
    text = (FILES / "PROVENANCE.md").read_text(encoding="utf-8")
    for path in FILES.rglob("*"):
        relative = path.relative_to(FILES).as_posix()
        named = relative in text or f"{relative.split('/')[0]}/ (" in text
        if path.is_file() and path.name != "PROVENANCE.md":
            assert named, f"{relative} is not in PROVENANCE.md"


def test_import_is_quick_and_lazy():
    code = """
import sys, time
begin = time.process_time()
import course, course.data, course.nn, course.models
print(time.process_time() - begin)
print(*({"torch", "matplotlib", "PIL", "rich"} & set(sys.modules)))
"""
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        for _ in range(3)
    ]
    seconds, heavy = zip(*(run.stdout.split("\n")[:2] for run in runs), strict=True)
    assert set(heavy) == {""}
    assert min(map(float, seconds)) < 0.3
