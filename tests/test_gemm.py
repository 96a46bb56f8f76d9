"""gemm: the gates that a wrong kernel does not pass, and everything a caller may hand it."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import baregrad as bg
import numpy as np
import pytest
from baregrad.cases import unit_roundoff
from baregrad.cases.gemm import bound
from compare import assert_same_bits, assert_within
from gates import cancel, data
from guarded import guarded


def exact(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a.astype(np.float64) @ b.astype(np.float64)


@pytest.mark.parametrize("kind", ["mixed", "positive", "cancelling", "wide"])
@pytest.mark.parametrize(("m", "n", "k"), [(37, 29, 16), (37, 29, 256), (37, 29, 4096)])
def test_stays_within_gamma_and_uses_little_of_it(
    table: Any, kind: str, m: int, n: int, k: int, rng: np.random.Generator
) -> None:
    a, b = data(kind, rng, 0, m, k), data(kind, rng, 1, k, n)
    if kind == "cancelling":
        cancel(a.T, b)
    arguments = {"a": a, "b": b}
    (allowed,) = bound(arguments)
    got, want = table.gemm(**arguments), exact(**arguments)
    assert_within(got, want, allowed)
    # A correct kernel's errors grow with sqrt(k): more is lost precision, though it be in bounds.
    size = np.abs(arguments["a"]).astype(np.float64) @ np.abs(arguments["b"]).astype(np.float64)
    assert_within(got, want, 8 * np.sqrt(k) * unit_roundoff * size)


@pytest.mark.parametrize("k", [1, 16, 255, 1024])
def test_is_exact_on_integers_that_float32_can_sum(
    table: Any, k: int, rng: np.random.Generator
) -> None:
    a, b = data("integers", rng, 0, 37, k), data("integers", rng, 1, k, 29)
    want = a.astype(np.int64) @ b.astype(np.int64)
    assert np.abs(want).max() < 2**24
    assert_same_bits(table.gemm(a, b), want.astype(np.float32))


def test_few_rows_and_columns_of_any_strides_keep_to_their_workspace(
    isa: str, rng: np.random.Generator
) -> None:
    for m, n in ((2, 7), (7, 2), (8, 8)):
        a, b = (rng.standard_normal(shape, np.float32) for shape in ((m, 2 * 9000), (9000, 2 * n)))
        a, b = a[:, ::2], b[:, ::2]
        for x, y in ((a, b), (np.ascontiguousarray(a), b), (a, np.ascontiguousarray(b))):
            assert_within(bg.kernels.cpu.gemm(x, y), exact(x, y), bound({"a": x, "b": y})[0])


@pytest.mark.parametrize("rows", [1, 8])
def test_few_rows_of_endless_terms_want_no_endless_workspace(rows: int) -> None:
    code = (
        "import numpy as np, baregrad as bg\n"
        f"a = np.broadcast_to(np.float32(1), ({rows}, 2**57))\n"
        "bg.kernels.cpu.gemm(a, a.T)"
    )
    with pytest.raises(subprocess.TimeoutExpired):  # it sums for years
        subprocess.run([sys.executable, "-c", code], timeout=3, check=False)


@pytest.mark.parametrize("transpose_a", [False, True])
@pytest.mark.parametrize("transpose_b", [False, True])
def test_reads_and_writes_nothing_beyond_its_operands(
    isa: str, transpose_a: bool, transpose_b: bool, rng: np.random.Generator
) -> None:
    for m, n, k in [(1, 1, 1), (13, 31, 7), (14, 32, 16), (15, 33, 17), (7, 65, 5)]:
        a = guarded(rng.standard_normal((k, m) if transpose_a else (m, k), np.float32))
        b = guarded(rng.standard_normal((n, k) if transpose_b else (k, n), np.float32))
        out = guarded(np.full((m, n), np.nan, np.float32))
        a, b = a.T if transpose_a else a, b.T if transpose_b else b
        bg.kernels.cpu.gemm(a, b, bias=guarded(np.zeros(n, np.float32)), out=out)
        assert_within(out, exact(a, b), bound({"a": a, "b": b})[0])


def test_never_reads_out_when_beta_is_zero(table: Any, rng: np.random.Generator) -> None:
    a, b = rng.standard_normal((15, 9), np.float32), rng.standard_normal((9, 33), np.float32)
    out = np.full((15, 33), np.nan, np.float32)
    table.gemm(a, b, beta=0.0, out=out)
    assert_same_bits(out, table.gemm(a, b))


def test_an_empty_product_is_beta_out_plus_bias(table: Any) -> None:
    a, b, bias = (
        np.zeros((3, 0), np.float32),
        np.zeros((0, 2), np.float32),
        np.array([1, 2], np.float32),
    )
    assert_same_bits(table.gemm(a, b), np.zeros((3, 2), np.float32))
    out = np.full((3, 2), 10, np.float32)
    table.gemm(a, b, bias=bias, beta=0.5, out=out)
    assert_same_bits(out, np.array([[6, 7]] * 3, np.float32))


def test_lets_nan_and_infinity_flow(table: Any) -> None:
    a = np.array([[0, 1], [np.inf, 1], [np.inf, -np.inf], [1, 1]], np.float32)
    b = np.array([[np.nan, 1], [1, 1]], np.float32)
    want = np.array([[np.nan, 1], [np.nan, np.inf], [np.nan, np.nan], [np.nan, 2]], np.float32)
    np.testing.assert_array_equal(table.gemm(a, b), want)


@pytest.mark.parametrize("batch", [0, 1, 3])
def test_multiplies_in_batches(table: Any, batch: int, rng: np.random.Generator) -> None:
    a, b = (
        rng.standard_normal((batch, 5, 7), np.float32),
        rng.standard_normal((batch, 7, 9), np.float32),
    )
    assert_within(table.gemm(a, b), exact(a, b), bound({"a": a, "b": b})[0])


def test_repeats_one_operand_for_a_batch_by_a_stride_of_zero(rng: np.random.Generator) -> None:
    a, b = rng.standard_normal((4, 5, 7), np.float32), rng.standard_normal((7, 9), np.float32)
    many = np.broadcast_to(b, (4, 7, 9))
    assert_within(bg.kernels.cpu.gemm(a, many), exact(a, b), bound({"a": a, "b": many})[0])


def test_takes_read_only_and_unaligned_operands(isa: str, rng: np.random.Generator) -> None:
    a, b = rng.standard_normal((5, 7), np.float32), rng.standard_normal((7, 9), np.float32)
    want = bg.kernels.cpu.gemm(a, b)
    shifted = np.empty(a.nbytes + 1, np.uint8)[1:].view(np.float32).reshape(a.shape)
    shifted[...] = a
    a.flags.writeable = False
    assert_same_bits(bg.kernels.cpu.gemm(a, b), want)
    assert_same_bits(bg.kernels.cpu.gemm(shifted, b), want)


def test_a_block_of_columns_larger_than_a_panel_is_right(
    isa: str, rng: np.random.Generator
) -> None:
    # 4,100 columns and 4,100 rows: one more than each panel of the packed operands holds.
    for m, n in [(3, 4100), (4100, 3)]:
        a, b = rng.standard_normal((m, 5), np.float32), rng.standard_normal((5, n), np.float32)
        assert_within(bg.kernels.cpu.gemm(a, b), exact(a, b), bound({"a": a, "b": b})[0])
