"""One value everywhere, in place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..backend import kernels
from .arguments import NUMBERS, Operand

if TYPE_CHECKING:
    from ..tensor import Tensor


def fill_(x: Tensor, value: Operand) -> Tensor:
    """Every element = value, in place."""
    recorded = x._prepare_change("fill_")
    if recorded or not isinstance(value, NUMBERS):
        x[...] = value
        return x
    kernels.moving(x.array).fill(x.array, value)
    return x._changed()


def zero_(x: Tensor) -> Tensor:
    """Every element = 0, in place."""
    return fill_(x, 0)
