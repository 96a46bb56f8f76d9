"""Cases of where."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ..typing import NDArray
from .case import LENGTHS, Arguments, Case, floats, over
from .strided import PAIRS, SPECIAL_PAIRS, Layout, bools, contiguous, elements, special_pairs

tolerance = "exact"


def _arguments(rng: np.random.Generator, layout: Layout, condition: int) -> Arguments:
    a, b = layout(partial(floats, rng))
    return {"condition": layout(partial(bools, rng))[condition], "a": a, "b": b}


def _run(table: Any, arguments: Arguments) -> tuple[Any, ...]:
    return (table.where(**arguments),)


def _bound(arguments: Arguments) -> tuple[NDArray]:
    return (np.zeros(np.broadcast(*arguments.values()).shape),)


def case(name: str, layout: Layout, condition: int = 0) -> Case:
    """condition, a, b (...) -> out (...), laid out as `name` says; condition as a (0) or b (1)."""
    n = elements(layout)
    return Case(
        "where",
        {f"{name}_": n, "condition": condition},
        partial(_arguments, layout=layout, condition=condition),
        _run,
        _bound,
        flops=n,
        bytes=13 * n,
    )


# The last two: more than one piece for a thread, more than one grid of the CUDA kernel.
tests = [
    *(case(name, PAIRS[name], condition) for name in PAIRS for condition in (0, 1)),
    *(case("n", contiguous(n)) for n in LENGTHS),
    case("n", contiguous(70_001)),
    case("n", contiguous((1 << 20) + 300)),
    *(over(case("n", contiguous(31)), name) for name in "ab"),
    special_pairs(case("n", contiguous(SPECIAL_PAIRS))),
]
benchmarks = [case("n", contiguous(n)) for n in (1_000, 1 << 20)]
