"""Elementwise arithmetic of two arrays: special values, broadcasting, and every kind of array."""

from __future__ import annotations

from typing import Any

import baregrad as bg
import numpy as np
import pytest
from baregrad import _cpu, reference
from baregrad.cases.binary import ROUNDINGS
from compare import assert_same_bits, assert_within
from guarded import guarded

# Every pair of these meets; the last ones are odd integers, and one too large
# to be odd.
SPECIAL = np.float32(
    [
        *(0, -0.0, 1, -1, np.inf, -np.inf, np.nan, 2, -2, 0.5, -0.5, 1e38, -1e38),
        *(2.0**-149, -(2.0**-149), 2.0**-126, 3, -3),
        *(2.0**24 - 1, 1 - 2.0**24, 2.0**24 + 2),
    ]
)


def test_every_kind_has_a_stated_error() -> None:
    assert set(ROUNDINGS) == set(_cpu.BINARY)


@pytest.mark.parametrize("kind", _cpu.BINARY)
def test_special_values_flow_as_ieee_says(table: Any, kind: str) -> None:
    a, b = (np.ascontiguousarray(x) for x in np.meshgrid(SPECIAL, SPECIAL))
    with np.errstate(all="ignore"):
        want = getattr(reference, kind)(a.astype(np.float64), b.astype(np.float64))
        want = want.astype(np.float32)
    got = getattr(table, kind)(a, b)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
    numbers = ~np.isnan(want)
    if kind in ("maximum", "minimum"):  # of 0 and -0 either
        numbers &= ~((a == 0) & (b == 0))
    if kind == "pow":  # 4 ulp, and what is infinite or 0 is to the bit
        rounded = numbers & np.isfinite(want) & (want != 0)
        np.testing.assert_array_almost_equal_nulp(got[rounded], want[rounded], 4)
        numbers &= ~rounded
    assert_same_bits(got[numbers], want[numbers])


def test_pow_on_the_cpu_is_rounded_once(isa: str, rng: np.random.Generator) -> None:
    wide = np.exp(rng.uniform(-40, 40, 50_000)), rng.uniform(-4, 4, 50_000)
    near_one = 1 + rng.uniform(-1e-3, 1e-3, 50_000), rng.uniform(-8e4, 8e4, 50_000)
    for a, b in (wide, near_one):
        a, b = a.astype(np.float32), b.astype(np.float32)
        exact = np.power(a.astype(np.float64), b.astype(np.float64))
        normal = (exact > 2.0**-126) & (exact < 3.4e38)
        ulp = np.exp2(np.floor(np.log2(exact[normal])) - 23)
        # Half an ulp, and 2^-33 relatively from the double.
        bound = 0.5 * ulp + 2.0**-33 * exact[normal]
        assert_within(_cpu.pow(a, b)[normal], exact[normal], bound)


def test_a_negative_base_takes_integers_alone(any_table: Any) -> None:
    a, b = np.float32([-2, -2, -2, -2, -0.5]), np.float32([3, 2, -1, 0.5, -3])
    got = any_table.pow(a, b)
    np.testing.assert_array_equal(got, [-8, 4, -0.5, np.nan, -8])


def test_any_shapes_that_broadcast_give_what_numpy_gives(table: Any) -> None:
    rng = np.random.default_rng(0)
    for _ in range(60):
        shape = rng.integers(1, 5, rng.integers(0, 6))
        a, b = (random_view(rng, shape) for _ in range(2))
        assert_same_bits(table.mul(a, b), np.asarray(a * b))


def random_view(rng: np.random.Generator, shape: np.ndarray) -> np.ndarray:
    """An array that broadcasts to (shape): some axes 1 or missing, permuted, reversed, spread."""
    mine = np.where(rng.random(shape.size) < 0.3, 1, shape)[rng.integers(0, shape.size + 1) :]
    order = rng.permutation(mine.size)
    spread = rng.integers(1, 3, mine.size)
    array = rng.standard_normal((mine * spread)[order], np.float32)
    array = np.asarray(array).transpose(np.argsort(order))
    way = rng.choice([-1, 1], mine.size)
    key = tuple(slice(None, None, s * w) for s, w in zip(spread, way, strict=True))
    return np.asarray(array[key])


def test_takes_as_many_axes_as_merge_into_eight(table: Any) -> None:
    a = np.ones((2,) * 12, np.float32)
    np.testing.assert_array_equal(table.add(a, a), a + a)
    with pytest.raises(ValueError, match=r"\[add\] arrays have more than 8 axes that cannot be"):
        table.add(a, a.transpose())


@pytest.mark.parametrize("n", [1, 3, 4, 5, 15, 16, 17, 1025])
def test_touches_nothing_beyond_its_arrays(isa: str, n: int, rng: np.random.Generator) -> None:
    a, b = (guarded(rng.standard_normal((3, n), np.float32)) for _ in range(2))
    out = guarded(np.full((3, n), np.nan, np.float32))
    for kind in _cpu.BINARY:
        kernel = getattr(_cpu, kind)
        assert_same_bits(kernel(a, b, out=out), kernel(a.copy(), b.copy()))
        row, column = guarded(b[0]), guarded(b[:, :1])
        assert_same_bits(kernel(a, row, out=out), kernel(a.copy(), b[0].copy()))
        assert_same_bits(kernel(a, column, out=out), kernel(a.copy(), b[:, :1].copy()))
        assert_same_bits(
            kernel(a[:, ::-2], b[:, ::-2]), kernel(a[:, ::-2].copy(), b[:, ::-2].copy())
        )


def test_a_value_gives_the_same_bits_wherever_it_stands(table: Any) -> None:
    a, b = np.full(41, 1.7, np.float32), np.full(41, -2.3, np.float32)
    for kind in _cpu.BINARY:
        whole = getattr(table, kind)(a, b)
        assert_same_bits(whole, np.full(41, whole[0]))
        assert_same_bits(getattr(table, kind)(a[:1], b), whole)
        assert_same_bits(getattr(table, kind)(a[::3], b[::3]), whole[::3].copy())


def test_writes_where_out_says_and_may_write_over_its_operands(isa: str) -> None:
    a, b = np.float32([1, 2, 3]), np.float32([10, 20, 30])
    wide = np.full((3, 2), np.nan, np.float32)
    out = wide[:, 1]
    assert bg.kernels.cpu.add(a, b, out=out) is out
    np.testing.assert_array_equal(out, [11, 22, 33])
    assert np.isnan(wide[:, 0]).all()
    assert bg.kernels.cpu.sub(b, a, out=b) is b
    np.testing.assert_array_equal(b, [9, 18, 27])
    assert bg.kernels.cpu.mul(a, a, out=a) is a
    np.testing.assert_array_equal(a, [1, 4, 9])


def test_takes_unaligned_and_read_only_operands(isa: str) -> None:
    raw = np.zeros(4 * 5 + 1, np.uint8)
    odd = raw[1:].view(np.float32)
    odd[...] = [1, 2, 3, 4, 5]
    odd.flags.writeable = False
    np.testing.assert_array_equal(bg.kernels.cpu.add(odd, odd), [2, 4, 6, 8, 10])
    field = np.zeros(3, [("byte", np.uint8), ("number", np.float32)])["number"]
    np.testing.assert_array_equal(bg.kernels.cpu.add(field, odd[:3]), [1, 2, 3])
