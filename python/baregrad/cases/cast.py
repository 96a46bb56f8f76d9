"""Cases of cast."""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import Any

import numpy as np

from ..typing import NDArray
from .case import LENGTHS, SPECIAL, Arguments, Case, special

DTYPES = ("float32", "float64", "int64", "uint8", "bool")
tolerance = "exact: rounded to the nearest from float64 to float32, and as C does else"


def _arguments(rng: np.random.Generator, source: str, dtype: str, n: int) -> Arguments:
    x = 100 * rng.standard_normal(n)  # some of it fits no uint8
    x[::5] = 0
    return {
        "x": np.abs(x).astype(source) if source == "uint8" else x.astype(source),
        "dtype": dtype,
    }


def _run(table: Any, arguments: Arguments) -> tuple[Any, ...]:
    return (table.cast(**arguments),)


def _bound(arguments: Arguments) -> tuple[NDArray]:
    return (np.zeros(arguments["x"].shape),)


def case(source: str, dtype: str, n: int) -> Case:
    """x (n,) of type source -> out (n,) of type dtype."""
    return Case(
        "cast",
        {f"{source}_to_{dtype}_": n},
        partial(_arguments, source=source, dtype=dtype, n=n),
        _run,
        _bound,
        flops=0,
        bytes=n * (np.dtype(source).itemsize + np.dtype(dtype).itemsize),
    )


# Besides, the neighbours of what an integer type can hold, and what a fraction is of.
_SPECIAL = np.array(
    [*SPECIAL, 255.9, 256, -0.9, 2.7, -2.7, 2.0**53, 2.0**63, -(2.0**63), 1e30, -1e300, 1e-300]
)


def _special(source: str, dtype: str) -> Case:
    def change(arguments: Arguments) -> None:
        with np.errstate(all="ignore"):
            arguments["x"] = _SPECIAL.astype(source)

    return special(case(source, dtype, len(_SPECIAL)), change)


# The last two: more than one piece for a thread, more than one grid of the CUDA kernel.
tests = [
    *(case(source, dtype, 257) for source, dtype in product(DTYPES, DTYPES)),
    *(case("float32", "int64", n) for n in LENGTHS if n != 257),
    case("bool", "float32", 70_001),
    case("float32", "uint8", (1 << 20) + 300),
    *(_special(source, dtype) for source in ("float32", "float64") for dtype in DTYPES),
]
benchmarks = [
    *(case("float32", "int64", n) for n in (1_000, 1 << 20)),
    case("bool", "float32", 1 << 20),
]
