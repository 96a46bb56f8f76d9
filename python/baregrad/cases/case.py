"""What a case is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from ..typing import NDArray

Arguments: TypeAlias = dict[str, Any]

unit_roundoff = 2.0**-24  # u: one float32 operation is off by at most u, relatively
smallest = 2.0**-149  # the least float32 above 0: what underflow may cost

second_order = 1.01  # a bound of first order times this covers the terms that it leaves out

# Lengths around the vector (4 to 16 floats), and some that leave every kind of tail.
LENGTHS = (0, 1, 3, 4, 7, 8, 9, 15, 16, 17, 33, 127, 257)


@dataclass(frozen=True)
class Case:
    """One call of a kernel.

    `arguments(rng)` makes its arguments as NumPy arrays by name. `run(table, arguments)` calls
    the kernel and returns its outputs. `bound(arguments)` is how far each output may be from the
    exact result, elementwise; it is derived in the module of the op, and said in `tolerance`.
    """

    kernel: str
    sizes: dict[str, int]
    arguments: Callable[[np.random.Generator], Arguments]
    run: Callable[[Any, Arguments], tuple[Any, ...]]
    bound: Callable[[Arguments], tuple[NDArray, ...]]
    flops: int
    bytes: int

    def __str__(self) -> str:
        return f"{self.kernel}-{'-'.join(f'{k}{v}' for k, v in self.sizes.items())}"


def floats(rng: np.random.Generator, *shape: int) -> NDArray:
    """Normal float32 numbers."""
    return rng.standard_normal(shape, np.float32)


def double(array: NDArray) -> NDArray:
    """The array in float64, to work bounds out in."""
    return np.asarray(array, np.float64)


def sum_error(n: int) -> float:
    """g: the sum of n float32 terms may be off by g times the sum of their sizes.

    A kernel sums runs in float32, so that no term goes through more than 160 roundings, and the
    runs in float64 (Higham, Accuracy and Stability, 4.2). With n terms there are at most n.
    """
    g = min(n, 160) * unit_roundoff + n * 2.0**-53
    return g / (1 - g)
