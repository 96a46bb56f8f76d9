"""Bias and activation in one pass over what a product left, and both gradients in one pass."""

from __future__ import annotations

import numpy as np

from ..typing import NDArray
from . import unary
from .arguments import apart, floats, output, shape_text, shaped

ACTIVATIONS = ("relu", "sigmoid", "tanh")  # those whose derivative needs only their output


@np.errstate(all="ignore")  # NaN and infinity flow as IEEE 754 says
def bias_activation_forward(
    x: NDArray, bias: NDArray, *, activation: str, out: NDArray | None = None
) -> NDArray:
    """x (n, c, ...), bias (c,) -> out (n, c, ...) = f(x + bias), f one of relu, sigmoid, tanh."""
    op = "bias_activation_forward"
    _, c, *rest = _planes(op, "x", x).shape
    shaped(op, "bias", floats(op, "bias", bias, x.dtype), c)
    _known(op, activation)
    result = output(op, "out", out, x, x.shape)
    apart(op, "out", result, may_be_same=True, x=x)
    apart(op, "out", result, bias=bias)
    v = x.astype(np.float64) + bias.reshape(c, *[1] * len(rest))
    result[...] = getattr(unary, f"{activation}_forward")(v)
    return result


@np.errstate(all="ignore")  # NaN and infinity flow as IEEE 754 says
def bias_activation_backward(
    saved: NDArray, dout: NDArray, *, activation: str, out: NDArray | None = None
) -> tuple[NDArray, NDArray]:
    """saved (n, c, ...) the output of forward, dout as it -> dx (n, c, ...), dbias (c,)."""
    op = "bias_activation_backward"
    _planes(op, "saved", saved)
    shaped(op, "dout", floats(op, "dout", dout, saved.dtype), *saved.shape)
    _known(op, activation)
    result = output(op, "out", out, saved, saved.shape)
    apart(op, "out", result, may_be_same=True, saved=saved, dout=dout)
    backward = getattr(unary, f"{activation}_backward")
    dx = backward(saved.astype(np.float64), dout.astype(np.float64))
    result[...] = dx
    return result, dx.sum(axis=(0, *range(2, dx.ndim))).astype(saved.dtype)


def _planes(op: str, name: str, value: NDArray) -> NDArray:
    if floats(op, name, value).ndim < 2:
        raise ValueError(f"[{op}] {name} has shape {shape_text(value.shape)}, expected (n, c, ...)")
    return value


def _known(op: str, activation: str) -> None:
    if activation not in ACTIVATIONS:
        raise ValueError(f"[{op}] activation is {activation!r}, expected {', '.join(ACTIVATIONS)}")
