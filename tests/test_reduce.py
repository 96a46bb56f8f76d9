"""Reductions: special values, ties, every kind of array and axes, tails, long sums."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from baregrad import _cpu, reference
from compare import assert_same_bits, assert_within
from guarded import guarded

KERNELS = [f"reduce_{kind}" for kind in ("sum", "mean", "max", "min", "var")]
PLACES = ["argmax", "argmin"]


def floats(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def test_more_axes_than_any_array_has_are_refused() -> None:
    x = np.ones((1,) * 64, np.float32)
    assert _cpu.reduce_sum(x, tuple(range(64))).shape == ()
    with pytest.raises(ValueError, match="axes have more than 64 numbers"):
        _cpu.reduce_sum(x, tuple(range(65)))


def test_nothing_has_a_sum_but_no_mean_and_no_variance(any_table: Any) -> None:
    empty = np.zeros((0, 3), np.float32)
    assert_same_bits(any_table.reduce_sum(empty, (0,)), np.zeros(3, np.float32))
    for kernel in ("reduce_mean", "reduce_var"):
        assert np.isnan(getattr(any_table, kernel)(empty, (0,))).all()
    assert np.isnan(any_table.reduce_var(np.ones((1, 3), "f"), (0,))).all()
    assert not any_table.reduce_var(np.ones((1, 3), "f"), (0,), correction=0).any()


@pytest.mark.parametrize("correction", [0, 1, 1.5, 4, 7])
def test_variance_divides_by_what_the_correction_leaves(any_table: Any, correction: float) -> None:
    got = any_table.reduce_var(floats(1, 2, 3, 6), (0,), correction=correction)
    with np.errstate(divide="ignore"):
        want = np.float32(14) / np.float32(max(4 - correction, 0))
    np.testing.assert_allclose(got, want, rtol=1e-6)


def test_a_mean_far_from_0_costs_no_digits_of_the_variance(any_table: Any) -> None:
    x = floats(4095, 4096, 4097, 4096)
    assert any_table.reduce_var(x, (0,), correction=0) == 0.5
    assert (any_table.reduce_var(np.tile(x[:, None], 5), (0,), correction=0) == 0.5).all()


@pytest.mark.parametrize("place", [0, 1, 15, 16, 31, 200, 202])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_seen_wherever_they_stand(
    any_table: Any, place: int, value: float, rng: np.random.Generator
) -> None:
    x = rng.standard_normal((203, 3), np.float32)
    x[place, 1] = value
    for kernel, (axis, array) in itertools.product(KERNELS, ((0, x), (1, x.T.copy()))):
        got = getattr(any_table, kernel)(array, (axis,))
        want = getattr(reference, kernel)(array, (axis,))
        np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)
    for kernel, (axis, array) in itertools.product(PLACES, ((0, x), (1, x.T.copy()))):
        got = getattr(any_table, kernel)(array, axis)
        np.testing.assert_array_equal(got, getattr(reference, kernel)(array, axis))


@pytest.mark.parametrize("n", [2, 9, 40, 300])
def test_of_equals_and_of_nans_the_first_is_found(any_table: Any, n: int) -> None:
    x = np.ones((n, 5), np.float32)
    x[n // 2 :, 1] = 2
    x[n // 2 :, 2] = 0
    x[n // 2 :, 3] = np.nan
    x[:, 4] = np.nan
    for array, axis in ((x, 0), (x.T.copy(), 1), (x[:, ::2], 0)):
        step = 2 if array.shape == (n, 3) else 1
        np.testing.assert_array_equal(
            any_table.argmax(array, axis), [0, n // 2, 0, n // 2, 0][::step]
        )
        np.testing.assert_array_equal(
            any_table.argmin(array, axis), [0, 0, n // 2, n // 2, 0][::step]
        )


def test_infinities_are_numbers_like_others_to_argmax(any_table: Any) -> None:
    x = floats(-np.inf, -np.inf)
    assert any_table.argmax(x, 0) == 0
    assert any_table.reduce_max(x, (0,)) == -np.inf
    assert any_table.argmin(-x, 0) == 0


def arrays(x: np.ndarray) -> dict[str, np.ndarray]:
    return {
        "contiguous": x,
        "transposed": x.T,
        "turned": x.transpose(1, 2, 0),
        "reversed": x[::-1, :, ::-1],
        "strided": x[::2, :, 1::3],
        "broadcast": np.broadcast_to(x[:, :1], x.shape),
        "one column": x[:, :, :1],
        "one element": x[:1, :1, :1],
    }


@pytest.mark.parametrize("name", arrays(np.zeros((4, 5, 6), np.float32)))
def test_takes_every_kind_of_array_and_axes(
    any_table: Any, name: str, rng: np.random.Generator
) -> None:
    # Eighths: sums and means of few are exact, in any order.
    x = arrays(rng.integers(-40, 40, (4, 5, 6)).astype(np.float32) / 8)[name]
    for axes in ((), (0,), (1,), (2,), (0, 1), (2, 0), (1, 2), (2, 1, 0)):
        for kernel in ("reduce_sum", "reduce_max", "reduce_min"):
            want = getattr(np, kernel.removeprefix("reduce_"))(x, axis=axes)
            assert_same_bits(getattr(any_table, kernel)(x, axes) + 0, np.asarray(want) + 0)
        got = any_table.reduce_var(x, axes, correction=0)
        np.testing.assert_allclose(got, x.var(axis=axes, dtype=np.float64), rtol=1e-6, atol=1e-6)
    for axis in range(3):
        assert_same_bits(any_table.argmax(x, axis), x.argmax(axis=axis))
        assert_same_bits(any_table.argmin(x, axis), x.argmin(axis=axis))


def test_a_long_sum_is_as_exact_as_a_short_one(isa: str, rng: np.random.Generator) -> None:
    # Summed one after another in float32, 3 million tenths are off by thousands.
    x = np.full(3_000_017, 0.1, np.float32)
    exact = np.full((), x.astype(np.float64).sum())
    for array, axes in ((x, (0,)), (x[:, None], (0,)), (x[: len(x) // 7 * 7].reshape(-1, 7), (0,))):
        wants = array.astype(np.float64).sum(axis=axes)
        assert_within(_cpu.reduce_sum(array, axes), wants, 161 * 2.0**-24 * wants)
    assert abs(float(_cpu.reduce_mean(x, (0,))) - float(x[0])) <= 161 * 2.0**-24 * exact / len(x)


@pytest.mark.parametrize("shape", [(1, 1), (3, 15), (3, 17), (5, 33), (2, 300), (300, 2)])
def test_touches_nothing_beyond_its_arrays(
    isa: str, shape: tuple[int, int], rng: np.random.Generator
) -> None:
    x = rng.standard_normal(shape, np.float32)
    end = guarded(x)
    for axis in (0, 1):
        for kernel in KERNELS:
            want = getattr(_cpu, kernel)(x, (axis,))
            out = guarded(np.full_like(want, np.nan))
            assert getattr(_cpu, kernel)(end, (axis,), out=out) is out
            np.testing.assert_array_equal(out, want)
        for kernel in PLACES:
            places = getattr(_cpu, kernel)(x, axis)
            out = guarded(np.full_like(places, -1))
            assert getattr(_cpu, kernel)(end, axis, out=out) is out
            assert_same_bits(out, places)


def test_writes_where_out_says(isa: str) -> None:
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    wide = np.full((2, 2), np.nan, np.float32)
    _cpu.reduce_sum(x, (1,), out=wide[:, 1])
    np.testing.assert_array_equal(wide, [[np.nan, 3], [np.nan, 12]])
    places = np.full((3, 2), -1)
    _cpu.argmax(x, 0, out=places[:, 0])
    np.testing.assert_array_equal(places, [[1, -1]] * 3)
