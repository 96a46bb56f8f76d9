"""Elementwise comparison: NaN, infinity, zeros of both signs, tails."""

from __future__ import annotations

from typing import Any

import baregrad as bg
import numpy as np
import pytest
from baregrad import _cpu
from compare import assert_same_bits
from guarded import guarded

SPECIAL = np.float32([0, -0.0, 1, -1, np.inf, -np.inf, np.nan, 2.0**-149, -(2.0**-149)])
NUMPY = {
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
}


@pytest.mark.parametrize("kind", _cpu.COMPARE)
def test_special_values_compare_as_ieee_says(table: Any, kind: str) -> None:
    for width in (1, 3, 9):  # in whole vectors and in tails
        a, b = SPECIAL[:, None], np.tile(SPECIAL, width)
        got = getattr(table, kind)(a, b)
        assert got.dtype == np.bool_
        assert_same_bits(got, NUMPY[kind](a, b))


@pytest.mark.parametrize("n", [1, 3, 4, 5, 15, 16, 17, 1025])
def test_touches_nothing_beyond_its_arrays(isa: str, n: int, rng: np.random.Generator) -> None:
    a, b = (guarded(rng.standard_normal(n, np.float32)) for _ in range(2))
    out = guarded(np.zeros(n, np.bool_))
    for kind in _cpu.COMPARE:
        assert_same_bits(getattr(_cpu, kind)(a, b, out=out), NUMPY[kind](a, b))
        assert_same_bits(getattr(_cpu, kind)(a, guarded(b[:1]), out=out), NUMPY[kind](a, b[:1]))


def test_writes_where_out_says(isa: str) -> None:
    wide = np.zeros((3, 2), np.bool_)
    out = wide[:, 1]
    a = np.float32([1, 2, 3])
    assert bg.kernels.cpu.ge(a, a[::-1], out=out) is out
    np.testing.assert_array_equal(wide, [[False, False], [False, True], [False, True]])
