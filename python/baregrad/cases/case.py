"""What a case is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from .. import reference
from ..typing import NDArray

Arguments: TypeAlias = dict[str, Any]

unit_roundoff = 2.0**-24  # u: one float32 operation is off by at most u, relatively
smallest = 2.0**-149  # the least float32 above 0: what underflow may cost

second_order = 1.01  # a bound of first order times this covers the terms that it leaves out

# Lengths around the vector (4 to 16 floats), and some that leave every kind of tail.
LENGTHS = (0, 1, 3, 4, 7, 8, 9, 15, 16, 17, 33, 127, 257)

largest = float(np.finfo(np.float32).max)
# What IEEE 754 has besides numbers of moderate size.
SPECIAL = np.array(
    [0, -0.0, 1, -1, np.inf, -np.inf, np.nan, 2.0**-149, -(2.0**-149), 2.0**-127, 3.4e38, -3.4e38],
    np.float32,
)


class CaseError(AssertionError):
    """What a kernel did is not what its case asks for: how, in a sentence."""


@dataclass(frozen=True)
class Case:
    """One call of a kernel.

    `arguments(rng)` makes its arguments as NumPy arrays by name. `run(table, arguments)` calls
    the kernel and returns its outputs. `bound(arguments)` is how far each output may be from the
    exact result, elementwise; it is derived in the module of the op, and said in `tolerance`.
    `what` is special about the arguments, if anything.
    """

    kernel: str
    sizes: dict[str, int]
    arguments: Callable[[np.random.Generator], Arguments]
    run: Callable[[Any, Arguments], tuple[Any, ...]]
    bound: Callable[[Arguments], tuple[NDArray, ...]]
    flops: int
    bytes: int
    what: str = ""

    def __str__(self) -> str:
        sizes = (f"{name}{n}" for name, n in self.sizes.items())
        return "-".join((self.kernel, *sizes, *filter(None, [self.what])))


def special(case: Case, change: Callable[[Arguments], None], what: str = "special") -> Case:
    """The same case, its arguments changed in place."""

    def arguments(rng: np.random.Generator) -> Arguments:
        changed = case.arguments(rng)
        change(changed)
        return changed

    return replace(case, what=what, arguments=arguments)


def over(case: Case, name: str) -> Case:
    """The same, the output written over the input `name`, which csrc/kernels.h says may be."""

    def run(table: Any, arguments: Arguments) -> tuple[Any, ...]:
        return case.run(table, {**arguments, "out": arguments[name]})

    return replace(case, sizes={**case.sizes, f"over_{name}": 1}, run=run)


def refused(case: Case, change: Callable[[Arguments], None], what: str) -> Case:
    """The same case, its arguments such as the definition refuses; the same one is to be named."""

    def run(table: Any, arguments: Arguments) -> tuple[Any, ...]:
        got, expected = (_refusal(case, kernels, arguments) for kernels in (table, reference))
        if not got:
            raise CaseError(f"accepted that {expected}")
        if got.split(" is ")[0] != expected.split(" is ")[0]:  # a device does not say what it is
            raise CaseError(f"said that {got}, not that {expected}")
        return ()

    return replace(special(case, change, what), run=run, bound=lambda arguments: ())


def _refusal(case: Case, table: Any, arguments: Arguments) -> str:
    try:
        case.run(table, arguments)
    except IndexError as error:
        return str(error).split("] ", 1)[1]
    return ""


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
