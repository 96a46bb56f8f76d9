"""Elementwise choice between two arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..autograd import Function
from ..backend import kernels
from ..typing import Array
from .arguments import (
    BOOL,
    NUMBERS,
    Operand,
    is_tensor,
    operand,
    promoted,
    result_type,
    same_device,
    same_floats,
    scalar,
)
from .binary import constant, sum_to
from .compare import gt, lt

if TYPE_CHECKING:
    from ..tensor import Tensor


class Where(Function):
    """out = a where the condition holds, else b; each dout goes to the one that was chosen."""

    def forward(self, condition: Array, a: Array, b: Array) -> Array:
        self.save(condition)
        return kernels(a).where(condition, a, b)

    def backward(self, dout: Array) -> tuple[Array | None, ...]:
        (condition,) = self.saved
        where, zero = kernels(dout).where, constant(dout, 0)
        da = where(condition, dout, zero) if self.needs_grad[1] else None
        db = where(condition, zero, dout) if self.needs_grad[2] else None
        return (
            None,
            None if da is None else sum_to(da, self.shapes[1]),
            None if db is None else sum_to(db, self.shapes[2]),
        )


def where(condition: Tensor, a: Operand, b: Operand) -> Tensor:
    """a where condition, a bool tensor, holds, else b; all three broadcast."""
    operand("where", "condition", condition)
    if condition.dtype != BOOL:
        raise TypeError(
            f"[where] condition has dtype {condition.dtype}, expected bool: use condition != 0"
        )
    for name, value in (("a", a), ("b", b)):
        if not isinstance(value, NUMBERS):
            operand("where", name, value)
    if not is_tensor(a) and not is_tensor(b):
        a = scalar(condition, a, result_type(a, b))
    x, y = promoted("where", a, b)
    same_device("where", condition=condition, a=x)
    return Where.apply(condition, x, y)


def clamp(x: Tensor, min: Operand | None = None, max: Operand | None = None) -> Tensor:
    """Every element, but at least min and at most max; outside, the derivative is 0."""
    operand("clamp", "x", x)
    if min is None and max is None:
        raise ValueError("[clamp] there is neither min nor max, expected at least one")
    if min is not None:
        x = where(lt(x, min), min, x)
    return x if max is None else where(gt(x, max), max, x)


def clamp_(x: Tensor, min: Operand | None = None, max: Operand | None = None) -> Tensor:
    """Every element clamped to min and max, in place."""
    recorded = x._prepare_change("clamp_")
    result = clamp(x, min, max)
    same_floats("clamp_", x=x, result=result)
    return x._become(result) if recorded else x._become(result.detach())
