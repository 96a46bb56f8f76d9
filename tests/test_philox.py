"""The random kernels: known answers, numbers that depend on their place alone, their statistics."""

from __future__ import annotations

from typing import Any

import baregrad as bg
import numpy as np
import pytest
from baregrad import _cpu, random
from baregrad.reference.philox import philox_bits, philox_words
from compare import assert_same_bits
from guarded import guarded

KERNELS = ("philox_uniform", "philox_normal", "philox_dropout")
DROPPED = 0.3


def state(seed: int, offset: int = 0) -> np.ndarray:
    return np.array([seed, offset], np.int64)


def draw(table: Any, kernel: str, state: np.ndarray, n: int) -> np.ndarray:
    if kernel == "philox_dropout":
        return table.philox_dropout(np.ones(n, np.float32), state, p=DROPPED)
    return getattr(table, kernel)(state, out=np.full(n, np.nan, np.float32))


# counter, key, words: kat_vectors of the Random123 distribution, philox 4x32 10
KNOWN = [
    ([0] * 4, [0] * 2, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
    ([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
    (
        [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
        [0xA4093822, 0x299F31D0],
        [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
    ),
]


@pytest.mark.parametrize(("counter", "key", "words"), KNOWN, ids=["zeros", "ones", "pi"])
def test_the_definition_gives_the_published_words(
    counter: list[int], key: list[int], words: list[int]
) -> None:
    got = philox_words(np.array([counter], np.uint64), np.array(key, np.uint64))
    assert got.tolist() == [words]


def test_every_backend_gives_the_published_words_of_counter_zero(any_table: Any) -> None:
    got = draw(any_table, "philox_uniform", state(0), 4)
    np.testing.assert_array_equal(got * 2**24, [word >> 8 for word in KNOWN[0][2]])


# Counters and keys of one word and of two, and counters that pass from one to the other.
STATES = [(0, 0), (1, 2**32 - 3), (2**32, 2**63 - 3), (-1, -5), (-(2**63), 2**32), (2**40 + 7, 9)]


@pytest.mark.parametrize("at", STATES, ids=str)
def test_uniform_and_dropout_are_the_same_bits_everywhere(table: Any, at: tuple[int, int]) -> None:
    bits = philox_bits(state(*at), 1001)
    uniform = ((bits >> 8) / 2.0**24).astype(np.float32)
    assert_same_bits(draw(table, "philox_uniform", state(*at), 1001), uniform)
    x = np.random.default_rng(0).standard_normal(1001, np.float32)
    for p in (0, 2**-24, 0.1, 0.5, 1 - 2**-24, 1):
        scale = np.float32(1 / (1 - p) if p < 1 else 0)
        want = np.where((bits >> 8) / 2.0**24 >= p, x * scale, np.float32(0))
        assert_same_bits(table.philox_dropout(x, state(*at), p=p), want)


def test_the_definition_drops_what_the_kernels_drop(any_table: Any) -> None:
    x = np.ones((7, 143), np.float32)
    want = _cpu.philox_dropout(x, state(3), p=0.75)  # 1 / (1 - p) is 4, without rounding
    assert_same_bits(any_table.philox_dropout(x, state(3), p=0.75), want)


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_number_depends_on_its_place_alone(table: Any, kernel: str) -> None:
    whole = draw(table, kernel, state(5, 2**32 - 20), 301)
    for block in (1, 2, 7, 8, 33, 75):
        part = draw(table, kernel, state(5, 2**32 - 20 + block), 301 - 4 * block)
        assert_same_bits(part, whole[4 * block :])


@pytest.mark.parametrize("kernel", KERNELS)
def test_so_do_those_beyond_one_grid_of_the_cuda_kernel(table: Any, kernel: str) -> None:
    whole = draw(table, kernel, state(5), (1 << 22) + 300)
    assert_same_bits(whole[1 << 22 :], draw(table, kernel, state(5, 1 << 20), 300))


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("n", [1, 3, 4, 5, 15, 16, 17, 31, 32, 33, 63])
def test_touches_nothing_beyond_its_arrays(isa: str, kernel: str, n: int) -> None:
    out, at = guarded(np.full(n, np.nan, np.float32)), guarded(state(11))
    if kernel == "philox_dropout":
        _cpu.philox_dropout(guarded(np.ones(n, np.float32)), at, p=DROPPED, out=out)
    else:
        getattr(_cpu, kernel)(at, out=out)
    assert_same_bits(out, draw(_cpu, kernel, state(11), n))


@pytest.mark.parametrize("kernel", KERNELS)
def test_writes_where_out_says(isa: str, kernel: str) -> None:
    wide = np.full((6, 10), np.nan, np.float32)
    out = wide[::2, 1::3]
    want = draw(_cpu, kernel, state(1), out.size).reshape(out.shape)
    if kernel == "philox_dropout":
        got = _cpu.philox_dropout(np.ones(out.shape, np.float32), state(1), p=DROPPED, out=out)
    else:
        got = getattr(_cpu, kernel)(state(1), out=out)
    assert got is out
    assert_same_bits(out, want)
    assert np.isnan(wide[1::2]).all()


def test_dropout_takes_every_kind_of_array_and_may_write_over_it(
    isa: str, rng: np.random.Generator
) -> None:
    x = rng.standard_normal((12, 15), np.float32)
    for part in (x.T, x[::-1, ::2], np.broadcast_to(x[:1], x.shape), x[:0], np.array(x[0, 0])):
        want = _cpu.philox_dropout(part.copy(), state(2), p=DROPPED)
        assert_same_bits(_cpu.philox_dropout(part, state(2), p=DROPPED), want)
    want = _cpu.philox_dropout(x, state(2), p=DROPPED)
    assert _cpu.philox_dropout(x, state(2), p=DROPPED, out=x) is x
    assert_same_bits(x, want)


def test_dropout_of_special_values(any_table: Any) -> None:
    x = np.array([np.nan, np.inf, -np.inf, -0.0, 2.0**-149, 3.4e38], np.float32).repeat(20)
    keep = philox_bits(state(8), x.size) >> 8 >= 2**23
    assert 0 < keep.sum() < x.size
    with np.errstate(over="ignore"):
        want = np.where(keep, x * np.float32(2), np.float32(0))
    assert_same_bits(any_table.philox_dropout(x, state(8), p=0.5), want)
    assert_same_bits(any_table.philox_dropout(x, state(8), p=0.0), x)
    assert_same_bits(any_table.philox_dropout(x, state(8), p=1.0), np.zeros_like(x))


def test_dropout_backwards_is_dropout_of_the_gradient(table: Any, rng: np.random.Generator) -> None:
    x, dout = rng.standard_normal((2, 300), np.float32)
    out, dx = (table.philox_dropout(a, state(4), p=0.25) for a in (x, dout))
    np.testing.assert_array_equal(out == 0, dx == 0)
    np.testing.assert_allclose(dx[dx != 0], dout[dx != 0] / 0.75, rtol=2.0**-22)


# Statistics. A mean of n independent numbers of variance s^2 is off by more than 5 s / sqrt(n) once
# in two million seeds; the seeds are fixed, so these tests fail always or never.

N = 1_000_000


def off_by(values: np.ndarray, mean: float, variance: float) -> float:
    """How far the mean of the values is from what it should be, in its standard deviations."""
    return abs(values.mean(dtype=np.float64) - mean) * np.sqrt(values.size / variance)


@pytest.mark.parametrize("seed", [0, 1, 2**40])
def test_uniform_numbers_are_uniform(seed: int) -> None:
    u = draw(_cpu, "philox_uniform", state(seed), N).astype(np.float64)
    assert u.min() >= 0
    assert u.max() < 1
    assert off_by(u, 0.5, 1 / 12) < 5
    assert off_by((u - 0.5) ** 2, 1 / 12, 1 / 80 - 1 / 144) < 5
    for lag in (1, 2, 3, 4, 1000):
        assert off_by((u[lag:] - 0.5) * (u[:-lag] - 0.5), 0, 1 / 144) < 5
    counts = np.bincount((u * 64).astype(int), minlength=64)
    chi_square = ((counts - N / 64) ** 2 / (N / 64)).sum()
    assert abs(chi_square - 63) < 5 * np.sqrt(2 * 63)


def test_numbers_of_different_seeds_do_not_go_together() -> None:
    one, other = (draw(_cpu, "philox_uniform", state(seed), N) - 0.5 for seed in (0, 1))
    assert off_by(one * other, 0, 1 / 144) < 5


@pytest.mark.parametrize("seed", [0, 1, 2**40])
def test_normal_numbers_are_normal(seed: int) -> None:
    x = draw(_cpu, "philox_normal", state(seed), N).astype(np.float64)
    assert off_by(x, 0, 1) < 5
    assert off_by(x**2, 1, 2) < 5
    assert off_by(x**3, 0, 15) < 5
    assert off_by(x**4, 3, 96) < 5
    for lag in (1, 2, 3, 4):
        assert off_by(x[lag:] * x[:-lag], 0, 1) < 5
    assert off_by(np.abs(x) < 0.6744897501960817, 0.5, 0.25) < 5
    # Of 24 bits the radius is at most sqrt(48 log 2); among a million some come near.
    assert 4 < np.abs(x).max() <= np.sqrt(48 * np.log(2)) * (1 + 2.0**-22)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_dropout_drops_its_share_and_keeps_the_mean(p: float) -> None:
    out = _cpu.philox_dropout(np.ones(N, np.float32), state(0), p=p)
    assert off_by(out == 0, p, p * (1 - p)) < 5
    assert off_by(out, 1, p / (1 - p)) < 5


# Where kernels stand


def test_no_two_calls_draw_the_same_and_a_seed_starts_over() -> None:
    before = random.counter.seed, random.counter.offset
    try:
        bg.manual_seed(7)
        states = [random.philox_state(n).tolist() for n in (5, 0, 4, 1)]
        assert states == [[7, 0], [7, 2], [7, 2], [7, 3]]
        bg.manual_seed(7)
        assert random.philox_state(1).tolist() == [7, 0]
        bg.manual_seed(np.int64(3))
        assert random.philox_state(1).tolist() == [3, 0]
        bg.manual_seed(2**63 + 1)
        assert random.philox_state(1).dtype == np.int64
        assert random.philox_state(1).tolist() == [-(2**63) + 1, 1]
    finally:
        bg.manual_seed(0)
        random.counter.seed, random.counter.offset = before
