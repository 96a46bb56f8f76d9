"""gemm and the kernels of a convolution on random calls: through all gates, however they are cut.

10,000 more are in deep/gates.py.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import baregrad as bg
import gates
import numpy as np
import pytest
from gates import PRODUCTS, Layout, Trial

TRIALS = [gates.trial(number) for number in range(500)]


@pytest.mark.parametrize("product", range(len(PRODUCTS)))
def test_random_products_pass_every_gate(isa: str, product: int) -> None:
    for trial in TRIALS[product :: len(PRODUCTS)]:
        trial.check(bg.kernels.cpu)


class Changed:
    """gemm as it is in use, but for its factors or its result."""

    def __init__(
        self,
        factor: Callable[[np.ndarray], np.ndarray] = np.asarray,
        result: Callable[[np.ndarray], Any] = np.asarray,
    ) -> None:
        self.factor, self.result = factor, result

    def gemm(self, a: np.ndarray, b: np.ndarray, **others: Any) -> np.ndarray:
        out = bg.kernels.cpu.gemm(self.factor(a), self.factor(b), **others)
        self.result(out)
        return out


def of_kind(kind: str, terms: int = 0) -> Trial:
    """The first trial of gemm with such data and at least so many terms."""
    products = (t for t in TRIALS if t.case.kernel == "gemm" and t.exact.size)
    return next(t for t in products if t.kind == kind and t.terms >= terms and t.arguments["alpha"])


def tf32(x: np.ndarray) -> np.ndarray:
    """x with 10 bits of mantissa."""
    return (x.copy().view(np.uint32) & np.uint32(0xFFFFE000)).view(np.float32)


def test_factors_rounded_as_tensor_cores_do_are_not_let_through() -> None:
    with pytest.raises(AssertionError, match=r"trial \d+: gemm.* of integers data .* outside"):
        of_kind("integers").check(Changed(factor=tf32))


def test_an_error_within_gamma_that_grows_with_k_is_not_let_through() -> None:
    trial = of_kind("positive", 500)
    for part, caught in ((0, True), (1, False)):
        off = (trial.bounds[part] / 2).astype(np.float32)
        wrong = Changed(result=lambda out, off=off: np.add(out, off, out=out))
        with pytest.raises(AssertionError, match="outside") if caught else nullcontext():
            trial.check(wrong)


def test_what_is_written_beside_a_result_is_not_let_through() -> None:
    trial = of_kind("mixed")
    axes = trial.exact.ndim
    trial = replace(trial, out=Layout(tuple(range(axes)), (2,) * axes, 1))
    trial.check(bg.kernels.cpu)
    with pytest.raises(AssertionError, match="beside out"):
        trial.check(Changed(result=lambda out: out.base.__setitem__(0, 0)))


def test_a_layout_keeps_the_values_it_is_given() -> None:
    values = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    odd = Layout((2, 0, 1), (-1, 3, 2), 1)
    got = odd.copy(values)
    np.testing.assert_array_equal(got, values)
    memory, array = odd.new(values.shape)
    assert array.strides == got.strides
    assert [stride < 0 for stride in got.strides] == [True, False, False]
    assert memory.shape == (4 * 2 + 2, 2 + 2, 3 * 3 + 2)
