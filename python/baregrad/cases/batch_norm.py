"""Cases of batch_norm_forward and batch_norm_backward."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ..typing import NDArray
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
    "With u = 2^-24, g = 160 u at most (cases/case.py, sum_error), all means over the N values of a\n"
    "channel, z = x - mean, h = z r, and one percent for what is of second order:\n"
    "mean:     dm = g mean|x| + u |mean|\n"
    "var:      dv = (g + 4 u) (var + dm^2) + dm^2: each z and its square are rounded\n"
    "r, relatively: dr = sqrt((var + epsilon) / (max(var - dv, 0) + epsilon)) - 1\n"
    "out:      |weight| r ((1 + dr) (dm + 4 u (|z| + dm)) + dr |z|) + 2 u (|out| + |bias|)\n"
    "dbias:    g sum|dout| + u |dbias|; dweight: (g + 4 u) sum|dout h| + u |dweight|\n"
    "dx:       |weight| r (de + 3 u |e|), e = dout - a - z k with a = dbias / N, k = r dweight / N, and\n"
    "          de = da + |z| dk + u (|dout| + |a| + 3 |z k| + |e|), da and dk from dbias and dweight"
)


def mean_and_var_error(x: NDArray, axis: int | tuple[int, ...]) -> tuple[NDArray, NDArray]:
    """How far the mean of x and its variance over `axis` may be off; the axes stay."""
    mean, var = x.mean(axis=axis, keepdims=True), x.var(axis=axis, keepdims=True)
    g = sum_error(x.size // max(mean.size, 1))
    dm = g * np.abs(x).mean(axis=axis, keepdims=True) + unit_roundoff * np.abs(mean) + smallest
    return dm, (g + 4 * unit_roundoff) * (var + dm**2) + dm**2 + smallest


def normalised_error(
    z: NDArray, dm: NDArray, dv: NDArray, var: NDArray, epsilon: float
) -> tuple[NDArray, NDArray]:
    """How far r may be off, relatively, and z r, where z = x - mean."""
    r = 1 / np.sqrt(var + epsilon)
    dr = np.sqrt((var + epsilon) / (np.maximum(var - dv, 0) + epsilon)) - 1
    away = dm + 4 * unit_roundoff * (np.abs(z) + dm)
    return dr, r * ((1 + dr) * away + dr * np.abs(z))


def _forward_arguments(
    n: int, c: int, s: int, offset: float, rng: np.random.Generator
) -> Arguments:
    x = (2 * floats(rng, n, c, s) + np.float32(offset)).astype(np.float32)
    return {"x": x, "weight": floats(rng, c), "bias": floats(rng, c)}


def _run(kernel: str, table: Any, arguments: Arguments) -> tuple[Any, ...]:
    return tuple(getattr(table, kernel)(**arguments))


def _forward_bound(arguments: Arguments) -> tuple[NDArray, NDArray, NDArray]:
    x = double(arguments["x"])
    weight, bias = (double(arguments[name])[:, None] for name in ("weight", "bias"))
    z, var = x - x.mean(axis=(0, 2), keepdims=True), x.var(axis=(0, 2), keepdims=True)
    epsilon = arguments.get("epsilon", 1e-5)
    dm, dv = mean_and_var_error(x, (0, 2))
    dh = normalised_error(z, dm, dv, var, epsilon)[1]
    result = weight * z / np.sqrt(var + epsilon) + bias
    dout = np.abs(weight) * dh + 2 * unit_roundoff * (np.abs(result) + np.abs(bias))
    return second_order * dout + smallest, second_order * dm.ravel(), second_order * dv.ravel()


def forward(n: int, c: int, s: int, offset: float = 1.0) -> Case:
    """x (n, c, s), weight, bias (c,) -> out (n, c, s), mean, var (c,)."""
    return Case(
        "batch_norm_forward",
        {"n": n, "c": c, "s": s, "offset": int(offset)},
        partial(_forward_arguments, n, c, s, offset),
        partial(_run, "batch_norm_forward"),
        _forward_bound,
        flops=6 * n * c * s,
        bytes=4 * 2 * n * c * s,
    )


def _backward_arguments(n: int, c: int, s: int, rng: np.random.Generator) -> Arguments:
    return {
        "x": 2 * floats(rng, n, c, s) + 1,
        "dout": floats(rng, n, c, s),
        "weight": floats(rng, c),
        "mean": floats(rng, c),
        "var": np.abs(floats(rng, c)),
    }


def _backward_bound(arguments: Arguments) -> tuple[NDArray, NDArray, NDArray]:
    u, axes = unit_roundoff, (0, 2)
    x, dout = double(arguments["x"]), double(arguments["dout"])
    weight, mean, var = (double(arguments[name])[:, None] for name in ("weight", "mean", "var"))
    count = max(x.shape[0] * x.shape[2], 1)
    g = sum_error(count)
    r = 1 / np.sqrt(var + arguments.get("epsilon", 1e-5))
    z = x - mean
    h = z * r
    dbias, dweight = dout.sum(axis=axes)[:, None], (dout * h).sum(axis=axes)[:, None]
    dbias_error = g * np.abs(dout).sum(axis=axes)[:, None] + u * np.abs(dbias)
    dweight_error = (g + 4 * u) * np.abs(dout * h).sum(axis=axes)[:, None] + u * np.abs(dweight)
    a, k = dbias / count, r * dweight / count
    e = dout - a - z * k
    de = (dbias_error + np.abs(h) * dweight_error) / count
    de = de + u * (np.abs(dout) + np.abs(a) + 3 * np.abs(z * k) + np.abs(e))
    dx = np.abs(weight) * r * (de + 3 * u * np.abs(e))
    return (
        second_order * dx + smallest,
        second_order * dweight_error.ravel() + smallest,
        second_order * dbias_error.ravel() + smallest,
    )


def backward(n: int, c: int, s: int) -> Case:
    """x, dout (n, c, s), weight, mean, var (c,) -> dx (n, c, s), dweight, dbias (c,)."""
    return Case(
        "batch_norm_backward",
        {"n": n, "c": c, "s": s},
        partial(_backward_arguments, n, c, s),
        partial(_run, "batch_norm_backward"),
        _backward_bound,
        flops=9 * n * c * s,
        bytes=4 * 3 * n * c * s,
    )


def _special(arguments: Arguments) -> None:
    x = arguments["x"]
    x[0, 1, 0], x[2, 3, -1], x[1, 4, 0] = np.nan, np.inf, -np.inf
    if "dout" in arguments:
        dout = arguments["dout"]
        dout[0, 6, 0], dout[2, 7, -1] = np.nan, np.inf


# Around vectors and their pairs of 4 and 8; s 1 runs down columns, 256 at a time, rows by 4 and 256.
_SIZES = (
    *((n, c, 1) for n in (1, 2, 5, 33) for c in (1, 3, 16, 17, 33)),
    *((n, 3, s) for n in (1, 2, 7) for s in (2, 3, 4, 15, 16, 17, 49, 131)),
    *((3, 300, 1), (600, 5, 1), (2, 0, 3), (70, 2, 9), (2, 2, 8500)),
)
tests = [
    *(forward(*size) for size in _SIZES),
    forward(40, 3, 5, offset=1000),  # a mean 500 deviations away
    forward(40, 17, 1, offset=1000),
    *(backward(*size) for size in (*_SIZES, (0, 3, 4), (0, 3, 1), (3, 3, 0))),
    *(special(case(3, 19, s), _special) for case in (forward, backward) for s in (1, 5)),
]
benchmarks = [
    case(n, c, s) for case in (forward, backward) for n, c, s in ((32, 64, 784), (256, 512, 1))
]
