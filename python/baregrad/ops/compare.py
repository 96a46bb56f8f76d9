"""Elementwise comparison. There is nothing to differentiate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..backend import kernels
from .arguments import Operand, promoted

if TYPE_CHECKING:
    from ..tensor import Tensor


def _compare(kind: str, a: Operand, b: Operand) -> Tensor:
    x, y = promoted(kind, a, b)
    return x._made(getattr(kernels(x.array), kind)(x.array, y.array), None)


def eq(a: Operand, b: Operand) -> Tensor:
    """a == b for every pair of elements, broadcast; what is compared with NaN is False."""
    return _compare("eq", a, b)


def ne(a: Operand, b: Operand) -> Tensor:
    """a != b for every pair of elements, broadcast; what is compared with NaN is True."""
    return _compare("ne", a, b)


def lt(a: Operand, b: Operand) -> Tensor:
    """a < b for every pair of elements, broadcast."""
    return _compare("lt", a, b)


def le(a: Operand, b: Operand) -> Tensor:
    """a <= b for every pair of elements, broadcast."""
    return _compare("le", a, b)


def gt(a: Operand, b: Operand) -> Tensor:
    """a > b for every pair of elements, broadcast."""
    return _compare("gt", a, b)


def ge(a: Operand, b: Operand) -> Tensor:
    """a >= b for every pair of elements, broadcast."""
    return _compare("ge", a, b)
