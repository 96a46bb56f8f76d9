"""im2col and col2im: each the adjoint of the other, special values, guard pages, odd arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from baregrad import _cpu
from compare import assert_same_bits
from guarded import guarded

OPTIONS: list[dict[str, Any]] = [
    {"kernel": (3, 3), "padding": (1, 1)},
    {"kernel": (2, 2), "stride": (2, 2)},
    {"kernel": (3, 2), "stride": (2, 3), "padding": (2, 1), "dilation": (2, 2)},
]


def test_a_window_is_a_column(any_table: Any) -> None:
    x = np.arange(6, dtype=np.float32).reshape(1, 1, 2, 3)
    columns = any_table.im2col(x, (2, 2))
    np.testing.assert_array_equal(columns, [[[0, 1], [1, 2], [3, 4], [4, 5]]])
    back = any_table.col2im(columns, x.shape, (2, 2))
    np.testing.assert_array_equal(back, [[[[0, 2, 2], [3, 8, 5]]]])


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_each_is_the_adjoint_of_the_other(
    table: Any, options: dict[str, Any], rng: np.random.Generator
) -> None:
    # On small integers both inner products are exact.
    x = rng.integers(-9, 9, (2, 3, 8, 9)).astype(np.float32)
    columns = table.im2col(x, **options)
    other = rng.integers(-9, 9, columns.shape).astype(np.float32)
    assert (columns * other).sum() == (x * table.col2im(other, x.shape, **options)).sum()


def test_nan_infinity_and_minus_zero_arrive(any_table: Any) -> None:
    x = np.array([[[[np.nan, np.inf], [-0.0, -np.inf]]]], np.float32)
    columns = any_table.im2col(x, (1, 1))
    assert_same_bits(columns, x.reshape(1, 1, 4))
    two = np.array([[[np.inf], [np.nan]]], np.float32)
    back = any_table.col2im(two, (1, 1, 1, 2), (1, 2))
    np.testing.assert_array_equal(back, [[[[np.inf, np.nan]]]])


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("width", [3, 4, 8, 15, 16, 17, 33])
def test_touches_nothing_beyond_its_arrays(
    isa: str, options: dict[str, Any], width: int, rng: np.random.Generator
) -> None:
    x = guarded(rng.standard_normal((1, 2, 5, width), np.float32))
    columns = _cpu.im2col(x, **options)
    assert_same_bits(columns, _cpu.im2col(x.copy(), **options))
    last = guarded(columns)
    assert_same_bits(
        _cpu.col2im(last, x.shape, **options), _cpu.col2im(columns, x.shape, **options)
    )


def test_arrays_of_any_strides_give_the_same_bits(any_table: Any, rng: np.random.Generator) -> None:
    x = rng.standard_normal((2, 3, 6, 10), np.float32)
    part = x[::-1, :, ::2, 1::3]
    columns = any_table.im2col(part, (2, 2))
    assert_same_bits(columns, any_table.im2col(part.copy(), (2, 2)))
    turned = np.asfortranarray(columns)
    assert_same_bits(
        any_table.col2im(turned, part.shape, (2, 2)), any_table.col2im(columns, part.shape, (2, 2))
    )


def test_sizes_beyond_memory_are_memory_errors() -> None:
    x = np.zeros((1, 1, 1, 1), np.float32)
    for length in (2**31, 2**40, 2**62):
        with pytest.raises(MemoryError):
            _cpu.im2col(x, (length, length), padding=(length, length))
        with pytest.raises(MemoryError):
            _cpu.col2im(x[0], (length, length, length, length), (1, 1))
