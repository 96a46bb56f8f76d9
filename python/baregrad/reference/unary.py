"""Elementwise ops of one argument: <kind>_forward and <kind>_backward."""

from __future__ import annotations

import numpy as np

from ..typing import NDArray
from .arguments import apart, floats, output, shaped


def relu_forward(x: NDArray, *, out: NDArray | None = None) -> NDArray:
    """x (...) -> out (...) = max(x, 0). NaN stays NaN, -0 becomes +0."""
    x = floats("relu_forward", "x", x)
    result = output("relu_forward", "out", out, x, x.shape)
    apart("relu_forward", "out", result, may_be_same=True, x=x)
    result[...] = np.where(x <= 0, 0, x)
    return result


def relu_backward(saved: NDArray, dout: NDArray, *, out: NDArray | None = None) -> NDArray:
    """saved (...) the output of forward, dout (...) -> dx (...) = dout where it was positive.

    The derivative at 0 is 0. Where forward gave NaN, dout passes.
    """
    saved = floats("relu_backward", "saved", saved)
    dout = shaped(
        "relu_backward", "dout", floats("relu_backward", "dout", dout, saved.dtype), *saved.shape
    )
    result = output("relu_backward", "out", out, saved, saved.shape)
    apart("relu_backward", "out", result, may_be_same=True, saved=saved, dout=dout)
    result[...] = np.where(saved <= 0, 0, dout)
    return result
