"""Activations, and other functions as layers."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, ClassVar

from ..ops.arguments import integer, number, operand
from ..ops.conv2d import Pair, pair
from ..tensor import Tensor
from . import functional as F  # noqa: N812  as every user of PyTorch knows it
from .module import Module


class FunctionModule(Module):
    """A function as a layer: what the layer was made with, the function gets as keywords."""

    function: ClassVar[Callable[..., Any]]

    _options: ClassVar[frozenset[str]]

    def __init_subclass__(cls) -> None:
        cls._options = frozenset(inspect.signature(cls.__init__).parameters)

    def forward(self, *inputs: Tensor) -> Tensor:
        """The function of the inputs."""
        options = {name: value for name, value in vars(self).items() if name in self._options}
        return type(self).function(*inputs, **options)


class Identity(FunctionModule):
    """The input itself."""

    function = staticmethod(lambda input: operand("Identity", "input", input))


class ReLU(FunctionModule):
    """max(input, 0) of every element; the derivative at 0 is 0 (lecture 002 has 1 there)."""

    function = staticmethod(F.relu)


class Sigmoid(FunctionModule):
    """1 / (1 + exp(-input)) of every element (lecture 000, slide 24)."""

    function = staticmethod(F.sigmoid)


class Tanh(FunctionModule):
    """The hyperbolic tangent of every element (lecture 000, slide 24)."""

    function = staticmethod(F.tanh)


class GELU(FunctionModule):
    """input P(normal < input) of every element (Hendrycks and Gimpel, 2016)."""

    function = staticmethod(F.gelu)


class SiLU(FunctionModule):
    """input sigmoid(input) of every element (Elfwing et al., 2018)."""

    function = staticmethod(F.silu)


class Softplus(FunctionModule):
    """log(1 + exp(input)) of every element."""

    function = staticmethod(F.softplus)


class LeakyReLU(FunctionModule):
    """Every element, times negative_slope where it is below 0 (lecture 004)."""

    function = staticmethod(F.leaky_relu)

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = number("LeakyReLU", "negative_slope", negative_slope)


class ELU(FunctionModule):
    """Every element, but alpha (exp(input) - 1) where it is below 0 (Clevert et al., 2016)."""

    function = staticmethod(F.elu)

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = number("ELU", "alpha", alpha)


class Softmax(FunctionModule):
    """exp(input) / sum of exp(input) along dim (lecture 000, slide 22)."""

    function = staticmethod(F.softmax)

    def __init__(self, dim: int | None = None) -> None:
        self.dim = dim if dim is None else integer(type(self).__name__, "dim", dim)


class LogSoftmax(Softmax):
    """The logarithm of softmax along dim (lecture 004, the listing of PyTorch)."""

    function = staticmethod(F.log_softmax)


class Flatten(FunctionModule):
    """The dimensions from start_dim to end_dim as one: images become rows."""

    function = staticmethod(F.flatten)

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self.start_dim = integer("Flatten", "start_dim", start_dim)
        self.end_dim = integer("Flatten", "end_dim", end_dim)


class MaxPool2d(FunctionModule):
    """input (n, c, h, w) -> (n, c, oh, ow): the largest of every window (lecture 002, pooling)."""

    function = staticmethod(F.max_pool2d)

    def __init__(self, kernel_size: Pair, stride: Pair | None = None, padding: Pair = 0) -> None:
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, op = padding, type(self).__name__
        pair(op, "kernel_size", kernel_size), pair(op, "stride", self.stride)
        pair(op, "padding", padding, 0)


class AvgPool2d(MaxPool2d):
    """input (n, c, h, w) -> (n, c, oh, ow): the mean of every window, padding counted as zeros."""

    function = staticmethod(F.avg_pool2d)


class Dropout(Module):
    """In training each element / (1 - p) with probability 1 - p, else 0; in eval as is (slide 32)."""

    def __init__(self, p: float = 0.5) -> None:
        self.p = number("Dropout", "p", p, 0, 1)

    def forward(self, input: Tensor) -> Tensor:
        """As `training` says."""
        return F.dropout(input, self.p, self.training)
