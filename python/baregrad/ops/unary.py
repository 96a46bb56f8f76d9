"""Elementwise ops of one argument."""

from __future__ import annotations

from ..autograd import Function
from ..backend import kernels
from ..tensor import Tensor
from ..typing import Array


class Relu(Function):
    """out = max(x, 0); dx = dout where out > 0, so the derivative at 0 is 0."""

    def forward(self, x: Array) -> Array:
        out = kernels(x).relu_forward(x)
        self.save(out)
        return out

    def backward(self, dout: Array) -> tuple[Array]:
        (out,) = self.saved
        return (kernels(dout).relu_backward(out, dout),)


class Tanh(Function):
    """out = tanh(x); dx = (1 - out^2) dout."""

    def forward(self, x: Array) -> Array:
        out = kernels(x).tanh_forward(x)
        self.save(out)
        return out

    def backward(self, dout: Array) -> tuple[Array]:
        (out,) = self.saved
        return (kernels(dout).tanh_backward(out, dout),)


def relu(x: Tensor) -> Tensor:
    """x (...) -> (...): max(x, 0) of every element (lecture 000, slide 24)."""
    return Relu.apply(x)


def tanh(x: Tensor) -> Tensor:
    """x (...) -> (...): the hyperbolic tangent of every element (lecture 000, slide 24)."""
    return Tanh.apply(x)
