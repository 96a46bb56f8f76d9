"""Softmax and its logarithm, over any dimension."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

from ..autograd import Function
from ..backend import kernels
from ..typing import Array
from .arguments import dimension, floating, numpy_names

if TYPE_CHECKING:
    from ..tensor import Tensor


class Softmax(Function):
    """x (n, c): out = exp(x) / sum of exp(x) over c; dx = out (dout - sum of out dout)."""

    kind: ClassVar[str] = "softmax"

    def forward(self, x: Array) -> Array:
        out = getattr(kernels(x), f"{self.kind}_forward")(x)
        self.save(out)
        return out

    def backward(self, dout: Array) -> tuple[Array]:
        (out,) = self.saved
        return (getattr(kernels(dout), f"{self.kind}_backward")(out, dout),)


class LogSoftmax(Softmax):
    """x (n, c): out = x - log of the sum of exp(x) over c; dx = dout - exp(out) sum of dout."""

    kind = "log_softmax"


@numpy_names
def softmax(x: Tensor, dim: int) -> Tensor:
    """exp(x) / sum of exp(x) along dim (lecture 000, slide 22)."""
    return _along(Softmax, "softmax", floating("softmax", x), dim)


@numpy_names
def log_softmax(x: Tensor, dim: int) -> Tensor:
    """x - log of the sum of exp(x) along dim: the logarithm of softmax, without overflow."""
    return _along(LogSoftmax, "log_softmax", floating("log_softmax", x), dim)


def _along(function: type[Softmax], op: str, x: Tensor, dim: int) -> Tensor:
    """The function of the rows of x, where dim is turned to the end."""
    axis = dimension(op, dim, x.ndim)
    if x.ndim == 0:
        return _along(function, op, x.reshape(1), 0).reshape(())
    if axis != x.ndim - 1:
        return _along(function, op, x.transpose(axis, -1), -1).transpose(axis, -1)
    rows = x if x.ndim == 2 else x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
    return function.apply(rows) if rows is x else function.apply(rows).reshape(x.shape)
