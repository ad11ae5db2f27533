"""The front page's figure: eight methods, and what they say of a network that knows nothing.

    python -m course.experiments.front

measures, in a minute or two, how much of each map is left when the network is destroyed, and how
much the maps of different photographs have in common anyway. `course.front` draws it.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from course import catalogue
from course.autograd import Tensor, no_grad
from course.catalogue import CATALOGUE, pixel_map
from course.data import imagenet_labels, photo, photos, preprocess
from course.experiments import store
from course.methods.protocol import Method
from course.methods.sanity_checks import reinitialize_from_top
from course.methods.similarity import rank_correlation
from course.models import build
from course.nn import Module
from course.progress import progress

PHOTO, SIZE = "world_animals_koala", 160
SHOWN, ALL = 20, 50  # layers drawn anew, from the top: in the picture; all that there are
SEEDS = (0, 1, 2, 3, 4)
NAMES = (
    "gradient",
    "smoothgrad",
    "gradient_times_input",
    "integrated_gradients",
    "grad_cam",
    "guided_backprop",
    "lrp_alpha1_beta0",
    "edge_detector",
)
METHODS: dict[str, Method] = {name: CATALOGUE[name].explain for name in NAMES}


def settings() -> dict[str, Any]:
    """What the numbers depend on beside the code."""
    return {
        "photo": PHOTO,
        "size": SIZE,
        "counts": [SHOWN, ALL],
        "seeds": list(SEEDS),
        "methods": list(NAMES),
        "noise": [catalogue.NOISE, catalogue.COPIES],
        "steps": catalogue.STEPS,
    }


def probabilities(network: Module, x: np.ndarray) -> np.ndarray:
    with no_grad():
        logits = network(Tensor(x)).data[0].astype(np.float64)
    weights = np.exp(logits - logits.max())
    return weights / weights.sum()


def maps(network: Module, x: np.ndarray, target: int) -> dict[str, np.ndarray]:
    """Every method's map (H, W) of one photograph."""
    return {
        name: pixel_map(method(network, x, target), CATALOGUE[name].meaning)[0]
        for name, method in METHODS.items()
    }


def likeness(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> dict[str, float | None]:
    """The rank correlation of magnitudes, by method; None where a map is constant."""
    found = {n: float(rank_correlation(*np.abs([[one[n]], [other[n]]]))[0]) for n in one}
    return {name: None if np.isnan(rho) else round(rho, 3) for name, rho in found.items()}


def main() -> None:
    network = build("efficientnet_lite0")
    x = preprocess(photo(PHOTO).image, SIZE)
    trained = probabilities(network, x)
    target = int(trained.argmax())
    true = maps(network, x, target)
    rows: dict[str, list[dict[str, float | None]]] = {str(SHOWN): [], str(ALL): [], "photos": []}
    left: dict[str, list[float]] = {str(SHOWN): [], str(ALL): []}
    others = [other for other in photos("photos_cc0_pd") if other.name != PHOTO]
    with progress("front page", len(others) + 2 * len(SEEDS)) as advance:
        for count in (SHOWN, ALL):
            for seed in SEEDS:
                ruin = reinitialize_from_top(network, count, seed)
                rows[str(count)].append(likeness(true, maps(ruin, x, target)))
                left[str(count)].append(float(probabilities(ruin, x)[target]))
                advance()
        for other in others:
            y = preprocess(other.image, SIZE)
            its = int(probabilities(network, y).argmax())
            rows["photos"].append(likeness(true, maps(network, y, its)))
            advance()
    found = {
        name: {kind: [row[name] for row in several] for kind, several in rows.items()}
        for name in NAMES
    }
    results = {
        "settings": settings(),
        "label": imagenet_labels()[target],
        "probability": {"trained": float(trained[target]), **left},
        "likeness": found,
    }
    code = store.code_of(sys.modules[__name__])
    print("wrote", store.save("front", code, results))


if __name__ == "__main__":
    main()
