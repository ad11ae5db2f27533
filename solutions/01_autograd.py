# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---
# derived from course/autograd/elementwise.py, course/autograd/activations.py, course/autograd/linear.py,
# course/methods/autograd.py, course/autograd/tensor.py and course/specs/autograd.py by `course author derive`

# %% [markdown]
# # 01 Autograd: a network is a differentiable machine
#
# Every operation knows how to pass a gradient back; one walk over the graph
# does the rest. You write both.
#
# The library's own answers.

# %%
from typing import Any
import numpy as np
from course.autograd.rules import Array
from collections.abc import Sequence
from course.autograd import VJP
from course import check

# %% [markdown]
# ## 01.1 `mul_vjp_a` (1 point)
#
# Pass the gradient of a product back to its first factor.

# %%
def mul_vjp_a(g: Array, y: Array, a: Array, b: Array) -> Array:
    """How the gradient of a product y = a * b passes to its first factor.

    Where a grows by a little, y grows by b times as much.

    g: the gradient of the score with respect to y, shaped like y.
    Returns the gradient with respect to a.
    """
    return g * b


# %%
check(mul_vjp_a)

# %% [markdown]
# ## 01.2 `relu_vjp` (1 point)
#
# Pass a gradient back through a ReLU, with derivative 0 at the corner.

# %%
def relu_vjp(g: Array, y: Array, x: Array) -> Array:
    """How a gradient passes back through y = max(x, 0): where x was positive.

    At x = 0, where the function has a corner, the derivative is taken as 0.

    g: the gradient of the score with respect to y, shaped like y.
    Returns the gradient with respect to x.
    """
    return g * (x > 0)


# %%
check(relu_vjp)

# %% [markdown]
# ## 01.3 `matmul_vjp_a` (1 point)
#
# Pass the gradient of a matrix product back to the left factor, the
# activations.

# %%
def matmul_vjp_a(g: Array, y: Array, a: Array, b: Array) -> Array:
    """How the gradient of y = a @ b passes to the left factor.

    g: the gradient of the score with respect to y, (..., n, m) as y.
    a: (..., n, k).
    b: (..., k, m); the dimensions before the last two count matrices.
    Returns the gradient with respect to a, (..., n, k).
    """
    return g @ b.swapaxes(-1, -2)


# %%
check(matmul_vjp_a)

# %% [markdown]
# ## 01.4 `matmul_vjp_b` (1 point)
#
# Pass the gradient of a matrix product back to the right factor, the weights.

# %%
def matmul_vjp_b(g: Array, y: Array, a: Array, b: Array) -> Array:
    """How the gradient of y = a @ b passes to the right factor.

    In a layer, a holds the activations and b the weights: this is the half
    that training uses, and `matmul_vjp_a` the half that explanation uses.

    g, a, b: as for `matmul_vjp_a`.
    Returns the gradient with respect to b, (..., k, m).
    """
    return a.swapaxes(-1, -2) @ g


# %%
check(matmul_vjp_b)

# %% [markdown]
# ## 01.5 `softmax_vjp` (2 points)
#
# Pass a gradient back through a softmax along any dimension, without its
# Jacobian matrix.

# %%
def softmax_vjp(g: Array, y: Array, x: Array, dim: int) -> Array:
    """How a gradient passes back through y = softmax(x) along one dimension.

        gᵀJ = gᵀ(diag(y) - y yᵀ)        (J is its own transpose)

    The probabilities sum to 1, so each input moves them all; the sum over
    them is one number an example, and no matrix is built.

    g: the gradient of the score with respect to y, shaped like y.
    y: the probabilities, which sum to 1 along `dim`.
    Returns the gradient with respect to x.
    """
    return y * (g - (g * y).sum(axis=dim, keepdims=True))


# %%
check(softmax_vjp)

# %% [markdown]
# ## 01.6 `conv2d_vjp_x` (3 points)
#
# Pass the gradient of a convolution back to its image, with loops that read
# like the definition.

# %%
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


# %%
check(conv2d_vjp_x)

# %% [markdown]
# ## 01.7 `unbroadcast` (2 points)
#
# Bring a gradient back to the shape that an array had before NumPy broadcast
# it.

# %%
def unbroadcast(g: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Sum `g` down to `shape`: the adjoint of NumPy's broadcasting.

    Where the forward pass repeated a number along an axis, the gradients of
    the copies add up.

    g: a gradient, of a shape that `shape` broadcasts to.
    Returns an array of the given shape.
    """
    if g.shape == shape:
        return g
    g = g.sum(axis=tuple(range(g.ndim - len(shape))))
    stretched = tuple(i for i, n in enumerate(shape) if n == 1)
    return g.sum(axis=stretched, keepdims=True)


# %%
check(unbroadcast)

# %% [markdown]
# ## 01.8 `topological_order` (2 points)
#
# List the nodes that an output was made of, each after all of its inputs.

# %%
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


# %%
check(topological_order)

# %% [markdown]
# ## 01.9 `backward` (3 points)
#
# Walk back along a recorded tape and return the derivative of its output with
# respect to any node.

# %%
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


# %%
check(backward)
