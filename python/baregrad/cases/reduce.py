"""Cases of the reductions and of argmax and argmin."""

from __future__ import annotations

from functools import partial
from itertools import product
from math import prod
from typing import Any

import numpy as np

from ..typing import NDArray
from .batch_norm import mean_and_var_error
from .case import (
    Arguments,
    Case,
    double,
    floats,
    second_order,
    smallest,
    special,
    sum_error,
    unit_roundoff,
)

tolerance = (
    "With u = 2^-24 and g = 160 u at most, however many elements (cases/case.py, sum_error):\n"
    "sum:  g sum|x| + u |sum|; mean: (g sum|x|) / n + u |mean|\n"
    "var:  dv n / max(n - correction, 0), dv = (g + 4 u) (v + dm^2) + dm^2, v = sum of (x - mean)^2 / n,\n"
    "      dm = (error of the mean), and one percent for what is of second order\n"
    "max, min, argmax, argmin: exact"
)


def _arguments(
    kernel: str, shape: tuple[int, ...], axes: tuple[int, ...], rng: np.random.Generator
) -> Arguments:
    if kernel.startswith("arg"):
        # Whole numbers from a few, so that many places hold the largest.
        return {"x": rng.integers(-4, 5, shape).astype(np.float32), "axis": axes[0]}
    return {"x": floats(rng, *shape) + np.float32(0.5), "axes": axes}


def _run(kernel: str, table: Any, arguments: Arguments) -> tuple[Any, ...]:
    return (getattr(table, kernel)(**arguments),)


def _bound(kernel: str, arguments: Arguments) -> tuple[NDArray]:
    x = double(arguments["x"])
    axes = tuple(arguments["axes"]) if "axes" in arguments else (arguments["axis"],)
    kept = tuple(n for axis, n in enumerate(x.shape) if axis not in axes)
    n = prod(x.shape[axis] for axis in axes)
    if kernel in ("reduce_sum", "reduce_mean") and n:
        total = x.sum(axis=axes)
        error = sum_error(n) * np.abs(x).sum(axis=axes) + unit_roundoff * np.abs(total) + smallest
        return (error / n if kernel == "reduce_mean" else error,)
    if kernel == "reduce_var" and n > 1:
        _, dv = mean_and_var_error(x, axes)
        return (second_order * dv.reshape(kept) * n / (n - arguments.get("correction", 1.0)),)
    return (np.zeros(kept),)


def case(kernel: str, shape: tuple[int, ...], axes: tuple[int, ...]) -> Case:
    """x (...), axes -> out (... without axes)."""
    letters = "abcd"
    sizes = {letters[axis]: n for axis, n in enumerate(shape)}
    return Case(
        kernel,
        {**sizes, "axes": int("".join(map(str, axes)) or "9")},
        partial(_arguments, kernel, shape, axes),
        partial(_run, kernel),
        partial(_bound, kernel),
        flops=prod(shape),
        bytes=4 * prod(shape),
    )


def _special(kernel: str, axis: int) -> Case:
    """Rows, or columns, in which NaN or infinity stands first, in the middle or last, and others."""
    n, length = 13, 37

    def change(arguments: Arguments) -> None:
        rows = arguments["x"] if axis else arguments["x"].T
        places = product((np.nan, np.inf, -np.inf), (0, length // 2, -1))
        for row, (value, place) in zip(rows, places, strict=False):
            row[place] = value
        # A second NaN, one behind infinity, and infinity less infinity.
        rows[0, 7], rows[1, 0], rows[3, -1] = np.nan, np.inf, -np.inf
        rows[9:] = [[-np.inf], [np.inf], [np.nan], [0]]
        rows[12, ::2] = -0.0  # equal to 0

    return special(case(kernel, (n, length) if axis else (length, n), (axis,)), change)


_KERNELS = [f"reduce_{kind}" for kind in ("sum", "mean", "max", "min", "var")]
_PLACES = ["argmax", "argmin"]
_LENGTHS = (2, 3, 4, 7, 8, 9, 15, 16, 17, 33, 130)
tests = [
    # All elements: vectors and their tails, runs of 64 vectors, and pieces.
    *(case(kernel, (n,), (0,)) for kernel in _KERNELS for n in (*_LENGTHS, 9001, 140_003)),
    # Rows, columns, and both ends or the middle of three axes.
    *(case(kernel, (3, n), (1,)) for kernel in _KERNELS for n in _LENGTHS),
    *(case(kernel, (n, 5), (0,)) for kernel in _KERNELS for n in (2, 5, 258, 40_003)),
    *(case(kernel, (7, n), (0,)) for kernel in _KERNELS for n in (*_LENGTHS, 300)),
    *(case(kernel, (3, 5, 7), axes) for kernel in _KERNELS for axes in ((1,), (0, 2), (2, 0, 1))),
    *(case(kernel, (3, 5), ()) for kernel in _KERNELS[:-1]),  # there is no variance of one
    *(case(kernel, (6, 2, 49), (0, 2)) for kernel in _KERNELS),
    *(case(kernel, shape, (1,)) for kernel in _KERNELS for shape in ((0, 3), (2, 3, 0))),
    case("reduce_sum", (0, 3), (0,)),
    case("reduce_sum", (4099, 3), (1,)),  # more rows than a grid of the CUDA kernel has blocks
    *(case(kernel, (n,), (0,)) for kernel in _PLACES for n in (1, *_LENGTHS, 9001)),
    *(case(kernel, (3, n), (1,)) for kernel in _PLACES for n in _LENGTHS),
    *(case(kernel, (11, n), (0,)) for kernel in _PLACES for n in (1, *_LENGTHS)),
    *(case(kernel, (3, 5, 7), (axis,)) for kernel in _PLACES for axis in (0, 1, 2)),
    *(case(kernel, (0, 3), (1,)) for kernel in _PLACES),
    *(_special(kernel, axis) for kernel in (*_KERNELS, *_PLACES) for axis in (0, 1)),
]
_SHAPES = (((1 << 22,), (0,)), ((4096, 1000), (1,)), ((4096, 500), (0,)), ((32, 64, 784), (0, 2)))
benchmarks = [
    *(
        case(kernel, *size)
        for kernel in ("reduce_sum", "reduce_max", "reduce_var")
        for size in _SHAPES
    ),
    *(case("argmax", (4096, 1000), (axis,)) for axis in (0, 1)),
    case("argmax", (128, 10), (1,)),
]
