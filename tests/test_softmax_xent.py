"""softmax_xent: extreme logits, special values, bad labels, weights."""

from __future__ import annotations

from typing import Any

import baregrad as bg
import numpy as np
import pytest
from baregrad import _cpu, reference
from compare import assert_same_bits, assert_within
from guarded import guarded


def logits_of(*rows: list[float]) -> np.ndarray:
    return np.array(rows, np.float32)


def test_stays_finite_for_logits_whose_exponentials_do_not(any_table: Any) -> None:
    logits = logits_of([1e4, -1e4], [-1e4, 1e4], [0, 0])
    loss, dlogits = any_table.softmax_xent_forward(logits, np.array([0, 0, 1]))
    np.testing.assert_allclose(loss, [0, 20000, np.log(2)], rtol=1e-6)
    np.testing.assert_array_equal(dlogits, [[0, 0], [-1, 1], [0.5, -0.5]])


@pytest.mark.parametrize(
    "row", [[np.inf, 0, 1], [-np.inf] * 3, [np.nan, 0, 1], [0, 1, np.nan], [np.inf, np.inf, 0]]
)
def test_gives_nan_where_softmax_has_no_value(any_table: Any, row: list[float]) -> None:
    loss, dlogits = any_table.softmax_xent_forward(logits_of(row, [1, 2, 3]), np.array([1, 1]))
    assert np.isnan(loss[0])
    assert np.isnan(dlogits[0]).any()
    assert np.isfinite(loss[1])
    assert np.isfinite(dlogits[1]).all()


def test_minus_infinity_is_a_class_that_cannot_be(any_table: Any) -> None:
    loss, dlogits = any_table.softmax_xent_forward(
        logits_of([0, -np.inf, 0], [0, -np.inf, 0]), np.array([0, 1])
    )
    np.testing.assert_allclose(loss, [np.log(2), np.inf], rtol=1e-6)
    np.testing.assert_allclose(dlogits, [[-0.5, 0, 0.5], [0.5, -1, 0.5]], rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.int8, np.uint16])
def test_takes_labels_of_any_integer_type(any_table: Any, dtype: type) -> None:
    logits = logits_of([1, 2, 3], [3, 2, 1])
    want, _ = any_table.softmax_xent_forward(logits, np.array([0, 2]))
    got, _ = any_table.softmax_xent_forward(logits, np.array([0, 2], dtype))
    assert_same_bits(got, want)


@pytest.mark.parametrize("label", [3, -1, 2**40])
def test_rejects_a_label_outside_the_classes(any_table: Any, label: int) -> None:
    labels = np.array([0, 1, label, label + 1, 2])
    with pytest.raises(IndexError, match=r"\[softmax_xent_forward\] labels\[2\] .* 0 <= label < 3"):
        any_table.softmax_xent_forward(np.zeros((5, 3), np.float32), labels)


def test_weight_scales_a_row_and_zero_takes_it_out(table: Any, rng: np.random.Generator) -> None:
    logits, labels = rng.standard_normal((4, 9), np.float32), rng.integers(9, size=4)
    plain, dplain = table.softmax_xent_forward(logits, labels)
    weight = np.array([1, 0, 2, 1], np.float32)
    loss, dlogits = table.softmax_xent_forward(logits, labels, weight)
    assert_same_bits(loss[[0, 3]], plain[[0, 3]])
    assert_same_bits(loss[2], plain[2] * np.float32(2))
    assert not loss[1]
    assert not dlogits[1].any()
    np.testing.assert_allclose(dlogits[2], 2 * dplain[2], rtol=1e-6)


def test_gradients_of_a_row_sum_to_zero(table: Any, rng: np.random.Generator) -> None:
    _, dlogits = table.softmax_xent_forward(
        rng.standard_normal((33, 37), np.float32), rng.integers(37, size=33)
    )
    # Each of the c entries is off by at most a few u, and they are below 1.
    assert_within(dlogits.sum(axis=1), np.zeros(33), np.full(33, 37 * 8 * 2.0**-24))


@pytest.mark.parametrize("c", [1, 3, 15, 16, 17, 33])
def test_touches_nothing_beyond_its_arrays(isa: str, c: int, rng: np.random.Generator) -> None:
    logits = guarded(rng.standard_normal((3, c), np.float32))
    labels = guarded(rng.integers(c, size=3))
    loss, dlogits = _cpu.softmax_xent_forward(logits, labels)
    want, dwant = reference.softmax_xent_forward(logits, labels)
    np.testing.assert_allclose(loss, want, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(dlogits, dwant, rtol=1e-4, atol=1e-6)
    out = guarded(np.full((3, c), np.nan, np.float32))
    bg.kernels.cpu.softmax_xent_backward(guarded(dlogits), guarded(loss), out=out)
    assert_same_bits(out, dlogits * loss[:, None])


def test_logits_of_any_strides_give_the_same_bits(isa: str, rng: np.random.Generator) -> None:
    logits, labels = rng.standard_normal((18, 33), np.float32), rng.integers(9, size=6)
    part = logits[::-3, 4:31:3]
    for got, want in zip(
        _cpu.softmax_xent_forward(part, np.repeat(labels, 2)[::2]),
        _cpu.softmax_xent_forward(part.copy(), labels),
        strict=True,
    ):
        assert_same_bits(got, want)
