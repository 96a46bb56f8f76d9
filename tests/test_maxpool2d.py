"""maxpool2d: ties, NaN, padding, places that cannot be, guard pages, odd arrays."""

from __future__ import annotations

from typing import Any

import baregrad as bg
import numpy as np
import pytest
from baregrad import _cpu, reference
from compare import assert_same_bits
from guarded import guarded


def images(*rows: list[float]) -> np.ndarray:
    return np.array([[rows]], np.float32)


def test_ties_go_to_the_first_in_row_major_order(table: Any) -> None:
    x = images([1, 2, 5, 5], [2, 2, 5, 5])
    out, places = table.maxpool2d_forward(x, (2, 2), stride=(2, 2))
    np.testing.assert_array_equal(out, [[[[2, 5]]]])
    np.testing.assert_array_equal(places, [[[[1, 0]]]])
    dx = table.maxpool2d_backward(places, images([3, 4]), x.shape, (2, 2), stride=(2, 2))
    np.testing.assert_array_equal(dx, images([0, 3, 4, 0], [0, 0, 0, 0]))


def test_zeros_are_equal_whatever_their_sign(table: Any) -> None:
    out, places = table.maxpool2d_forward(images([-0.0, 0.0, -0.0]), (1, 2), stride=(1, 1))
    assert_same_bits(out, images([-0.0, 0.0]))
    np.testing.assert_array_equal(places, [[[[0, 0]]]])


def test_the_first_nan_wins(table: Any) -> None:
    nan = np.nan
    x = images([np.inf, nan, 1, nan, nan, nan], [nan, 1, 2, 3, nan, 4])
    out, places = table.maxpool2d_forward(x, (2, 2), stride=(2, 2))
    np.testing.assert_array_equal(out, [[[[nan, nan, nan]]]])
    np.testing.assert_array_equal(places, [[[[1, 1, 0]]]])


@pytest.mark.parametrize("width", [1, 2, 5, 16, 17, 40])
def test_padding_never_wins(table: Any, width: int) -> None:
    x = np.full((1, 2, 3, width), -np.inf, np.float32)
    options: dict[str, Any] = {"kernel": (3, 3), "stride": (1, 1), "padding": (1, 1)}
    out, places = table.maxpool2d_forward(x, **options)
    want, where = reference.maxpool2d_forward(x, **options)
    assert_same_bits(out, want)
    assert_same_bits(places, where)
    assert places[0, 0, 0, 0] == 4  # the first pixel inside the window of a corner
    dx = table.maxpool2d_backward(places, np.ones_like(out), x.shape, **options)
    assert dx.sum() == out.size  # every gradient has found a pixel


@pytest.mark.parametrize("kind", ["equal", "special"])
@pytest.mark.parametrize("stride", [(1, 1), (2, 2), (2, 3)])
def test_is_the_definition_to_the_bit(
    table: Any, kind: str, stride: tuple[int, int], rng: np.random.Generator
) -> None:
    x = rng.integers(0, 3, (2, 3, 9, 41)).astype(np.float32)
    if kind == "special":
        x = np.array([-np.inf, np.nan, np.inf, 1, -0.0, 0], np.float32)[
            rng.choice(6, x.shape, p=[0.5, 0.05, 0.05, 0.1, 0.2, 0.1])
        ]
    for kernel, padding in [((2, 2), (0, 0)), ((3, 3), (1, 1)), ((3, 4), (1, 2))]:
        options = {"kernel": kernel, "stride": stride, "padding": padding}
        for got, want in zip(
            table.maxpool2d_forward(x, **options),
            reference.maxpool2d_forward(x, **options),
            strict=True,
        ):
            assert_same_bits(got, want)


def test_a_place_that_cannot_be_adds_nothing(table: Any) -> None:
    places = np.array([[[[200, 0]]]], np.uint8)
    dx = table.maxpool2d_backward(places, images([5, 6]), (1, 1, 2, 4), (2, 2), stride=(2, 2))
    np.testing.assert_array_equal(dx, images([0, 0, 6, 0], [0, 0, 0, 0]))


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("width", [2, 3, 8, 15, 16, 17, 32, 33, 65])
def test_touches_nothing_beyond_its_arrays(
    isa: str, stride: int, width: int, rng: np.random.Generator
) -> None:
    x = guarded(rng.standard_normal((1, 2, 4, width), np.float32))
    options = {"kernel": (2, 2), "stride": (2, stride)}
    want, where = _cpu.maxpool2d_forward(x.copy(), **options)
    out = guarded(np.full(want.shape, np.nan, np.float32))
    _cpu.maxpool2d_forward(x, out=out, **options)
    assert_same_bits(out, want)
    assert_same_bits(
        _cpu.maxpool2d_backward(guarded(where), guarded(want), x.shape, **options),
        _cpu.maxpool2d_backward(where, want, x.shape, **options),
    )


def test_takes_every_kind_of_array_and_writes_where_out_says(
    isa: str, rng: np.random.Generator
) -> None:
    x = rng.standard_normal((4, 6, 8, 20), np.float32)[::-2, ::3, :, 1::2]
    want, where = _cpu.maxpool2d_forward(x.copy(), (2, 2), stride=(2, 2))
    wide = np.full((2, 2, 4, 10), np.nan, np.float32)
    out, places = bg.kernels.cpu.maxpool2d_forward(x, (2, 2), stride=(2, 2), out=wide[..., ::2])
    assert_same_bits(np.ascontiguousarray(out), want)
    assert_same_bits(places, where)
    assert np.isnan(wide[..., 1::2]).all()
    got = _cpu.maxpool2d_backward(np.asfortranarray(where), out, x.shape, (2, 2), stride=(2, 2))
    assert_same_bits(got, _cpu.maxpool2d_backward(where, want, x.shape, (2, 2), stride=(2, 2)))
