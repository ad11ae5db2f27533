"""A small reverse-mode automatic differentiation engine in NumPy, with Torch's names.

Read it in this order: `tensor` and `rules` (the whole idea), `elementwise` and `activations`
(one line of calculus each), `shapes`, `linear`, `spatial`, `resize`, and last `kernels` (what
makes it fast).
"""

# ruff: noqa: I001 (the imports are a table of contents: several names a line)

from course.autograd.activations import (
    cross_entropy, gelu, leaky_relu, log_softmax, logsumexp, relu, relu6, sigmoid, softmax,
    softplus, tanh
)  # fmt: skip
from course.autograd.elementwise import (
    abs, add, clip, div, exp, log, mul, neg, pow, sqrt, sub, where
)  # fmt: skip
from course.autograd.linear import (
    batch_norm, embedding, layer_norm, linear, matmul, scaled_dot_product_attention
)  # fmt: skip
from course.autograd.resize import interpolate, pad
from course.autograd.rules import VJP, defvjp, rule
from course.autograd.shapes import (
    amax, cat, flatten, gather, getitem, max, mean, permute, reshape, sum, transpose, var
)  # fmt: skip
from course.autograd.spatial import (
    adaptive_avg_pool2d, avg_pool2d, conv2d, logsumexp_pool2d, max_pool2d
)  # fmt: skip
from course.autograd.tensor import Tensor, grad, no_grad, record

__all__ = [
    "VJP", "Tensor", "abs", "adaptive_avg_pool2d", "add", "amax", "avg_pool2d", "batch_norm",
    "cat", "clip", "conv2d", "cross_entropy", "defvjp", "div", "embedding", "exp", "flatten",
    "gather", "gelu", "getitem", "grad", "interpolate", "layer_norm", "leaky_relu", "linear",
    "log", "log_softmax", "logsumexp", "logsumexp_pool2d", "matmul", "max", "max_pool2d",
    "mean", "mul", "neg", "no_grad", "pad", "permute", "pow", "record", "relu", "relu6",
    "reshape", "rule", "scaled_dot_product_attention", "sigmoid", "softmax", "softplus", "sqrt",
    "sub", "sum", "tanh", "transpose", "var", "where",
]  # fmt: skip
