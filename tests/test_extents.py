"""Sizes around 2^31, 2^32 and 2^63: every kernel raises or works, and nothing wraps around.

Arrays of which every element is the same one cost nothing, however large; what a kernel would make
of them does not fit into the address space that the tests leave.
"""

from __future__ import annotations

import inspect
import resource
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from backends import OnDevice
from baregrad import backend, reference

Arguments = dict[str, Any]

# Where 32 bits end, where products of two do, and the most that NumPy describes.
SIZES = [2**31 - 1, 2**31, 2**32, 2**32 + 1, 2**53, 2**60]
# Of a window there are numbers, not arrays: up to what does not fit into 64 bits.
NUMBERS = [*SIZES, 2**62, 2**63 - 1, 2**63, 2**64 + 1, 2**100]


def f(*shape: int) -> np.ndarray:
    return np.broadcast_to(np.float32(1), shape)


def i(*shape: int) -> np.ndarray:
    return np.broadcast_to(np.int64(0), shape)


def b(*shape: int) -> np.ndarray:
    return np.broadcast_to(np.uint8(0), shape)


def state() -> np.ndarray:
    return np.array([2**63 - 1, 2**63 - 1])


def conv(n: int = 1, c: int = 1, o: int = 1, **more: Any) -> Arguments:
    return {"x": f(n, c, 3, 3), "w": f(o, c, 2, 2), **more}


def conv_input(**more: Any) -> Arguments:
    return {"dout": f(1, 1, 2, 2), "w": f(1, 1, 2, 2), "shape": (1, 1, 3, 3), **more}


def conv_weight(**more: Any) -> Arguments:
    return {"x": f(1, 1, 3, 3), "dout": f(1, 1, 2, 2), "kernel": (2, 2), **more}


def columns(**more: Any) -> Arguments:
    return {"columns": f(1, 4, 4), "shape": (1, 1, 3, 3), "kernel": (2, 2), **more}


def pool(**more: Any) -> Arguments:
    return {"x": f(1, 1, 3, 3), "kernel": (2, 2), "stride": (1, 1), **more}


def pool_back(**more: Any) -> Arguments:
    return {"dout": f(1, 1, 2, 2), "shape": (1, 1, 3, 3), "kernel": (2, 2), "stride": (1, 1), **more}


def places(**more: Any) -> Arguments:
    return {"places": b(1, 1, 2, 2), **pool_back(**more)}


def steps(n: int, *names: str) -> Arguments:
    return {name: [f(n)] for name in names} | {"learning_rate": f(1)}


# kernel -> arguments with something of size n
Large = list[Callable[[int], Arguments]]
UNARY = sorted({name.rpartition("_")[0] for name in reference.__all__} & {
    "relu", "leaky_relu", "elu", "gelu", "silu", "sigmoid", "tanh", "softplus", "exp", "log",
    "sqrt", "abs", "neg", "sign",
})  # fmt: skip
BINARY = ["add", "sub", "mul", "div", "pow", "maximum", "minimum"]
COMPARE = ["eq", "ne", "lt", "le", "gt", "ge"]
PAIRS: Large = [
    lambda n: {"a": f(n), "b": f()},
    lambda n: {"a": f(n, 1), "b": f(1, 2)},
    lambda n: {"a": f(n, 1), "b": f(1, n)},
]
SOFTMAX = ["softmax", "log_softmax"]
REDUCE = ["reduce_sum", "reduce_mean", "reduce_max", "reduce_min", "reduce_var"]


def window(name: str, arguments: Callable[..., Arguments], *settings: str) -> dict[str, Large]:
    """A setting, the height or the width of it."""
    large: Large = []
    for setting in settings:
        large += [
            lambda n, s=setting: arguments(**{s: (n, 1)}),  # type: ignore[misc]
            lambda n, s=setting: arguments(**{s: (2, n)}),  # type: ignore[misc]
            lambda n, s=setting: arguments(**{s: (n, n)}),  # type: ignore[misc]
        ]
    return {name: large}
