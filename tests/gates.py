"""Random products for the gates that a wrong kernel does not pass, and the gates.

A trial is one call of gemm or of a convolution's kernel, made by its number alone: sizes around
tiles and vectors, operands of odd strides, data of five kinds. Its result must be within gamma_k
of the exact one in every element, and equal to it where float32 can sum the integers that it is
given. The errors of a correct kernel grow with sqrt(k) (Higham and Mary, 2019), those of one that
lost precision with k: so none may be above 8 sqrt(k) u |a| |b| either. That is of roundings which
do not all go one way, as they may where all terms are equal: one factor alone repeats its numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, NamedTuple

import baregrad as bg
import numpy as np
from baregrad.cases import Arguments, Case, conv2d, gemm, unit_roundoff
from baregrad.cases.check import exact_result
from baregrad.cases.window import Windows, gamma
from compare import assert_within

Rng = np.random.Generator

KINDS = ("mixed", "positive", "cancelling", "wide", "integers")
THREADS = (1, 2, 3, 4, 8)
# One less, all, one more than vectors of 4 to 16, tiles of 4 to 14 rows and 8 to 32 columns, the 24
# to 84 rows and 128 columns of a task.
TILES = (4, 6, 8, 14, 16, 24, 32, 36, 64, 84, 128)
EDGES = sorted({tile + step for tile in TILES for step in (-1, 0, 1)})
DEEP = (255, 257, 511, 512, 513, 1023, 1025, 2048, 4096)  # along k, of which a block has 512
LONG = (2047, 2049, 4031, 4033, 4095, 4097)  # around panels of columns
MOST_WORK = 1e7  # products of a trial: milliseconds
EXACT = 2**24  # integers up to here are exact in float32
MOST_EXACT = EXACT // (4095 * 3) - 2  # terms, with room for beta out and a bias


class Shares(NamedTuple):
    """How much the largest error is of each bound."""

    gamma: float
    root: float


@dataclass(frozen=True)
class Layout:
    """How an array lies in memory: the order of its axes, their steps, and what is around it."""

    order: tuple[int, ...]
    steps: tuple[int, ...]
    margin: int

    def new(self, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Memory full of NaN, and the array in it."""
        reach = [abs(self.steps[axis]) * shape[axis] for axis in self.order]
        memory = np.full([n + 2 * self.margin for n in reach], np.nan, np.float32)
        inside = memory[tuple(slice(self.margin, self.margin + n) for n in reach)]
        array = inside[tuple(slice(None, None, self.steps[axis]) for axis in self.order)]
        return memory, array.transpose(np.argsort(self.order).tolist())

    def copy(self, values: np.ndarray) -> np.ndarray:
        """The values, laid out like this."""
        array = self.new(values.shape)[1]
        array[...] = values
        return array


@dataclass(frozen=True)
class Trial:
    """One call, what it should give, and how far it may be from that."""

    number: int
    kind: str
    case: Case
    arguments: Arguments
    terms: int  # k, the products in the sum of an element
    roundings: int  # of which gamma is the bound
    threads: int
    out: Layout | None  # where the result is to be written

    def __str__(self) -> str:
        return f"trial {self.number}: {self.case} of {self.kind} data on {self.threads} threads"

    @cached_property
    def exact(self) -> np.ndarray:
        return exact_result(self.case, self.arguments)[0]

    @cached_property
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """gamma_k and 8 sqrt(k) u, each times the sizes of what is summed."""
        (bound,) = self.case.bound(self.arguments)
        root = 8 * math.sqrt(max(self.terms, 1)) * unit_roundoff
        return bound, root / gamma(self.roundings) * bound

    def run(self, table: Any) -> np.ndarray:
        """The result. What lies around it in memory must stay as it was."""
        if self.out is None:
            return self.case.run(table, self.arguments)[0]
        memory, out = self.out.new(self.exact.shape)
        if "out" in self.arguments:
            out[...] = self.arguments["out"]
        self.case.run(table, {**self.arguments, "out": out})
        result = out.copy()
        out[...] = np.nan
        assert np.isnan(memory).all(), "something beside out was written"
        return result

    def check(self, table: Any) -> Shares:
        """Run it and see it through the gates. AssertionError if it does not pass one."""
        before = bg.get_num_threads()
        bg.set_num_threads(self.threads)
        try:
            got = self.run(table)
            if self.kind == "integers":
                assert np.abs(self.exact).max(initial=0) < EXACT
                assert_within(got, self.exact, np.zeros(got.shape))
                return Shares(0.0, 0.0)
            for bound in self.bounds:
                assert_within(got, self.exact, bound)
        except AssertionError as error:
            raise AssertionError(f"{self}: {error}") from error
        finally:
            bg.set_num_threads(before)
        error = np.abs(got - self.exact)  # 0 where a bound is
        return Shares(*(float((error / np.maximum(b, 1e-300)).max(initial=0)) for b in self.bounds))


