"""Batch normalisation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..autograd import Function
from ..backend import kernels
from ..typing import Array
from .arguments import alike, operand, same_device

if TYPE_CHECKING:
    from ..tensor import Tensor


class BatchNorm(Function):
    """out = weight (x - mean) / sqrt(var + epsilon) + bias, mean and var of x (n, c, s) by channel."""

    def forward(
        self, x: Array, weight: Array, bias: Array, epsilon: float
    ) -> tuple[Array, Array, Array]:
        out, mean, var = kernels(x).batch_norm_forward(x, weight, bias, epsilon=epsilon)
        self.epsilon = epsilon
        self.save(x, weight, mean, var)
        return out, mean, var

    def backward(self, dout: Array) -> tuple[Array, Array, Array]:
        x, weight, mean, var = self.saved
        backward = kernels(dout).batch_norm_backward
        gradients: tuple[Array, Array, Array] = backward(
            x, dout, weight, mean, var, epsilon=self.epsilon
        )
        return gradients


def batch_norm(
    x: Tensor, weight: Tensor | None = None, bias: Tensor | None = None, *, epsilon: float = 1e-5
) -> tuple[Tensor, Tensor, Tensor]:
    """x (n, c, ...), weight (c,), bias (c,) -> out (n, c, ...), mean (c,), var (c,) of x.

    As in training: by the mean and variance of this batch, which divides by their number. Source:
    Ioffe and Szegedy, 2015.
    """
    weight, bias = _both("batch_norm", x, weight, bias)
    rows = x.reshape(*x.shape[:2], math.prod(x.shape[2:]))
    out, mean, var = BatchNorm.apply_all(rows, weight, bias, epsilon=epsilon)
    return out.reshape(x.shape), mean, var


def batch_norm_by(
    x: Tensor,
    mean: Tensor,
    var: Tensor,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    *,
    epsilon: float = 1e-5,
) -> Tensor:
    """weight (x - mean) / sqrt(var + epsilon) + bias, by a mean and variance that are given (c,)."""
    weight, bias = _both("batch_norm", x, weight, bias)
    given = {"mean": operand("batch_norm", "mean", mean), "var": operand("batch_norm", "var", var)}
    same_device("batch_norm", x=x, **given)
    scale = weight / (var + epsilon).sqrt()
    per_channel = (-1, *(1,) * (x.ndim - 2))
    return x * scale.reshape(per_channel) + (bias - mean * scale).reshape(per_channel)


def _both(op: str, x: Tensor, weight: Tensor | None, bias: Tensor | None) -> tuple[Tensor, Tensor]:
    """weight and bias, ones and zeros where there is none."""
    operand(op, "x", x)
    if x.ndim < 2:
        raise ValueError(f"[{op}] x has shape {x.shape}, expected (n, c, ...)")
    if weight is None:
        weight = x._made(x._backend.full(x.shape[1:2], 1.0, x.dtype), None)
    if bias is None:
        bias = x._made(x._backend.full(x.shape[1:2], 0.0, x.dtype), None)
    alike(op, weight=weight, x=x, bias=bias)
    return weight, bias
