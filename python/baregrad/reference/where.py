"""Elementwise choice between two arrays."""

from __future__ import annotations

import numpy as np

from ..typing import NDArray
from .arguments import apart, array, fits, output


def where(condition: NDArray, a: NDArray, b: NDArray, *, out: NDArray | None = None) -> NDArray:
    """condition (...) bool, a (...), b (...) -> out (...) = a where it holds, else b, broadcast."""
    op = "where"
    condition, a, b = array(op, "condition", condition), array(op, "a", a), array(op, "b", b)
    if condition.dtype != np.bool_:
        raise TypeError(f"[{op}] condition has dtype {condition.dtype}, expected bool")
    if b.dtype != a.dtype:
        raise TypeError(f"[{op}] b has dtype {b.dtype}, expected {a.dtype}")
    result = output(op, "out", out, a, fits(op, condition, a, b))
    apart(op, "out", result, may_be_same=True, a=a, b=b)
    apart(op, "out", result, condition=condition)
    result[...] = np.where(condition, a, b)
    return result
