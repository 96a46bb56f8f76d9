"""bench/instructions.py: dumps are read right, what has grown is found, what differs is said."""

from __future__ import annotations

import dataclasses
import importlib
import json
import shutil
from pathlib import Path
from types import ModuleType

import pytest
from baregrad.cases import OPS
from toolchain import compiler

BENCH = Path(__file__).parent.parent / "bench"

DUMP = """# callgrind format
part: 3
desc: Timerange: Basic block 12 - 34
desc: Trigger: Client Request: relu_forward-n16384
positions: line
events: Ir
summary: 161

ob=/somewhere/_cpu.cpython-311-x86_64-linux-gnu.so
fl=???
fn=0x1234
0 100
cob=/lib/libc.so.6
cfn=memset
calls=2 41
0 30

fn=0x5678
12 20

ob=/lib/libc.so.6
fl=memset.S
fn=memset
41 11
42 30

totals: 161
"""


@pytest.fixture
def callgrind(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCH))
    return importlib.import_module("callgrind")


@pytest.fixture
def bench(callgrind: ModuleType) -> ModuleType:
    return importlib.import_module("instructions")


def recorded(bench: ModuleType):
    return bench.Record(**json.loads(bench.RECORD.read_text()))


def grown(record, name: str, factor: float):
    counts = {**record.counts, name: round(factor * record.counts[name])}
    return dataclasses.replace(record, counts=counts)


def test_a_dump_is_what_each_library_executes_itself(callgrind: ModuleType) -> None:
    name, counts = callgrind.parse(DUMP)
    assert name == "relu_forward-n16384"
    assert counts == {"_cpu.cpython-311-x86_64-linux-gnu.so": 120, "libc.so.6": 41}


def test_the_dump_of_the_end_is_no_call(callgrind: ModuleType) -> None:
    assert callgrind.parse(DUMP.replace("Client Request: relu", "Program termination")) is None


@pytest.mark.parametrize("cut", ["totals: 161\n", "42 30\n", "calls=2 41\n"])
def test_a_dump_that_does_not_add_up_is_refused(callgrind: ModuleType, cut: str) -> None:
    with pytest.raises(ValueError, match="the dump of relu_forward-n16384 does not add up"):
        callgrind.parse(DUMP.replace(cut, ""))


def test_a_call_is_counted_alike_in_every_process(callgrind: ModuleType, tmp_path: Path) -> None:
    if compiler() is None or shutil.which("valgrind") is None:
        pytest.skip("needs valgrind and a C++ compiler")
    script = tmp_path / "script.py"
    script.write_text(
        f"import sys; sys.path.append({str(BENCH)!r})\n"
        "from callgrind import Requests\n"
        "requests = Requests(sys.argv[1])\n"
        "requests.start()\n"
        "for n in (1000, 1000, 1100):\n"
        "    requests.zero(); sum(range(n)); requests.dump(b'sum of %d' % n)\n"
    )
    try:
        one, two = (callgrind.count(script, {"PYTHONHASHSEED": "0"}) for _ in range(2))
    except callgrind.CannotRunError as why:
        pytest.skip(str(why))
    assert one == two
    assert one["sum of 1100"].total() > 1.02 * one["sum of 1000"].total()


def test_what_has_not_grown_passes(bench: ModuleType) -> None:
    record = recorded(bench)
    assert bench.compare(record, record) == []
    for factor in (0.5, 1.019):
        assert bench.compare(grown(record, bench.STEP, factor), record) == []


def test_a_planted_regression_is_found(bench: ModuleType) -> None:
    record = recorded(bench)
    for name in record.counts:
        (line,) = bench.compare(grown(record, name, 1.021), record)
        assert line == f"{name} has grown by 2.1%"


def test_the_step_is_compared_on_the_same_python_alone(bench: ModuleType) -> None:
    record = recorded(bench)
    other = dataclasses.replace(record, python="Python 2.7.18, NumPy 1.16.6")
    assert bench.compare(grown(other, bench.STEP, 2), record) == []
    assert len(bench.compare(grown(other, str(bench.CASES[0]), 2), record)) == 1


def test_cases_that_come_and_go_are_named(bench: ModuleType) -> None:
    record = recorded(bench)
    fewer = {name: n for name, n in record.counts.items() if name != bench.STEP}
    less = dataclasses.replace(record, counts=fewer)
    assert bench.compare(record, less) == [f"{bench.STEP} is not recorded"]
    assert bench.compare(less, record) == [f"{bench.STEP} is no longer counted"]


@pytest.mark.parametrize(
    ("change", "status", "says"),
    [
        ({}, 0, "No count has grown by more than 2%."),
        ({"gemm-m64-n64-k64": 1}, 1, "gemm-m64-n64-k64 has grown by"),
        ({"compiler": "C++ compiler 4"}, 77, "recorded of C++ compiler 4: nothing is compared."),
        ({"python": "Python 2"}, 0, "recorded of Python 2: the step is not compared."),
    ],
)
def test_the_status_says_how_it_went(
    bench: ModuleType, change: dict, status: int, says: str, monkeypatch, tmp_path, capsys
) -> None:
    counts = recorded(bench).counts
    monkeypatch.setattr(bench, "RECORD", tmp_path / "instructions.json")
    monkeypatch.setattr(bench, "count", lambda: counts)
    monkeypatch.setattr("sys.argv", ["instructions.py", "--save"])
    assert bench.main() == 0
    record = json.loads(bench.RECORD.read_text())
    for name, value in change.items():
        (record if name in record else record["counts"])[name] = value
    bench.RECORD.write_text(json.dumps(record))
    monkeypatch.setattr("sys.argv", ["instructions.py"])
    capsys.readouterr()
    assert bench.main() == status
    assert says in capsys.readouterr().out


def test_without_valgrind_it_leaves_with_77(bench: ModuleType, monkeypatch, capsys) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("sys.argv", ["instructions.py"])
    assert bench.main() == 77
    assert capsys.readouterr().out.startswith("needs ")


def test_every_op_is_counted_and_recorded_as_it_is_built(bench: ModuleType) -> None:
    kernels = {case.kernel for case in bench.CASES}
    for name, op in OPS.items():
        assert kernels & {case.kernel for case in op.benchmarks}, name
    record = recorded(bench)
    assert list(record.counts) == [*map(str, bench.CASES), bench.STEP]
    assert record.flags == bench.flags()
