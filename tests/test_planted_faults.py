"""The tests' own test: faults planted into copies of the sources must each be caught.

deep/mutation.py finds those of the Python package too, all of them, and writes docs/faults.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from baregrad import backend
from deep import mutation
from planted import package, plugins
from planted.cpu import CPU
from planted.cuda import CUDA
from planted.python import PYTHON
from toolchain import compiler

Compiled = dict[plugins.Fault, Future[Path]]
NEEDS_COMPILER = pytest.mark.skipif(
    compiler() is None, reason="planting a fault needs a C++ compiler"
)


@pytest.fixture(scope="module")
def compiled(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Compiled]:
    """The plug-in of every fault that is to be tested."""
    chosen = {
        item.callspec.params["fault"]
        for item in request.session.items
        if item.module is request.module and "compiled" in getattr(item, "fixturenames", ())
    }
    cpu, cuda = ([fault for fault in some if fault in chosen] for some in (CPU, CUDA))
    with plugins.compiled(cpu, cuda, tmp_path_factory.mktemp("faults")) as found:
        yield found


@NEEDS_COMPILER
@pytest.mark.parametrize("fault", CPU, ids=str)
def test_a_fault_in_a_cpu_kernel_is_caught(fault: Any, compiled: Compiled) -> None:
    if not fault.can_run():
        pytest.skip(f"needs {fault.isa}")
    assert plugins.noticed_on_the_cpu(fault, compiled[fault].result())


@NEEDS_COMPILER
@pytest.mark.parametrize("fault", CUDA, ids=str)
def test_a_fault_in_a_cuda_kernel_is_caught_on_the_simulator(
    fault: Any, compiled: Compiled
) -> None:
    if why := backend.why_absent("sim"):
        pytest.skip(f"sim is not here: {why}")
    assert plugins.noticed_on_the_simulator(fault, compiled[fault].result())


@pytest.mark.parametrize("fault", PYTHON[::16], ids=str)
def test_a_fault_in_the_python_package_is_caught(fault: Any, tmp_path: Path) -> None:
    assert package.failed_test(fault, [fault.test], tmp_path) == fault.test


def test_without_a_fault_the_copied_package_passes(tmp_path: Path) -> None:
    assert package.failed_test(None, [fault.test for fault in PYTHON[::16]], tmp_path) == ""


def test_what_a_fault_of_the_python_package_changes_and_what_finds_it_is_there() -> None:
    for fault in PYTHON:
        assert fault.right in (package.PACKAGE / fault.file).read_text(), str(fault)
        file, _, test = fault.test.partition("::")
        assert f"def {test}(" in (package.ROOT / "tests" / file).read_text(), str(fault)


def test_the_page_lists_exactly_the_planted_faults() -> None:
    page = mutation.PAGE.read_text()
    rows = [row.split(" | ")[:2] for row in page.splitlines() if row.startswith("| `")]
    want = [
        *((fault.op, fault.what) for fault in (*CPU, *CUDA)),
        *((fault.file, fault.what) for fault in PYTHON),
    ]
    assert [(where.strip("| `"), what) for where, what in rows] == want
    assert "**not caught**" not in page
