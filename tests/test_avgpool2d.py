"""avgpool2d: padding counts, special values, guard pages, odd arrays."""

from __future__ import annotations

from typing import Any

import baregrad as bg
import numpy as np
import pytest
from baregrad import _cpu
from compare import assert_same_bits
from guarded import guarded


def images(*rows: list[float]) -> np.ndarray:
    return np.array([[rows]], np.float32)


def test_padding_counts_as_zero(table: Any) -> None:
    out = table.avgpool2d_forward(images([4, 8]), (2, 2), stride=(1, 1), padding=(1, 1))
    np.testing.assert_array_equal(out, images([1, 3, 2], [1, 3, 2]))
    dx = table.avgpool2d_backward(
        images([4, 8, 12], [16, 20, 24]), (1, 1, 1, 2), (2, 2), stride=(1, 1), padding=(1, 1)
    )
    np.testing.assert_array_equal(dx, images([12, 16]))


def test_lets_nan_and_infinity_flow(table: Any) -> None:
    x = images([np.nan, 1, np.inf, 1, np.inf, -np.inf, 3e38, 3e38])
    out = table.avgpool2d_forward(x, (1, 2), stride=(1, 2))
    np.testing.assert_array_equal(out, images([np.nan, np.inf, np.nan, np.inf]))
    dx = table.avgpool2d_backward(images([np.nan, np.inf]), (1, 1, 1, 4), (1, 2), stride=(1, 2))
    np.testing.assert_array_equal(dx, images([np.nan, np.nan, np.inf, np.inf]))


@pytest.mark.parametrize("padding", [(0, 0), (1, 1)])
@pytest.mark.parametrize("stride", [(1, 1), (2, 2), (3, 2)])
def test_backward_is_the_adjoint_of_forward(
    table: Any, stride: tuple[int, int], padding: tuple[int, int], rng: np.random.Generator
) -> None:
    # Small multiples of the window's 4 cells: every sum is exact.
    options = {"kernel": (2, 2), "stride": stride, "padding": padding}
    x = 4 * rng.integers(-9, 9, (2, 3, 7, 9)).astype(np.float32)
    out = table.avgpool2d_forward(x, **options)
    dout = 4 * rng.integers(-9, 9, out.shape).astype(np.float32)
    dx = table.avgpool2d_backward(dout, x.shape, **options)
    assert (out * dout).sum() == (x * dx).sum()


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("width", [2, 3, 8, 15, 16, 17, 32, 33, 65])
def test_touches_nothing_beyond_its_arrays(
    isa: str, stride: int, width: int, rng: np.random.Generator
) -> None:
    x = guarded(rng.standard_normal((1, 2, 4, width), np.float32))
    options = {"kernel": (2, 2), "stride": (2, stride)}
    want = _cpu.avgpool2d_forward(x.copy(), **options)
    out = guarded(np.full(want.shape, np.nan, np.float32))
    _cpu.avgpool2d_forward(x, out=out, **options)
    assert_same_bits(out, want)
    assert_same_bits(
        _cpu.avgpool2d_backward(guarded(want), x.shape, **options),
        _cpu.avgpool2d_backward(want, x.shape, **options),
    )


def test_takes_every_kind_of_array_and_writes_where_out_says(
    isa: str, rng: np.random.Generator
) -> None:
    x = rng.standard_normal((4, 6, 8, 20), np.float32)[::-2, ::3, :, 1::2]
    want = _cpu.avgpool2d_forward(x.copy(), (2, 2), stride=(2, 2))
    wide = np.full((2, 2, 4, 10), np.nan, np.float32)
    out = bg.kernels.cpu.avgpool2d_forward(x, (2, 2), stride=(2, 2), out=wide[..., ::2])
    assert_same_bits(np.ascontiguousarray(out), want)
    assert np.isnan(wide[..., 1::2]).all()
    got = _cpu.avgpool2d_backward(out, x.shape, (2, 2), stride=(2, 2))
    assert_same_bits(got, _cpu.avgpool2d_backward(want, x.shape, (2, 2), stride=(2, 2)))


def test_a_window_far_larger_than_the_image_costs_no_more_than_the_image(isa: str) -> None:
    x = np.ones((1, 1, 1, 1), np.float32)
    half = 2**22
    options: dict[str, Any] = {"kernel": (2 * half, 2 * half), "stride": (1, 1)}
    options["padding"] = (half, half)
    out = _cpu.avgpool2d_forward(x, **options)
    np.testing.assert_array_equal(out, np.full((1, 1, 2, 2), 2.0**-46))
    np.testing.assert_array_equal(
        _cpu.avgpool2d_backward(out, x.shape, **options), [[[[2.0**-90]]]]
    )
