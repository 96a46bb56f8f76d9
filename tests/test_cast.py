"""cast: what a type cannot hold, fractions, and every kind of array."""

from __future__ import annotations

from itertools import product
from typing import Any

import baregrad as bg
import numpy as np
import pytest
from baregrad.cases.cast import DTYPES
from compare import assert_same_bits
from guarded import guarded

MOST, LEAST = 2**63 - 1, -(2**63)


@pytest.mark.parametrize("source", ["float32", "float64"])
def test_a_float_becomes_the_nearest_integer_that_there_is(table: Any, source: str) -> None:
    x = [np.nan, np.inf, -np.inf, 1e30, -1e30, 2.0**63, -(2.0**63), 255.9, 256, -0.9, -1, 2.7, -2.7]
    x = np.array(x, source)
    want = [0, MOST, LEAST, MOST, LEAST, MOST, LEAST, 255, 256, 0, -1, 2, -2]
    np.testing.assert_array_equal(table.cast(x, "int64"), want)
    want = [0, 255, 0, 255, 0, 255, 0, 255, 255, 0, 0, 2, 0]
    np.testing.assert_array_equal(table.cast(x, np.uint8), want)


def test_bool_is_whether_a_number_is_not_zero(any_table: Any) -> None:
    x = np.array([0, -0.0, np.nan, 2.0**-149, -1], np.float32)
    np.testing.assert_array_equal(any_table.cast(x, bool), [False, False, True, True, True])
    np.testing.assert_array_equal(any_table.cast(np.array([0, 256, -1]), bool), [False, True, True])


def test_integers_wrap_and_doubles_round_once(any_table: Any) -> None:
    got = any_table.cast(np.array([256, -1, 511, 2**62 + 3]), np.uint8)
    np.testing.assert_array_equal(got, [0, 255, 255, 3])
    x = np.array([0.1, 1e300, -1e-300, 1 + 2.0**-24, np.nan])
    got = any_table.cast(x, "float32")
    np.testing.assert_array_equal(got, np.float32([0.1, np.inf, -0.0, 1, np.nan]))
    big = np.array([2**53 + 1, 2**24 + 1, -(2**63)])
    assert_same_bits(any_table.cast(big, "float32"), big.astype(np.float32))
    assert_same_bits(any_table.cast(big, "float64"), big.astype(np.float64))


@pytest.mark.parametrize(("source", "dtype"), list(product(DTYPES, DTYPES)))
def test_any_strides_give_a_contiguous_copy(any_table: Any, source: str, dtype: str) -> None:
    x = np.arange(60).reshape(6, 10).astype(source)
    for part in (x.T, x[::-2, 1::3], x[:0], np.array(x[1, 1]), np.broadcast_to(x[0], (3, 10))):
        got = any_table.cast(part, dtype)
        assert got.flags.c_contiguous
        assert not np.shares_memory(got, x)
        assert_same_bits(got, np.asarray(part).astype(dtype, order="C"))


@pytest.mark.parametrize("n", [1, 3, 15, 16, 17, 1025])
def test_touches_nothing_beyond_its_array(isa: str, n: int) -> None:
    for source, dtype in product(DTYPES, DTYPES):
        x = guarded((np.arange(n) % 200).astype(source))
        assert_same_bits(bg.kernels.cpu.cast(x, dtype), x.astype(dtype))


def test_says_which_types_the_compiled_kernel_takes(isa: str) -> None:
    with pytest.raises(TypeError, match=r"\[cast\] x has dtype int32, expected one of float32, fl"):
        bg.kernels.cpu.cast(np.ones(2, np.int32), "float32")
    with pytest.raises(TypeError, match="not understood"):
        bg.kernels.cpu.cast(np.ones(2), "nonsense")
