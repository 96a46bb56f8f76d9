"""The largest of every window of an image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..autograd import Function
from ..backend import kernels
from ..typing import Array
from .arguments import operand
from .conv2d import Pair, pair

if TYPE_CHECKING:
    from ..tensor import Tensor


class MaxPool2d(Function):
    """out = the largest of every window; dout goes to the first place where it stood."""

    def forward(self, x: Array, kernel: tuple[int, ...], **options: tuple[int, ...]) -> Array:
        out, places = kernels(x).maxpool2d_forward(x, kernel, **options)
        self.kernel, self.options = kernel, options
        self.save(places)
        return out

    def backward(self, dout: Array) -> tuple[Array]:
        (places,) = self.saved
        backward = kernels(dout).maxpool2d_backward
        return (backward(places, dout, self.shapes[0], self.kernel, **self.options),)


def maxpool2d(
    x: Tensor, kernel_size: Pair, stride: Pair | None = None, padding: Pair = 0
) -> Tensor:
    """x (n, c, h, w) -> (n, c, oh, ow); windows of kernel_size, stride apart (kernel_size if None).

    The largest of each window, of equals the first (lecture 002, pooling).
    """
    op = "maxpool2d"
    operand(op, "x", x)
    kernel = pair(op, "kernel_size", kernel_size)
    step = kernel if stride is None else pair(op, "stride", stride)
    width = pair(op, "padding", padding, 0)
    return MaxPool2d.apply(x, kernel=kernel, stride=step, padding=width)
