"""batch_norm: special values, dense layers, tails, odd arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from baregrad import _cpu
from compare import assert_same_bits
from guarded import guarded


def arguments(rng: np.random.Generator, n: int, c: int, s: int) -> tuple[np.ndarray, ...]:
    return tuple(rng.standard_normal(shape, np.float32) for shape in ((n, c, s), c, c))


def test_a_channel_that_does_not_vary_becomes_its_bias(any_table: Any) -> None:
    x = np.full((4, 2, 3), 7, np.float32)
    out, mean, var = any_table.batch_norm_forward(x, np.ones(2, "f"), np.array([1, -2], "f"))
    np.testing.assert_array_equal(out, np.broadcast_to([[[1.0], [-2.0]]], x.shape))
    np.testing.assert_array_equal(mean, [7, 7])
    np.testing.assert_array_equal(var, [0, 0])


@pytest.mark.parametrize("s", [1, 5])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_spoils_its_own_channel_alone(
    any_table: Any, s: int, value: float, rng: np.random.Generator
) -> None:
    x, weight, bias = arguments(rng, 6, 20, s)
    clean = any_table.batch_norm_forward(x, weight, bias)
    dclean = any_table.batch_norm_backward(x, x, weight, *clean[1:])
    x[2, 17, 0] = value
    spoilt = any_table.batch_norm_forward(x, weight, bias)
    assert np.isnan(spoilt[0][:, 17]).all()
    assert np.isnan(spoilt[2][17])
    dspoilt = any_table.batch_norm_backward(x, x, weight, *spoilt[1:])
    assert np.isnan(dspoilt[0][:, 17]).all()
    others = np.arange(20) != 17
    for got, want in zip((*spoilt, *dspoilt), (*clean, *dclean), strict=True):
        axis = 1 if got.ndim == 3 else 0
        assert_same_bits(got.compress(others, axis), want.compress(others, axis))


def test_a_mean_far_from_0_costs_no_digits_of_the_variance(any_table: Any) -> None:
    x = np.array([4095, 4096, 4097, 4096], np.float32)
    for shape in ((4, 1, 1), (2, 1, 2), (1, 1, 4)):
        ones = np.ones(1, np.float32)
        _, mean, var = any_table.batch_norm_forward(x.reshape(shape), ones, ones)
        assert mean[0] == 4096
        assert var[0] == 0.5


@pytest.mark.parametrize("epsilon", [1e-5, 0.1])
def test_epsilon_is_added_to_the_variance(any_table: Any, epsilon: float) -> None:
    x = np.array([-1, 1], np.float32).reshape(2, 1, 1)
    one, zero = np.ones(1, np.float32), np.zeros(1, np.float32)
    out, mean, var = any_table.batch_norm_forward(x, one, zero, epsilon=epsilon)
    np.testing.assert_allclose(out.ravel(), x.ravel() / np.sqrt(1 + epsilon), rtol=1e-6)
    dout = np.array([1, 0], np.float32).reshape(2, 1, 1)
    dx, dweight, dbias = any_table.batch_norm_backward(x, dout, one, mean, var, epsilon=epsilon)
    r = 1 / np.sqrt(1 + epsilon)
    # What is left of halves that cancel, each rounded a few times.
    np.testing.assert_allclose(
        dx.ravel(), np.array([1, -1]) * r * (1 - r * r) / 2, rtol=1e-6, atol=2.0**-22
    )
    np.testing.assert_allclose([dweight[0], dbias[0]], [-r, 1], rtol=1e-6)


@pytest.mark.parametrize(
    "size", [(3, c, 1) for c in (1, 15, 16, 17, 33, 257)] + [(2, 3, s) for s in (2, 15, 17, 130)]
)
def test_touches_nothing_beyond_its_arrays(
    isa: str, size: tuple[int, int, int], rng: np.random.Generator
) -> None:
    x, weight, bias = arguments(rng, *size)
    want = _cpu.batch_norm_forward(x, weight, bias)
    got = _cpu.batch_norm_forward(guarded(x), guarded(weight), guarded(bias))
    dwant = _cpu.batch_norm_backward(x, want[0], weight, *want[1:])
    dgot = _cpu.batch_norm_backward(*map(guarded, (x, want[0], weight, *want[1:])))
    for one, other in zip((*got, *dgot), (*want, *dwant), strict=True):
        assert_same_bits(one, other)


@pytest.mark.parametrize("s", [1, 5])
def test_arrays_of_any_strides_give_the_same_bits(
    isa: str, s: int, rng: np.random.Generator
) -> None:
    x = rng.standard_normal((s, 40, 22), np.float32).T[::-2, ::2]
    weight, bias = rng.standard_normal((2, 40), np.float32)[:, ::2]
    want = _cpu.batch_norm_forward(x.copy(), weight.copy(), bias.copy())
    for got, one in zip(_cpu.batch_norm_forward(x, weight, bias), want, strict=True):
        assert_same_bits(got, one)
    dout = np.broadcast_to(np.float32(0.5), x.shape)
    got_back = _cpu.batch_norm_backward(x, dout, weight, *want[1:])
    want_back = _cpu.batch_norm_backward(x.copy(), dout.copy(), weight.copy(), *want[1:])
    for got, one in zip(got_back, want_back, strict=True):
        assert_same_bits(got, one)
