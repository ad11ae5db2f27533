"""What is explained: a network, examples, and networks that somebody destroyed or trained anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import numpy as np

import course
from course.autograd import Tensor, no_grad
from course.data import Mnist, fashion_mnist, mnist, photos, preprocess
from course.grading.memo import cache_folder
from course.methods.sanity_checks import reinitialize, reinitialize_from_top
from course.models import build
from course.models.mnist import MnistCNN, MnistMLP
from course.nn import Adam, Module, accuracy, fit, layers_from_top

# Trained networks that can be trained anew in seconds: their class and their data.
RETRAINED: dict[str, tuple[type[Module], Callable[[], Mnist]]] = {
    "mnist_mlp": (MnistMLP, mnist),
    "mnist_cnn": (MnistCNN, mnist),
    "fashion_cnn": (MnistCNN, fashion_mnist),
}
# By default so many examples; more take longer and change little.
EXAMPLES = {
    "mnist_cnn": 48, "mnist_mlp": 48, "fashion_cnn": 48, "efficientnet_lite0": 6, "small_cnn": 24,
}  # fmt: skip
SIDE = 128  # pixels of a photograph
STEPS = 8  # at most so many layers of a deep network are visited, evenly spread
LABELLED = 1000  # examples that networks are trained anew on
LEARNT = 0.99  # of them right: then training stops, whatever the labels
EPOCHS = (5, 100)  # between two looks at that share, and at most


class Trial(NamedTuple):
    """One network to explain. of: the test it belongs to; step: what was done; run: its seed."""

    of: str
    step: str
    run: int
    make: Callable[[], Module]


@dataclass(frozen=True)
class Subject:
    """A network with the examples x (N, C, H, W) that it is asked about.

    target: the class it predicts for each; other: its second choice. Both are (N,) ints.
    """

    name: str
    model: Module
    x: np.ndarray
    target: np.ndarray
    other: np.ndarray

    @property
    def layers(self) -> list[str]:
        return layers_from_top(self.model)

    @property
    def counts(self) -> list[int]:
        """How many of the topmost layers are drawn anew at each step of a cascade."""
        total = len(self.layers)
        return sorted({round(c) for c in np.linspace(1, total, min(total, STEPS))})

    @property
    def steps(self) -> list[str]:
        """The names of the layers that the cascade has reached at each step."""
        return [self.layers[count - 1] for count in self.counts]

    def destroyed(self, seeds: int) -> list[Trial]:
        """The networks of both kinds of parameter randomisation."""
        trials = []
        for seed in range(seeds):
            for count, layer in zip(self.counts, self.steps, strict=True):
                fallen = partial(reinitialize_from_top, self.model, count, seed)
                alone = partial(reinitialize, self.model, [layer], seed)
                trials.append(Trial("cascade", layer, seed, fallen))
                trials.append(Trial("independent", layer, seed, alone))
        return trials

    def trained_anew(self, seeds: int) -> list[Trial]:
        """True labels, then for each seed true labels again (the control) and permuted ones."""
        if self.name not in RETRAINED:
            return []
        trials = [Trial("true", "true labels", 0, partial(trained, self.name, 0, False))]
        for seed in range(1, seeds + 1):
            for of, labels in (
                ("control", "true labels, another seed"),
                ("data", "permuted labels"),
            ):
                make = partial(trained, self.name, seed, of == "data")
                trials.append(Trial(of, labels, seed - 1, make))
        return trials

    def digest(self) -> str:
        """Of the weights, the examples and the classes."""
        found = sha256()
        for array in (*self.model.state_dict().values(), self.x, self.target, self.other):
            found.update(array.tobytes())
        return found.hexdigest()


def subject(name: str, examples: int | None = None) -> Subject:
    """A network of EXAMPLES by name, with so many examples (by default what EXAMPLES says).

    Raises ValueError where there are not that many.
    """
    count = examples or EXAMPLES[name]
    x = _examples(name, count)
    if len(x) < count:
        raise ValueError(f"there are only {len(x)} examples for {name}, got --examples {count}")
    model = build(name)
    first, second = preferences(model, x)
    return Subject(name, model, x, first, second)


def preferences(model: Module, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The network's first and second choice for each of the examples x."""
    with no_grad():
        order = (-model(Tensor(x)).data).argsort(axis=1)
    return order[:, 0], order[:, 1]


def _examples(name: str, count: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    if name in RETRAINED:
        images = RETRAINED[name][1]().x_test
        return images[rng.permutation(len(images))[:count]]
    if name == "efficientnet_lite0":
        pictures = photos("photos_cc0_pd")[:count]
        return np.concatenate([preprocess(p.image, SIDE) for p in pictures])
    # Noise of which a half is zero: a random network has no data of its own.
    return np.maximum(rng.normal(size=(count, 3, 8, 6)), 0).astype(np.float32)


def trained(name: str, seed: int, permuted: bool) -> Module:
    """The network trained from random weights on LABELLED examples until it knows them.

    Kept in the course's cache folder.
    """
    make, data = RETRAINED[name]
    rng = np.random.default_rng([seed, permuted])
    model = make(rng)  # type: ignore[call-arg]
    file = cached(f"{name}-{seed}-{'permuted' if permuted else 'true'}-{code()}.npz")
    if file and file.is_file():
        return model.load(file)
    x, y = (array[:LABELLED] for array in data()[:2])
    labels = rng.permutation(y) if permuted else y
    optimizer = Adam(model.parameters())
    for _ in range(EPOCHS[1] // EPOCHS[0]):
        fit(model, x, labels, optimizer, EPOCHS[0], 50, rng)
        if accuracy(model, x, labels) >= LEARNT:
            break
    if file:
        keep(file, model.save)
    return model


def cached(name: str) -> Path | None:
    """A file's place among what need not be computed twice; None if there is no such place."""
    folder = cache_folder()
    return folder / "sanity" / name if folder else None


def keep(file: Path, save: Callable[[Path], None]) -> None:
    """Write a file of the cache whole or not at all; without leave to write, do without."""
    part = file.with_name(f"part-{file.name}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        save(part)
        part.replace(file)
    except OSError:
        pass


def code() -> str:
    """Of all that decides the numbers: the engine, the networks, the methods and the tests."""
    root, found = Path(course.__file__).parent, sha256()
    for folder in ("autograd", "nn", "models", "methods"):
        for path in sorted((root / folder).glob("*.py")):
            found.update(path.read_bytes())
    for name in ("catalogue", "sanity/subjects", "sanity/trials", "sanity/shipped"):
        found.update((root / f"{name}.py").read_bytes())
    return found.hexdigest()[:12]
