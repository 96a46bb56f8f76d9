"""Elementwise ops of one argument: <kind>_forward and <kind>_backward."""

from __future__ import annotations

import numpy as np

from ..typing import NDArray
from .arguments import elementwise


@elementwise
def relu_forward(x: NDArray) -> NDArray:
    """x (...) -> out (...) = max(x, 0). NaN stays NaN, -0 becomes +0."""
    return np.where(x <= 0, 0, x)


@elementwise
def relu_backward(saved: NDArray, dout: NDArray) -> NDArray:
    """saved (...) the output of forward, dout (...) -> dx (...) = dout where it was positive.

    The derivative at 0 is 0. Where forward gave NaN, dout passes.
    """
    return np.where(saved <= 0, 0, dout)


@elementwise
def tanh_forward(x: NDArray) -> NDArray:
    """x (...) -> out (...) = (exp(x) - exp(-x)) / (exp(x) + exp(-x))."""
    return np.tanh(x)


@elementwise
def tanh_backward(saved: NDArray, dout: NDArray) -> NDArray:
    """saved (...) the output of forward, dout (...) -> dx (...) = (1 - saved^2) dout."""
    return (1 - saved**2) * dout
