"""Cases of the elementwise ops of one argument."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from .. import reference
from ..typing import NDArray
from .case import LENGTHS, Arguments, Case, floats

# Of each kind: the largest error in units in the last place, forward and backward.
ULP = {"relu": (0, 0), "tanh": (3, 3)}
tolerance = "\n".join(
    f"{kind}: forward within {there} ulp, backward within {back}; 0 is exact"
    for kind, (there, back) in ULP.items()
)


def _arguments(rng: np.random.Generator, n: int, kind: str, direction: str) -> Arguments:
    x = floats(rng, n)
    if direction == "forward":
        return {"x": x}
    return {"saved": getattr(reference, f"{kind}_forward")(x), "dout": floats(rng, n)}


def _run(kernel: str, table: Any, arguments: Arguments) -> tuple[Any, ...]:
    return (getattr(table, kernel)(**arguments),)


def _bound(kernel: str, ulp: int, arguments: Arguments) -> tuple[NDArray]:
    exact = getattr(reference, kernel)(**arguments)
    return (ulp * np.spacing(np.abs(exact)).astype(np.float64),)


def case(kind: str, direction: str, n: int) -> Case:
    """x (n,) -> out (n,), or saved (n,), dout (n,) -> dx (n,)."""
    kernel = f"{kind}_{direction}"
    arrays = 2 if direction == "forward" else 3
    return Case(
        kernel,
        {"n": n},
        partial(_arguments, n=n, kind=kind, direction=direction),
        partial(_run, kernel),
        partial(_bound, kernel, ULP[kind][direction == "backward"]),
        flops=n,
        bytes=4 * arrays * n,
    )


_kernels = [(kind, direction) for kind in ULP for direction in ("forward", "backward")]
# The last two: more than one piece for a thread, more than one grid of the CUDA kernel.
tests = [case(*kernel, n) for kernel in _kernels for n in (*LENGTHS, 70_001, (1 << 20) + 300)]
benchmarks = [case(*kernel, n) for kernel in _kernels for n in (1_000, 1 << 22)]
