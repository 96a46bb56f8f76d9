"""gemm: the gates that a wrong kernel does not pass, and everything a caller may hand it."""

from __future__ import annotations

from typing import Any

import baregrad as bg
import numpy as np
import pytest
from baregrad.cases import unit_roundoff
from baregrad.cases.gemm import bound
from compare import assert_same_bits, assert_within
from guarded import guarded
from hypothesis import HealthCheck, given, settings, strategies as st

DATA = ("normal", "positive", "cancelling", "wide")


def make(kind: str, rng: np.random.Generator, *shape: int) -> np.ndarray:
    x = rng.standard_normal(shape, np.float32)
    if kind == "positive":
        return np.abs(x)
    if kind == "wide":
        return x * np.exp2(rng.integers(-20, 20, shape)).astype(np.float32)
    return x


def operands(kind: str, rng: np.random.Generator, m: int, n: int, k: int) -> dict[str, Any]:
    a, b = make(kind, rng, m, k), make(kind, rng, k, n)
    if kind == "cancelling" and k > 1:  # the second half takes the first away again, nearly
        half = k // 2
        a[:, half : 2 * half] = a[:, :half]
        b[half : 2 * half] = -b[:half] * np.float32(1 + 2**-10)
    return {"a": a, "b": b}


def exact(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a.astype(np.float64) @ b.astype(np.float64)


@pytest.mark.parametrize("kind", DATA)
@pytest.mark.parametrize(("m", "n", "k"), [(37, 29, 16), (37, 29, 256), (37, 29, 4096)])
def test_stays_within_gamma_and_uses_little_of_it(
    table: Any, kind: str, m: int, n: int, k: int, rng: np.random.Generator
) -> None:
    arguments = operands(kind, rng, m, n, k)
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
    # Odd 12-bit entries, none 0: a dropped term, a bfloat16 or a TF32 rounding shows.
    a = (2 * rng.integers(1024, 2048, (37, k)) + 1).astype(np.float32) * rng.choice(
        [-1, 1], (37, k)
    )
    b = rng.choice([-3, -2, -1, 1, 2, 3], (k, 29)).astype(np.float32)
    want = a.astype(np.int64) @ b.astype(np.int64)
    assert np.abs(want).max() < 2**24
    assert_same_bits(table.gemm(a.astype(np.float32), b), want.astype(np.float32))


@settings(
    derandomize=True, deadline=None, max_examples=500, suppress_health_check=list(HealthCheck)
)
@given(data=st.data())
def test_holds_for_random_shapes_strides_alpha_and_beta(isa: str, data: st.DataObject) -> None:
    m, n, k = (
        data.draw(st.integers(0, high), label=x) for x, high in {"m": 40, "n": 70, "k": 40}.items()
    )
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1), label="seed"))

    def matrix(rows: int, columns: int, label: str) -> np.ndarray:
        how = data.draw(
            st.sampled_from(["plain", "transposed", "reversed", "sliced", "broadcast"]), label
        )
        if how == "transposed":
            return rng.standard_normal((columns, rows), np.float32).T
        if how == "reversed":
            return rng.standard_normal((rows, columns), np.float32)[::-1, ::-1]
        if how == "sliced":
            return rng.standard_normal((2 * rows, 3 * columns), np.float32)[::2, 1::3]
        if how == "broadcast":
            return np.broadcast_to(rng.standard_normal((1, columns), np.float32), (rows, columns))
        return rng.standard_normal((rows, columns), np.float32)

    how_out = data.draw(st.sampled_from(["none", "plain", "transposed", "sliced"]), label="out")
    out = {
        "none": None,
        "plain": rng.standard_normal((m, n), np.float32),
        "transposed": rng.standard_normal((n, m), np.float32).T,
        "sliced": rng.standard_normal((2 * m, 2 * n), np.float32)[::2, ::2],
    }[how_out]
    arguments: dict[str, Any] = {
        "a": matrix(m, k, "a"),
        "b": matrix(k, n, "b"),
        "alpha": data.draw(st.sampled_from([1.0, 0.0, -2.5]), label="alpha"),
        "beta": 0.0 if out is None else data.draw(st.sampled_from([0.0, 1.0, 0.5]), label="beta"),
        "bias": rng.standard_normal(n, np.float32) if data.draw(st.booleans()) else None,
        "out": out,
    }
    want = arguments["alpha"] * exact(arguments["a"], arguments["b"])
    if arguments["beta"]:
        want = want + arguments["beta"] * out.astype(np.float64)
    if arguments["bias"] is not None:
        want = want + arguments["bias"]
    (allowed,) = bound(arguments)
    got = bg.kernels.cpu.gemm(**arguments)
    assert out is None or got is out
    assert_within(got, want, allowed + 2.0**-149)


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
