"""The methods and operators of Tensor that are ops: `x.exp()`, `bg.exp(x)` and `ops.exp(x)` are one.

Their docstrings and signatures are in `ops/`, with x as the first argument.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import ops

if TYPE_CHECKING:
    from .tensor import Tensor


class Methods:
    """What a Tensor can do that some op does."""

    __slots__ = ()

    # Elementwise

    add, sub, mul, div, pow = ops.add, ops.sub, ops.mul, ops.div, ops.pow
    maximum, minimum, clamp, clip = ops.maximum, ops.minimum, ops.clamp, ops.clamp
    abs, neg, sign, exp, log, sqrt = ops.abs, ops.neg, ops.sign, ops.exp, ops.log, ops.sqrt
    relu, sigmoid, tanh = ops.relu, ops.sigmoid, ops.tanh
    eq = ops.eq

    # In place

    add_, sub_, mul_, div_ = ops.add_, ops.sub_, ops.mul_, ops.div_
    clamp_, copy_, fill_, zero_ = ops.clamp_, ops.copy_, ops.fill_, ops.zero_

    # Reductions

    sum, mean, std, var = ops.sum, ops.mean, ops.std, ops.var
    max, min, amax, amin = ops.max, ops.min, ops.amax, ops.amin
    argmax, argmin, all, any = ops.argmax, ops.argmin, ops.all, ops.any
    softmax, log_softmax = ops.softmax, ops.log_softmax

    # Products

    matmul, mm, dot = ops.matmul, ops.mm, ops.dot

    # Shape

    reshape, view, flatten, expand = ops.reshape, ops.view, ops.flatten, ops.expand
    permute, transpose, t = ops.permute, ops.transpose, ops.t
    squeeze, unsqueeze = ops.squeeze, ops.unsqueeze
    split, chunk, flip = ops.split, ops.chunk, ops.flip
    clone, contiguous = ops.clone, ops.contiguous

    # Operators

    __add__ = __radd__ = ops.add
    __mul__ = __rmul__ = ops.mul
    __sub__, __truediv__, __pow__, __matmul__ = ops.sub, ops.div, ops.pow, ops.matmul
    __iadd__, __isub__, __imul__, __itruediv__ = ops.add_, ops.sub_, ops.mul_, ops.div_
    __neg__, __abs__ = ops.neg, ops.abs
    __lt__, __le__, __gt__, __ge__ = ops.lt, ops.le, ops.gt, ops.ge
    __getitem__, __setitem__ = ops.getitem, ops.setitem
    __hash__ = object.__hash__

    def __rsub__(self: Any, other: float) -> Tensor:
        return ops.sub(other, self)

    def __rtruediv__(self: Any, other: float) -> Tensor:
        return ops.div(other, self)

    def __rpow__(self: Any, other: float) -> Tensor:
        return ops.pow(other, self)

    def __rmatmul__(self: Any, other: Any) -> Tensor:
        return ops.matmul(other, self)

    def __eq__(self: Any, other: object) -> Tensor:  # type: ignore[override]
        return NotImplemented if _incomparable(other) else ops.eq(self, other)  # type: ignore[arg-type]

    def __ne__(self: Any, other: object) -> Tensor:  # type: ignore[override]
        return NotImplemented if _incomparable(other) else ops.ne(self, other)  # type: ignore[arg-type]

    def __invert__(self: Any) -> Tensor:
        if self.dtype != bool:
            raise TypeError(f"[~] the tensor has dtype {self.dtype}, expected bool")
        return ops.eq(self, False)

    def __and__(self: Any, other: Tensor | bool) -> Tensor:
        return ops.mul(*_masks("&", self, other))

    def __or__(self: Any, other: Tensor | bool) -> Tensor:
        return ops.maximum(*_masks("|", self, other))

    def __xor__(self: Any, other: Tensor | bool) -> Tensor:
        return ops.ne(*_masks("^", self, other))

    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__


def _incomparable(other: object) -> bool:
    """Whether == is for Python to answer: with None or text a tensor is not compared."""
    return other is None or isinstance(other, (str, bytes, type))


def _masks(op: str, *masks: Any) -> tuple[Any, ...]:
    for mask in masks:
        if getattr(mask, "dtype", type(mask)) != bool:
            kind = getattr(mask, "dtype", type(mask).__name__)
            raise TypeError(f"[{op}] an operand is {kind}, expected bool")
    return masks
