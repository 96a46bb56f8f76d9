"""Comparisons that say what they compare, and that NaN fails."""

from __future__ import annotations

import numpy as np


def assert_within(got: np.ndarray, exact: np.ndarray, bound: np.ndarray) -> None:
    """|got - exact| <= bound everywhere, in float32; what is no float64 has its own dtype."""
    assert got.shape == exact.shape
    assert got.dtype == np.float32 or got.dtype == exact.dtype
    if exact.dtype.kind in "iub":
        np.testing.assert_array_equal(got, exact)
        return
    got, exact = np.atleast_1d(got, exact)
    error = np.abs(got.astype(np.float64) - exact)
    outside = ~(error <= bound)  # NaN is outside
    if outside.any():
        where = tuple(int(axis[0]) for axis in np.nonzero(outside))
        raise AssertionError(
            f"{outside.sum()} of {got.size} outside their bound, the first at {where}: got "
            f"{got[where]!r}, exact {exact[where]!r}, off by {error[where]:.3g}, "
            f"allowed {np.broadcast_to(bound, got.shape)[where]:.3g}"
        )


def assert_same_bits(got: np.ndarray, want: np.ndarray) -> None:
    """Equal to the last bit, NaN payloads and the sign of zero included."""
    assert got.shape == want.shape
    assert got.dtype == want.dtype
    np.testing.assert_array_equal(
        np.ascontiguousarray(got).view(np.uint8), np.ascontiguousarray(want).view(np.uint8)
    )
