"""The measures of module 10 against scipy, scikit-image and Torch, by hand, and on bad input."""

from __future__ import annotations

import numpy as np
import pytest

from course.methods.similarity import hog, hog_similarity, rank_correlation, ssim, unit_range

stats = pytest.importorskip("scipy.stats")
pytest.importorskip("skimage")
from skimage.feature import hog as skimage_hog  # noqa: E402
from skimage.metrics import structural_similarity  # noqa: E402

RNG = np.random.default_rng(0)


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    return float(stats.spearmanr(a.ravel(), b.ravel()).statistic)


def test_ranks_with_ties_by_hand():
    # Ranks 1, 2.5, 2.5, 4 and 1, 3, 2, 4: covariance 4.5, variances 4.5 and 5.
    a, b = np.array([[1.0, 2, 2, 3]]), np.array([[1.0, 3, 2, 4]])
    assert rank_correlation(a, b)[0] == pytest.approx((4.5 / 5) ** 0.5, abs=1e-15)


@pytest.mark.parametrize("values", [3, 10, 1000])
def test_rank_correlation_equals_scipy(values):
    a, b = RNG.integers(0, values, (2, 6, 1, 9, 7)) / 7
    want = [spearman(m, n) for m, n in zip(a, b, strict=True)]
    np.testing.assert_allclose(rank_correlation(a, b), want, atol=1e-14)


def test_rank_correlation_on_a_support_equals_scipy_on_the_chosen():
    a, b = np.abs(RNG.normal(size=(2, 5, 1, 8, 8)))
    support = RNG.random(a.shape) < 0.3
    want = [spearman(m[k], n[k]) for m, n, k in zip(a, b, support, strict=True)]
    np.testing.assert_allclose(rank_correlation(a, b, support), want, atol=1e-14)


def test_rank_correlation_of_a_constant_is_no_number():
    a = np.stack([np.zeros(9), np.arange(9.0)])
    found = rank_correlation(a, np.stack([np.arange(9.0)] * 2))
    assert np.isnan(found[0])
    assert found[1] == pytest.approx(1)


@pytest.mark.parametrize(("sigma", "data_range"), [(1.5, 1.0), (1.5, 2.0), (0.8, 1.0)])
def test_ssim_equals_scikit_image(sigma, data_range):
    a = RNG.random((4, 28, 21))
    b = a + 0.3 * RNG.normal(size=a.shape)
    want = [
        structural_similarity(
            m,
            n,
            data_range=data_range,
            gaussian_weights=True,
            sigma=sigma,
            use_sample_covariance=True,
        )
        for m, n in zip(a, b, strict=True)
    ]
    np.testing.assert_allclose(ssim(a, b, sigma, data_range), want, atol=1e-12)


def test_ssim_of_equal_and_of_opposite_images():
    a = RNG.random((3, 20, 20))
    np.testing.assert_allclose(ssim(a, a), 1, atol=1e-12)
    assert (ssim(a, 1 - a) < -0.5).all()


def oriented(a: np.ndarray, cell: int) -> np.ndarray:
    return np.stack(
        [
            skimage_hog(
                m, pixels_per_cell=(cell, cell), cells_per_block=(3, 3), block_norm="L2-Hys"
            )
            for m in a
        ]
    )


@pytest.mark.parametrize("cell", [7, 8])
def test_hog_equals_scikit_image(cell):
    """scikit-image adds up a cell's votes in single precision; nothing else differs."""
    a = RNG.random((3, 4 * cell, 3 * cell + 2))
    np.testing.assert_allclose(hog(a, cell), oriented(a, cell), atol=1e-6)


def test_hog_equals_scikit_image_where_its_single_precision_is_exact():
    """Differences of 6 across and 8 down have the length 10; at a border, one of them is missing.
    Sums of such votes over cells of 64 pixels are exact."""

    def steps(size: int, by: float) -> np.ndarray:
        line = np.zeros(size)
        for i in range(2, size):
            line[i] = line[i - 2] + by * RNG.choice([-1, 1])
        return line

    a = np.stack([steps(32, 8)[:, None] + steps(40, 6)[None] for _ in range(4)])
    np.testing.assert_allclose(hog(a, 8), oriented(a, 8), atol=1e-12)


def test_hog_similarity_sees_structure():
    a = RNG.random((2, 28, 28)).repeat(2, 0)
    assert hog_similarity(a, 3 * a) == pytest.approx(1, abs=1e-6)
    assert (np.abs(hog_similarity(a[:1], RNG.random((1, 28, 28)))) < 0.3).all()


def test_unit_range():
    maps = np.array([[[-2.0, 0], [2, 1]], [[5, 5], [5, 5]]])
    assert unit_range(maps).tolist() == [[[0, 0.5], [1, 0.75]], [[0, 0], [0, 0]]]


def test_images_too_small_are_refused_in_one_sentence():
    with pytest.raises(
        ValueError, match=r"at least as large as the window of 11 pixels, got \(10, 28\)"
    ):
        ssim(np.zeros((1, 10, 28)), np.zeros((1, 10, 28)))
    with pytest.raises(ValueError, match=r"at least 21 pixels .* 3 cells of 7, got \(20, 28\)"):
        hog(np.zeros((1, 20, 28)))


def test_the_torch_twins_agree():
    torch = pytest.importorskip("torch")
    from course.reference import similarity as reference

    a, b = RNG.integers(0, 9, (2, 3, 24, 22)) / 8
    support = RNG.random(a.shape) < 0.5
    ta, tb, ts = (torch.tensor(v) for v in (a, b, support))
    for ours, theirs in [
        (rank_correlation(a, b), reference.rank_correlation(ta, tb)),
        (rank_correlation(a, b, support), reference.rank_correlation(ta, tb, ts)),
        (ssim(a, b), reference.ssim(ta, tb)),
        (ssim(a, b, 0.8, 2.0), reference.ssim(ta, tb, 0.8, 2.0)),
    ]:
        np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-12)
