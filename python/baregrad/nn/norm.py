"""Normalisation, by the batch or by the sample."""

from __future__ import annotations

from typing import ClassVar

from ..blank import numbers
from ..ops.arguments import integer, number, operand, sizes
from ..replay import after
from ..tensor import Tensor, from_numpy, tensor
from ..typing import Shape
from . import functional as F  # noqa: N812
from .module import Module
from .parameter import Parameter


class _BatchNorm(Module):
    ndims: ClassVar[tuple[int, ...]]  # how many dimensions an input may have
    expected: ClassVar[str]
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
    ) -> None:
        op = type(self).__name__
        self.num_features = integer(op, "num_features", num_features, 1)
        self.eps = number(op, "eps", eps, 0)
        self.momentum = momentum if momentum is None else number(op, "momentum", momentum, 0, 1)
        self.affine, self.track_running_stats = affine, track_running_stats
        self.weight = Parameter(numbers(num_features, value=1)) if affine else None
        self.bias = Parameter(numbers(num_features)) if affine else None
        for name, value in (("running_mean", 0), ("running_var", 1)):
            start = from_numpy(numbers(num_features, value=value)) if track_running_stats else None
            self.register_buffer(name, start)
        self.register_buffer("num_batches_tracked", tensor(0) if track_running_stats else None)

    def forward(self, input: Tensor) -> Tensor:
        """By the batch's own mean and variance in training, else by the running ones."""
        if (
            operand(type(self).__name__, "input", input).ndim not in self.ndims
            or input.shape[1] != self.num_features
        ):
            name, expected = type(self).__name__, self.expected.format(self.num_features)
            raise ValueError(f"[{name}] input has shape {input.shape}, expected {expected}")
        share = self.momentum
        tracked = self.num_batches_tracked
        if self.training and tracked is not None:
            after(lambda: tracked.add_(1))
            share = 1 / tracked.item() if share is None else share
        by_batch = self.training or not self.track_running_stats
        tensors = (self.running_mean, self.running_var, self.weight, self.bias)
        return F.batch_norm(input, *tensors, by_batch, share or 0.0, self.eps)


class BatchNorm1d(_BatchNorm):
    """input (n, num_features) or (n, num_features, l) -> the same, each feature with mean 0, variance 1.

    Then times weight, plus bias. In eval it uses running_mean and running_var, buffers that training
    moves by `momentum` towards each batch; None makes them the mean of all (lecture 000, slide 28).
    """

    ndims, expected = (2, 3), "(n, {0}) or (n, {0}, l)"


class BatchNorm2d(_BatchNorm):
    """input (n, num_features, h, w) -> the same, each channel with mean 0, variance 1.

    Otherwise as BatchNorm1d (Ioffe and Szegedy, 2015; lecture 000, slide 28).
    """

    ndims, expected = (4,), "(n, {0}, h, w)"


class LayerNorm(Module):
    """input (..., *normalized_shape) -> the same, each sample with mean 0, variance 1.

    Then times weight, plus bias, both of normalized_shape (Ba, Kiros and Hinton, 2016).
    """

    def __init__(
        self,
        normalized_shape: int | Shape,
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
    ) -> None:
        self.normalized_shape = sizes("LayerNorm", (normalized_shape,))
        for length in self.normalized_shape or (0,):
            integer("LayerNorm", "normalized_shape", length, 1)
        self.eps, self.elementwise_affine = number("LayerNorm", "eps", eps, 0), elementwise_affine
        shape = self.normalized_shape
        self.weight = Parameter(numbers(*shape, value=1)) if elementwise_affine else None
        with_bias = elementwise_affine and bias
        self.bias = Parameter(numbers(*shape)) if with_bias else None

    def forward(self, input: Tensor) -> Tensor:
        """ValueError unless the last axes of input are normalized_shape."""
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)
