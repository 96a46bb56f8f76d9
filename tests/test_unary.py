"""Elementwise ops of one argument: special values, tails, and every kind of array."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import baregrad as bg
import numpy as np
import pytest
from baregrad import _cpu, reference
from baregrad.cases.unary import KINDS, SAVES_ITS_OUTPUT, ULP
from compare import assert_same_bits, assert_within
from guarded import guarded

SPECIAL = np.array(
    [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 2.0**-149, -(2.0**-149), 2.0**-127, 3.4e38],
    np.float32,
)


HUGE = np.array([-3.4e38, 1e3, -1e3, 90, -90, 110, -110, 20, -20], np.float32)
ALPHA = {"leaky_relu": {"alpha": 0.25}, "elu": {"alpha": 0.25}}


def kernel_of(table: Any, kind: str, way: str) -> Callable[..., np.ndarray]:
    return partial(getattr(table, f"{kind}_{way}"), **ALPHA.get(kind, {}))


def test_every_kind_has_a_stated_error() -> None:
    assert set(KINDS) == set(_cpu.UNARY)


@pytest.mark.parametrize("way", ["forward", "backward"])
@pytest.mark.parametrize("kind", _cpu.UNARY)
def test_special_values_flow_as_in_the_definition(any_table: Any, kind: str, way: str) -> None:
    x = np.concatenate([SPECIAL, HUGE])
    arrays = [x]
    if way == "backward":
        saved = kernel_of(reference, kind, "forward")(x) if kind in SAVES_ITS_OUTPUT else x
        arrays = [np.repeat(saved, 2), np.tile(np.float32([1, -0.5]), x.size)]
    exact = kernel_of(reference, kind, way)(*(a.astype(np.float64) for a in arrays))
    with np.errstate(all="ignore"):
        want = exact.astype(np.float32)
    got = kernel_of(any_table, kind, way)(*arrays)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
    infinite = np.isinf(want)
    np.testing.assert_array_equal(got[infinite], want[infinite])
    finite = np.isfinite(want)
    # What underflows in a sigmoid is multiplied by an x of up to 110.
    allowed = 32 * np.spacing(np.abs(want[finite])).astype(np.float64) + 220 * 2.0**-149
    assert_within(got[finite], exact[finite], allowed)


def test_gelu_keeps_its_digits_far_below_zero(table: Any) -> None:
    # Where x (1 + erf(x / sqrt(2))) / 2 would have lost them all.
    x = np.linspace(-12, 0, 20_001, dtype=np.float32)
    exact = reference.gelu_forward(x.astype(np.float64))
    bound = (2 * x.astype(np.float64) ** 2 + 10) * 2.0**-24 * np.abs(exact) + 32 * 2.0**-149
    assert_within(table.gelu_forward(x), exact, bound)


@pytest.mark.parametrize("kind", ["elu", "softplus"])
def test_keeps_its_digits_near_the_limit_on_the_left(table: Any, kind: str) -> None:
    x = -np.exp(np.linspace(-40, 4, 20_001)).astype(np.float32)
    exact = kernel_of(reference, kind, "forward")(x.astype(np.float64))
    ulp = np.spacing(np.abs(exact).astype(np.float32)).astype(np.float64)
    assert_within(kernel_of(table, kind, "forward")(x), exact, ULP[kind][0] * ulp)


def test_alpha_is_a_keyword_that_some_kinds_need_and_others_lack(any_table: Any) -> None:
    x = np.float32([-2, 3])
    np.testing.assert_array_equal(any_table.leaky_relu_forward(x, alpha=0.5), [-1, 3])
    for kind, keywords in (("leaky_relu", {}), ("elu", {}), ("relu", {"alpha": 1.0})):
        with pytest.raises(TypeError):
            getattr(any_table, f"{kind}_forward")(x, **keywords)


def test_relu_keeps_nan_and_turns_minus_zero_into_zero(any_table: Any) -> None:
    tiny = np.float32(2.0**-149)
    want = np.array([0, 0, 1, 0, np.inf, 0, np.nan, tiny, 0, 2.0**-127, 3.4e38], np.float32)
    assert_same_bits(any_table.relu_forward(SPECIAL), want)


def test_relu_has_no_slope_at_zero_and_passes_gradients_where_forward_gave_nan(
    any_table: Any,
) -> None:
    saved = np.array([0, 1, np.nan, np.inf, 2.0**-149], np.float32)
    dout = np.array([5, 6, 7, -np.inf, np.nan], np.float32)
    want = np.array([0, 6, 7, -np.inf, np.nan], np.float32)
    assert_same_bits(any_table.relu_backward(saved, dout), want)


def test_tanh_keeps_the_sign_of_zero_and_ends_at_one(any_table: Any) -> None:
    x = np.array([0, -0.0, np.inf, -np.inf, np.nan, 2.0**-149, 100, -100], np.float32)
    want = np.array([0, -0.0, 1, -1, np.nan, 2.0**-149, 1, -1], np.float32)
    assert_same_bits(any_table.tanh_forward(x), want)


@pytest.mark.parametrize("where", ["near 0", "everywhere"])
def test_tanh_is_within_its_ulp_over_all_magnitudes(table: Any, where: str) -> None:
    bits = np.arange(0, 0x42000000, 9973, dtype=np.uint32)  # 0 to 32, denormals too
    x = (
        bits.view(np.float32)
        if where == "everywhere"
        else np.linspace(-1, 1, 200_001, dtype=np.float32)
    )
    exact = np.tanh(x.astype(np.float64))
    ulp = np.spacing(np.abs(exact).astype(np.float32)).astype(np.float64)
    assert_within(table.tanh_forward(x), exact, ULP["tanh"][0] * ulp)


@pytest.mark.parametrize("kind", _cpu.UNARY)
@pytest.mark.parametrize("position", range(0, 40, 3))
def test_a_value_gives_the_same_bits_wherever_it_stands(
    table: Any, kind: str, position: int
) -> None:
    # In a whole vector or in the tail: both go through the same code.
    for value in SPECIAL:
        x = np.zeros(41, np.float32)
        x[position] = value
        alone = kernel_of(table, kind, "forward")(np.array([value]))
        among = kernel_of(table, kind, "forward")(x)[position : position + 1]
        assert_same_bits(among, alone)


@pytest.mark.parametrize("kind", _cpu.UNARY)
@pytest.mark.parametrize("n", [1, 3, 4, 5, 15, 16, 17, 1025])
def test_touches_nothing_beyond_its_arrays(
    isa: str, kind: str, n: int, rng: np.random.Generator
) -> None:
    x, dout = (guarded(rng.standard_normal(n, np.float32)) for _ in range(2))
    out, dx = (guarded(np.full(n, np.nan, np.float32)) for _ in range(2))
    forward, backward = (kernel_of(_cpu, kind, way) for way in ("forward", "backward"))
    forward(x, out=out)
    backward(out, dout, out=dx)
    assert_same_bits(out, forward(x.copy()))
    assert_same_bits(dx, backward(out.copy(), dout.copy()))


def arrays(x: np.ndarray) -> dict[str, np.ndarray]:
    read_only = x.copy()
    read_only.flags.writeable = False
    return {
        "transposed": x.T,
        "reversed": x[::-1, ::-1],
        "strided": x[::2, 1::3],
        "broadcast": np.broadcast_to(x[:1], x.shape),
        "read-only": read_only,
        "empty": x[:0],
        "scalar": np.array(x[0, 0]),
        "3-d": x.reshape(2, -1, 3),
    }


@pytest.mark.parametrize("name", arrays(np.zeros((12, 15), np.float32)))
def test_takes_every_kind_of_array(any_table: Any, name: str, rng: np.random.Generator) -> None:
    x = arrays(rng.standard_normal((12, 15), np.float32))[name]
    assert_same_bits(
        any_table.relu_forward(x), np.ascontiguousarray(np.maximum(x, 0)).reshape(x.shape)
    )


def test_writes_where_out_says_and_may_write_over_its_input(isa: str) -> None:
    x = np.array([-1, 2, -3, 4], np.float32)
    wide = np.full((4, 2), np.nan, np.float32)
    assert bg.kernels.cpu.relu_forward(x, out=wide[:, 1]) is not None
    np.testing.assert_array_equal(wide[:, 1], [0, 2, 0, 4])
    assert np.isnan(wide[:, 0]).all()
    assert bg.kernels.cpu.relu_forward(x, out=x) is x
    np.testing.assert_array_equal(x, [0, 2, 0, 4])
