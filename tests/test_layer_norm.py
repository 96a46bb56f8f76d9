"""layer_norm: special values, empty rows, tails, odd arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from baregrad import _cpu
from compare import assert_same_bits
from guarded import guarded


def arguments(rng: np.random.Generator, n: int, d: int) -> tuple[np.ndarray, ...]:
    return tuple(rng.standard_normal(shape, np.float32) for shape in ((n, d), d, d))


def test_a_row_that_does_not_vary_becomes_the_bias(any_table: Any) -> None:
    bias = np.array([1, -2, 3], np.float32)
    out, mean, r = any_table.layer_norm_forward(np.full((2, 3), 7, "f"), np.ones(3, "f"), bias)
    np.testing.assert_array_equal(out, [bias, bias])
    np.testing.assert_array_equal(mean, [7, 7])
    np.testing.assert_allclose(r, 1e-5**-0.5, rtol=1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_spoils_its_own_row_alone(
    any_table: Any, value: float, rng: np.random.Generator
) -> None:
    x, weight, bias = arguments(rng, 4, 37)
    clean = any_table.layer_norm_forward(x, weight, bias)
    dclean = any_table.layer_norm_backward(x, x, weight, *clean[1:])[0]
    x[2, 35] = value
    spoilt = any_table.layer_norm_forward(x, weight, bias)
    assert np.isnan(spoilt[0][2]).all()
    dspoilt, dweight, dbias = any_table.layer_norm_backward(x, x, weight, *spoilt[1:])
    assert np.isnan(dspoilt[2]).all()
    assert np.isnan(dweight).all()
    assert np.isfinite(np.delete(dbias, 35)).all()
    for got, want in zip((*spoilt, dspoilt), (*clean, dclean), strict=True):
        assert_same_bits(np.delete(got, 2, axis=0), np.delete(want, 2, axis=0))


def test_rows_of_nothing_have_no_mean_and_no_rows_have_no_gradient(any_table: Any) -> None:
    nothing, three = np.zeros(0, np.float32), np.ones(3, np.float32)
    out, mean, r = any_table.layer_norm_forward(np.zeros((2, 0), "f"), nothing, nothing)
    assert out.shape == (2, 0)
    assert np.isnan(mean).all()
    assert np.isnan(r).all()
    none = np.zeros((0, 3), np.float32)
    dx, dweight, dbias = any_table.layer_norm_backward(none, none, three, nothing, nothing)
    assert dx.shape == (0, 3)
    np.testing.assert_array_equal(dweight, np.zeros(3))
    np.testing.assert_array_equal(dbias, np.zeros(3))


def test_a_mean_far_from_0_costs_no_digits_of_the_variance(any_table: Any) -> None:
    x, ones = np.array([[4095, 4096, 4097, 4096]], np.float32), np.ones(4, np.float32)
    out, _, r = any_table.layer_norm_forward(x, ones, 0 * ones, epsilon=0.5)
    assert r[0] == 1
    np.testing.assert_array_equal(out, [[-1, 0, 1, 0]])


@pytest.mark.parametrize("d", [1, 3, 15, 16, 17, 33, 130])
@pytest.mark.parametrize("n", [1, 5])
def test_touches_nothing_beyond_its_arrays(
    isa: str, n: int, d: int, rng: np.random.Generator
) -> None:
    x, weight, bias = arguments(rng, n, d)
    want = _cpu.layer_norm_forward(x, weight, bias)
    got = _cpu.layer_norm_forward(guarded(x), guarded(weight), guarded(bias))
    dwant = _cpu.layer_norm_backward(x, want[0], weight, *want[1:])
    dgot = _cpu.layer_norm_backward(*map(guarded, (x, want[0], weight, *want[1:])))
    for one, other in zip((*got, *dgot), (*want, *dwant), strict=True):
        assert_same_bits(one, other)


def test_arrays_of_any_strides_give_the_same_bits(isa: str, rng: np.random.Generator) -> None:
    x = rng.standard_normal((40, 22), np.float32).T[::-2, ::2]
    weight, bias = rng.standard_normal((2, 40), np.float32)[:, ::2]
    want = _cpu.layer_norm_forward(x.copy(), weight.copy(), bias.copy())
    for got, one in zip(_cpu.layer_norm_forward(x, weight, bias), want, strict=True):
        assert_same_bits(got, one)
    dout = np.broadcast_to(np.float32(0.5), x.shape)
    got_back = _cpu.layer_norm_backward(x, dout, weight, *want[1:])
    want_back = _cpu.layer_norm_backward(x.copy(), dout.copy(), weight.copy(), *want[1:])
    for got, one in zip(got_back, want_back, strict=True):
        assert_same_bits(got, one)
