"""Cases of the elementwise arithmetic of two arrays."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from .. import reference
from ..typing import NDArray
from .case import LENGTHS, Arguments, Case, double, floats, over, smallest, unit_roundoff
from .strided import PAIRS, SPECIAL_PAIRS, Layout, contiguous, elements, special_pairs

# Of each kind: the largest error in units of u = 2^-24, relatively. CUDA's powf is good to 4 ulp,
# which are 8 u; on the CPU pow works in double and is rounded once.
ROUNDINGS = {"add": 1, "sub": 1, "mul": 1, "div": 1, "pow": 8, "maximum": 0, "minimum": 0}
tolerance = "\n".join(
    f"{kind}: |error| <= {count} u |out| + 2^-149, u = 2^-24" if count else f"{kind}: exact"
    for kind, count in ROUNDINGS.items()
)


def _arguments(rng: np.random.Generator, kind: str, layout: Layout) -> Arguments:
    a, b = layout(partial(floats, rng))
    return {"a": np.abs(a) if kind == "pow" else a, "b": b}


def _run(kind: str, table: Any, arguments: Arguments) -> tuple[Any, ...]:
    return (getattr(table, kind)(**arguments),)


def _bound(kind: str, arguments: Arguments) -> tuple[NDArray]:
    exact = getattr(reference, kind)(**{name: double(x) for name, x in arguments.items()})
    count = ROUNDINGS[kind]
    return (count * unit_roundoff * np.abs(exact) + (smallest if count else 0.0),)


def case(kind: str, name: str, layout: Layout) -> Case:
    """a (...), b (...) -> out (...), laid out as `name` says."""
    n = elements(layout)
    return Case(
        kind,
        {f"{name}_": n},
        partial(_arguments, kind=kind, layout=layout),
        partial(_run, kind),
        partial(_bound, kind),
        flops=n,
        bytes=4 * 3 * n,
    )


def _square(n: int) -> Layout:
    return lambda new: (new(n, n), new(n))


# The last two: more than one piece for a thread, more than one grid of the CUDA kernel.
tests = [
    *(case("add", name, PAIRS[name]) for name in PAIRS),
    *(
        case(kind, name, PAIRS[name])
        for kind in ROUNDINGS
        for name in ("row", "sliced")
        if kind != "add"
    ),
    *(case(kind, "n", contiguous(n)) for kind in ("sub", "div") for n in LENGTHS),
    *(case(kind, "n", contiguous(n)) for kind in ROUNDINGS for n in (0, 17, 257, 3001)),
    case("mul", "n", contiguous(70_001)),
    case("sub", "n", contiguous((1 << 20) + 300)),
    *(over(case(kind, "n", contiguous(31)), name) for kind in ROUNDINGS for name in "ab"),
    *(special_pairs(case(kind, "n", contiguous(SPECIAL_PAIRS))) for kind in ROUNDINGS),
]
benchmarks = [
    *(case(kind, "n", contiguous(n)) for kind in ROUNDINGS for n in (1_000, 1 << 18)),
    case("add", "n", contiguous(1 << 22)),
    case("add", "square_row", _square(1 << 11)),
]
