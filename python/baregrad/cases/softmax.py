"""Cases of softmax and log_softmax, forward and backward."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from .. import reference
from ..typing import NDArray
from .case import (
    Arguments,
    Case,
    double,
    floats,
    largest,
    over,
    second_order,
    smallest,
    special,
    sum_error,
    unit_roundoff,
)

tolerance = (
    "With u = 2^-24, z = x - max, s = softmax(x), g = 160 u at most (cases/case.py, sum_error), and one\n"
    "percent for what is of second order:\n"
    "e = exp(z) is off by r = (|z| + 4) u relatively: z is rounded once and exp is good to 2 ulp\n"
    "sum of e, relatively:  t = sum of s r + c u\n"
    "softmax:               s (r + t + 3 u), or 2^-147 in underflow\n"
    "log_softmax:           t + u (3 |log sum e| + 2 |z|): the logarithm is good to 2 u\n"
    "p = sum of saved dout: (g + u) sum |saved dout| + u |p|, or for log_softmax, the sum of dout,\n"
    "                       g sum |dout| + u |p|\n"
    "softmax backward:      |saved| (error of p) + 2 u |dx|\n"
    "log_softmax backward:  exp(saved) (error of p) + 5 u |exp(saved) p| + u |dx|"
)


def _run(kernel: str, table: Any, arguments: Arguments) -> tuple[Any, ...]:
    return (getattr(table, kernel)(**arguments),)


def _forward_bound(log: bool, arguments: Arguments) -> tuple[NDArray]:
    u, x = unit_roundoff, double(arguments["x"])
    z = np.maximum(x - x.max(axis=1, keepdims=True, initial=-np.inf), -largest)  # 0 times it is 0
    e = np.exp(z)
    total = e.sum(axis=1, keepdims=True)
    s, r = e / total, (np.abs(z) + 4) * u
    t = (s * r).sum(axis=1, keepdims=True) + x.shape[1] * u
    if log:
        return (second_order * (t + u * (3 * np.abs(np.log(total)) + 2 * np.abs(z))),)
    return (second_order * s * (r + t + 3 * u) + 4 * smallest,)


def forward(kernel: str, n: int, c: int, scale: float = 3.0) -> Case:
    """x (n, c) -> out (n, c)."""
    return Case(
        kernel,
        {"n": n, "c": c, "scale": int(scale)},
        lambda rng: {"x": np.float32(scale) * floats(rng, n, c)},
        partial(_run, kernel),
        partial(_forward_bound, kernel == "log_softmax_forward"),
        flops=5 * n * c,
        bytes=4 * 2 * n * c,
    )


def _backward_arguments(kernel: str, n: int, c: int, rng: np.random.Generator) -> Arguments:
    forward = getattr(reference, kernel.replace("backward", "forward"))
    return {"saved": forward(3 * floats(rng, n, c)), "dout": floats(rng, n, c)}


def _backward_bound(log: bool, arguments: Arguments) -> tuple[NDArray]:
    u = unit_roundoff
    saved, dout = double(arguments["saved"]), double(arguments["dout"])
    terms = dout if log else saved * dout
    p = terms.sum(axis=1, keepdims=True)
    g = sum_error(saved.shape[1]) + (0 if log else u)
    dp = g * np.abs(terms).sum(axis=1, keepdims=True) + u * np.abs(p)
    if log:
        e = np.exp(saved)
        bound = e * dp + 5 * u * np.abs(e * p) + u * np.abs(dout - e * p)
    else:
        bound = np.abs(saved) * dp + 2 * u * np.abs(saved * (dout - p))
    return (second_order * bound + 4 * smallest * (1 + np.abs(p)),)


def backward(kernel: str, n: int, c: int) -> Case:
    """saved (n, c), dout (n, c) -> dx (n, c)."""
    return Case(
        kernel,
        {"n": n, "c": c},
        partial(_backward_arguments, kernel, n, c),
        partial(_run, kernel),
        partial(_backward_bound, kernel == "log_softmax_backward"),
        flops=4 * n * c,
        bytes=4 * 3 * n * c,
    )


def special_rows(rows: NDArray) -> None:
    """Rows (n, c) with NaN and infinity, between others: n at least 14, c at least 3."""
    values = (
        (np.nan, 1),
        (1, np.nan),
        (np.inf, 1),
        (np.inf, np.inf),
        (-np.inf, 1),
        (-np.inf, -np.inf),
        (np.inf, -np.inf),
    )
    for row, (first, last) in zip(rows[::2], values, strict=False):
        row[0], row[-1] = first, last


def _special(arguments: Arguments) -> None:
    if "x" in arguments:
        special_rows(arguments["x"])
        arguments["x"][-1] = -np.inf
    else:
        special_rows(arguments["dout"])
        arguments["saved"][-1, 1] = np.nan


_FORWARD = ("softmax_forward", "log_softmax_forward")
_BACKWARD = ("softmax_backward", "log_softmax_backward")
_CLASSES = (1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 130, 1000)
tests = [
    *(forward(kernel, 3, c) for kernel in _FORWARD for c in _CLASSES),
    *(forward(kernel, *size) for kernel in _FORWARD for size in ((0, 10), (1500, 10, 30))),
    *(forward(kernel, 33, 10, scale=1e4) for kernel in _FORWARD),  # exp(1e4) is inf
    *(backward(kernel, 3, c) for kernel in _BACKWARD for c in _CLASSES),
    *(backward(kernel, *size) for kernel in _BACKWARD for size in ((0, 10), (3, 0), (1500, 10))),
    *(backward(kernel, 2, 8500) for kernel in _BACKWARD),  # more than a sum takes in one run
    *(over(forward(kernel, 3, 33), "x") for kernel in _FORWARD),
    *(over(backward(kernel, 3, 33), name) for kernel in _BACKWARD for name in ("saved", "dout")),
    *(special(forward(kernel, 15, 19), _special) for kernel in _FORWARD),
    *(special(backward(kernel, 15, 19), _special) for kernel in _BACKWARD),
]
benchmarks = [
    *(forward(kernel, n, c) for kernel in _FORWARD for n, c in ((128, 10), (4096, 1000))),
    *(backward(kernel, n, c) for kernel in _BACKWARD for n, c in ((128, 10), (4096, 1000))),
]
