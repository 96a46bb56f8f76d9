"""Every kernel, on every backend, over all sizes of its cases, within its derived bound."""

from __future__ import annotations

import copy
from typing import Any

import baregrad as bg
import numpy as np
import pytest
from baregrad import _cpu, backend
from baregrad.cases import OPS, Case
from baregrad.cases.check import check, exact_result
from compare import assert_same_bits

CASES = [case for op in OPS.values() for case in op.tests]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_is_within_the_bound_of_its_case(table: Any, case: Case, rng: np.random.Generator) -> None:
    arguments = case.arguments(rng)
    check(case, table, arguments, exact_result(case, arguments))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_reference_in_float32_is_within_the_bound_too(
    case: Case, rng: np.random.Generator
) -> None:
    arguments = case.arguments(rng)
    check(case, bg.kernels.reference, arguments, exact_result(case, arguments))


@pytest.mark.parametrize("threads", [1, 2, 3, 4, 8])
@pytest.mark.parametrize(
    "case", [case for op in OPS.values() for case in op.benchmarks if case.flops < 1e9], ids=str
)
def test_any_number_of_threads_gives_the_same_bits(
    isa: str, case: Case, threads: int, rng: np.random.Generator
) -> None:
    arguments = case.arguments(np.random.default_rng(0))
    before = bg.get_num_threads()
    try:
        bg.set_num_threads(1)
        want = case.run(bg.kernels.cpu, copy.deepcopy(arguments))
        bg.set_num_threads(threads)
        got = case.run(bg.kernels.cpu, copy.deepcopy(arguments))
    finally:
        bg.set_num_threads(before)
    for one_got, one_want in zip(got, want, strict=True):
        assert_same_bits(one_got, one_want)


def test_every_kernel_of_the_reference_has_cases() -> None:
    assert {case.kernel for case in CASES} == set(bg.kernels.reference.own.__all__)


@pytest.mark.parametrize("name", ["cpu", "sim"])
def test_backends_speak_the_vocabulary_of_the_reference(name: str) -> None:
    if why := backend.why_absent(name):
        pytest.skip(f"{name} is not here: {why}")
    own = backend.device(name).table.own
    assert [kernel for kernel in bg.kernels.reference.own.__all__ if not hasattr(own, kernel)] == []
    unary = {f"{kind}_{way}" for kind in _cpu.UNARY for way in ("forward", "backward")}
    assert unary | {*_cpu.BINARY, *_cpu.COMPARE} <= set(bg.kernels.reference.own.__all__)
