"""The numbers that a layer begins with: a constant, or nothing yet where a file has them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from .ops.arguments import expect_possible
from .typing import NDArray

_to_come: ContextVar[tuple[list[int], Any] | None] = ContextVar("_to_come", default=None)


@contextmanager
def to_be_loaded(count: int, dtype: Any = np.float32) -> Iterator[None]:
    """Inside, layers begin with no values: ValueError if they have more than `count` in all."""
    token = _to_come.set(([count], dtype))
    try:
        yield
    finally:
        _to_come.reset(token)


def is_to_be_loaded() -> bool:
    """Whether values come later, so that none need be drawn."""
    return _to_come.get() is not None


def numbers(*shape: int, value: float = 0.0) -> NDArray:
    """An array of this shape for a layer to begin with, float32 and all `value`."""
    to_come = _to_come.get()
    if to_come is None:
        expect_possible("parameter", math.prod(shape))
        return np.full(shape, value, np.float32)
    left, dtype = to_come
    left[0] -= math.prod(shape)
    if left[0] < 0:
        raise ValueError("its layers have more numbers than there are to load")
    return np.empty(shape, dtype)
