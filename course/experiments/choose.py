"""What each method of the catalogue costs, satisfies and fails: measured, for the method chooser.

    OMP_NUM_THREADS=1 python -m course.experiments.choose

takes a minute or two and writes results/choose.json. An axiom is tested where it can fail: on
random networks that are one function wired in two ways, on one that saturates, on two whose scores
are added. One counterexample refutes an axiom; that none was found here proves nothing, and for
some methods a theorem does (Sundararajan et al. 2017 for Integrated Gradients).
"""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np

from course.autograd import Tensor, no_grad
from course.catalogue import CATALOGUE, Entry
from course.data import mnist, photo, preprocess
from course.experiments import choose_networks, sanity_methods, store
from course.experiments.choose_networks import (
    CLASSES,
    SIZE,
    Saturating,
    Small,
    changed,
    mirrored,
    mixed,
    rewired,
)
from course.experiments.sanity_checks import images, predicted
from course.experiments.sanity_methods import compare, means, noise_like
from course.methods import backprop_rules, cam, integrated_gradients, saliency, smoothgrad
from course.methods.protocol import Method, Target, score
from course.methods.sanity_checks import reinitialize_from_top
from course.models import build
from course.nn import Module

SEEDS = (0, 1, 2)
DIGITS, INPUTS = 64, 6
SHIFT = 0.5  # added to every pixel
FINE = 256  # steps
ROUNDS = 9
NETWORKS = {"mnist_cnn": "MNIST CNN", "efficientnet_lite0": "EfficientNet-Lite0"}
LATER = ("smoothgrad_squared", "vargrad")  # of which module 10's experiment has no numbers
WIRINGS = ("relu", "sum", "place")
Numbers = dict[str, float]


def noise_images(seed: int, count: int = INPUTS) -> np.ndarray:
    return np.random.default_rng([seed, 1]).uniform(0, 1, (count, 1, SIZE, SIZE))


# --- axioms: each a number that is 0 where the axiom holds, but for `sensitivity` -----------------


def sizes(maps: np.ndarray) -> np.ndarray:
    return np.linalg.norm(maps.reshape(len(maps), -1), axis=1)


def share(missed: np.ndarray, size: np.ndarray) -> float:
    """The median over the images; one whose map is empty has nothing to miss."""
    return float(np.median(missed[size > 0] / size[size > 0]))


def distance(a: np.ndarray, b: np.ndarray) -> float:
    """‖a - b‖ / ‖b‖, the median over the images."""
    return share(sizes(a - b), sizes(b))


def gap(explain: Method, model: Module, x: np.ndarray, target: Target) -> float:
    """Of completeness: |Σ A - (S(x) - S(0))| / |S(x) - S(0)|, the median over the images."""
    change = score(model, x, target) - score(model, np.zeros_like(x), target)
    missed = explain(model, x, target).sum(axis=(1, 2, 3)) - change
    return float(np.median(np.abs(missed / change)))


def completeness(explain: Method, seed: int, biased: bool) -> float:
    x = noise_images(seed)
    model = Small(seed, biased)
    return gap(explain, model, x, predicted(model, x))


def sensitivity(explain: Method) -> float:
    """What a pixel gets that alone changes the score by 1, on a network that saturates. 0 denies
    that it matters."""
    x = np.zeros((1, 1, SIZE, SIZE))
    x[0, 0, 5, 4] = 2
    return float(explain(Saturating(), x, 0)[0, 0, 5, 4])


def implementation(explain: Method, wiring: str, seed: int) -> float:
    x, model = noise_images(seed), Small(seed)
    target = predicted(model, x)
    return distance(explain(rewired(model, wiring, seed), x, target), explain(model, x, target))


def linearity(explain: Method, seed: int) -> float:
    """‖A(S_c - S_d) - (A(S_c) - A(S_d))‖ / (‖A(S_c)‖ + ‖A(S_d)‖), the median over the images."""
    x, model = noise_images(seed), Small(seed)
    weights = np.eye(CLASSES)
    weights[0, 1] = -1
    both = explain(mixed(model, weights), x, 0)
    one, other = explain(model, x, 0), explain(model, x, 1)
    return share(sizes(both - one + other), sizes(one) + sizes(other))


def symmetry(explain: Method, seed: int) -> float:
    """‖A - mirrored A‖, relative, where the network and the image are their own mirror images."""
    x, model = noise_images(seed), mirrored(Small(seed))
    x = (x + x[..., ::-1]) / 2
    maps = explain(model, x, predicted(model, x))
    return distance(maps[..., ::-1], maps)


def input_shift(explain: Method, seed: int) -> float:
    """‖A' - A‖, relative, for inputs shifted by a constant and a network whose first biases take
    it away again (Kindermans et al. 2019, §2)."""
    x, model = noise_images(seed), Small(seed)
    state = model.state_dict()
    moved = state["conv1.bias"] - SHIFT * state["conv1.weight"].sum(axis=(1, 2, 3))
    twin = changed(deepcopy(model), **{"conv1.bias": moved})
    target = predicted(model, x)
    return distance(explain(twin, x + SHIFT, target), explain(model, x, target))


def over_seeds(measure: Callable[[int], float]) -> list[float]:
    return [float(f"{measure(seed):.3g}") for seed in SEEDS]


