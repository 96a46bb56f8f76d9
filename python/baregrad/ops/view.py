"""Other views of the same memory. No kernel runs: only shape and strides change."""

from __future__ import annotations

from ..autograd import Function
from ..tensor import Tensor
from ..typing import Array, Shape


class Reshape(Function):
    """The same elements in row-major order under another shape."""

    hands_on = True

    def forward(self, x: Array, shape: Shape) -> Array:
        self.shape = x.shape
        return x.reshape(shape)

    def backward(self, dout: Array) -> tuple[Array]:
        return (dout.reshape(self.shape),)


class Transpose(Function):
    """The last two axes swapped."""

    hands_on = True

    def forward(self, x: Array) -> Array:
        return x.mT

    def backward(self, dout: Array) -> tuple[Array]:
        return (dout.mT,)


def reshape(x: Tensor, shape: Shape) -> Tensor:
    """x (...) -> (shape), one length may be -1. ValueError if the numbers of elements differ."""
    return Reshape.apply(x, shape=shape)._views(x)


def transpose(x: Tensor) -> Tensor:
    """x (..., m, n) -> (..., n, m)."""
    return Transpose.apply(x)._views(x)
