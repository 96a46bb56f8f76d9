"""Our kernels alone, timed by pytest-benchmark: each is checked on the very input first."""

from __future__ import annotations

import copy
from typing import Any

import baregrad as bg
import numpy as np
import pytest
from baregrad import _cpu
from baregrad.cases import OPS, Case

CASES = [case for op in OPS.values() for case in op.benchmarks]


@pytest.mark.parametrize("isa", _cpu.available())
@pytest.mark.parametrize("case", CASES, ids=str)
def test_kernel(benchmark: Any, case: Case, isa: str) -> None:
    arguments = case.arguments(np.random.default_rng(0))
    bound = case.bound(arguments)
    with bg.use(isa=isa):
        got = case.run(bg.kernels.cpu, copy.deepcopy(arguments))
        want = case.run(bg.kernels.reference, copy.deepcopy(arguments))
        for one_got, one_want, allowed in zip(got, want, bound, strict=True):
            # Both are rounded to float32, so each may be off by the bound.
            assert (np.abs(one_got - one_want.astype(np.float64)) <= 2 * allowed + 1e-30).all()
        benchmark(case.run, bg.kernels.cpu, arguments)
    seconds = benchmark.stats.stats.median
    benchmark.extra_info.update(
        isa=isa,
        threads=bg.get_num_threads(),
        gflops=case.flops / seconds / 1e9,
        gigabytes_per_second=case.bytes / seconds / 1e9,
    )
