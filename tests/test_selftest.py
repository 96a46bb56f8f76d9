"""`baregrad selftest`: passes here, finds a wrong kernel and names it, can be interrupted."""

from __future__ import annotations

import re
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import baregrad as bg
import numpy as np
import pytest
from baregrad import _cpu, backend
from baregrad.cases import OPS
from baregrad.cases.check import BoundError, share_of_bound
from baregrad.cli import main, selftest
from toolchain import SOURCES, compile_shared, compiler


def only(monkeypatch: pytest.MonkeyPatch, *ops: str) -> None:
    monkeypatch.setattr(selftest, "OPS", {op: OPS[op] for op in ops})


def test_every_case_runs_on_every_table_and_passes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["selftest"]) == 0
    head, *rows, blank, line = capsys.readouterr().out.splitlines()
    assert head.split()[:3] == ["kernels", "cases", "failed"]
    tables = [f"cpu {isa}" for isa in _cpu.available()]
    tables += [] if backend.why_absent("sim") else ["sim"]
    cases = sum(len(op.tests) for op in OPS.values())  # type: ignore[attr-defined]
    for row, table in zip(rows, tables, strict=True):
        assert re.match(rf"{table} +{cases} +0  \d+%: \S", row)
    assert blank == ""
    assert line.startswith(f"baregrad {bg.__version__}")
    for fact in (np.__version__, *_cpu.available(), _cpu.thread_reason(), _cpu.compiler()):
        assert fact in line
    assert re.search(r"; selftest passed in \d+ s$", line)


@pytest.mark.skipif(compiler() is None, reason="planting a fault needs a C++ compiler")
def test_a_wrong_kernel_fails_and_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    naive = (SOURCES / "csrc" / "ladder" / "gemm_0_naive.cpp").read_text()
    assert "beta * out" in naive
    source = tmp_path / "wrong.cpp"
    source.write_text(naive.replace("beta * out", "0").replace("../kernels.h", "kernels.h"))
    include = ["-I", str(SOURCES / "csrc"), "-Wno-unused-parameter"]
    wrong = compile_shared([source], tmp_path / "wrong.so", *include)
    only(monkeypatch, "gemm", "fill")
    assert main(["selftest", "--use", f"gemm={wrong}"]) == 1
    out = capsys.readouterr().out
    isa = _cpu.available()[0]
    assert re.search(
        rf"^cpu {isa}: gemm: gemm-m1-n33-k17: \d+ of 33 outside their bound, the first at "
        r"\(0, \d+\): got \S+, exact \S+, off by \S+, allowed \S+$", out, re.MULTILINE
    )  # fmt: skip
    assert ": fill: " not in out
    assert "sim: " not in out  # a plug-in is for the CPU
    assert re.search(r"gemm=wrong.*; selftest [1-9]\d* of \d+ cases FAILED in \d+ s$", out)


@pytest.mark.skipif(compiler() is None, reason="planting a fault needs a C++ compiler")
def test_a_kernel_that_accepts_what_is_to_be_refused_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    naive = (SOURCES / "csrc" / "ladder" / "gather_rows_0_naive.cpp").read_text()
    assert "if (i < *bad_row) *bad_row = i;" in naive
    source = tmp_path / "wrong.cpp"
    silent = naive.replace("if (i < *bad_row) *bad_row = i;", "(void)bad_row;")
    source.write_text(silent.replace("../kernels.h", "kernels.h"))
    wrong = compile_shared([source], tmp_path / "wrong.so", "-I", str(SOURCES / "csrc"))
    only(monkeypatch, "gather_rows")
    assert main(["selftest", "--use", f"gather_rows={wrong}"]) == 1
    sentence = (
        "gather_rows: gather_rows-v7-n33-d5-row_7: accepted that rows[11] is 7, expected 0 <= "
    )
    assert sentence in capsys.readouterr().out


def test_ctrl_c_leaves_with_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(selftest, "check", interrupted)
    assert main(["selftest"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_a_share_of_a_bound_is_of_the_worst_element() -> None:
    exact, bound = np.array([1.0, 2.0, 3.0]), np.array([0.5, 0.5, 0.0])
    assert share_of_bound(np.float32([1.125, 1.75, 3]), exact, bound) == 0.5
    assert share_of_bound(np.float32([1, 2, 3]), exact, 0 * bound) == 0


@pytest.mark.parametrize(
    ("got", "exact", "said"),
    [
        (np.float32([1, 2.75]), np.array([1.0, 2.0]), r"1 of 2 .* at \(1,\): got 2.75, exact 2.0"),
        (np.float32([np.nan, 2]), np.array([1.0, 2.0]), r"1 of 2 .* at \(0,\): got nan"),
        (np.float32(3), np.array(1.0), r"1 of 1 .* off by 2, allowed 0.5"),
        (np.float32([1]), np.array([1.0, 2.0]), r"float32 \(1,\), expected float64 \(2,\)"),
        (np.float16([1]), np.array([1.0]), "float16"),
        (np.array([1, 3]), np.array([1, 2]), r"got 3, exact 2, off by 1, allowed 0"),
    ],
)
def test_what_is_outside_its_bound_is_said(got: Any, exact: Any, said: str) -> None:
    with pytest.raises(BoundError, match=said):
        share_of_bound(np.asarray(got), exact, np.array(0.5))


@pytest.mark.parametrize(
    ("got", "exact", "same"),
    [
        (np.nan, np.nan, True), (0, np.nan, False), (np.inf, np.nan, False), (np.nan, np.inf, False),
        (np.inf, np.inf, True), (-np.inf, np.inf, False), (3.4e38, np.inf, False),
        (np.inf, 1e39, True), (-np.inf, -1e39, True), (3.4e38, 1e39, False), (np.inf, 3.4e38, False),
    ],
)  # fmt: skip
@pytest.mark.parametrize("bound", [0.5, np.inf, np.nan])
def test_nan_and_infinity_have_to_be_the_same(
    got: float, exact: float, same: bool, bound: float
) -> None:
    with nullcontext() if same else pytest.raises(BoundError):
        share_of_bound(np.float32([got]), np.array([exact]), np.array([bound]))


def test_a_number_without_a_bound_is_outside() -> None:
    for bound in (np.inf, np.nan):
        with pytest.raises(BoundError):
            share_of_bound(np.float32([1]), np.array([1.0]), np.array([bound]))
