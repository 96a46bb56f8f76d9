"""Cases of layer_norm_forward and layer_norm_backward."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ..typing import NDArray
from .batch_norm import mean_and_var_error, normalised_error
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
    "With u = 2^-24, g = 160 u at most (cases/case.py, sum_error), all means over the d values of a row,\n"
    "z = x - mean, h = z r, and one percent for what is of second order:\n"
    "mean, var, out: as of batch_norm; r: r (dr + u)\n"
    "dbias:    g sum|dout| + u |dbias|; dweight: (g + 4 u) sum|dout h| + u |dweight|\n"
    "dx:       r (de + u |e|), e = t - a - h b with t = weight dout, a = mean t, b = mean(t h), and\n"
    "          de = da + |h| db + u (2 |t| + |a| + 4 |h b| + |e|), da = (g + u) mean|t| + u |a|,\n"
    "          db = (g + 4 u) mean|t h| + 2 u |b|"
)


def _forward_arguments(n: int, d: int, offset: float, rng: np.random.Generator) -> Arguments:
    x = (2 * floats(rng, n, d) + np.float32(offset)).astype(np.float32)
    return {"x": x, "weight": floats(rng, d), "bias": floats(rng, d)}


def _run(kernel: str, table: Any, arguments: Arguments) -> tuple[Any, ...]:
    return tuple(getattr(table, kernel)(**arguments))


def _forward_bound(arguments: Arguments) -> tuple[NDArray, NDArray, NDArray]:
    x, weight, bias = (double(arguments[name]) for name in ("x", "weight", "bias"))
    z, var = x - x.mean(axis=1, keepdims=True), x.var(axis=1, keepdims=True)
    epsilon = arguments.get("epsilon", 1e-5)
    r = 1 / np.sqrt(var + epsilon)
    dm, dv = mean_and_var_error(x, 1)
    dr, dh = normalised_error(z, dm, dv, var, epsilon)
    dout = np.abs(weight) * dh + 2 * unit_roundoff * (np.abs(weight * z * r + bias) + np.abs(bias))
    return (
        second_order * dout + smallest,
        second_order * dm.ravel(),
        second_order * (r * (dr + unit_roundoff)).ravel(),
    )


def forward(n: int, d: int, offset: float = 1.0) -> Case:
    """x (n, d), weight, bias (d,) -> out (n, d), mean, r (n,)."""
    return Case(
        "layer_norm_forward",
        {"n": n, "d": d, "offset": int(offset)},
        partial(_forward_arguments, n, d, offset),
        partial(_run, "layer_norm_forward"),
        _forward_bound,
        flops=7 * n * d,
        bytes=4 * 2 * n * d,
    )


def _backward_arguments(n: int, d: int, rng: np.random.Generator) -> Arguments:
    return {
        "x": 2 * floats(rng, n, d) + 1,
        "dout": floats(rng, n, d),
        "weight": floats(rng, d),
        "mean": floats(rng, n),
        "r": np.abs(floats(rng, n)),
    }


def _backward_bound(arguments: Arguments) -> tuple[NDArray, NDArray, NDArray]:
    u = unit_roundoff
    x, dout, weight = (double(arguments[name]) for name in ("x", "dout", "weight"))
    mean, r = (double(arguments[name])[:, None] for name in ("mean", "r"))
    n, d = x.shape
    h, t = (x - mean) * r, weight * dout
    over = max(d, 1)
    a, b = (v.sum(axis=1, keepdims=True) / over for v in (t, t * h))
    size_a, size_b = (np.abs(v).sum(axis=1, keepdims=True) / over for v in (t, t * h))
    g = sum_error(d)
    da, db = (g + u) * size_a + u * np.abs(a), (g + 4 * u) * size_b + 2 * u * np.abs(b)
    e = t - a - h * b
    rounding = 2 * np.abs(t) + np.abs(a) + 4 * np.abs(h * b) + np.abs(e)
    dx = r * (da + np.abs(h) * db + u * rounding + u * np.abs(e))
    g = sum_error(n)
    dweight = (g + 4 * u) * np.abs(dout * h).sum(axis=0) + u * np.abs((dout * h).sum(axis=0))
    dbias = g * np.abs(dout).sum(axis=0) + u * np.abs(dout.sum(axis=0))
    return (
        second_order * dx + smallest,
        second_order * dweight + smallest,
        second_order * dbias + smallest,
    )


def backward(n: int, d: int) -> Case:
    """x, dout (n, d), weight (d,), mean, r (n,) -> dx (n, d), dweight, dbias (d,)."""
    return Case(
        "layer_norm_backward",
        {"n": n, "d": d},
        partial(_backward_arguments, n, d),
        partial(_run, "layer_norm_backward"),
        _backward_bound,
        flops=14 * n * d,
        bytes=4 * 3 * n * d,
    )


def _special(arguments: Arguments) -> None:
    x = arguments["x"]
    x[1, 0], x[3, -1], x[4, 2] = np.nan, np.inf, -np.inf
    if "dout" in arguments:
        dout = arguments["dout"]
        dout[6, 1], dout[7, -1] = np.nan, np.inf


# Rows by chunks of 4 to 64 for the sums over rows; 8500 is more than a sum takes in one run.
_SIZES = (
    *((n, d) for n in (1, 2, 5, 33) for d in (1, 2, 4, 15, 16, 17, 33, 131)),
    *((0, 3), (3, 300), (2, 8500), (600, 5)),
)
tests = [
    *(forward(*size) for size in _SIZES),
    forward(7, 200, offset=1000),  # a mean 500 deviations away
    *(backward(*size) for size in (*_SIZES, (3, 0), (5000, 7))),
    *(special(case(9, 19), _special) for case in (forward, backward)),
]
benchmarks = [case(n, d) for case in (forward, backward) for n, d in ((128, 64), (1024, 768))]
