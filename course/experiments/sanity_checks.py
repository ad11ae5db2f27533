"""Module 10's claims, measured: what becomes of every method's map when the network is destroyed.

    python -m course.experiments.sanity_checks

runs everything that lecture 10 reads, on two processes in two and a half minutes (five minutes of
processor time): both parameter randomisations of three networks, the cascade on photographs, data
randomisation (`sanity_data`) and the theory of guided backpropagation (`sanity_theory`).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import numpy as np

from course.autograd import Tensor, no_grad
from course.data import fashion_mnist, mnist, photo, preprocess
from course.experiments import sanity_data, sanity_theory, store
from course.experiments.sanity_methods import Means, compare, means, methods, noise_like
from course.methods import backprop_rules, sanity_checks, similarity
from course.methods.protocol import Method
from course.methods.sanity_checks import reinitialize, reinitialize_from_top
from course.models import build
from course.nn import Module, layers_from_top
from course.progress import progress
from course.threads import one_thread

SEEDS = (0, 1, 2)
IMAGES = 64
NULL_IMAGES = 16
NETWORKS = {"mnist_cnn": "relu2", "mnist_mlp": None, "fashion_cnn": "relu2"}  # Grad-CAM's layer

PHOTOS = (
    "farm_animals_dog",
    "farm_animals_owl",
    "farm_animals_cat",
    "world_animals_koala",
    "world_animals_hedgehog",
)
PHOTO_SIZE = 128
COUNTS = (1, 2, 5, 11, 20, 35, 50)  # of EfficientNet-Lite0's 50 layers, from the top


def images(name: str) -> np.ndarray:
    """The test images that a network is explained on."""
    data = fashion_mnist() if name == "fashion_cnn" else mnist()
    return data.x_test[:IMAGES]


def predicted(model: Module, x: np.ndarray) -> np.ndarray:
    with no_grad():
        return model(Tensor(x)).data.argmax(axis=1)


def ruins(model: Module, seed: int) -> Iterator[tuple[str, Module]]:
    """The networks of both tests: ("cascade" or "independent", a network), the output first."""
    names = layers_from_top(model)
    for count in range(1, len(names) + 1):
        yield "cascade", reinitialize_from_top(model, count, seed)
    for name in names:
        yield "independent", reinitialize(model, [name], seed)


def randomise(name: str, seed: int) -> dict[str, dict[str, dict[str, list[Means]]]]:
    """Both tests of one network from one seed, every method: {test: {method: {"maps" or "null":
    one set of means a layer}}}.

    The null of a pair of maps are two maps of noise that are zero where the two are.
    """
    model, x = build(name), images(name)
    target, explain = predicted(model, x), methods(x, NETWORKS[name])
    true = {m: method(model, x, target) for m, method in explain.items()}
    rng = np.random.default_rng(seed)
    found: dict[str, Any] = {}
    for test, network in ruins(model, seed):
        for m, method in explain.items():
            maps = method(network, x, target)
            rows = found.setdefault(test, {}).setdefault(m, {"maps": [], "null": []})
            rows["maps"].append(means(compare(true[m], maps, x > 0)))
            few = slice(NULL_IMAGES)
            null = noise_like(true[m][few], maps[few], rng)
            rows["null"].append(means(compare(*null, (x > 0)[few])))
    return found


def other_class(name: str) -> dict[str, Means]:
    """Every method's maps of the likeliest class beside those of the second."""
    model, x = build(name), images(name)
    with no_grad():
        order = model(Tensor(x)).data.argsort(axis=1)
    return {
        m: means(compare(method(model, x, order[:, -1]), method(model, x, order[:, -2]), x > 0))
        for m, method in methods(x, NETWORKS[name]).items()
    }


def one_number_a_pixel(method: Method) -> Callable[..., np.ndarray]:
    """Colours added up with their signs: maps (N, 1, H, W)."""
    return lambda model, x, target: method(model, x, target).sum(axis=1, keepdims=True)


