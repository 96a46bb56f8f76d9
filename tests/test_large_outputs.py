"""Outputs too large for a cache, which are written past it: the same bits as in pieces that are not."""

from __future__ import annotations

import math
from collections.abc import Callable

import baregrad as bg
import numpy as np
import pytest

LARGE = (1 << 23) + 5  # 32 MiB and a tail
PIECE = 1 << 20
Ops = dict[str, Callable[..., np.ndarray]]


def ops() -> Ops:
    kernels = bg.kernels.cpu
    return {
        "relu_forward": kernels.relu_forward,
        "sigmoid_backward": kernels.sigmoid_backward,
        "mul": kernels.mul,
        "where": kernels.where,
        "copy_strided": kernels.copy_strided,
    }


@pytest.fixture(scope="module")
def numbers() -> tuple[np.ndarray, np.ndarray]:
    x, y = np.random.default_rng(0).standard_normal((2, LARGE), np.float32)
    x[::1001], y[3] = np.nan, np.inf
    return x, y


@pytest.mark.parametrize("name", ops())
def test_a_large_output_has_the_bits_of_its_pieces(
    isa: str, name: str, numbers: tuple[np.ndarray, np.ndarray]
) -> None:
    op = ops()[name]
    wanted = {"where": (numbers[0] > 0, *numbers), "mul": numbers, "sigmoid_backward": numbers}
    arguments = wanted.get(name, numbers[:1])
    whole = np.asarray(op(*arguments))
    for begin in range(0, LARGE, PIECE):
        piece = op(*(x[begin : begin + PIECE].copy() for x in arguments))
        np.testing.assert_array_equal(
            whole[begin : begin + PIECE].view(np.uint32), np.asarray(piece).view(np.uint32)
        )


def aligned(*shape: int) -> np.ndarray:
    """Ones that begin at a cache line."""
    memory = np.ones(math.prod(shape) + 16, np.float32)
    start = -memory.ctypes.data % 64 // 4
    return memory[start : start + math.prod(shape)].reshape(shape)


@pytest.mark.parametrize("more", [3, 11])  # a step between rows of 8 and of 16 numbers
def test_rows_of_a_large_copy_keep_what_lies_between(isa: str, more: int) -> None:
    x = np.arange(2 * LARGE, dtype=np.float32).reshape(2, LARGE)
    out = aligned(2, LARGE + more)
    bg.kernels.cpu.copy_strided(x, out=out[:, :LARGE])
    np.testing.assert_array_equal(out[:, :LARGE], x)
    np.testing.assert_array_equal(out[:, LARGE:], 1)


def test_a_large_array_is_filled_to_its_end(isa: str) -> None:
    out = aligned(LARGE + 2)
    bg.kernels.cpu.fill(out[:LARGE], 1.5)
    assert (out[:LARGE] == 1.5).all()
    np.testing.assert_array_equal(out[LARGE:], 1)
