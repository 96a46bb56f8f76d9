"""What layers and losses compute, as functions of tensors: `from baregrad.nn import functional`."""

from __future__ import annotations

import math
from typing import Literal, TypeAlias, get_args

from .. import ops
from ..backend import backend_of
from ..tensor import Tensor

__all__ = ["cross_entropy", "linear", "relu", "tanh"]

Reduction: TypeAlias = Literal["mean", "sum", "none"]


def relu(input: Tensor) -> Tensor:
    """input (...) -> max(input, 0) of every element; the derivative at 0 is 0."""
    _tensors("relu", input=input)
    return ops.relu(input)


def tanh(input: Tensor) -> Tensor:
    """input (...) -> the hyperbolic tangent of every element."""
    _tensors("tanh", input=input)
    return ops.tanh(input)


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """input (..., k), weight (o, k), bias (o,) -> input weight' + bias, (..., o).

    ValueError for shapes that do not fit and tensors on two devices, TypeError for two dtypes.
    """
    if bias is None:
        _tensors("linear", weight=weight, input=input)
    else:
        _tensors("linear", weight=weight, input=input, bias=bias)
    if input.dtype != weight.dtype:
        raise TypeError(
            f"[linear] input has dtype {input.dtype}, expected {weight.dtype} like weight: "
            f"use input.to(bg.{weight.dtype})"
        )
    if weight.ndim != 2:
        raise ValueError(f"[linear] weight has shape {weight.shape}, expected (o, k)")
    if input.shape[-1:] != weight.shape[1:]:
        raise ValueError(
            f"[linear] input has shape {input.shape}, expected (..., {weight.shape[1]})"
        )
    return ops.linear(input, weight, bias)


def cross_entropy(logits: Tensor, labels: Tensor, *, reduction: Reduction = "mean") -> Tensor:
    """logits (n, c), labels (n,) int64 -> -log softmax(logits)[label]: mean, sum, or each (n,).

    The mean over an empty batch is NaN, as in PyTorch. IndexError for a label outside [0, c).
    """
    checked_reduction("cross_entropy", reduction)
    _tensors("cross_entropy", logits=logits, labels=labels)
    each = ops.softmax_xent(logits, labels)
    if reduction == "none":
        return each
    return _mean(each) if reduction == "mean" else each @ _full(each, len(each), 1.0)


def checked_reduction(op: str, reduction: Reduction) -> Reduction:
    """`reduction`, if it is one."""
    if reduction not in get_args(Reduction):
        raise ValueError(f"[{op}] reduction is {reduction!r}, expected 'mean', 'sum' or 'none'")
    return reduction


def _mean(x: Tensor) -> Tensor:
    """x (n,) -> (): the product with (1/n, ..., 1/n). Of no elements it is 0 times NaN."""
    n = len(x)
    if n == 0:
        return (x @ _full(x, 0, 1.0)).reshape(1) @ _full(x, 1, math.nan)
    return x @ _full(x, n, 1 / n)


def _full(like: Tensor, n: int, value: float) -> Tensor:
    """A constant (n,), where `like` is and of its dtype."""
    return Tensor._made(backend_of(like.data).full((n,), value, like.dtype), None)


def _tensors(op: str, **tensors: Tensor) -> None:
    """All are Tensors, on the device of the first."""
    first, *_ = tensors
    for name, tensor in tensors.items():
        if not isinstance(tensor, Tensor):
            raise TypeError(f"[{op}] {name} is a {type(tensor).__name__}, expected a Tensor")
        if type(tensor.data) is not type(tensors[first].data):
            device = tensors[first].device
            raise ValueError(
                f"[{op}] {name} is on {tensor.device}, expected {device} like {first}: "
                f"use {name}.to({device!r})"
            )
