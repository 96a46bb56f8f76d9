"""docs/proof.md names what exists, and what renews it tells a promise that holds from one that does not."""

from __future__ import annotations

import ast
from pathlib import Path

import baregrad
import pytest
from deep import prove
from planted.cpu import CPU
from planted.cuda import CUDA
from planted.python import PYTHON
from toolchain import SOURCES

TESTS = Path(__file__).parent
PAGE = prove.PAGE.read_text()


@pytest.mark.parametrize("row", prove.rows(PAGE), ids=lambda row: row["promise"])
def test_what_proves_a_promise_exists(row: prove.re.Match[str]) -> None:
    for proof in row["proof"].split():
        file, _, name = proof.partition("::")
        tree = ast.parse((TESTS / file).read_text())
        if file.startswith("deep/"):
            continue
        tests = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        assert any(test.startswith("test_") for test in tests)
        assert not name or name in tests


def test_every_script_proves_a_promise() -> None:
    scripts = {f"deep/{path.name}" for path in (TESTS / "deep").glob("*.py")} - {"deep/prove.py"}
    assert scripts <= {row["proof"] for row in prove.rows(PAGE)}


def test_every_planted_fault_has_a_line_to_go_to() -> None:
    of_cpu, of_cuda = SOURCES / "csrc" / "kernels", SOURCES / "cuda" / "kernels"
    package = Path(baregrad.__file__).parent
    places = [
        *((fault, of_cpu / f"{fault.shared or fault.op}.inl.h") for fault in CPU),
        *((fault, of_cuda / f"{fault.shared}.cuh") for fault in CUDA if fault.shared),
        *((fault, of_cuda / f"{fault.op}.cu") for fault in CUDA if not fault.shared),
        *((fault, package / fault.file) for fault in PYTHON),
    ]
    assert [str(fault) for fault, file in places if fault.right not in file.read_text()] == []


def test_a_row_is_renewed_and_the_others_stay() -> None:
    page = "# Proof\n\n| a | `x.py` | old | 2020-01-01 |\n| b | `y.py` | old | |\n| c | `z.py` | old | |\n"
    outcomes = {"x.py": prove.Outcome(True, "3 of 3"), "y.py": prove.Outcome(False, "2 of 3")}
    assert prove.write(page, outcomes, "2030-01-01") == (
        "# Proof\n\n| a | `x.py` | 3 of 3 | 2030-01-01 |\n"
        "| b | `y.py` | **does not hold**: 2 of 3 | 2030-01-01 |\n| c | `z.py` | old | |\n"
    )


def test_tests_are_judged_by_file_or_name() -> None:
    suite = {"test_a.py::test_b": [True, True], "test_a.py::test_bc": [True, False]}
    assert prove.judge("test_a.py::test_b", suite) == prove.Outcome(True, "2 tests passed")
    assert prove.judge("test_a.py", suite) == prove.Outcome(False, "1 of 4 tests failed")
    assert prove.judge("test_c.py", suite) is None
