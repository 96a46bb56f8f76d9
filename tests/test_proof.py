"""docs/proof.md names what exists, and what renews it tells a promise that holds from one that does not."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from deep import prove

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
