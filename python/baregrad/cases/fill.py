"""Cases of fill."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ..typing import NDArray
from .case import LENGTHS, Arguments, Case
from .strided import PAIRS, Layout, contiguous, elements

tolerance = "exact: the value, rounded to the type of the array"


def _arguments(rng: np.random.Generator, layout: Layout, dtype: str) -> Arguments:
    out, _ = layout(lambda *shape: np.ones(shape, dtype))
    return {"out": out, "value": int(rng.integers(2, 200)) if dtype != "float32" else 0.1}


def _run(table: Any, arguments: Arguments) -> tuple[Any, ...]:
    return (table.fill(**arguments),)


def _bound(arguments: Arguments) -> tuple[NDArray]:
    exact = arguments["value"]
    return (np.full(arguments["out"].shape, abs(np.float64(np.float32(exact)) - exact)),)


def case(name: str, layout: Layout, dtype: str = "float32") -> Case:
    """value -> out (...) of dtype, laid out as `name` says."""
    n = elements(layout)
    return Case(
        "fill",
        {f"{dtype}_{name}_": n},
        partial(_arguments, layout=layout, dtype=dtype),
        _run,
        _bound,
        flops=0,
        bytes=n * np.dtype(dtype).itemsize,
    )


# The last two: more than one piece for a thread, more than one grid of the CUDA kernel.
tests = [
    *(case(name, PAIRS[name], dtype) for name in PAIRS for dtype in ("float32", "int64", "uint8")),
    *(case("contiguous", contiguous(n)) for n in LENGTHS),
    case("contiguous", contiguous(70_001)),
    case("contiguous", contiguous((1 << 20) + 300), "uint8"),
]
benchmarks = [case("contiguous", contiguous(n)) for n in (1_000, 1 << 22)]
