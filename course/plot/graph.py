"""A recorded computation as a picture: leaves at the top, the output at the bottom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

LEAF, OPERATION, WANTED = "#e8eefa", "#ffffff", "#fbe3d6"


def place_nodes(inputs_of: Sequence[Sequence[int]], order: Sequence[int]) -> np.ndarray:
    """Column and row of every node (nodes, 2): row 0 is the output's, and each node stands as
    many rows higher as the longest way from it to the output has steps.

    order: all nodes, each after its inputs, such as `topological_order` gives.
    """
    rows = dict.fromkeys(order, 0)
    for node in reversed(order):
        for i in inputs_of[node]:
            rows[i] = max(rows[i], rows[node] + 1)
    place = np.zeros((len(inputs_of), 2))
    for row in range(max(rows.values()) + 1):
        nodes = [node for node in order if rows[node] == row]
        below = {n: [place[k, 0] for k in order if n in inputs_of[k]] or [0.0] for n in nodes}
        nodes.sort(key=lambda n: (float(np.mean(below[n])), n))
        middle = float(np.mean([np.mean(b) for b in below.values()]))
        for k, node in enumerate(nodes):
            place[node] = middle + k - (len(nodes) - 1) / 2, row
    return place


def draw_tape(
    ax: Any,
    inputs_of: Sequence[Sequence[int]],
    order: Sequence[int],
    labels: Sequence[str],
    wanted: Sequence[int] = (),
    size: float = 9,
) -> Any:
    """Draw a graph of computation, one box a node; `wanted` nodes are coloured."""
    place = place_nodes(inputs_of, order)
    for node in order:
        for i in inputs_of[node]:
            bend = 0.0
            if place[i, 1] - place[node, 1] > 1:  # round the nodes between, on the outside
                bend = 0.35 if place[i, 0] < place[node, 0] else -0.45
            ax.annotate(
                "",
                place[node],
                place[i],
                arrowprops={
                    "arrowstyle": "-|>",
                    "color": "#666666",
                    "shrinkA": 14,
                    "shrinkB": 17,
                    "connectionstyle": f"arc3,rad={bend}",
                },
            )
    for node in order:
        colour = WANTED if node in wanted else OPERATION if inputs_of[node] else LEAF
        box = {"boxstyle": "round,pad=0.45", "facecolor": colour, "edgecolor": "#4063a8"}
        ax.text(*place[node], labels[node], ha="center", va="center", fontsize=size, bbox=box)
    ax.set_xlim(place[:, 0].min() - 0.7, place[:, 0].max() + 0.7)
    ax.set_ylim(place[:, 1].min() - 0.5, place[:, 1].max() + 0.5)
    ax.set_axis_off()
    return ax
