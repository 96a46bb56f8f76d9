"""Cases of bias_activation_forward and bias_activation_backward."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from .. import reference
from ..typing import NDArray
from .case import (
    SPECIAL,
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
from .unary import ULP

ACTIVATIONS = ("relu", "sigmoid", "tanh")
tolerance = (
    "With u = 2^-24, v = x + bias, an activation f within k ulp (those of unary, 2 u each) and one\n"
    "percent for what is of second order:\n"
    "out:    2 k u |f(v)| + u |v f'(v)|, v being rounded once; f' is at most 1\n"
    "dx:     2 k u |dx|, as unary's backward\n"
    "dbias:  sum of that + g sum|dx| + u |dbias|, g = 160 u at most (cases/case.py, sum_error)"
)


def _arguments(activation: str, n: int, c: int, s: int, rng: np.random.Generator) -> Arguments:
    x, bias = 2 * floats(rng, n, c, s), floats(rng, c)
    return {"x": x, "bias": bias, "activation": activation}


def _run(table: Any, arguments: Arguments) -> tuple[Any, ...]:
    return (table.bias_activation_forward(**arguments),)


def _bound(arguments: Arguments) -> tuple[NDArray]:
    activation = arguments["activation"]
    v = double(arguments["x"]) + double(arguments["bias"])[:, None]
    out = getattr(reference, f"{activation}_forward")(v)
    slope = getattr(reference, f"{activation}_backward")(out, np.ones_like(v))
    ulp = 2 * ULP[activation][0] * unit_roundoff
    rounding = unit_roundoff * np.minimum(np.abs(v), largest) * slope  # inf times 0 is 0
    return (second_order * (ulp * np.abs(out) + rounding) + 2 * smallest,)


def forward(activation: str, n: int, c: int, s: int) -> Case:
    """x (n, c, s), bias (c,) -> out (n, c, s)."""
    return Case(
        "bias_activation_forward",
        {"n": n, "c": c, "s": s, activation: 1},
        partial(_arguments, activation, n, c, s),
        _run,
        _bound,
        flops=2 * n * c * s,
        bytes=4 * 2 * n * c * s,
    )


def _backward_arguments(
    activation: str, n: int, c: int, s: int, rng: np.random.Generator
) -> Arguments:
    saved = getattr(reference, f"{activation}_forward")(2 * floats(rng, n, c, s))
    return {"saved": saved, "dout": floats(rng, n, c, s), "activation": activation}


def _run_backward(table: Any, arguments: Arguments) -> tuple[Any, ...]:
    return tuple(table.bias_activation_backward(**arguments))


def _backward_bound(arguments: Arguments) -> tuple[NDArray, NDArray]:
    activation = arguments["activation"]
    backward = getattr(reference, f"{activation}_backward")
    dx = backward(double(arguments["saved"]), double(arguments["dout"]))
    bound = second_order * 2 * ULP[activation][1] * unit_roundoff * np.abs(dx) + 2 * smallest
    if activation == "relu":
        bound = np.zeros_like(dx)
    g = sum_error(dx.shape[0] * dx.shape[2])
    dbias = bound.sum(axis=(0, 2)) + g * np.abs(dx).sum(axis=(0, 2))
    return bound, second_order * (dbias + unit_roundoff * np.abs(dx.sum(axis=(0, 2)))) + smallest


def backward(activation: str, n: int, c: int, s: int) -> Case:
    """saved, dout (n, c, s) -> dx (n, c, s), dbias (c,)."""
    return Case(
        "bias_activation_backward",
        {"n": n, "c": c, "s": s, activation: 1},
        partial(_backward_arguments, activation, n, c, s),
        _run_backward,
        _backward_bound,
        flops=3 * n * c * s,
        bytes=4 * 3 * n * c * s,
    )


def _special(arguments: Arguments) -> None:
    n, c, s = arguments["x" if "x" in arguments else "saved"].shape
    x = np.resize(SPECIAL, (n, c, s))
    if "x" in arguments:
        arguments["x"] = x
        arguments["bias"][:4] = 0, np.inf, -np.inf, np.nan
    else:
        arguments["saved"] = getattr(reference, f"{arguments['activation']}_forward")(x)
        arguments["dout"][0, :3, 0] = np.nan, np.inf, -np.inf


# s 1 runs along or down c, 256 columns at a time; other s along the pixels of a channel, whose sum is
# by blocks of images where there are 16 or more and channels are few.
_SIZES = (
    *((n, c, 1) for n in (1, 5, 33) for c in (1, 3, 16, 17, 33)),
    *((n, 3, s) for n in (1, 7) for s in (2, 4, 15, 16, 17, 49, 131)),
    *((3, 300, 1), (600, 5, 1), (0, 3, 1), (0, 3, 4), (2, 0, 3), (3, 3, 0), (2, 2, 8500)),
    *((20, 5, 7), (37, 400, 3), (37, 700, 3)),
)
tests = [
    case(activation, *size)
    for case in (forward, backward)
    for activation in ACTIVATIONS
    for size in _SIZES
]
tests += [
    special(case(activation, *size), _special)
    for case in (forward, backward)
    for activation in ACTIVATIONS
    for size in ((5, 19, 1), (5, 7, 19))
]
tests += [over(forward(activation, 5, 7, 19), "x") for activation in ACTIVATIONS]
tests += [
    over(backward(activation, 5, 7, 19), name)
    for activation in ACTIVATIONS
    for name in ("saved", "dout")
]
benchmarks = [
    case(activation, *size)
    for case in (forward, backward)
    for activation in ("relu", "tanh")
    for size in ((32, 64, 784), (256, 512, 1))
]
