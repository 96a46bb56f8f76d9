"""Cases of copy_strided."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ..typing import NDArray
from .case import LENGTHS, Arguments, Case
from .strided import PAIRS, Layout, contiguous, elements

tolerance = "exact"


def _numbers(rng: np.random.Generator, dtype: str, *shape: int) -> NDArray:
    return np.asarray(rng.integers(0, 200, shape)).astype(dtype)


def _arguments(rng: np.random.Generator, layout: Layout, dtype: str) -> Arguments:
    x, other = layout(partial(_numbers, rng, dtype))
    return {"x": np.broadcast_to(x, np.broadcast(x, other).shape)}


def _run(table: Any, arguments: Arguments) -> tuple[Any, ...]:
    return (table.copy_strided(**arguments),)


def _bound(arguments: Arguments) -> tuple[NDArray]:
    return (np.zeros(arguments["x"].shape),)


def case(name: str, layout: Layout, dtype: str = "float32") -> Case:
    """x (...) of dtype -> out (...), laid out as `name` says."""
    n = elements(layout)
    return Case(
        "copy_strided",
        {f"{dtype}_{name}_": n},
        partial(_arguments, layout=layout, dtype=dtype),
        _run,
        _bound,
        flops=0,
        bytes=2 * n * np.dtype(dtype).itemsize,
    )


def _transposed(n: int, m: int) -> Layout:
    return lambda new: (new(n, m).T, new(m, 1))


# Transposes around the tiles of 16; then more than one piece for a thread, and more than one grid.
tests = [
    *(case(name, PAIRS[name], dtype) for name in PAIRS for dtype in ("float32", "int64", "uint8")),
    *(case("contiguous", contiguous(n)) for n in LENGTHS),
    *(case(f"transposed_{n}x", _transposed(n, 33)) for n in (1, 15, 16, 17, 47)),
    case("transposed_701x", _transposed(701, 307)),
    case("contiguous", contiguous((1 << 20) + 300), "uint8"),
]
benchmarks = [
    case("contiguous", contiguous(1 << 22)),
    case("transposed_square", _transposed(1 << 11, 1 << 11)),
]
