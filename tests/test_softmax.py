"""softmax and log_softmax: extreme numbers, special values, tails, and odd arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from baregrad import _cpu
from compare import assert_same_bits, assert_within
from guarded import guarded

KERNELS = ("softmax", "log_softmax")


def rows(*values: list[float]) -> np.ndarray:
    return np.array(values, np.float32)


def test_stays_finite_for_numbers_whose_exponentials_do_not(any_table: Any) -> None:
    x = rows([1e4, -1e4], [-1e4, 1e4], [0, 0])
    np.testing.assert_array_equal(any_table.softmax_forward(x), [[1, 0], [0, 1], [0.5, 0.5]])
    want = [[0, -2e4], [-2e4, 0], [-np.log(2)] * 2]
    np.testing.assert_allclose(any_table.log_softmax_forward(x), want, rtol=1e-6)


@pytest.mark.parametrize(
    "row", [[np.inf, 0, 1], [-np.inf] * 3, [np.nan, 0, 1], [0, 1, np.nan], [np.inf, np.inf, 0]]
)
@pytest.mark.parametrize("kernel", KERNELS)
def test_gives_nan_where_softmax_has_no_value(
    any_table: Any, kernel: str, row: list[float]
) -> None:
    out = getattr(any_table, f"{kernel}_forward")(rows(row, [1, 2, 3]))
    assert np.isnan(out[0]).all()
    assert np.isfinite(out[1]).all()


def test_minus_infinity_cannot_be(any_table: Any) -> None:
    x = rows([0, -np.inf, 0])
    np.testing.assert_array_equal(any_table.softmax_forward(x), [[0.5, 0, 0.5]])
    want = [[-np.log(2), -np.inf, -np.log(2)]]
    out = any_table.log_softmax_forward(x)
    np.testing.assert_allclose(out, want, rtol=1e-6)
    dx = any_table.log_softmax_backward(out, rows([1, 2, 3]))
    np.testing.assert_allclose(dx, [[-2, 2, 0]], atol=1e-6)


@pytest.mark.parametrize("kernel", KERNELS)
def test_nothing_comes_of_nothing(any_table: Any, kernel: str) -> None:
    forward, backward = (getattr(any_table, f"{kernel}_{way}") for way in ("forward", "backward"))
    for shape in ((0, 3), (3, 0), (0, 0)):
        x = np.zeros(shape, np.float32)
        assert forward(x).shape == backward(x, x).shape == shape


def test_a_row_sums_to_one_and_its_gradient_to_zero(table: Any, rng: np.random.Generator) -> None:
    x, dout = rng.standard_normal((2, 33, 37), np.float32)
    out = table.softmax_forward(x)
    # 37 numbers that sum to 1, each within 100 u of itself: (|z| + 4) u, t and a few roundings.
    assert_within(out.sum(axis=1), np.ones(33), np.full(33, 137 * 2.0**-24))
    dx = table.softmax_backward(out, dout)
    scale = np.abs(dout).max(axis=1)
    assert_within(dx.sum(axis=1), np.zeros(33), 200 * 2.0**-24 * scale.astype(np.float64))


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("c", [1, 3, 15, 16, 17, 33, 1025])
def test_touches_nothing_beyond_its_arrays(
    isa: str, kernel: str, c: int, rng: np.random.Generator
) -> None:
    forward, backward = (getattr(_cpu, f"{kernel}_{way}") for way in ("forward", "backward"))
    x, dout = (guarded(rng.standard_normal((3, c), np.float32)) for _ in range(2))
    out, dx = (guarded(np.full((3, c), np.nan, np.float32)) for _ in range(2))
    forward(x, out=out)
    backward(out, dout, out=dx)
    assert_same_bits(out, forward(x.copy()))
    assert_same_bits(dx, backward(out.copy(), dout.copy()))


@pytest.mark.parametrize("kernel", KERNELS)
def test_takes_any_strides_and_may_write_over_its_inputs(
    isa: str, kernel: str, rng: np.random.Generator
) -> None:
    forward, backward = (getattr(_cpu, f"{kernel}_{way}") for way in ("forward", "backward"))
    x, dout = rng.standard_normal((2, 18, 33), np.float32)
    part, dpart = x[::-3, 4:31:3], dout.T[:9, :6].T
    want, dwant = forward(part.copy()), backward(forward(part.copy()), dpart.copy())
    wide = np.full((6, 18), np.nan, np.float32)
    assert_same_bits(forward(part, out=wide[:, ::2]).copy(), want)
    assert np.isnan(wide[:, 1::2]).all()
    assert_same_bits(backward(wide[:, ::2], dpart), dwant)
    for over in (0, 1):
        arguments = [want.copy(), dpart.copy()]
        assert backward(*arguments, out=arguments[over]) is arguments[over]
        assert_same_bits(arguments[over], dwant)
    same = part.copy()
    assert_same_bits(forward(same, out=same), want)


def test_many_rows_of_nothing_take_no_time(table: Any) -> None:
    rows = 2**40
    nothing = np.zeros((rows, 0), np.float32)
    assert table.softmax_forward(nothing).shape == (rows, 0)
    assert table.softmax_backward(nothing, nothing).shape == (rows, 0)
    many = np.zeros((rows, 3, 0), np.float32)
    assert table.gemm(many, np.zeros((rows, 0, 0), np.float32)).shape == (rows, 3, 0)
    assert table.bias_activation_forward(many, np.zeros(3, np.float32), activation="relu").size == 0
    dbias = table.bias_activation_backward(many, many, activation="relu")[1]
    np.testing.assert_array_equal(dbias, [0, 0, 0])
