"""fill: every type, every number that it can hold, and nothing beside the array."""

from __future__ import annotations

from typing import Any

import baregrad as bg
import numpy as np
import pytest
from compare import assert_same_bits
from guarded import guarded


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        *(("float32", v) for v in (-0.0, np.nan, np.inf, 0.1, 3, True, np.float32(2.5))),
        *(("float64", v) for v in (-0.0, np.nan, 0.1, 2**53)),
        *(("int64", v) for v in (2**63 - 1, -(2**63), 2**53 + 1, -2.75, np.int64(7), True)),
        *(("uint8", v) for v in (0, 255, 254.9, np.uint8(9))),
        *(("bool", v) for v in (True, False, 3, 0.0, np.nan)),
    ],
)
def test_holds_the_value_in_its_own_type(any_table: Any, dtype: str, value: float) -> None:
    out = np.ones((3, 5), dtype)
    want = np.empty((3, 5), dtype)
    want[...] = value
    assert_same_bits(any_table.fill(out, value), want)
    assert_same_bits(out, want)


@pytest.mark.parametrize("dtype", ["float32", "int64", "uint8"])
def test_fills_a_view_and_nothing_beside_it(isa: str, dtype: str) -> None:
    whole = np.ones((9, 41), dtype)
    want = whole.copy()
    part = whole[::-2, 1::3]
    want[::-2, 1::3] = 7
    assert bg.kernels.cpu.fill(part, 7) is part
    np.testing.assert_array_equal(whole, want)


@pytest.mark.parametrize("n", [1, 3, 15, 16, 17, 1025])
def test_touches_nothing_beyond_its_array(isa: str, n: int) -> None:
    for dtype in ("float32", "int64", "uint8"):
        np.testing.assert_array_equal(bg.kernels.cpu.fill(guarded(np.ones(n, dtype)), 7), 7)


@pytest.mark.parametrize("value", [np.nan, np.inf, None])
def test_an_integer_array_takes_numbers_alone(any_table: Any, value: Any) -> None:
    with pytest.raises((ValueError, TypeError, OverflowError)):
        any_table.fill(np.ones(2, np.int64), value)
