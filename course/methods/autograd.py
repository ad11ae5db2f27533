"""The walk back along a tape, on graphs small enough to write down.

`course.autograd.tensor` walks over its tensors in the same way; here the
nodes of the graph are numbers, so that nothing else is in sight.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from course.autograd import VJP, Tensor
from course.autograd.tensor import topological_order as order_of_tensors
from course.autograd.tensor import unbroadcast


def topological_order(
    inputs_of: Sequence[Sequence[int]], output: int
) -> np.ndarray:
    """The nodes that `output` is made of, each after all of its inputs.

    inputs_of: for each node, the list of the nodes that it was computed
        from; a leaf has none. The numbers say nothing about the order.
    output: the node to arrive at, which comes last.
    Returns an array of node numbers, each once. Any such order is right.
    """
    order = []
    seen = set()
    stack = [(output, False)]
    while stack:
        node, inputs_done = stack.pop()
        if inputs_done:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack += [(i, False) for i in inputs_of[node]]
    return np.array(order)


def backward(
    tape: Sequence[Any], values: Sequence[np.ndarray], output: int, wanted: int
) -> np.ndarray:
    """The derivative of one number on a tape with respect to a node.

        ḡ_i = Σ_k VJP_k(ḡ_k)        (over the nodes k computed from i)

    tape: for each node (op, inputs, options): the operation's name, the
        nodes it was computed from, its options. A leaf is ("leaf", [], {}).
        VJP[op] holds one function for each input,
        vjp(g, y, *input_values, **options), which leaves broadcasting be.
    values: for each node, the array that it had in the forward pass.
    output: a node whose value is a single number.
    wanted: a leaf, or any other node.
    Returns an array shaped like values[wanted]; zeros if output does not
    depend on it.
    """
    inputs_of = [inputs for _, inputs, _ in tape]
    grads = {output: np.ones_like(values[output])}
    for node in reversed(topological_order(inputs_of, output)):
        op, inputs, options = tape[node]
        if op == "leaf":
            continue
        arrays = [values[i] for i in inputs]
        for i, vjp in zip(inputs, VJP[op], strict=True):
            share = vjp(grads[node], values[node], *arrays, **options)
            share = unbroadcast(share, values[i].shape)
            grads[i] = grads[i] + share if i in grads else share
    return grads.get(wanted, np.zeros_like(values[wanted]))


def conv2d_vjp_x(
    g: np.ndarray, x: np.ndarray, w: np.ndarray, stride: int, padding: int
) -> np.ndarray:
    """How the gradient of y = conv2d(x, w) passes to the image, by loops.

        y[n, o, i, j] = Σ_cuv w[o, c, u, v] x[n, c, i s + u - p, j s + v - p]

    Every output number hands its gradient back to the pixels that it was
    computed from, each times the weight that it was read with.

    g: the gradient of the score with respect to y, (N, O, H_out, W_out).
    x: images (N, C, H, W); w: kernels (O, C, kh, kw).
    stride, padding: s and p, the same for rows and columns.
    Returns the gradient with respect to x, (N, C, H, W).
    """
    height, width = x.shape[2:]
    kh, kw = w.shape[2:]
    border = [(0, 0), (0, 0), (padding, padding), (padding, padding)]
    padded = np.pad(np.zeros_like(x), border)
    for n, o, i, j in np.ndindex(g.shape):
        top, left = i * stride, j * stride
        patch = padded[n, :, top : top + kh, left : left + kw]
        patch += g[n, o, i, j] * w[o]  # a view: this adds to `padded`
    return padded[:, :, padding : padding + height, padding : padding + width]


def tape_of(output: Tensor) -> tuple[list[Any], list[np.ndarray]]:
    """What the engine recorded on the way to a tensor, as `backward` reads it.

    Every operation has to have all its inputs: a layer without a bias, say,
    cannot be written this way.
    Returns the tape, whose last node is `output`, and the nodes' values.
    """
    tensors = order_of_tensors(output)
    number = {id(t): i for i, t in enumerate(tensors)}
    tape: list[Any] = []
    for t in tensors:
        op, inputs, options = t.node or ("leaf", (), {})
        if None in inputs:
            raise ValueError(f"tape_of: an input of {op} is missing")
        tape.append((op, [number[id(i)] for i in inputs], options))
    return tape, [t.data for t in tensors]
