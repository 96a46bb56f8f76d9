"""Copies between arrays of any strides: slices, transposes and broadcasts become real, or are filled."""

from __future__ import annotations

from ..typing import NDArray
from .arguments import apart, array, output


def copy_strided(x: NDArray, *, out: NDArray | None = None) -> NDArray:
    """x (...), any dtype and strides -> out (...), the same elements; without out a contiguous copy."""
    x = array("copy_strided", "x", x)
    result = output("copy_strided", "out", out, x, x.shape)
    apart("copy_strided", "out", result, x=x)
    result[...] = x
    return result
