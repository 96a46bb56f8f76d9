"""Comparisons that say what they compare, and that NaN fails."""

from __future__ import annotations

import numpy as np


def assert_within(got: np.ndarray, exact: np.ndarray, bound: np.ndarray) -> float:
    """|got - exact| <= bound everywhere; returns the largest share of the bound that was used."""
    assert got.shape == exact.shape
    assert got.dtype == np.float32
    error = np.abs(got.astype(np.float64) - exact)
    inside = error <= bound  # False where anything is NaN
    if not inside.all():
        worst = np.unravel_index(
            np.argmax(np.where(inside, -1, np.nan_to_num(error / bound, nan=np.inf))), got.shape
        )
        raise AssertionError(
            f"{(~inside).sum()} of {got.size} outside their bound, the worst at {worst}: got "
            f"{got[worst]!r}, exact {exact[worst]!r}, off by {error[worst]:.3g}, allowed {bound[worst]:.3g}"
        )
    return float(np.max(error / np.maximum(bound, 1e-300), initial=0.0))


def assert_same_bits(got: np.ndarray, want: np.ndarray) -> None:
    """Equal to the last bit, NaN payloads and the sign of zero included."""
    assert got.shape == want.shape
    assert got.dtype == want.dtype
    np.testing.assert_array_equal(
        np.ascontiguousarray(got).view(np.uint8), np.ascontiguousarray(want).view(np.uint8)
    )
