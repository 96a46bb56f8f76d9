"""bias_activation: special values, equality with its parts, tails, odd arrays, out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from baregrad import _cpu
from baregrad.cases.bias_activation import ACTIVATIONS
from compare import assert_same_bits
from guarded import guarded


def test_relu_keeps_nan_and_has_no_slope_at_zero(any_table: Any) -> None:
    x = np.array([[[-1], [np.nan], [np.inf], [2], [-np.inf]]], np.float32)
    bias = np.array([1, 0, 0, np.nan, 0], np.float32)
    out = any_table.bias_activation_forward(x, bias, activation="relu")
    np.testing.assert_array_equal(out.ravel(), [0, np.nan, np.inf, np.nan, 0])
    dout = np.ones((1, 5, 1), np.float32)
    dx, dbias = any_table.bias_activation_backward(out, dout, activation="relu")
    np.testing.assert_array_equal(dx.ravel(), [0, 1, 1, 1, 0])
    np.testing.assert_array_equal(dbias, [0, 1, 1, 1, 0])


@pytest.mark.parametrize("s", [1, 7])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_has_the_bits_of_a_sum_and_an_activation(
    isa: str, activation: str, s: int, rng: np.random.Generator
) -> None:
    x, dout = rng.standard_normal((2, 6, 19, s), np.float32)
    bias = rng.standard_normal(19, np.float32)
    forward, backward = (getattr(_cpu, f"{activation}_{way}") for way in ("forward", "backward"))
    out = _cpu.bias_activation_forward(x, bias, activation=activation)
    assert_same_bits(out, forward(x + bias[:, None]))
    dx, dbias = _cpu.bias_activation_backward(out, dout, activation=activation)
    assert_same_bits(dx, backward(out, dout))
    np.testing.assert_allclose(dbias, dx.sum(axis=(0, 2), dtype=np.float64), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [(5, 3), (4, 3, 2, 7), (2, 3, 1, 2, 3)])
def test_takes_any_axes_behind_the_channels(
    any_table: Any, shape: tuple[int, ...], rng: np.random.Generator
) -> None:
    x, dout = rng.standard_normal((2, *shape), np.float32)
    bias, planes = rng.standard_normal(3, np.float32), (*shape[:2], -1)
    forward, backward = any_table.bias_activation_forward, any_table.bias_activation_backward
    out = forward(x, bias, activation="tanh")
    assert out.shape == shape
    want = forward(x.reshape(planes), bias, activation="tanh")
    assert_same_bits(out.reshape(planes), want)
    dx, dbias = backward(out, dout, activation="tanh")
    assert dx.shape == shape
    dwant, dbias_want = backward(want, dout.reshape(planes), activation="tanh")
    assert_same_bits(dx.reshape(planes), dwant)
    assert_same_bits(dbias, dbias_want)


@pytest.mark.parametrize("shape", [(0, 3, 2), (3, 0, 2), (3, 2, 0), (0, 3, 1)])
def test_nothing_comes_of_nothing(any_table: Any, shape: tuple[int, int, int]) -> None:
    x, bias = np.zeros(shape, np.float32), np.ones(shape[1], np.float32)
    assert any_table.bias_activation_forward(x, bias, activation="tanh").shape == shape
    dx, dbias = any_table.bias_activation_backward(x, x, activation="tanh")
    assert dx.shape == shape
    np.testing.assert_array_equal(dbias, np.zeros(shape[1]))


@pytest.mark.parametrize(
    "size", [(3, c, 1) for c in (1, 15, 16, 17, 33, 257)] + [(2, 3, s) for s in (2, 15, 17, 130)]
)
def test_touches_nothing_beyond_its_arrays(
    isa: str, size: tuple[int, int, int], rng: np.random.Generator
) -> None:
    x, dout = rng.standard_normal((2, *size), np.float32)
    bias = rng.standard_normal(size[1], np.float32)
    out, dx = (guarded(np.full(size, np.nan, np.float32)) for _ in range(2))
    _cpu.bias_activation_forward(guarded(x), guarded(bias), activation="sigmoid", out=out)
    assert_same_bits(out, _cpu.bias_activation_forward(x, bias, activation="sigmoid"))
    got = _cpu.bias_activation_backward(out, guarded(dout), activation="sigmoid", out=dx)
    want = _cpu.bias_activation_backward(out.copy(), dout, activation="sigmoid")
    assert got[0] is dx
    for one, other in zip(got, want, strict=True):
        assert_same_bits(one, other)


@pytest.mark.parametrize("s", [1, 5])
def test_takes_any_strides_and_may_write_over_its_inputs(
    isa: str, s: int, rng: np.random.Generator
) -> None:
    x = rng.standard_normal((s, 20, 12), np.float32).T[::-2]
    bias = rng.standard_normal(40, np.float32)[::2]
    want = _cpu.bias_activation_forward(x.copy(), bias.copy(), activation="tanh")
    wide = np.full((*x.shape, 2), np.nan, np.float32)
    _cpu.bias_activation_forward(x, bias, activation="tanh", out=wide[..., 1])
    assert_same_bits(wide[..., 1].copy(), want)
    assert np.isnan(wide[..., 0]).all()
    same = x.copy()
    assert _cpu.bias_activation_forward(same, bias, activation="tanh", out=same) is same
    assert_same_bits(same, want)
    dwant, dbias = _cpu.bias_activation_backward(want, x.copy(), activation="tanh")
    for over in (0, 1):
        arguments = [want.copy(), x.copy()]
        got = _cpu.bias_activation_backward(*arguments, activation="tanh", out=arguments[over])
        assert got[0] is arguments[over]
        assert_same_bits(got[0], dwant)
        assert_same_bits(got[1], dbias)
