"""gather_rows and scatter_add_rows: bad rows, the order of additions, odd arrays."""

from __future__ import annotations

from typing import Any

import baregrad as bg
import numpy as np
import pytest
from baregrad import _cpu, backend
from compare import assert_same_bits
from guarded import guarded


def test_copies_rows_bit_for_bit(table: Any) -> None:
    special = np.array([np.nan, -np.nan, np.inf, -np.inf, -0.0, 2.0**-149], np.float32)
    rows_of = np.stack([np.roll(special, i) for i in range(5)])
    rows = np.array([4, 0, 0, 3, 1, 4])
    assert_same_bits(table.gather_rows(rows_of, rows), rows_of[rows])


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint16])
def test_takes_rows_of_any_integer_type(any_table: Any, dtype: type) -> None:
    rows_of = np.arange(12, dtype=np.float32).reshape(4, 3)
    rows = np.array([3, 1], dtype)
    assert_same_bits(any_table.gather_rows(rows_of, rows), rows_of[[3, 1]])


@pytest.mark.parametrize("row", [3, -1, 2**40])
@pytest.mark.parametrize("d", [0, 2, 200])
def test_rejects_a_row_outside_the_table(any_table: Any, row: int, d: int) -> None:
    rows, three = np.array([0, 1, row, row + 1, 2]), np.zeros((3, d), np.float32)
    with pytest.raises(IndexError, match=r"\[gather_rows\] rows\[2\] is .*0 <= rows < 3"):
        any_table.gather_rows(three, rows)
    with pytest.raises(IndexError, match=r"\[scatter_add_rows\] rows\[2\] is .*0 <= rows < 3"):
        any_table.scatter_add_rows(np.zeros((5, d), np.float32), rows, three)


def test_an_empty_table_has_no_rows(any_table: Any) -> None:
    with pytest.raises(IndexError, match=r"rows\[0\] is .*0 <= rows < 0"):
        any_table.gather_rows(np.zeros((0, 4), np.float32), np.array([0]))
    with pytest.raises(IndexError, match=r"rows\[0\] is .*0 <= rows < 0"):
        any_table.scatter_add_rows(
            np.ones((1, 4), np.float32), np.array([0]), np.zeros((0, 4), np.float32)
        )


def test_a_device_tells_which_op_found_a_bad_row_though_others_have_run_since() -> None:
    if why := backend.why_absent("sim"):
        pytest.skip(f"sim is not here: {why}")
    sim = backend.device("sim")
    array, kernels = sim.from_numpy, sim.table
    gathered = kernels.gather_rows(array(np.ones((3, 2), np.float32)), array(np.array([1, 5])))
    kernels.gather_rows(array(np.ones((9, 2), np.float32)), array(np.array([1, 5])))
    kernels.softmax_xent_forward(array(np.ones((2, 4), np.float32)), array(np.array([3, 0])))
    with pytest.raises(IndexError, match=r"\[gather_rows\] rows\[1\] is outside, .* rows < 3"):
        sim.to_numpy(gathered)
    np.testing.assert_array_equal(sim.to_numpy(gathered), [[1, 1], [np.nan, np.nan]])


def test_a_bad_row_adds_nothing_on_a_device() -> None:
    if why := backend.why_absent("sim"):
        pytest.skip(f"sim is not here: {why}")
    sim = backend.device("sim")
    out = sim.from_numpy(np.zeros((3, 2), np.float32))
    dout, rows = np.ones((3, 2), np.float32), np.array([2, 3, -1])
    sim.table.scatter_add_rows(sim.from_numpy(dout), sim.from_numpy(rows), out)
    with pytest.raises(IndexError, match=r"\[scatter_add_rows\] rows\[1\]"):
        sim.to_numpy(out)
    np.testing.assert_array_equal(sim.to_numpy(out), [[0, 0], [0, 0], [1, 1]])


