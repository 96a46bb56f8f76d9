"""The command line beside the demo: info, show, and what it says to wrong words."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import baregrad as bg
import pytest
from baregrad import _cpu
from baregrad.cases import OPS
from baregrad.cli import main


def test_info_says_what_is_here_and_why(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info"]) == 0
    facts = dict(line.split(None, 1) for line in capsys.readouterr().out.splitlines())
    said = str(facts)
    for isa in _cpu.available():
        assert isa in said
    assert _cpu.thread_reason() in said
    assert str(bg.cuda.why_not() or "yes") in said
    for word in ("GFLOP/s", "GB/s", "MiB kept", "gemm=ladder/0_naive"):
        assert word in said


def test_the_measured_ceilings_are_of_this_machine() -> None:
    # Between a slow phone and a large server, for each thread.
    threads = _cpu.get_num_threads()
    assert 0.5 * threads < _cpu.measure_fma(0.05) < 2_000 * threads
    assert 0.1 < _cpu.measure_copy(0.05, 1 << 24) < 10_000


@pytest.mark.parametrize("op", [*OPS, "relu"])
def test_show_prints_every_room_of_an_op(op: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", op]) == 0
    text = capsys.readouterr().out
    stem = "unary" if op == "relu" else op
    for room in (f"reference/{stem}.py", f"csrc/ops/{stem}.cpp", f"csrc/kernels/{stem}.inl.h",
                 f"cuda/kernels/{stem}.cu", "The tolerance"):  # fmt: skip
        assert room in text
    assert "__global__ void" in text
    assert "namespace baregrad::BAREGRAD_ISA" in text
    assert "class" in text or stem in ("sgd_step", "adam_step", "im2col")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["show", "conv"], "argument op: 'conv', expected one of gemm, conv2d, im2col"),
        (["show"], "the following arguments are required: op"),
        (["dance"], "invalid choice: 'dance'"),
        ([], "the following arguments are required: command"),
        (["info", "--fast"], "unrecognized arguments: --fast"),
    ],
)
def test_wrong_words_are_one_sentence_and_exit_code_2(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert len(error.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("BAREGRAD_USE", "nonsense", "table is 'nonsense', expected cpu, reference"),
        ("BAREGRAD_USE", "none.cpp", "none.cpp: No such file"),
        ("BAREGRAD_ISA", "mmx", "isa is 'mmx', expected one that this CPU has"),
    ],
)
@pytest.mark.parametrize(
    "command", [["-m", "baregrad"], [str(Path(sys.executable).parent / "baregrad")]]
)
def test_a_wrong_environment_is_one_sentence_and_exit_code_2(
    command: list[str], variable: str, value: str, sentence: str
) -> None:
    done = subprocess.run(
        [sys.executable, *command, "info"], env={**os.environ, variable: value},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
    assert done.stderr.startswith(f"baregrad: {variable}={value}: [use] {sentence}")


def test_is_a_module_too() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "baregrad", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("baregrad ")


def test_show_survives_a_reader_that_leaves() -> None:
    done = subprocess.run(
        f"{sys.executable} -m baregrad show gemm | head -1",
        shell=True, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.startswith("The definition")
    assert done.stderr == ""
