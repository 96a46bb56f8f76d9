"""copy_strided: every pair of strides, and the bits as they are."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import baregrad as bg
import numpy as np
import pytest
from compare import assert_same_bits
from guarded import guarded


@pytest.mark.parametrize("order", list(permutations(range(4))))
@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8"])
def test_permutes_both_ways(any_table: Any, order: tuple[int, ...], dtype: str) -> None:
    x = np.arange(2 * 17 * 3 * 33).reshape(2, 17, 3, 33).astype(dtype)
    view = x.transpose(order)
    assert_same_bits(any_table.copy_strided(view), np.ascontiguousarray(view))
    out = np.zeros(x.shape, dtype).transpose(order)
    any_table.copy_strided(np.ascontiguousarray(view), out=out)
    np.testing.assert_array_equal(out, view)


def test_writes_a_view_and_nothing_beside_it(isa: str) -> None:
    x = np.arange(60, dtype=np.float32).reshape(6, 10)
    for part in (np.s_[::2, 3:13], np.s_[11:5:-1, 19::-2], np.s_[0:6, 0:10]):
        whole = np.zeros((12, 20), np.float32)
        want = whole.copy()
        want[part] = x
        out = whole[part]
        assert bg.kernels.cpu.copy_strided(x, out=out) is out
        np.testing.assert_array_equal(whole, want)


def test_keeps_every_bit(any_table: Any) -> None:
    bits = np.array([0x7FC00001, 0x7F800001, 0xFFFFFFFF, 0x80000000, 1], np.uint32)
    x = np.stack([bits.view(np.float32)] * 2, axis=1)[:, 0]
    assert_same_bits(any_table.copy_strided(x), x.copy())


@pytest.mark.parametrize("shape", [(1, 1), (3, 17), (16, 16), (17, 33), (47, 5)])
@pytest.mark.parametrize("dtype", ["float32", "int64", "bool"])
def test_touches_nothing_beyond_its_arrays(isa: str, shape: tuple[int, int], dtype: str) -> None:
    x = guarded(np.arange(np.prod(shape)).reshape(shape).astype(dtype))
    out = guarded(np.zeros(shape[::-1], dtype))
    assert_same_bits(bg.kernels.cpu.copy_strided(x.T, out=out), np.ascontiguousarray(x.T))
    out = guarded(np.zeros(shape, dtype))
    assert_same_bits(bg.kernels.cpu.copy_strided(x, out=out), x)


def test_copies_a_scalar_an_empty_array_and_a_repeated_one(any_table: Any) -> None:
    for x in (np.array(3.0, np.float32), np.zeros((0, 3), bool), np.zeros((2, 0), np.int64)):
        assert_same_bits(any_table.copy_strided(x), x)
    repeated = np.broadcast_to(np.float32([[1], [2]]), (2, 5))
    got = any_table.copy_strided(repeated)
    assert got.flags.writeable
    assert_same_bits(got, repeated.copy())


def test_says_which_types_the_compiled_kernel_takes(isa: str) -> None:
    with pytest.raises(TypeError, match=r"\[copy_strided\] x has dtype int16, expected one of fl"):
        bg.kernels.cpu.copy_strided(np.ones(2, np.int16))
