"""The table of derivative rules: for every operation, how a gradient passes back through it.

A rule is a vector-Jacobian product. If y = f(x) has the Jacobian J, and g is the gradient of some
score with respect to y, then gᵀJ is the gradient with respect to x. Nobody builds J; each operation
knows a short formula for the product.

The table is looked up while walking *back*, not while computing forward. That is why `rule` can
replace the derivative of every ReLU in a network for the length of a `with` block, wherever the
ReLU stands, which is all that guided backpropagation or LRP need.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np

Array = np.ndarray
Vjp = Callable[..., Array]

VJP: dict[str, tuple[Vjp, ...]] = {}
_replaced: ContextVar[dict[str, tuple[Vjp, ...]]] = ContextVar("replaced")


def defvjp(op: str, *vjps: Vjp) -> None:
    """Enter an operation's vector-Jacobian products into the table, one for each input.

    Each is a function `vjp(g, y, *inputs, **options)` of the gradient `g` of the result, the
    result `y` and the input arrays. It may ignore broadcasting, which `pull_back` undoes.
    """
    VJP[op] = vjps


@contextmanager
def rule(**rules: Vjp | tuple[Vjp, ...]) -> Iterator[None]:
    """Replace backward rules by name while the block lasts, as in `rule(relu=guided)`.

    A single function replaces the rule of the operation's first input (for conv2d and linear, the
    activations), a tuple those of all inputs. The *backward* pass must happen inside the block.
    """
    unknown = sorted(set(rules) - set(VJP))
    if unknown:
        raise ValueError(f"rule: no operation is called {unknown[0]!r}; there are {sorted(VJP)}")
    given = {op: r if isinstance(r, tuple) else (r, *VJP[op][1:]) for op, r in rules.items()}
    token = _replaced.set({**_replaced.get({}), **given})
    try:
        yield
    finally:
        _replaced.reset(token)


def current_rules() -> dict[str, tuple[Vjp, ...]]:
    """The table as it stands here, replacements included."""
    return {**VJP, **_replaced.get({})}
