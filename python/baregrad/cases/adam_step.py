"""Cases of adam_step."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from ..typing import NDArray
from .case import Arguments, Case, double, floats, smallest, special, unit_roundoff
from .sgd_step import LISTS, special_step

tolerance = (
    "With u = 2^-24 and g = grad + weight_decay param, off by h = u (|grad| + 3 |weight_decay param|),\n"
    "or if decoupled g = grad, h = 0:\n"
    "m:      dm = 4 u (|beta1 m| + |(1 - beta1) g|) + (1 - beta1) h\n"
    "v:      dv = 5 u (beta2 v + (1 - beta2) g^2) + 2 (1 - beta2) |g| h\n"
    "param:  u |param| + rate dm / d + |step| (dv / 2 v + 8 u), d = sqrt(v_hat) + epsilon;\n"
    "        if decoupled 2 u |param| more: 1 - learning_rate weight_decay and its product"
)


def _arguments(rng: np.random.Generator, lengths: Sequence[int], decoupled: bool) -> Arguments:
    return {
        "params": [floats(rng, n) for n in lengths],
        "grads": [floats(rng, n) for n in lengths],
        "ms": [0.1 * floats(rng, n) for n in lengths],
        "vs": [0.01 * np.abs(floats(rng, n)) for n in lengths],
        "learning_rate": np.array([1e-2], np.float32),
        "step": np.array([7]),
        "weight_decay": 0.01,
        "decoupled": decoupled,
    }


def _run(table: Any, arguments: Arguments) -> tuple[Any, ...]:
    table.adam_step(**arguments)
    return *arguments["params"], *arguments["ms"], *arguments["vs"]


def _bound(arguments: Arguments) -> tuple[NDArray, ...]:
    u = unit_roundoff
    beta1, beta2 = arguments.get("beta1", 0.9), arguments.get("beta2", 0.999)
    epsilon, decay = arguments.get("epsilon", 1e-8), arguments["weight_decay"]
    step, learning_rate = float(arguments["step"][0]), float(arguments["learning_rate"][0])
    rate = learning_rate / (1 - beta1**step)
    bounds: tuple[list[NDArray], ...] = [], [], []
    lists = (arguments[name] for name in ("params", "grads", "ms", "vs"))
    for p, grad, m, v in (map(double, arrays) for arrays in zip(*lists, strict=True)):
        g, h = grad + decay * p, u * (np.abs(grad) + 3 * np.abs(decay * p))
        dp = u * np.abs(p)
        if arguments["decoupled"]:
            g, h, dp = grad, np.zeros_like(p), 3 * dp
        new_m = beta1 * m + (1 - beta1) * g
        new_v = beta2 * v + (1 - beta2) * g * g
        dm = 4 * u * (np.abs(beta1 * m) + np.abs((1 - beta1) * g)) + (1 - beta1) * h
        dv = 5 * u * new_v + 2 * (1 - beta2) * np.abs(g) * h + smallest
        d = np.sqrt(new_v / (1 - beta2**step)) + epsilon
        change = np.abs(rate * new_m / d)
        dp = dp + rate * dm / d + change * (dv / (2 * new_v + smallest) + 8 * u)
        for found, bound in zip(bounds, (dp, dm, dv), strict=True):
            found.append(bound)
    return tuple(bound for found in bounds for bound in found)


def case(lengths: Sequence[int], decoupled: bool) -> Case:
    """params, grads, ms, vs (n,) of these lengths -> params, ms, vs."""
    n = sum(lengths)
    return Case(
        "adam_step",
        {"decoupled" if decoupled else "l2": len(lengths), "n": n},
        partial(_arguments, lengths=lengths, decoupled=decoupled),
        _run,
        _bound,
        flops=15 * n,
        bytes=4 * 7 * n,
    )


def _special(arguments: Arguments) -> None:
    special_step(arguments)
    for name in ("ms", "vs"):
        arguments[name][-1][3] = 0  # as grad: 0 / (0 + epsilon)


tests = [case(lengths, decoupled) for lengths in LISTS for decoupled in (False, True)]
tests += [special(case([3, 19], decoupled), _special) for decoupled in (False, True)]
benchmarks = [case(lengths, False) for lengths in ([1_000], [1 << 22], [1_000] * 200)]
