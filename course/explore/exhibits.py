"""What the interactive page shows: networks with pictures, and every number that it needs of them.

A network is drawn anew from its output down, each layer by its own initialiser, all from one seed,
and asked about the same classes as before.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from course.autograd import Tensor, no_grad, softmax
from course.catalogue import CATALOGUE, pixel_map
from course.data import (
    FASHION_LABELS,
    fashion_mnist,
    imagenet_labels,
    mnist,
    photo,
    preprocess,
    to_image,
)
from course.experiments.sanity_methods import noise_like
from course.methods.sanity_checks import reinitialize_from_top
from course.methods.similarity import rank_correlation
from course.models import build
from course.nn import Module, layers_from_top

SEED = 0  # of the new weights
CLASSES = 2  # the network's likeliest
NULLS = 16  # pairs of maps of noise
MASKED = 0.05  # of the pixels 0: below that, noise has nothing to agree on

# Competition for gradients would need a pass for each of 1000 labels; the rest is left out for
# its weight in the page.
ON_PHOTOGRAPHS = (
    "gradient", "guided_backprop", "deconvnet", "smoothgrad", "grad_cam", "guided_grad_cam",
    "gradient_times_input", "integrated_gradients", "lrp_alpha1_beta0", "edge_detector",
)  # fmt: skip
ON_DIGITS = (*ON_PHOTOGRAPHS[:-2], "lrp_epsilon", *ON_PHOTOGRAPHS[-2:], "competitive_gradients")
WITHOUT_FEATURE_MAPS = tuple(name for name in ON_DIGITS if "grad_cam" not in name)

PHOTOGRAPHS = {
    "owl": "farm_animals_owl",
    "dog": "farm_animals_dog",
    "koala": "world_animals_koala",
    "cat": "farm_animals_cat",
    "jaguar": "world_animals_jaguar",
}
SIDE, SHOWN = 128, 288  # pixels of a photograph: for the network, for the reader
COUNTS = (0, 1, 11, 20, 35, 50)  # of EfficientNet-Lite0's 50 layers
DIGITS = {"five": 84, "four": 181, "three": 188}
CLOTHES = {"coat": 9, "boot": 56}


@dataclass(frozen=True)
class Exhibit:
    """One network and the pictures that it is asked about.

    name, title: of the network. x: the pictures (N, C, H, W); pictures: what they are called;
    images: how they are shown, each (H', W', 3) uint8. labels: of all classes.
    counts: how many of the topmost layers are drawn anew at each stop, 0 first.
    methods: names from the catalogue, the two that are shown at first in front.
    block: the side of the squares of pixels whose mean is kept.
    """

    name: str
    title: str
    x: np.ndarray
    pictures: tuple[str, ...]
    images: tuple[np.ndarray, ...]
    labels: tuple[str, ...]
    counts: tuple[int, ...]
    methods: tuple[str, ...]
    block: int = 1


@dataclass(frozen=True)
class Numbers:
    """What the networks of an exhibit say and what the methods make of it.

    classes: the trained network's likeliest, (N, CLASSES) ints.
    probabilities: of these at each stop, (stops, N, CLASSES).
    says: the likeliest class at each stop and its probability, (stops, N) each.
    maps: one number a pixel, means of blocks, (N, CLASSES, methods, stops, H, W).
    signed, magnitudes: rank correlation with the intact network's map, of the colours added up
        with their signs and of the magnitudes shown, (N, CLASSES, methods, stops); NaN where a
        map is constant.
    null: what magnitudes of noise under the same zeros reach, NaN where there are hardly any.
    """

    classes: np.ndarray
    probabilities: np.ndarray
    says: tuple[np.ndarray, np.ndarray]
    maps: np.ndarray
    signed: np.ndarray
    magnitudes: np.ndarray
    null: np.ndarray


def photographs() -> Exhibit:
    """EfficientNet-Lite0 on five animals."""
    images = [photo(name).image for name in PHOTOGRAPHS.values()]
    return Exhibit(
        "efficientnet_lite0",
        "EfficientNet-Lite0",
        np.concatenate([preprocess(image, SIDE) for image in images]),
        tuple(PHOTOGRAPHS),
        tuple(to_image(preprocess(image, SHOWN)) for image in images),
        imagenet_labels(),
        COUNTS,
        ON_PHOTOGRAPHS,
        block=2,
    )


def digits(name: str = "mnist_cnn") -> Exhibit:
    """A network of handwritten digits, "mnist_cnn" or "mnist_mlp", on three of them."""
    title, methods = {
        "mnist_cnn": ("MNIST CNN", ON_DIGITS),
        "mnist_mlp": ("MNIST MLP", WITHOUT_FEATURE_MAPS),
    }[name]
    x = mnist().x_test[list(DIGITS.values())]
    return _small(name, title, x, DIGITS, tuple("0123456789"), methods)


def clothes() -> Exhibit:
    """The Fashion-MNIST network on two pieces: half of such an image is not zero."""
    x = fashion_mnist().x_test[list(CLOTHES.values())]
    return _small("fashion_cnn", "Fashion CNN", x, CLOTHES, FASHION_LABELS, ON_DIGITS)


def _small(
    name: str,
    title: str,
    x: np.ndarray,
    pictures: dict[str, int],
    labels: tuple[str, ...],
    methods: tuple[str, ...],
) -> Exhibit:
    """Ink on paper, every layer a stop."""
    paper = np.rint(255 * (1 - x)).astype(np.uint8)
    images = tuple(np.repeat(image[0, :, :, None], 3, axis=2) for image in paper)
    counts = tuple(range(len(layers_from_top(build(name))) + 1))
    return Exhibit(name, title, x, tuple(pictures), images, labels, counts, methods)


def measure(exhibit: Exhibit) -> Numbers:
    """Everything about an exhibit that is computed."""
    model, x = build(exhibit.name), exhibit.x
    networks = [reinitialize_from_top(model, count, SEED) for count in exhibit.counts]
    probabilities = np.stack([_probabilities(network, x) for network in networks])
    classes = (-probabilities[0]).argsort(axis=1)[:, :CLASSES]
    shape = (len(x), CLASSES, len(exhibit.methods), len(exhibit.counts))
    side = tuple(length // exhibit.block for length in x.shape[2:])
    maps = np.zeros((*shape, *side))
    signed, magnitudes, null = (np.full(shape, np.nan) for _ in range(3))
    for c in range(CLASSES):
        for m, name in enumerate(exhibit.methods):
            found = [CATALOGUE[name].explain(network, x, classes[:, c]) for network in networks]
            shown = [pixel_map(a, CATALOGUE[name].meaning) for a in found]
            for s in range(len(networks)):
                at = (slice(None), c, m, s)
                maps[at] = block_means(shown[s], exhibit.block)
                signed[at] = rank_correlation(found[0].sum(axis=1), found[s].sum(axis=1))
                magnitudes[at] = rank_correlation(np.abs(shown[0]), np.abs(shown[s]))
                null[at] = noise_null(shown[0], shown[s])
    return Numbers(
        classes,
        np.take_along_axis(probabilities, classes[None], axis=2),
        (probabilities.argmax(axis=2), probabilities.max(axis=2)),
        maps,
        signed,
        magnitudes,
        null,
    )


def block_means(maps: np.ndarray, side: int) -> np.ndarray:
    """Maps (N, H, W) as the means of their squares of side x side pixels."""
    n, height, width = maps.shape
    blocks = maps.reshape(n, height // side, side, width // side, side)
    return blocks.mean(axis=(2, 4))


def noise_null(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The rank correlation of magnitudes of noise that is zero where maps a and b (N, H, W) are,
    a mean over NULLS pairs; NaN where hardly anything is zero. Returns an array (N,)."""
    masked = ((a == 0) | (b == 0)).mean(axis=(1, 2)) > MASKED
    if not masked.any():
        return np.full(len(a), np.nan)
    rng = np.random.default_rng(SEED)
    pairs = (noise_like(a, b, rng) for _ in range(NULLS))
    found = np.mean([rank_correlation(np.abs(p), np.abs(q)) for p, q in pairs], axis=0)
    return np.where(masked, found, np.nan)


def _probabilities(network: Module, x: np.ndarray) -> np.ndarray:
    with no_grad():
        return softmax(network(Tensor(x))).data
