"""Cases of the elementwise ops of one argument."""

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
    largest,
    over,
    smallest,
    special,
    unit_roundoff,
)

# Of each kind: the largest error in units in the last place, forward and backward. A rounding is one
# at most; exp, good to 2 ulp, makes 4 u of relative error, u = 2^-24; expm1 and log1p 6 u.
ULP = {
    "relu": (0, 0),
    "leaky_relu": (2, 2),  # alpha as a float, the product
    "elu": (8, 7),  # expm1 or exp, alpha as a float, one or two products
    "sigmoid": (6, 3),  # exp, the sum, the quotient; a difference and two products
    "tanh": (3, 3),
    "softplus": (11, 7),  # exp, log1p, the sum; sigmoid and a product
    "exp": (2, 1),
    "log": (2, 1),
    "sqrt": (1, 1),
    "abs": (0, 0),
    "neg": (0, 0),
    "sign": (0, 0),
}
SAVES_ITS_OUTPUT = ("relu", "sigmoid", "tanh", "exp", "sqrt")
_ALPHA = {"leaky_relu": 0.3, "elu": 0.7}  # no float32
tolerance = "\n".join(
    [
        *(
            f"{kind}: forward within {there} ulp, backward within {back}; 0 is exact"
            for kind, (there, back) in ULP.items()
        ),
        "With u = 2^-24, P(x) = P(normal < x), p its density and s = sigmoid, each up to underflow:",
        "gelu: P(-|x|) is good to (2 x^2 + 8) u (CUDA's erfcf to 8 u, and its argument, off by 1.3 u,",
        "      counts x^2 times); a difference from 1 brings u / 2, a sum or product up to 1.13 that",
        "      many u. Forward |x| u (P(-|x|) (2 x^2 + 10) + 2), backward |dout| u (P(-|x|) (2 x^2 + 10)",
        "      + |x| p (x^2 + 8) + 3)",
        "silu: forward 7 u |out|; backward 16 u |dout| s(x) (1 + |x| s(-x)), as 1 + x s(-x) cancels",
    ]
)


def _input(arguments: Arguments) -> NDArray:
    # Infinity is as far as the largest number: there 0 times x is 0.
    return np.clip(double(arguments["x" if "x" in arguments else "saved"]), -largest, largest)


def _gelu_bound(arguments: Arguments) -> NDArray:
    x = _input(arguments)
    below = double(reference.gelu_forward(-np.abs(x))) / -np.maximum(np.abs(x), smallest)
    below = np.where(x == 0, 0.5, below)
    tail = below * (2 * x * x + 10)
    if "x" in arguments:
        return np.abs(x) * (unit_roundoff * (tail + 2) + smallest) + smallest
    density = np.exp(-x * x / 2) / np.sqrt(2 * np.pi)
    dout = np.abs(double(arguments["dout"]))
    bound = tail + np.abs(x) * density * (x * x + 8) + 3
    return dout * (unit_roundoff * bound + 2 * smallest) + smallest


def _silu_bound(arguments: Arguments) -> NDArray:
    x = np.abs(_input(arguments))
    if "x" in arguments:
        exact = reference.silu_forward(double(arguments["x"]))
        return 7 * unit_roundoff * np.abs(exact) + (1 + 2 * x) * smallest
    s = reference.sigmoid_forward(double(arguments["saved"]))
    dout = np.abs(double(arguments["dout"]))
    bound = 16 * unit_roundoff * dout * s * (1 + x * (1 - s))
    return bound + 2 * smallest * (1 + dout * (1 + x))


_BOUND = {"gelu": _gelu_bound, "silu": _silu_bound}
KINDS = (*ULP, *_BOUND)


def _arguments(rng: np.random.Generator, n: int, kind: str, direction: str) -> Arguments:
    x = 3 * floats(rng, n)
    if kind in ("log", "sqrt"):
        x = np.abs(x)
    alpha = {"alpha": _ALPHA[kind]} if kind in _ALPHA else {}
    if direction == "forward":
        return {"x": x, **alpha}
    saved = getattr(reference, f"{kind}_forward")(x) if kind in SAVES_ITS_OUTPUT else x
    return {"saved": saved, "dout": floats(rng, n), **alpha}


def _run(kernel: str, table: Any, arguments: Arguments) -> tuple[Any, ...]:
    return (getattr(table, kernel)(**arguments),)


def _bound(kind: str, direction: str, arguments: Arguments) -> tuple[NDArray]:
    if kind in _BOUND:
        return (_BOUND[kind](arguments),)
    exact = getattr(reference, f"{kind}_{direction}")(**arguments)
    ulp = ULP[kind][direction == "backward"]
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
        partial(_bound, kind, direction),
        flops=n,
        bytes=4 * arrays * n,
    )


# Where exp underflows and overflows, and formulas that are right between lose their digits.
_SPECIAL = np.array([*SPECIAL, 20, -20, 90, -90, 110, -110, 1e3, -1e3], np.float32)
_DOUT = np.array([1, -0.5, np.nan], np.float32)


def _special(kind: str, direction: str) -> Case:
    # There and back, so that those which differ most are in a vector and in a tail.
    x = np.concatenate([_SPECIAL, _SPECIAL[::-1]])
    saved = getattr(reference, f"{kind}_forward")(x) if kind in SAVES_ITS_OUTPUT else x

    def change(arguments: Arguments) -> None:
        if direction == "forward":
            arguments["x"] = x
        else:
            arguments["saved"] = np.repeat(saved, len(_DOUT))
            arguments["dout"] = np.tile(_DOUT, len(x))

    n = len(x) * (1 if direction == "forward" else len(_DOUT))
    return special(case(kind, direction, n), change)


_kernels = [(kind, direction) for kind in KINDS for direction in ("forward", "backward")]
# All kinds run in one loop, so one of them goes through all lengths; the last two are more than one
# piece for a thread, and more than one grid of the CUDA kernel.
tests = [
    *(case("relu", way, n) for way in ("forward", "backward") for n in LENGTHS),
    *(case("relu", way, n) for way in ("forward", "backward") for n in (70_001, (1 << 20) + 300)),
    *(case(*kernel, n) for kernel in _kernels for n in (0, 1, 16, 31, 3001)),
    *(over(case(kind, "forward", 31), "x") for kind in KINDS),
    *(over(case(kind, "backward", 31), name) for kind in KINDS for name in ("saved", "dout")),
    *(_special(*kernel) for kernel in _kernels),
]
benchmarks = [
    *(case(*kernel, 1_000) for kernel in _kernels),
    *(case(kind, "forward", 1 << 18) for kind in KINDS),
    *(case("relu", way, 1 << 22) for way in ("forward", "backward")),
]