def axioms(explain: Method) -> dict[str, list[float]]:
    """Every axiom for one method, a number a seed."""
    return {
        "completeness": over_seeds(lambda s: completeness(explain, s, biased=False)),
        "completeness with biases": over_seeds(lambda s: completeness(explain, s, biased=True)),
        "sensitivity": [round(sensitivity(explain), 3)],
        **{w: over_seeds(partial(implementation, explain, w)) for w in WIRINGS},
        "linearity": over_seeds(lambda s: linearity(explain, s)),
        "symmetry": over_seeds(lambda s: symmetry(explain, s)),
        "input shift": over_seeds(lambda s: input_shift(explain, s)),
    }


def shifted_baseline(seed: int) -> float:
    """Integrated Gradients from a black that is shifted with the input."""

    def explain(model: Module, x: np.ndarray, target: Target) -> np.ndarray:
        black = SHIFT if x.max() > 1 else 0.0
        return integrated_gradients.integrated_gradients(model, x, target, black, 16)

    return input_shift(explain, seed)


def completeness_on_digits() -> dict[str, float]:
    """The gap of each method on the trained MNIST CNN, and of Integrated Gradients finely."""
    model = build("mnist_cnn", dtype=np.float64)
    x = mnist().x_test[:DIGITS].astype(np.float64)
    target = predicted(model, x)
    found = {n: gap(e.explain, model, x, target) for n, e in CATALOGUE.items()}
    found["fine"] = gap(
        lambda m, x, t: integrated_gradients.integrated_gradients(m, x, t, 0, FINE),
        model, x, target,
    )  # fmt: skip
    return {name: float(f"{value:.3g}") for name, value in found.items()}


# --- what module 10 did not measure ---------------------------------------------------------


def sanity_of(name: str) -> dict[str, list[Numbers]]:
    """As `sanity_checks.randomise` and `other_class`: the output layer of the MNIST CNN drawn
    anew, one entry a seed, its null, and the second likeliest class."""
    model, x, explain = build("mnist_cnn"), images("mnist_cnn"), CATALOGUE[name].explain
    with no_grad():
        order = model(Tensor(x)).data.argsort(axis=1)
    true = explain(model, x, order[:, -1])
    found: dict[str, list[Numbers]] = {"maps": [], "null": []}
    for seed in SEEDS:
        maps = explain(reinitialize_from_top(model, 1, seed), x, order[:, -1])
        found["maps"].append(means(compare(true, maps, x > 0)))
        null = noise_like(true, maps, np.random.default_rng(seed))
        found["null"].append(means(compare(*null, x > 0)))
    second = explain(model, x, order[:, -2])
    return {**found, "class": [means(compare(true, second, x > 0))]}


# --- what it costs -----------------------------------------------------------------------------


def example(network: str) -> np.ndarray:
    if network == "mnist_cnn":
        return mnist().x_test[:1]
    return preprocess(photo("world_animals_koala").image, 128)


def costs(network: str, names: list[str], rounds: int = ROUNDS) -> dict[str, list[float]]:
    """CPU time of each method in forward passes of the same image, one ratio a round.

    In each round every method runs once, beside a forward pass of its own, so that all
    meet the same weather.
    """
    model, x = build(network), example(network)
    target = predicted(model, x)

    def forward() -> None:
        predicted(model, x)

    found: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            entry: Entry = CATALOGUE[name]
            unit = seconds(forward)
            found[name].append(seconds(partial(entry.explain, model, x, target)) / unit)
    return {name: [float(f"{r:.3g}") for r in ratios] for name, ratios in found.items()}


def seconds(work: Callable[[], object], least: float = 0.05) -> float:
    """CPU seconds of one run, the mean of as many as take `least` together."""
    start, runs = time.process_time(), 0
    while (spent := time.process_time() - start) < least:
        work()
        runs += 1
    return spent / runs


def processor() -> str:
    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text().splitlines() if cpu.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def fingerprint() -> str:
    """Of this experiment and of the methods, not of the words in the catalogue."""
    parts: list[ModuleType] = [sys.modules[__name__], choose_networks, sanity_methods, saliency]
    parts += [smoothgrad, integrated_gradients, cam, backprop_rules]
    return store.fingerprint(*parts)


def main() -> None:
    few = [name for name in CATALOGUE if name != "competitive_gradients"]  # a thousand classes
    results = {
        "seeds": list(SEEDS),
        "images": DIGITS,
        "inputs": INPUTS,
        "rounds": ROUNDS,
        "machine": {"processor": processor(), "python": platform.python_version(), "threads": 1},
        "axioms": {name: axioms(entry.explain) for name, entry in CATALOGUE.items()},
        "shifted baseline": over_seeds(shifted_baseline),
        "digits": completeness_on_digits(),
        "sanity": {name: sanity_of(name) for name in LATER},
        "costs": {
            "mnist_cnn": costs("mnist_cnn", list(CATALOGUE)),
            "efficientnet_lite0": {
                **costs("efficientnet_lite0", few),
                **costs("efficientnet_lite0", ["competitive_gradients"], rounds=1),
            },
        },
    }
    print("wrote", store.save("choose", fingerprint(), results))


if __name__ == "__main__":
    main()
