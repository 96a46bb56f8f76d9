"""Cases of the random kernels: philox_uniform, philox_normal, philox_dropout."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from .. import reference
from ..typing import NDArray
from .case import (
    LENGTHS,
    SPECIAL,
    Arguments,
    Case,
    double,
    floats,
    smallest,
    special,
    unit_roundoff,
)

tolerance = (
    "With u = 2^-24:\n"
    "uniform:  exact\n"
    "normal:   u (3 |out| + 2 r): the logarithm is good to 2 u, of which the root halves one and adds one;\n"
    "          the product adds one; sine and cosine are good to 1.6 u, of 1 and not of themselves\n"
    "dropout:  the same elements everywhere; those kept within (2 + u) u |out|, since 1 / (1 - p) is\n"
    "          rounded once and the product once, or 2^-149 in underflow"
)


def _state(rng: np.random.Generator) -> NDArray:
    return rng.integers(-(2**63), 2**63, size=2)


def _arguments(rng: np.random.Generator, n: int) -> Arguments:
    return {"state": _state(rng), "out": np.full(n, np.nan, np.float32)}


def _run(kernel: str, table: Any, arguments: Arguments) -> tuple[Any, ...]:
    return (getattr(table, kernel)(**arguments),)


def _no_error(arguments: Arguments) -> tuple[NDArray]:
    return (np.zeros(arguments["out"].shape),)


def _normal_bound(arguments: Arguments) -> tuple[NDArray]:
    n = arguments["out"].size
    pairs = np.empty((-(-n // 2), 2))
    reference.philox_normal(arguments["state"], out=pairs)
    r = np.hypot(pairs[:, :1], pairs[:, 1:])
    return ((unit_roundoff * (3 * np.abs(pairs) + 2 * r)).reshape(-1)[:n],)


def _dropout_arguments(rng: np.random.Generator, n: int, percent: int) -> Arguments:
    return {"x": floats(rng, n), "state": _state(rng), "p": percent / 100}


def _dropout_bound(arguments: Arguments) -> tuple[NDArray]:
    exact = reference.philox_dropout(**{**arguments, "x": double(arguments["x"])})
    some = (2 + unit_roundoff) * unit_roundoff * np.abs(exact) + smallest
    return (np.where(exact == 0, 0, some),)


def draw(kernel: str, n: int) -> Case:
    """state (2,) -> out (n,)."""
    bound = _no_error if kernel == "philox_uniform" else _normal_bound
    flops = 25 if kernel == "philox_uniform" else 45
    arguments, run = partial(_arguments, n=n), partial(_run, kernel)
    return Case(kernel, {"n": n}, arguments, run, bound, flops=flops * n, bytes=4 * n)


def dropout(n: int, percent: int) -> Case:
    """x (n,), state (2,) -> out (n,)."""
    return Case(
        "philox_dropout",
        {"n": n, "percent": percent},
        partial(_dropout_arguments, n=n, percent=percent),
        partial(_run, "philox_dropout"),
        _dropout_bound,
        flops=27 * n,
        bytes=8 * n,
    )


def _special(arguments: Arguments) -> None:
    arguments["x"] = np.resize(SPECIAL, arguments["x"].shape)


_DRAWS = ("philox_uniform", "philox_normal")
# 70 001: more than one piece for a thread.
tests = [
    *(draw(kernel, n) for kernel in _DRAWS for n in (*LENGTHS, 31, 63, 65, 70_001)),
    *(dropout(n, 30) for n in (*LENGTHS, 31, 63, 65, 70_001)),
    *(dropout(257, percent) for percent in (0, 50, 99, 100)),
    *(special(dropout(257, percent), _special) for percent in (30, 100)),
]
benchmarks = [
    *(draw(kernel, n) for kernel in _DRAWS for n in (1_000, 1 << 22)),
    *(dropout(n, 50) for n in (1_000, 1 << 22)),
]
