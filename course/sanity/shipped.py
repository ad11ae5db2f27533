"""Methods of the library under their names, as functions (model, x, target)."""

from __future__ import annotations

from functools import partial

from course.catalogue import CATALOGUE
from course.methods.integrated_gradients import integrated_gradients
from course.methods.protocol import Method
from course.methods.saliency import saliency_map

METHODS: dict[str, Method] = {
    **{name: entry.explain for name, entry in CATALOGUE.items()},
    # Eight steps do for a comparison: of COMPARED it takes the longest.
    "integrated_gradients": partial(integrated_gradients, baseline=0, steps=8),
    "saliency_map": saliency_map,
}
# What a reader's method is shown beside: the first is the scale of the verdicts.
COMPARED = (
    "gradient", "gradient_times_input", "integrated_gradients", "guided_backprop",
    "lrp_alpha1_beta0", "edge_detector",
)  # fmt: skip
