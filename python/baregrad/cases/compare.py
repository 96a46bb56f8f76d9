"""Cases of the elementwise comparisons."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ..typing import NDArray
from .case import LENGTHS, Arguments, Case
from .strided import PAIRS, SPECIAL_PAIRS, Layout, contiguous, elements, special_pairs

KINDS = ("eq", "ne", "lt", "le", "gt", "ge")
tolerance = "exact"


def _digits(rng: np.random.Generator, *shape: int) -> NDArray:
    # Few values, so that many are equal.
    return np.asarray(rng.integers(-2, 3, shape)).astype(np.float32)


def _arguments(rng: np.random.Generator, layout: Layout) -> Arguments:
    a, b = layout(partial(_digits, rng))
    return {"a": a, "b": b}


def _run(kind: str, table: Any, arguments: Arguments) -> tuple[Any, ...]:
    return (getattr(table, kind)(**arguments),)


def _bound(arguments: Arguments) -> tuple[NDArray]:
    return (np.zeros(np.broadcast(arguments["a"], arguments["b"]).shape),)


def case(kind: str, name: str, layout: Layout) -> Case:
    """a (...), b (...) -> out (...) bool, laid out as `name` says."""
    n = elements(layout)
    return Case(
        kind,
        {f"{name}_": n},
        partial(_arguments, layout=layout),
        partial(_run, kind),
        _bound,
        flops=n,
        bytes=9 * n,
    )


# The last two: more than one piece for a thread, more than one grid of the CUDA kernel.
tests = [
    *(case("lt", name, PAIRS[name]) for name in PAIRS),
    *(
        case(kind, name, PAIRS[name])
        for kind in KINDS
        for name in ("row", "sliced")
        if kind != "lt"
    ),
    *(case("eq", "n", contiguous(n)) for n in LENGTHS),
    *(case(kind, "n", contiguous(257)) for kind in KINDS if kind != "eq"),
    case("ge", "n", contiguous(70_001)),
    case("ne", "n", contiguous((1 << 20) + 300)),
    *(special_pairs(case(kind, "n", contiguous(SPECIAL_PAIRS))) for kind in KINDS),
]
benchmarks = [case("lt", "n", contiguous(n)) for n in (1_000, 1 << 20)]
