"""Elementwise arithmetic of two arrays that broadcast as NumPy's do."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from ..typing import NDArray
from .arguments import apart, array, fits, output


def binary(formula: Callable[[NDArray, NDArray], NDArray]) -> Callable[..., NDArray]:
    """A kernel from a formula: floats in float64, integers and bools as they are."""
    op = formula.__name__

    @functools.wraps(formula)
    @np.errstate(all="ignore")  # NaN and infinity flow as IEEE 754 says
    def kernel(a: NDArray, b: NDArray, *, out: NDArray | None = None) -> NDArray:
        a, b = array(op, "a", a), array(op, "b", b)
        if b.dtype != a.dtype:
            raise TypeError(f"[{op}] b has dtype {b.dtype}, expected {a.dtype}")
        result = output(op, "out", out, a, fits(op, a, b))
        apart(op, "out", result, may_be_same=True, a=a, b=b)
        if a.dtype.kind == "f":
            a, b = a.astype(np.float64), b.astype(np.float64)
        result[...] = formula(a, b)
        return result

    return kernel


@binary
def add(a: NDArray, b: NDArray) -> NDArray:
    """a (...), b (...) -> out (...) = a + b, broadcast."""
    return a + b


@binary
def sub(a: NDArray, b: NDArray) -> NDArray:
    """a (...), b (...) -> out (...) = a - b, broadcast."""
    return a - b


@binary
def mul(a: NDArray, b: NDArray) -> NDArray:
    """a (...), b (...) -> out (...) = a b, broadcast."""
    return a * b


@binary
def div(a: NDArray, b: NDArray) -> NDArray:
    """a (...), b (...) -> out (...) = a / b, broadcast. 1 / 0 is infinity, 0 / 0 is NaN."""
    return a / b


@binary
def pow(a: NDArray, b: NDArray) -> NDArray:
    """a (...), b (...) -> out (...) = a^b, broadcast; IEEE 754's pow: x^0 is 1 even for NaN."""
    return np.power(a, b)


@binary
def maximum(a: NDArray, b: NDArray) -> NDArray:
    """a (...), b (...) -> out (...) = the larger, broadcast; NaN if either is NaN."""
    return np.maximum(a, b)


@binary
def minimum(a: NDArray, b: NDArray) -> NDArray:
    """a (...), b (...) -> out (...) = the smaller, broadcast; NaN if either is NaN."""
    return np.minimum(a, b)
