"""Comparisons that say what they compare, and that NaN fails."""

from __future__ import annotations

import numpy as np
from baregrad.cases.check import share_of_bound


def assert_within(got: np.ndarray, exact: np.ndarray, bound: np.ndarray) -> None:
    """|got - exact| <= bound everywhere, in float32; what is no float64 has its own dtype."""
    share_of_bound(got, exact, bound)


def assert_same_bits(got: np.ndarray, want: np.ndarray) -> None:
    """Equal to the last bit, NaN payloads and the sign of zero included."""
    assert got.shape == want.shape
    assert got.dtype == want.dtype
    np.testing.assert_array_equal(
        np.ascontiguousarray(got).view(np.uint8), np.ascontiguousarray(want).view(np.uint8)
    )