@pytest.mark.parametrize("d", [1, 16, 17, 130, 300])
def test_adds_in_the_order_of_the_rows(table: Any, d: int, rng: np.random.Generator) -> None:
    # Of very different sizes: any other order gives other bits.
    dout = (rng.standard_normal((97, d)) * 10.0 ** rng.integers(-8, 8, (97, d))).astype(np.float32)
    rows, out = rng.integers(4, size=97), rng.standard_normal((4, d), np.float32)
    want = out.copy()
    for row, gradient in zip(rows, dout, strict=True):
        want[row] += gradient
    assert_same_bits(table.scatter_add_rows(dout, rows, out), want)


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
@pytest.mark.parametrize(("v", "d"), [(1, 5000), (3, 3), (50, 64), (50, 300), (1, 1)])
def test_any_number_of_threads_adds_the_same_bits(
    isa: str, threads: int, v: int, d: int, rng: np.random.Generator
) -> None:
    n = 100_000 // d
    dout, rows = rng.standard_normal((n, d), np.float32), rng.integers(v, size=n)
    want = np.zeros((v, d), np.float32)
    np.add.at(want, rows, dout)
    before = bg.get_num_threads()
    try:
        bg.set_num_threads(threads)
        got = _cpu.scatter_add_rows(dout, rows, np.zeros((v, d), np.float32))
    finally:
        bg.set_num_threads(before)
    assert_same_bits(got, want)


def test_nan_and_infinity_stay_in_their_row(any_table: Any) -> None:
    dout = np.array([[np.nan, 1], [np.inf, 1], [-np.inf, 1], [np.inf, 1]], np.float32)
    out = np.zeros((4, 2), np.float32)
    any_table.scatter_add_rows(dout, np.array([0, 1, 1, 2]), out)
    np.testing.assert_array_equal(out, [[np.nan, 1], [np.nan, 2], [np.inf, 1], [0, 0]])


@pytest.mark.parametrize("d", [1, 3, 15, 16, 17, 33])
def test_touches_nothing_beyond_its_arrays(isa: str, d: int, rng: np.random.Generator) -> None:
    rows_of, rows = guarded(rng.standard_normal((5, d), np.float32)), guarded(np.array([4, 0, 4]))
    out = guarded(np.full((3, d), np.nan, np.float32))
    assert_same_bits(_cpu.gather_rows(rows_of, rows, out=out), rows_of[[4, 0, 4]])
    total = guarded(np.zeros((5, d), np.float32))
    _cpu.scatter_add_rows(out, rows, total)
    assert_same_bits(total[4], out[0] + out[2])


def test_arrays_of_any_strides_give_the_same_bits(isa: str, rng: np.random.Generator) -> None:
    rows_of, rows = rng.standard_normal((10, 12), np.float32)[::-2, 1::3], np.arange(5)[::-1]
    wide = np.full((5, 8), np.nan, np.float32)
    assert _cpu.gather_rows(rows_of, rows, out=wide[:, ::2]) is not None
    assert_same_bits(wide[:, ::2], rows_of[rows])
    total = np.ones((8, 5), np.float32)
    want = total.T[:, ::2] + rows_of[rows]
    dout = np.asfortranarray(rows_of)
    view = total.T[:, ::2]
    assert _cpu.scatter_add_rows(dout, rows, view) is view
    assert_same_bits(view, want)
    assert (total[1::2] == 1).all()


def test_scattering_is_the_adjoint_of_gathering(table: Any, rng: np.random.Generator) -> None:
    # Small integers: all sums are exact.
    rows_of, dout = (rng.integers(-9, 9, s).astype(np.float32) for s in ((13, 7), (40, 7)))
    rows = rng.integers(13, size=40)
    forward = (table.gather_rows(rows_of, rows) * dout).sum()
    back = (rows_of * table.scatter_add_rows(dout, rows, np.zeros((13, 7), np.float32))).sum()
    assert forward == back