def trial(number: int) -> Trial:
    """The trial of this number: each product has as many, gemm twice as many."""
    rng = np.random.default_rng(number)
    return PRODUCTS[number % len(PRODUCTS)](rng, number)


def layout(rng: Rng, ndim: int) -> Layout:
    """Row-major as often as not; else transposed, reversed, sliced, within something larger."""
    if rng.random() < 0.5:
        return Layout(tuple(range(ndim)), (1,) * ndim, 0)
    order, steps = rng.permutation(ndim), rng.choice([1, 1, 2, 3, -1, -2], ndim)
    return Layout(tuple(order.tolist()), tuple(steps.tolist()), int(rng.integers(3)))


def laid_out(rng: Rng, kind: str, factors: Arguments) -> Arguments:
    """Each in some layout; now and then one has its first along an axis for all, by a stride of 0."""
    found = {name: layout(rng, x.ndim).copy(x) for name, x in factors.items()}
    name = str(rng.choice([*found]))
    if kind != "cancelling" and factors[name].size and rng.random() < 0.2:
        first = factors[name].take([0], axis=int(rng.integers(factors[name].ndim)))
        found[name] = np.broadcast_to(first, factors[name].shape)
    return found


def data(kind: str, rng: Rng, place: int, *shape: int) -> np.ndarray:
    """The first factor of a product (place 0) or the second."""
    if kind == "integers":
        # Odd with 12 bits, and none 0: a dropped term, a bfloat16 or a TF32 rounding shows.
        sizes = 2 * rng.integers(1024, 2048, shape) + 1 if place == 0 else rng.integers(1, 4, shape)
        return (sizes * rng.choice([-1, 1], shape)).astype(np.float32)
    x = rng.standard_normal(shape, np.float32)
    if kind == "positive":
        return np.abs(x)
    if kind == "wide":
        return x * np.exp2(rng.integers(-20, 20, shape)).astype(np.float32)
    return x


def cancel(a: np.ndarray, b: np.ndarray) -> None:
    """Let the second half of a sum over the first axes take the first half away again, nearly."""
    half = len(a) // 2
    a[half : 2 * half] = a[:half]
    b[half : 2 * half] = -b[:half] * np.float32(1 + 2**-10)


def length(rng: Rng) -> int:
    """A length of a matrix: small, around a tile, or anything."""
    how = rng.random()
    if how < 0.45:
        return int(rng.integers(0, 24))
    return int(rng.choice(EDGES)) if how < 0.9 else int(rng.integers(1, 300))


