"""Elementwise ops of one argument."""

from __future__ import annotations

from typing import ClassVar

from ..autograd import Function
from ..backend import kernels
from ..tensor import Tensor
from ..typing import Array


class Unary(Function):
    """out = f(x); dx = f'(x) dout, which each kind works out from its output."""

    kind: ClassVar[str]

    def forward(self, x: Array) -> Array:
        out = getattr(kernels(x), f"{self.kind}_forward")(x)
        self.save(out)
        return out

    def backward(self, dout: Array) -> tuple[Array]:
        (out,) = self.saved
        return (getattr(kernels(dout), f"{self.kind}_backward")(out, dout),)


class Relu(Unary):
    """out = max(x, 0); dx = dout where out > 0, so the derivative at 0 is 0."""

    kind = "relu"


class Tanh(Unary):
    """out = tanh(x); dx = (1 - out^2) dout."""

    kind = "tanh"


def relu(x: Tensor) -> Tensor:
    """x (...) -> (...): max(x, 0) of every element (lecture 000, slide 24)."""
    return Relu.apply(x)


def tanh(x: Tensor) -> Tensor:
    """x (...) -> (...): the hyperbolic tangent of every element (lecture 000, slide 24)."""
    return Tanh.apply(x)
