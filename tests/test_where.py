"""where: the other side does not leak in, tails, and every kind of array."""

from __future__ import annotations

from typing import Any

import baregrad as bg
import numpy as np
import pytest
from baregrad import _cpu
from compare import assert_same_bits
from guarded import guarded


def test_what_is_not_chosen_does_not_matter(any_table: Any) -> None:
    condition = np.array([True, False, True, False])
    a = np.float32([-0.0, np.nan, np.inf, np.nan])
    b = np.float32([np.nan, -np.inf, np.nan, 2.0**-149])
    want = np.float32([-0.0, -np.inf, np.inf, 2.0**-149])
    assert_same_bits(any_table.where(condition, a, b), want)


def test_broadcasts_all_three(any_table: Any) -> None:
    condition = np.array([[True], [False]])
    got = any_table.where(condition, np.float32([1, 2, 3]), np.array(9, np.float32))
    np.testing.assert_array_equal(got, [[1, 2, 3], [9, 9, 9]])


@pytest.mark.parametrize("n", [1, 3, 4, 5, 15, 16, 17, 1025])
def test_touches_nothing_beyond_its_arrays(isa: str, n: int, rng: np.random.Generator) -> None:
    condition = guarded(rng.random(n) < 0.5)
    a, b = (guarded(rng.standard_normal(n, np.float32)) for _ in range(2))
    out = guarded(np.full(n, np.nan, np.float32))
    assert_same_bits(_cpu.where(condition, a, b, out=out), np.where(condition, a, b))
    assert_same_bits(_cpu.where(condition[::-1], a, b[::-1]), np.where(condition[::-1], a, b[::-1]))


def test_may_write_over_what_it_chooses_from(isa: str) -> None:
    a, b = np.float32([1, 2, 3]), np.float32([10, 20, 30])
    condition = np.array([True, False, True])
    assert bg.kernels.cpu.where(condition, a, b, out=b) is b
    np.testing.assert_array_equal(b, [1, 20, 3])
    wide = np.zeros((3, 2), np.float32)
    bg.kernels.cpu.where(~condition, a, b, out=wide[:, 0])
    np.testing.assert_array_equal(wide, [[1, 0], [2, 0], [3, 0]])
