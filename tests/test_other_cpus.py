"""Older x86-64 CPUs, under qemu-user: what each is offered, and that it can run it."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

QEMU = shutil.which("qemu-x86_64-static") or shutil.which("qemu-x86_64")

pytestmark = pytest.mark.skipif(
    QEMU is None or platform.machine() != "x86_64", reason="needs qemu-user, and Python for x86-64"
)

# CPU -> the instruction sets that its tables are for
CPUS = {"Nehalem": ["baseline"], "SandyBridge": ["baseline"], "Haswell": ["avx2", "baseline"]}

EVERY_KERNEL = """
import baregrad as bg, numpy as np
from baregrad import _cpu
from baregrad.cases import OPS
from compare import assert_within
from test_cases import exact_result

cases = [case for op in OPS.values() for case in op.tests]
kernels = {case.kernel: case for case in cases if case.bytes < 100_000 and not case.what}
assert len(kernels) >= len(OPS)
for isa in _cpu.available():
    with bg.use(isa=isa):
        for case in kernels.values():
            arguments = case.arguments(np.random.default_rng(0))
            exact, bound = exact_result(case, arguments), case.bound(arguments)
            for one in zip(case.run(bg.kernels.cpu, arguments), exact, bound, strict=True):
                assert_within(*one)
print(*_cpu.available())
"""


def run_on(cpu: str, code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Python on a CPU that lacks what this one has: a missing instruction ends it with SIGILL."""
    clean = {k: v for k, v in os.environ.items() if k not in ("BAREGRAD_ISA", "BAREGRAD_USE")}
    return subprocess.run(
        [str(QEMU), "-cpu", cpu, sys.executable, "-c", code],
        cwd=Path(__file__).parent, env={**clean, **environment},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("cpu", CPUS)
def test_an_older_cpu_runs_every_kernel_that_it_is_offered(cpu: str) -> None:
    done = run_on(cpu, EVERY_KERNEL)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == CPUS[cpu]


def test_an_instruction_set_that_a_cpu_lacks_is_refused_with_a_sentence() -> None:
    done = run_on("Haswell", "import baregrad", BAREGRAD_USE="isa=avx512")
    assert done.returncode == 1
    assert "isa is 'avx512', expected one that this CPU has: avx2, baseline" in done.stderr
