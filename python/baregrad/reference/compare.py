"""Elementwise comparison of two arrays that broadcast, with bools as the result."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from ..typing import NDArray
from .arguments import apart, array, fits, output

_BOOL = np.empty(0, np.bool_)


def compare(formula: Callable[[NDArray, NDArray], NDArray]) -> Callable[..., NDArray]:
    """A kernel from a formula. What is compared with NaN is False, except by ne."""
    op = formula.__name__

    @functools.wraps(formula)
    def kernel(a: NDArray, b: NDArray, *, out: NDArray | None = None) -> NDArray:
        a, b = array(op, "a", a), array(op, "b", b)
        if b.dtype != a.dtype:
            raise TypeError(f"[{op}] b has dtype {b.dtype}, expected {a.dtype}")
        result = output(op, "out", out, _BOOL, fits(op, a, b))
        apart(op, "out", result, a=a, b=b)
        result[...] = formula(a, b)
        return result

    return kernel


@compare
def eq(a: NDArray, b: NDArray) -> NDArray:
    """a (...), b (...) -> out (...) bool = a == b, broadcast."""
    return a == b


@compare
def ne(a: NDArray, b: NDArray) -> NDArray:
    """a (...), b (...) -> out (...) bool = a != b, broadcast."""
    return a != b


@compare
def lt(a: NDArray, b: NDArray) -> NDArray:
    """a (...), b (...) -> out (...) bool = a < b, broadcast."""
    return a < b


@compare
def le(a: NDArray, b: NDArray) -> NDArray:
    """a (...), b (...) -> out (...) bool = a <= b, broadcast."""
    return a <= b


@compare
def gt(a: NDArray, b: NDArray) -> NDArray:
    """a (...), b (...) -> out (...) bool = a > b, broadcast."""
    return a > b


@compare
def ge(a: NDArray, b: NDArray) -> NDArray:
    """a (...), b (...) -> out (...) bool = a >= b, broadcast."""
    return a >= b
