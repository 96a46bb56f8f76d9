"""Elementwise ops of one argument: <kind>_forward and <kind>_backward."""

from __future__ import annotations

import math

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


@elementwise
def leaky_relu_forward(x: NDArray, *, alpha: float) -> NDArray:
    """x (...) -> out (...) = x where it is above 0, else alpha x (lecture 004, ReLU - variant)."""
    return np.where(x > 0, x, alpha * x)


@elementwise
def leaky_relu_backward(saved: NDArray, dout: NDArray, *, alpha: float) -> NDArray:
    """saved (...) the input of forward, dout (...) -> dx (...) = dout where it was above 0, else alpha dout."""
    return np.where(saved > 0, dout, alpha * dout)


@elementwise
def elu_forward(x: NDArray, *, alpha: float) -> NDArray:
    """x (...) -> out (...) = x where it is above 0, else alpha (exp(x) - 1) (Clevert et al., 2016)."""
    return np.where(x > 0, x, alpha * np.expm1(x))


@elementwise
def elu_backward(saved: NDArray, dout: NDArray, *, alpha: float) -> NDArray:
    """saved (...) the input of forward, dout (...) -> dx (...) = dout, or alpha exp(saved) dout."""
    return np.where(saved > 0, dout, alpha * np.exp(saved) * dout)


def _normal_below(x: NDArray) -> NDArray:
    """The normal distribution function."""
    erf = np.array([math.erf(v) for v in (x / math.sqrt(2)).ravel()]).reshape(x.shape)
    erfc = np.array([math.erfc(v) for v in (-x / math.sqrt(2)).ravel()]).reshape(x.shape)
    return np.where(x < -1, 0.5 * erfc, 0.5 * (1 + erf))


@elementwise
def gelu_forward(x: NDArray) -> NDArray:
    """x (...) -> out (...) = x P(normal < x) (Hendrycks and Gimpel, 2016)."""
    return np.where(np.isneginf(x), -0.0, x * _normal_below(x))


@elementwise
def gelu_backward(saved: NDArray, dout: NDArray) -> NDArray:
    """saved (...) the input of forward, dout (...) -> dx (...) = (P(normal < x) + x p(x)) dout."""
    x = np.clip(saved, -1e3, 1e3)  # infinity times a density of 0 is 0
    return (_normal_below(x) + x * np.exp(-x * x / 2) / math.sqrt(2 * math.pi)) * dout


def _sigmoid(x: NDArray) -> NDArray:
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


@elementwise
def silu_forward(x: NDArray) -> NDArray:
    """x (...) -> out (...) = x / (1 + exp(-x)), also called swish (Elfwing et al., 2018)."""
    return np.where(np.isneginf(x), -0.0, x * _sigmoid(x))


@elementwise
def silu_backward(saved: NDArray, dout: NDArray) -> NDArray:
    """saved (...) the input of forward, dout (...) -> dx (...) = s (1 + x (1 - s)) dout, s = sigmoid(x)."""
    x = np.clip(saved, -1e3, 1e3)  # infinity times 1 - s = 0 is 0
    return _sigmoid(x) * (1 + x * _sigmoid(-x)) * dout


@elementwise
def sigmoid_forward(x: NDArray) -> NDArray:
    """x (...) -> out (...) = 1 / (1 + exp(-x)) (lecture 000, slide 24)."""
    return _sigmoid(x)


@elementwise
def sigmoid_backward(saved: NDArray, dout: NDArray) -> NDArray:
    """saved (...) the output of forward, dout (...) -> dx (...) = saved (1 - saved) dout."""
    return saved * (1 - saved) * dout


@elementwise
def softplus_forward(x: NDArray) -> NDArray:
    """x (...) -> out (...) = log(1 + exp(x))."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


@elementwise
def softplus_backward(saved: NDArray, dout: NDArray) -> NDArray:
    """saved (...) the input of forward, dout (...) -> dx (...) = sigmoid(saved) dout."""
    return _sigmoid(saved) * dout


@elementwise
def exp_forward(x: NDArray) -> NDArray:
    """x (...) -> out (...) = e^x."""
    return np.exp(x)


@elementwise
def exp_backward(saved: NDArray, dout: NDArray) -> NDArray:
    """saved (...) the output of forward, dout (...) -> dx (...) = saved dout."""
    return saved * dout


@elementwise
def log_forward(x: NDArray) -> NDArray:
    """x (...) -> out (...) = log x; -infinity of 0, NaN below."""
    return np.log(x)


@elementwise
def log_backward(saved: NDArray, dout: NDArray) -> NDArray:
    """saved (...) the input of forward, dout (...) -> dx (...) = dout / saved."""
    return dout / saved


@elementwise
def sqrt_forward(x: NDArray) -> NDArray:
    """x (...) -> out (...) = the square root; NaN below 0."""
    return np.sqrt(x)


@elementwise
def sqrt_backward(saved: NDArray, dout: NDArray) -> NDArray:
    """saved (...) the output of forward, dout (...) -> dx (...) = dout / (2 saved)."""
    return dout / (2 * saved)


@elementwise
def abs_forward(x: NDArray) -> NDArray:
    """x (...) -> out (...) = |x|."""
    return np.abs(x)


@elementwise
def abs_backward(saved: NDArray, dout: NDArray) -> NDArray:
    """saved (...) the input of forward, dout (...) -> dx (...) = dout times the sign of saved, 0 at 0."""
    return np.sign(saved) * dout


@elementwise
def neg_forward(x: NDArray) -> NDArray:
    """x (...) -> out (...) = -x."""
    return -x


@elementwise
def neg_backward(saved: NDArray, dout: NDArray) -> NDArray:
    """saved (...), not read, dout (...) -> dx (...) = -dout."""
    return -dout


@elementwise
def sign_forward(x: NDArray) -> NDArray:
    """x (...) -> out (...) = -1, 0 or 1; NaN stays."""
    return np.sign(x)


@elementwise
def sign_backward(saved: NDArray, dout: NDArray) -> NDArray:
    """saved (...), not read, dout (...) -> dx (...) = 0."""
    return np.zeros_like(dout)
