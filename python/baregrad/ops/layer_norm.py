"""Layer normalisation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..autograd import Function
from ..backend import kernels
from ..typing import Array, Shape
from .arguments import alike, number, operand, sizes

if TYPE_CHECKING:
    from ..tensor import Tensor


class LayerNorm(Function):
    """out = weight (x - mean) / sqrt(var + epsilon) + bias, mean and var of x (n, d) by row."""

    def forward(self, x: Array, weight: Array, bias: Array, epsilon: float) -> Array:
        out, mean, r = kernels(x).layer_norm_forward(x, weight, bias, epsilon=epsilon)
        self.save(x, weight, mean, r)
        return out

    def backward(self, dout: Array) -> tuple[Array, Array, Array]:
        x, weight, mean, r = self.saved
        backward = kernels(dout).layer_norm_backward
        gradients: tuple[Array, Array, Array] = backward(x, dout, weight, mean, r)
        return gradients


def layer_norm(
    x: Tensor,
    normalized_shape: int | Shape,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """x (..., *normalized_shape), weight and bias (*normalized_shape) -> (..., *normalized_shape).

    Source: Ba, Kiros and Hinton, 2016.
    """
    op = "layer_norm"
    operand(op, "x", x)
    several = isinstance(normalized_shape, (tuple, list))
    shape = sizes(op, normalized_shape if several else (normalized_shape,))  # type: ignore[arg-type]
    if not shape or x.shape[x.ndim - len(shape) :] != shape or x.ndim < len(shape):
        wanted = ", ".join(map(str, shape))
        raise ValueError(f"[{op}] x has shape {x.shape}, expected (..., {wanted})")
    number(op, "eps", eps, 0)
    if weight is None:
        weight = x._made(x._backend.full(shape, 1.0, x.dtype), None)
    if bias is None:
        bias = x._made(x._backend.full(shape, 0.0, x.dtype), None)
    alike(op, weight=weight, x=x, bias=bias)
    for name, value in (("weight", weight), ("bias", bias)):
        if value.shape != shape:
            raise ValueError(f"[{op}] {name} has shape {value.shape}, expected {shape}")
    d = math.prod(shape)
    rows = x.reshape(math.prod(x.shape[: x.ndim - len(shape)]), d)
    out = LayerNorm.apply(rows, weight.reshape(d), bias.reshape(d), epsilon=eps)
    return out.reshape(x.shape)
