"""Cases of adam_step."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ..typing import NDArray
from .case import LENGTHS, Arguments, Case, double, floats, smallest, unit_roundoff

tolerance = (
    "With u = 2^-24 and g = grad + weight_decay param, off by h = 2 u (|grad| + |decay param|):\n"
    "m:      dm = 4 u (|beta1 m| + |(1 - beta1) g|) + (1 - beta1) h\n"
    "v:      dv = 5 u (beta2 v + (1 - beta2) g^2) + 2 (1 - beta2) |g| h\n"
    "param:  u |param| + rate dm / d + |step| (dv / 2 v + 8 u), d = sqrt(v_hat) + epsilon"
)


def _arguments(rng: np.random.Generator, n: int) -> Arguments:
    return {
        "param": floats(rng, n),
        "grad": floats(rng, n),
        "m": 0.1 * floats(rng, n),
        "v": 0.01 * np.abs(floats(rng, n)),
        "learning_rate": np.array([1e-2], np.float32),
        "step": np.array([7]),
        "weight_decay": 0.01,
    }


def _run(table: Any, arguments: Arguments) -> tuple[Any, ...]:
    table.adam_step(**arguments)
    return arguments["param"], arguments["m"], arguments["v"]


def _bound(arguments: Arguments) -> tuple[NDArray, NDArray, NDArray]:
    u = unit_roundoff
    p, grad, m, v = (double(arguments[name]) for name in ("param", "grad", "m", "v"))
    beta1, beta2 = arguments.get("beta1", 0.9), arguments.get("beta2", 0.999)
    epsilon, decay = arguments.get("epsilon", 1e-8), arguments.get("weight_decay", 0.0)
    step, rate = float(arguments["step"][0]), float(arguments["learning_rate"][0])
    g = grad + decay * p
    h = 2 * u * (np.abs(grad) + np.abs(decay * p))
    new_m = beta1 * m + (1 - beta1) * g
    new_v = beta2 * v + (1 - beta2) * g * g
    dm = 4 * u * (np.abs(beta1 * m) + np.abs((1 - beta1) * g)) + (1 - beta1) * h
    dv = 5 * u * new_v + 2 * (1 - beta2) * np.abs(g) * h + smallest
    rate /= 1 - beta1**step
    d = np.sqrt(new_v / (1 - beta2**step)) + epsilon
    change = np.abs(rate * new_m / d)
    dp = u * np.abs(p) + rate * dm / d + change * (dv / (2 * new_v + smallest) + 8 * u)
    return dp, dm, dv


def case(n: int) -> Case:
    """param, grad, m, v (n,) -> param, m, v."""
    return Case(
        "adam_step",
        {"n": n},
        partial(_arguments, n=n),
        _run,
        _bound,
        flops=15 * n,
        bytes=4 * 7 * n,
    )


tests = [case(n) for n in (*LENGTHS, 70_001)]
benchmarks = [case(n) for n in (1_000, 1 << 22)]