def gemm_trial(rng: Rng, number: int) -> Trial:
    kind, batch = str(rng.choice(KINDS)), int(rng.choice([0, 0, 0, 1, 2, 3]))
    m, n = length(rng), length(rng)
    if rng.random() < 0.02:
        m, n = rng.permutation([int(rng.choice(LONG)), m]).tolist()
    k = int(rng.choice(DEEP)) if rng.random() < 0.15 else length(rng)
    if kind == "integers":
        k = min(k, MOST_EXACT)
    while max(batch, 1) * m * n * k > MOST_WORK:
        batch, m, n = min(batch, 1), max(m // 2, 1), max(n // 2, 1)
    front = (batch,) if batch else ()
    factors = {"a": data(kind, rng, 0, *front, m, k), "b": data(kind, rng, 1, *front, k, n)}
    if kind == "cancelling":
        cancel(np.moveaxis(factors["a"], -1, 0), np.moveaxis(factors["b"], -2, 0))
    some = [] if kind == "integers" else [0.0, float(rng.standard_normal(dtype=np.float32))]
    arguments: Arguments = {
        **laid_out(rng, kind, factors),
        "alpha": float(rng.choice([1.0, 1.0, -1.0, *some])),
        "beta": float(rng.choice([0.0, 0.0, 1.0, -1.0, *some])),
    }
    if rng.random() < 0.5:
        arguments["bias"] = data(kind, rng, 0, n)
    if arguments["beta"]:
        arguments["out"] = data(kind, rng, 0, *front, m, n)
    out = layout(rng, len(front) + 2) if "out" in arguments or rng.random() < 0.5 else None
    threads = int(rng.choice(THREADS))
    return Trial(number, kind, gemm.case(m, n, k), arguments, k, k + 3, threads, out)


# The factors of each product, and the axis of each along which it is summed, beside windows.
FACTORS = {
    "conv2d_forward": {"x": 1, "w": 1},
    "conv2d_backward_input": {"dout": 1, "w": 0},
    "conv2d_backward_weight": {"x": 0, "dout": 0},
}


def windows(rng: Rng, kernel: str, most_terms: float) -> Windows:
    """Images, filters and options of which an element sums at most so many products."""

    def one(*numbers: int) -> int:
        return int(rng.choice(numbers))

    def two(*numbers: int) -> tuple[int, int]:
        return one(*numbers), one(*numbers)

    while True:
        groups = one(1, 1, 1, 2, 3)
        c, o = one(1, 2, 3, 4, 7, 16, 33), one(1, 3, 5, 6, 7, 13, 14, 15, 31)
        if rng.random() < 0.1:  # with 9 cells more than a block of k
            c, o = (one(59, 65, 150), o) if rng.random() < 0.5 else (c, 131)
        cells, stride = two(1, 2, 3, 3, 4, 5), two(1, 1, 1, 2, 3, 4)
        padding, dilation = two(0, 0, 1, 1, 2, 4), two(1, 1, 1, 2, 3)
        h, w = (
            max(d * (k - 1) + 1 - 2 * p, 0) + one(0, 1, 2, 4, 6, 7, 8, 14, 15, 16, 31, 32, 40)
            for k, d, p in zip(cells, dilation, padding, strict=True)
        )
        n, c, o = one(1, 2, 3, 5, 12, 16, 32, 36, 47), groups * c, groups * o
        found = Windows(n, c, h, w, cells, o, stride, padding, dilation, groups)
        fits = conv2d.case(kernel, found).flops <= MOST_WORK
        if fits and conv2d.terms(kernel, found) <= most_terms:
            return found


def conv2d_trial(kernel: str, rng: Rng, number: int) -> Trial:
    kind, summed = str(rng.choice(KINDS)), FACTORS[kernel]
    seen = windows(rng, kernel, MOST_EXACT if kind == "integers" else math.inf)
    case, terms = conv2d.case(kernel, seen), conv2d.terms(kernel, seen)
    arguments = case.arguments(rng)
    factors = {
        name: data(kind, rng, place, *arguments[name].shape) for place, name in enumerate(summed)
    }
    if kind == "cancelling" and seen.groups == 1:
        cancel(*(np.moveaxis(x, summed[name], 0) for name, x in factors.items()))
    arguments |= laid_out(rng, kind, factors)
    if arguments.pop("bias", None) is not None and rng.random() < 0.5:
        arguments["bias"] = data(kind, rng, 0, seen.o)
    out = layout(rng, 4) if kernel == "conv2d_forward" and rng.random() < 0.5 else None
    threads = int(rng.choice(THREADS))
    return Trial(number, kind, case, arguments, terms, terms + 1, threads, out)


PRODUCTS: tuple[Callable[[Rng, int], Trial], ...] = (
    gemm_trial,
    *(partial(conv2d_trial, kernel) for kernel in FACTORS),
    gemm_trial,
)