def photographs() -> np.ndarray:
    return np.concatenate([preprocess(photo(n).image, PHOTO_SIZE) for n in PHOTOS])


def photo_methods(x: np.ndarray) -> dict[str, Method]:
    """All but CGI, which would take a thousand backward passes."""
    chosen = methods(x, "head_relu", copies=8, steps=8)
    del chosen["CGI"]
    return {m: one_number_a_pixel(method) for m, method in chosen.items()}


def cascade_on_photographs(seed: int) -> dict[str, dict[str, list[Means]]]:
    """The cascade of EfficientNet-Lite0, at some of its layers: {method: {"maps": means}}."""
    model, x = build("efficientnet_lite0"), photographs()
    target, explain = predicted(model, x), photo_methods(x)
    true = {m: method(model, x, target) for m, method in explain.items()}
    found: dict[str, dict[str, list[Means]]] = {m: {"maps": []} for m in explain}
    for count in COUNTS:
        network = reinitialize_from_top(model, count, seed)
        for m, method in explain.items():
            found[m]["maps"].append(means(compare(true[m], method(network, x, target))))
    return found


def _run(job: tuple[str, Any]) -> Any:
    kind, arguments = job
    kinds: dict[str, Callable[..., Any]] = {
        "randomise": randomise,
        "class": other_class,
        "photographs": cascade_on_photographs,
        "data": sanity_data.randomised_labels,
        "theory": sanity_theory.recovery,
    }
    return kinds[kind](*arguments)


def jobs() -> list[tuple[str, Any]]:
    """Independent pieces of work, the longest first."""
    return [
        *[("data", (name, seed)) for name in sanity_data.NETWORKS for seed in SEEDS],
        *[("photographs", (seed,)) for seed in SEEDS],
        *[("randomise", (name, seed)) for name in NETWORKS for seed in SEEDS],
        *[("class", (name,)) for name in NETWORKS],
        *[("theory", (seed,)) for seed in SEEDS],
    ]


def arranged(done: list[tuple[str, Any, Any]]) -> dict[str, Any]:
    """What the jobs found, by what the lecture asks for: lists of one entry a seed, in which lists
    have one entry a layer."""
    found: dict[str, Any] = {}
    for kind, given, result in done:
        name, rest = (given[0], result) if isinstance(given[0], str) else ("", result)
        _append(found.setdefault(kind, {}).setdefault(name, {}), rest)
    return found


def _append(into: dict[str, Any], result: dict[str, Any]) -> None:
    """One more seed: each list, or number, of the result joins those of the other seeds."""
    for key, value in result.items():
        if isinstance(value, list) and isinstance(value[0], dict):
            value = {name: [layer[name] for layer in value] for name in value[0]}
        if isinstance(value, dict):
            _append(into.setdefault(key, {}), value)
        else:
            into.setdefault(key, []).append(value)


def main() -> None:
    one_thread()
    todo = jobs()
    done = []
    with (
        ProcessPoolExecutor(2, get_context("spawn")) as pool,
        progress("sanity checks", len(todo)) as advance,
    ):
        for (kind, given), result in zip(todo, pool.map(_run, todo), strict=True):
            done.append((kind, given, result))
            print("done:", kind, *given, flush=True)
            advance()
    names = {n: layers_from_top(build(n)) for n in (*NETWORKS, "efficientnet_lite0")}
    results = {
        "seeds": list(SEEDS),
        "images": IMAGES,
        "photographs": list(PHOTOS),
        "size": PHOTO_SIZE,
        "counts": list(COUNTS),
        "layers": names,
        **arranged(done),
    }
    print("wrote", store.save("sanity_checks", fingerprint(), results))


def fingerprint() -> str:
    from course.experiments import sanity_methods

    this = sys.modules[__name__]
    parts = (this, sanity_methods, sanity_data, sanity_theory)
    return store.fingerprint(*parts, sanity_checks, similarity, backprop_rules)


if __name__ == "__main__":
    main()
