"""Every kernel, on every backend, over all sizes of its cases, within its derived bound."""

from __future__ import annotations

import copy
from typing import Any

import baregrad as bg
import numpy as np
import pytest
from baregrad import _cpu, backend
from baregrad.cases import OPS, Case
from compare import assert_same_bits, assert_within

CASES = [case for op in OPS.values() for case in op.tests]


def exact_result(case: Case, arguments: dict[str, Any]) -> tuple[np.ndarray, ...]:
    """What the definition gives in float64, for the very float32 inputs."""

    def double(value: Any) -> Any:
        if isinstance(value, list):
            return [double(item) for item in value]
        if isinstance(value, np.ndarray) and value.dtype == np.float32:
            return value.astype(np.float64)
        return copy.copy(value)

    return case.run(bg.kernels.reference, {k: double(v) for k, v in arguments.items()})


@pytest.mark.parametrize("case", CASES, ids=str)
def test_is_within_the_bound_of_its_case(table: Any, case: Case, rng: np.random.Generator) -> None:
    arguments = case.arguments(rng)
    exact, bound = exact_result(case, arguments), case.bound(arguments)
    got = case.run(table, arguments)
    assert len(got) == len(exact) == len(bound)
    for one_got, one_exact, one_bound in zip(got, exact, bound, strict=True):
        assert_within(one_got, one_exact, one_bound)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_reference_in_float32_is_within_the_bound_too(
    case: Case, rng: np.random.Generator
) -> None:
    arguments = case.arguments(rng)
    exact, bound = exact_result(case, arguments), case.bound(arguments)
    for got, want, allowed in zip(
        case.run(bg.kernels.reference, arguments), exact, bound, strict=True
    ):
        assert_within(got, want, allowed)


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
