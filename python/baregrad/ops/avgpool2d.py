"""The mean of every window of an image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..autograd import Function
from ..backend import kernels
from ..typing import Array
from .arguments import operand
from .conv2d import Pair, pair

if TYPE_CHECKING:
    from ..tensor import Tensor


class AvgPool2d(Function):
    """out = the mean of every window; each of its pixels gets an equal share of dout."""

    def forward(self, x: Array, kernel: tuple[int, ...], **options: tuple[int, ...]) -> Array:
        self.kernel, self.options = kernel, options
        return kernels(x).avgpool2d_forward(x, kernel, **options)

    def backward(self, dout: Array) -> tuple[Array]:
        backward = kernels(dout).avgpool2d_backward
        return (backward(dout, self.shapes[0], self.kernel, **self.options),)


def avgpool2d(
    x: Tensor, kernel_size: Pair, stride: Pair | None = None, padding: Pair = 0
) -> Tensor:
    """x (n, c, h, w) -> (n, c, oh, ow): sum / cells, where padding counts as zeros."""
    op = "avgpool2d"
    operand(op, "x", x)
    kernel = pair(op, "kernel_size", kernel_size)
    step = kernel if stride is None else pair(op, "stride", stride)
    width = pair(op, "padding", padding, 0)
    return AvgPool2d.apply(x, kernel=kernel, stride=step, padding=width)
