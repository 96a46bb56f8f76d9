"""Cases of softmax_xent_forward and softmax_xent_backward."""

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
    largest,
    refused,
    smallest,
    special,
    unit_roundoff,
)
from .softmax import special_rows

tolerance = (
    "With u = 2^-24, z = logits - max and s = softmax(logits):\n"
    "e = exp(z) is off by r = (|z| + 4) u relatively: z is rounded once and exp is good to 2 ulp\n"
    "sum of e, relatively:  t = sum of s r + c u\n"
    "loss:                  |weight| (t + u (4 |log sum e| + 3 |z of the label| + 1)): the logarithm is\n"
    "                       good to 2 u, z is rounded once, their difference and its product once\n"
    "dlogits:               |weight| (s (r + t + 5 u) + 3 u |s - onehot|), or 2^-147 in underflow\n"
    "backward:              one rounding"
)


def _arguments(rng: np.random.Generator, n: int, c: int, scale: float = 3.0) -> Arguments:
    return {
        "logits": scale * floats(rng, n, c),
        "labels": rng.integers(c, size=n),
        "weight": np.abs(floats(rng, n)),
    }


def _run(table: Any, arguments: Arguments) -> tuple[Any, ...]:
    loss, dlogits = table.softmax_xent_forward(**arguments)
    return loss, dlogits


def _bound(arguments: Arguments) -> tuple[NDArray, NDArray]:
    u = unit_roundoff
    logits, label = double(arguments["logits"]), arguments["labels"]
    weight = arguments.get("weight")
    w = np.ones(len(logits)) if weight is None else np.abs(double(weight))
    rows = np.arange(len(logits))
    z = np.maximum(logits - logits.max(axis=1, keepdims=True, initial=-np.inf), -largest)
    e = np.exp(z)
    total = e.sum(axis=1, keepdims=True)
    s, r = e / total, (np.abs(z) + 4) * u
    t = (s * r).sum(axis=1, keepdims=True) + logits.shape[1] * u
    loss = w * (t[:, 0] + u * (4 * np.abs(np.log(total[:, 0])) + 3 * np.abs(z[rows, label]) + 1))
    distance = s.copy()
    distance[rows, label] = 1 - s[rows, label]
    dlogits = w[:, None] * (s * (r + t + 5 * u) + 3 * u * distance) + 4 * smallest
    return loss, dlogits


def forward(n: int, c: int, scale: float = 3.0) -> Case:
    """logits (n, c), labels (n,), weight (n,) -> loss (n,), dlogits (n, c)."""
    return Case(
        "softmax_xent_forward",
        {"n": n, "c": c, "scale": int(scale)},
        partial(_arguments, n=n, c=c, scale=scale),
        _run,
        _bound,
        flops=5 * n * c,
        bytes=4 * 2 * n * c + 16 * n,
    )


def _backward_arguments(rng: np.random.Generator, n: int, c: int) -> Arguments:
    return {"saved": floats(rng, n, c), "dloss": floats(rng, n)}


def _run_backward(table: Any, arguments: Arguments) -> tuple[Any, ...]:
    return (table.softmax_xent_backward(**arguments),)


def _backward_bound(arguments: Arguments) -> tuple[NDArray]:
    saved, dloss = double(arguments["saved"]), double(arguments["dloss"])
    return (unit_roundoff * np.abs(saved * dloss[:, None]) + smallest,)


def backward(n: int, c: int) -> Case:
    """saved (n, c), dloss (n,) -> dlogits (n, c)."""
    return Case(
        "softmax_xent_backward",
        {"n": n, "c": c},
        partial(_backward_arguments, n=n, c=c),
        _run_backward,
        _backward_bound,
        flops=n * c,
        bytes=4 * (2 * n * c + n),
    )


def _special(arguments: Arguments) -> None:
    if "logits" not in arguments:
        special_rows(arguments["saved"])
        arguments["dloss"][1::4] = np.inf, np.nan, -np.inf, 0
        return
    special_rows(arguments["logits"])
    arguments["logits"][-1] = -np.inf
    # Of a class that cannot be, and of one that can beside it.
    arguments["labels"][8], arguments["logits"][9, 1], arguments["labels"][9] = 0, -np.inf, 0


def _refused(label: int) -> Case:
    def change(arguments: Arguments) -> None:
        arguments["labels"][[11, 20]] = label, label + 1 if label > 0 else label - 1

    return refused(forward(33, 10), change, f"label_{label}")


_CLASSES = (1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 130)
tests = [
    *(forward(n, c) for n in (1, 2, 33) for c in _CLASSES),
    # In a warp's registers on a device, in a block's shared memory, in neither.
    *(forward(3, c) for c in (32, 65, 385, 1024, 1025, 53_000)),
    forward(0, 10),
    forward(5, 1000),
    forward(5000, 10, scale=30),  # many rows: a bound that is too tight shows
    forward(33, 10, scale=1e4),  # exp(1e4) is inf: the largest logit must be taken away first
    *(backward(n, c) for n in (0, 1, 3, 33) for c in (1, 10, 16, 17)),
    special(forward(15, 19), _special),
    special(backward(15, 19), _special),
    _refused(10),  # of 10 classes
    _refused(-1),
]
benchmarks = [
    *(forward(n, c) for n, c in ((128, 10), (256, 1000), (8192, 1000))),
    *(backward(n, c) for n, c in ((128, 10), (8192, 1000))),
]
