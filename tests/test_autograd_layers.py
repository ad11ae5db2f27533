"""Matrix products, layers, convolution, pooling and resampling against Torch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as TF
from hypothesis import assume, given
from hypothesis import strategies as st

from course import autograd as F
from tests.support_autograd import arrays, check_numerically, compare, dtypes, quick, thorough

few = st.integers(1, 4)
RNG = np.random.default_rng(0)


@quick
@given(data=st.data(), n=st.integers(0, 40), k=few, m=st.integers(0, 3), dtype=dtypes)
def test_matmul_broadcasts_as_torch_does(
    data: st.DataObject, n: int, k: int, m: int, dtype: Any
) -> None:
    batches = data.draw(st.sampled_from([((), ()), ((2,), ()), ((), (3,)), ((3, 1), (2,))]))
    a = data.draw(arrays((*batches[0], n, k), dtype=dtype))
    b = data.draw(arrays((*batches[1], k, m), dtype=dtype))
    compare(lambda x, y: x @ y, lambda x, y: x @ y, a, b)


def test_matmul_of_a_matrix_with_itself() -> None:
    x = RNG.normal(size=(3, 3))
    compare(lambda t: t @ t, lambda t: t @ t, x)
    check_numerically(lambda t: t @ t.transpose(0, 1), x)


@quick
@given(
    data=st.data(),
    batch=st.sampled_from([(), (0,), (1,), (5,), (40,), (2, 3), (2, 20, 1)]),
    inputs=few,
    outputs=few,
    bias=st.booleans(),
    dtype=dtypes,
)
def test_linear_equals_torch(
    data: st.DataObject, batch: tuple[int, ...], inputs: int, outputs: int, bias: bool, dtype: Any
) -> None:
    shapes = [(*batch, inputs), (outputs, inputs), (outputs,)][: 2 + bias]
    compare(F.linear, TF.linear, *(data.draw(arrays(s, dtype=dtype)) for s in shapes))


@quick
@given(data=st.data(), batch=st.sampled_from([(1,), (5,), (2, 3)]), dtype=dtypes)
def test_layer_norm_equals_torch(data: st.DataObject, batch: tuple[int, ...], dtype: Any) -> None:
    x, w, b = (data.draw(arrays(s, dtype=dtype)) for s in ((*batch, 8), (8,), (8,)))
    compare(F.layer_norm, lambda t, u, v: TF.layer_norm(t, (8,), u, v), x, w, b)
    compare(F.layer_norm, lambda t: TF.layer_norm(t, (8,)), x)


@pytest.mark.parametrize("shape", [(4, 3), (2, 3, 5, 4)])
def test_batch_norm_equals_torch(shape: tuple[int, ...]) -> None:
    mean, weight, bias = RNG.normal(size=(3, 3))
    x, variance = RNG.normal(size=shape), RNG.uniform(0.5, 2, 3)
    m, v = F.Tensor(mean), F.Tensor(variance)
    compare(
        lambda t, w, b: F.batch_norm(t, m, v, w, b),
        lambda t, w, b: TF.batch_norm(t, torch.from_numpy(mean), torch.from_numpy(variance), w, b),
        *(x, weight, bias),
    )


def test_embedding_equals_torch() -> None:
    indices = np.array([[1, 0, 1], [4, 4, 4]])
    compare(
        lambda w: F.embedding(indices, w),
        lambda w: TF.embedding(torch.from_numpy(indices), w),
        RNG.normal(size=(5, 3)),
    )


@quick
@given(data=st.data(), heads=few, queries=few, keys=few, masked=st.booleans(), dtype=dtypes)
def test_attention_equals_torch(
    data: st.DataObject, heads: int, queries: int, keys: int, masked: bool, dtype: Any
) -> None:
    shapes = [(2, heads, queries, 3), (2, heads, keys, 3), (2, heads, keys, 5)]
    q, k, v = (data.draw(arrays(s, dtype=dtype)) for s in shapes)
    mask = data.draw(arrays((queries, keys))) > -1 if masked else None
    if mask is not None:
        mask[:, 0] = True  # a query that may look nowhere has no answer
    compare(
        lambda *t: F.scaled_dot_product_attention(*t, mask)[0],
        lambda *t: TF.scaled_dot_product_attention(
            *t, None if mask is None else torch.from_numpy(mask)
        ),
        *(q, k, v),
    )


def test_attention_weights_are_a_softmax_of_the_allowed_scores() -> None:
    q, k, v = (F.Tensor(RNG.normal(size=(4, 3))) for _ in range(3))
    _, weights = F.scaled_dot_product_attention(q, k, v, np.tri(4, dtype=bool))
    assert weights.data.sum(-1) == pytest.approx(np.ones(4))
    assert (np.triu(weights.data, 1) == 0).all()


@st.composite
def convolutions(draw: Any) -> tuple[list[np.ndarray], dict[str, Any]]:
    """An image, a kernel and a bias that fit each other, with options."""
    kind = draw(st.sampled_from(["dense", "dense", "grouped", "depthwise"]))
    groups = 1 if kind == "dense" else draw(st.integers(2, 3))
    per_group = 1 if kind == "depthwise" else draw(st.sampled_from([1, 2, 6]))
    outputs = groups * (1 if kind == "depthwise" else draw(few))
    pair = st.tuples(few, few)
    kernel, stride = draw(pair), draw(pair)
    padding = draw(st.tuples(st.integers(0, 3), st.integers(0, 3)))
    dilation = draw(st.sampled_from([(1, 1), (1, 1), (2, 1), (1, 3), (2, 2)]))
    size = draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    for n, k, p, d in zip(size, kernel, padding, dilation, strict=True):
        assume(n + 2 * p >= d * (k - 1) + 1)
    dtype = draw(dtypes)
    shapes = [(draw(st.integers(0, 3)), groups * per_group, *size), (outputs, per_group, *kernel)]
    if draw(st.booleans()):
        shapes.append((outputs,))
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    return [draw(arrays(s, dtype=dtype)) for s in shapes], options


@thorough
@given(case=convolutions())
def test_conv2d_equals_torch(case: tuple[list[np.ndarray], dict[str, Any]]) -> None:
    inputs, options = case
    compare(lambda *t: F.conv2d(*t, **options), lambda *t: TF.conv2d(*t, **options), *inputs)


def test_conv2d_equals_differences() -> None:
    x, w, b = RNG.normal(size=(2, 3, 6, 5)), RNG.normal(size=(4, 3, 3, 2)), RNG.normal(size=4)
    check_numerically(lambda *t: F.conv2d(*t, stride=2, padding=1), x, w, b)


def test_one_kernel_used_twice() -> None:
    x, w = RNG.normal(size=(1, 2, 5, 4)), RNG.normal(size=(2, 2, 3, 3))
    compare(
        lambda t, k: F.conv2d(F.conv2d(t, k, padding=1).relu(), k, padding=1),
        lambda t, k: TF.conv2d(TF.conv2d(t, k, padding=1).relu(), k, padding=1),
        *(x, w),
    )


@st.composite
def poolings(draw: Any) -> tuple[np.ndarray, tuple[Any, Any, Any]]:
    kernel = draw(st.tuples(few, few))
    stride = draw(st.none() | st.tuples(few, few))
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    size = tuple(
        draw(st.integers(max(1, k - 2 * p), 9)) for k, p in zip(kernel, padding, strict=True)
    )
    shape = (draw(st.integers(0, 2)), draw(few), *size)
    x = draw(arrays(shape, dtype=draw(dtypes)))
    if draw(st.booleans()):
        x = np.round(x)  # many ties
    return x, (kernel, stride, padding)


@thorough
@given(case=poolings())
def test_max_pool2d_equals_torch_ties_included(case: tuple[np.ndarray, Any]) -> None:
    x, options = case
    compare(lambda t: F.max_pool2d(t, *options), lambda t: TF.max_pool2d(t, *options), x)


@quick
@given(case=poolings())
def test_avg_pool2d_equals_torch(case: tuple[np.ndarray, Any]) -> None:
    x, options = case
    compare(lambda t: F.avg_pool2d(t, *options), lambda t: TF.avg_pool2d(t, *options), x)


@quick
@given(case=poolings(), beta=st.sampled_from([0.5, 1.0, 5.0]))
def test_logsumexp_pool2d_equals_its_definition(case: tuple[np.ndarray, Any], beta: float) -> None:
    x, (kernel, stride, padding) = case
    stride = stride or kernel

    def theirs(t: torch.Tensor) -> torch.Tensor:
        (ph, pw), (sh, sw) = padding, stride
        t = TF.pad(t, (pw, pw, ph, ph), value=-torch.inf)
        seen = t.unfold(2, kernel[0], sh).unfold(3, kernel[1], sw).flatten(4)
        return torch.logsumexp(beta * seen, -1) / beta

    compare(lambda t: F.logsumexp_pool2d(t, kernel, stride, padding, beta), theirs, x)


def test_logsumexp_pool2d_goes_to_the_maximum() -> None:
    x = RNG.normal(size=(1, 2, 6, 4))
    smooth = F.logsumexp_pool2d(F.Tensor(x), 2, beta=1e4).data
    assert smooth == pytest.approx(F.max_pool2d(F.Tensor(x), 2).data, abs=1e-3)
    check_numerically(lambda t: F.logsumexp_pool2d(t, 2, beta=3.0), x)


def test_adaptive_avg_pool2d_equals_torch() -> None:
    x = RNG.normal(size=(2, 3, 5, 4))
    compare(F.adaptive_avg_pool2d, lambda t: TF.adaptive_avg_pool2d(t, 1), x)


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
@quick
@given(data=st.data(), dtype=dtypes)
def test_pad_equals_torch(mode: str, data: st.DataObject, dtype: Any) -> None:
    size = (data.draw(st.integers(4, 6)), data.draw(st.integers(4, 6)))
    pad = tuple(data.draw(st.integers(0, 3)) for _ in range(4))
    x = data.draw(arrays((2, 3, *size), dtype=dtype))
    compare(lambda t: F.pad(t, pad, mode), lambda t: TF.pad(t, pad, mode), x)


@quick
@given(data=st.data(), dtype=dtypes, by_size=st.booleans())
@pytest.mark.parametrize(
    ("mode", "align_corners"), [("nearest", False), ("bilinear", False), ("bilinear", True)]
)
def test_interpolate_equals_torch(
    mode: str, align_corners: bool, data: st.DataObject, dtype: Any, by_size: bool
) -> None:
    x = data.draw(arrays((2, 3, *data.draw(st.tuples(few, few))), dtype=dtype))
    corners = None if mode == "nearest" else align_corners
    sizes = st.tuples(st.integers(1, 11), st.integers(1, 11))
    factors = st.sampled_from([1.0, 1.3, 2.0, 2.5, 3.7])
    options = (
        {"size": data.draw(sizes)}
        if by_size
        else {"scale_factor": data.draw(factors | st.tuples(factors, factors))}
    )
    compare(
        lambda t: F.interpolate(t, mode=mode, align_corners=align_corners, **options),
        lambda t: TF.interpolate(t, mode=mode, align_corners=corners, **options),
        x,
    )


def test_a_whole_network_equals_differences() -> None:
    """The chain rule over many kinds of operation at once."""
    weights = [RNG.normal(size=s) for s in ((4, 2, 3, 3), (5, 4 * 3 * 2))]

    def network(x: F.Tensor, w: F.Tensor, v: F.Tensor) -> F.Tensor:
        h = F.conv2d(x, w, padding=1).tanh()
        h = F.logsumexp_pool2d(h, 2).flatten(1)
        return F.log_softmax(F.gelu(F.linear(h, v)) / math.sqrt(5))

    check_numerically(network, RNG.normal(size=(3, 2, 6, 4)), *weights)
