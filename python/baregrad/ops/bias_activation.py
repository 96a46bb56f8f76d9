"""Bias and activation in one pass, after a product that left neither."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..autograd import Function
from ..backend import kernels
from ..typing import Array
from . import unary

if TYPE_CHECKING:
    from ..tensor import Tensor

FUSED = ("relu", "sigmoid", "tanh")  # those whose derivative needs only their output
_KNOWN = (*FUSED, "leaky_relu", "elu", "gelu", "silu", "softplus")


class BiasActivation(Function):
    """out = f(x + bias), written over x; dx = f' dout, dbias = sum of dx.

    x (n, c, ...), bias (c,) -> out (n, c, ...)
    """

    def forward(self, x: Array, bias: Array, activation: str) -> Array:
        rows = _rows(x)
        self.activation = activation
        forward = kernels(x).bias_activation_forward
        out = forward(rows, bias, activation=activation, out=rows).reshape(x.shape)
        self.save(out)
        return out

    def backward(self, dout: Array) -> tuple[Array, Array]:
        (out,) = self.saved
        rows, backward = _rows(dout), kernels(dout).bias_activation_backward
        room = None if self.room(dout) is None else rows
        dx, dbias = backward(_rows(out), rows, activation=self.activation, out=room)
        return dx.reshape(out.shape), dbias


def _rows(x: Array) -> Array:
    """x (n, c, ...) -> (n, c, s)."""
    n, c, *rest = x.shape
    return x.reshape((n, c, math.prod(rest)))


def fuses(activation: str | None) -> bool:
    """Whether bias and activation are one kernel. ValueError for an unknown activation."""
    if activation is not None and activation not in _KNOWN:
        known = ", ".join(_KNOWN)
        raise ValueError(f"[activation] activation is {activation!r}, expected one of {known}")
    return activation in FUSED


def activated(x: Tensor, bias: Tensor | None, activation: str | None) -> Tensor:
    """activation(x + bias) of a product x (n, c, ...) that nobody else has seen."""
    if bias is None:
        return x if activation is None else getattr(unary, activation)(x)
    return BiasActivation.apply(x, bias, activation=activation)
