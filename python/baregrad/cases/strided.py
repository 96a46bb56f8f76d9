"""Arrays of many strides, for the cases of kernels that walk them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from ..typing import NDArray
from .case import SPECIAL, Arguments, Case, special

New: TypeAlias = Callable[..., NDArray]  # new(2, 3) is an array of that shape

Layout: TypeAlias = Callable[[New], tuple[NDArray, NDArray]]

# Two operands that broadcast, of arrays that `new` makes. Rows end around vectors of 4 to 16.
PAIRS: dict[str, Layout] = {
    "row": lambda new: (new(7, 33), new(33)),
    "column": lambda new: (new(7, 33), new(7, 1)),
    "scalar": lambda new: (new(), new(5, 7)),
    "outer": lambda new: (new(5, 1), new(1, 17)),
    "channel": lambda new: (new(2, 3, 5), new(3, 1)),
    "transposed": lambda new: (new(33, 18).T, new(18, 33)),
    "both_transposed": lambda new: (new(33, 18).T, new(33, 18).T),
    "reversed": lambda new: (new(41)[::-1], new(82)[::2]),
    "sliced": lambda new: (new(9, 40)[::2, 1::3], new(5, 15)[::-1, :-2]),
    "permuted": lambda new: (new(2, 3, 4, 5).transpose(3, 1, 0, 2), new(5, 3, 2, 4)),
    "eight_axes": lambda new: (new(2, 1, 3, 1, 2, 1, 2, 1), new(2, 1, 3, 1, 2, 1, 2)),
    "ones": lambda new: (new(1, 1, 1), new(1)),
    "empty": lambda new: (new(3, 0), new(1)),
    "pieces": lambda new: (new(300, 401), new(300, 1)),
}


# With numbers that pow is particular about: half of one, odd integers, one too large to be odd.
_SPECIAL = np.array([*SPECIAL, 0.5, -0.5, 3, -3, 2.0**24 - 1, 1 - 2.0**24, 2.0**24 + 2], np.float32)
SPECIAL_PAIRS = len(_SPECIAL) ** 2


def special_pairs(case: Case) -> Case:
    """The case with a and b every pair of special values."""

    def change(arguments: Arguments) -> None:
        a, b = np.meshgrid(_SPECIAL, _SPECIAL)
        arguments |= {"a": a.ravel(), "b": b.ravel()}

    return special(case, change)


def contiguous(n: int) -> Layout:
    """Two operands of n elements each."""
    return lambda new: (new(n), new(n))


def elements(layout: Layout) -> int:
    """How many elements the two operands have together, broadcast."""
    return np.broadcast(*layout(lambda *shape: np.empty(shape, np.bool_))).size


def bools(rng: np.random.Generator, *shape: int) -> NDArray:
    """As many True as False."""
    return np.asarray(rng.random(shape) < 0.5)
