"""Cases of sgd_step."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from ..typing import NDArray
from .case import LENGTHS, Arguments, Case, double, floats, special, unit_roundoff

tolerance = (
    "With u = 2^-24, momentum mu and g = grad + weight_decay param, where a coefficient, a product and a\n"
    "sum are each rounded once:\n"
    "g:         h = u (|grad| + 3 |weight_decay param|)\n"
    "velocity:  dv = u (|g| + 3 |mu velocity|) + h, or h if none is kept\n"
    "param:     u |param| + rate (3 u |change| + dw), dw = dv, or with nesterov h + mu dv + 3 u |mu v|\n"
    "times 1 + 2^-20 for the products of these"
)


def _arguments(rng: np.random.Generator, lengths: Sequence[int], way: str) -> Arguments:
    momentum = {} if way == "plain" else {"momentum": 0.9, "nesterov": way == "nesterov"}
    return {
        "params": [floats(rng, n) for n in lengths],
        "grads": [floats(rng, n) for n in lengths],
        "velocities": None if way == "plain" else [0.1 * floats(rng, n) for n in lengths],
        "learning_rate": np.array([1e-2], np.float32),
        "weight_decay": 0.01,
        **momentum,
    }


def _run(table: Any, arguments: Arguments) -> tuple[Any, ...]:
    table.sgd_step(**arguments)
    return *arguments["params"], *(arguments["velocities"] or [])


def _bound(arguments: Arguments) -> tuple[NDArray, ...]:
    u, rate = unit_roundoff, float(arguments["learning_rate"][0])
    mu, decay = arguments.get("momentum", 0.0), arguments["weight_decay"]
    params, velocities = [], []
    for i, param in enumerate(map(double, arguments["params"])):
        grad = double(arguments["grads"][i])
        g = grad + decay * param
        h = u * (np.abs(grad) + 3 * np.abs(decay * param))
        v, dv = g, h
        if arguments["velocities"] is not None:
            kept = mu * double(arguments["velocities"][i])
            v, dv = kept + g, u * (np.abs(g) + 3 * np.abs(kept)) + h
            velocities.append(dv)
        change, dw = v, dv
        if arguments.get("nesterov"):
            change, dw = g + mu * v, h + mu * dv + 3 * u * np.abs(mu * v)
        after = np.abs(param - rate * change)
        params.append(u * after + rate * (3 * u * np.abs(change) + dw))
    return tuple((1 + 2.0**-20) * bound for bound in (*params, *velocities))


def case(lengths: Sequence[int], way: str) -> Case:
    """params, grads, velocities (n,) of these lengths -> params, velocities."""
    n = sum(lengths)
    return Case(
        "sgd_step",
        {way: len(lengths), "n": n},
        partial(_arguments, lengths=lengths, way=way),
        _run,
        _bound,
        flops=7 * n,
        bytes=4 * (3 if way == "plain" else 5) * n,
    )


def special_step(arguments: Arguments) -> None:
    """NaN, infinity and 0 in the gradients of the last of several tensors, and in a parameter."""
    arguments["grads"][-1][:4] = np.nan, np.inf, -np.inf, 0
    arguments["params"][-1][-2:] = np.inf, 0


# One tensor; none; several, of which a piece for a thread holds a part of one and all of others;
# more than one launch of the CUDA kernel takes.
LISTS = [*([n] for n in LENGTHS), [], [3, 0, 70_001, 17, 20_000], [n % 37 for n in range(70)]]
WAYS = ("plain", "momentum", "nesterov")
tests = [case(lengths, way) for lengths in LISTS for way in WAYS]
tests += [special(case([3, 19], way), special_step) for way in WAYS]
benchmarks = [
    *(case(lengths, "momentum") for lengths in ([1_000], [1 << 22], [1_000] * 200)),
    case([1_000] * 200, "plain"),
]
