"""bg.use: each entry is really what runs, inside a live training too, and errors name the entries."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import Any

import baregrad as bg
import numpy as np
import pytest
from baregrad import _cpu, backend, own
from baregrad.choice import rungs
from toolchain import SOURCES, compile_shared, compiler

pytestmark = pytest.mark.skipif(compiler() is None, reason="needs a C++ compiler")

RUNGS = sorted({(where, op, rung) for where, op, rung, _ in rungs()})
ON_CUDA = [("cuda", op, rung) for where, op, rung in RUNGS if where == "sim"]


def test_every_instruction_set_can_be_chosen_and_the_best_comes_back() -> None:
    best = _cpu.in_use()
    assert best == _cpu.available()[0]
    for isa in _cpu.available():
        with bg.use(isa=isa):
            assert _cpu.in_use() == isa
    assert _cpu.in_use() == best


def test_as_a_setter_it_stays() -> None:
    try:
        bg.use("reference")
        assert bg.kernels(np.zeros(1, np.float32)) is bg.kernels.reference
    finally:
        bg.use("cpu")
    assert bg.kernels(np.zeros(1, np.float32)) is bg.kernels.cpu


def test_entries_add_up_and_are_undone_one_by_one() -> None:
    before = _cpu.in_use()
    with bg.use(isa="baseline" if "baseline" in _cpu.available() else _cpu.available()[-1]):
        isa = _cpu.in_use()
        with bg.use(gemm="ladder/naive"):
            assert _cpu.in_use() == f"{isa}, gemm=ladder/0_naive"
            with bg.use("reference"):
                assert bg.kernels.active is bg.kernels.reference
            assert bg.kernels.active is bg.kernels.cpu
        assert _cpu.in_use() == isa
    assert _cpu.in_use() == before


@pytest.mark.parametrize("name", ["ladder/naive", "ladder/0", "ladder/0_naive"])
def test_a_rung_is_called_by_number_or_idea(name: str) -> None:
    with bg.use(gemm=name):
        assert _cpu.in_use().endswith("gemm=ladder/0_naive")
        assert repr(bg.kernels).startswith(f"<cpu kernels, {_cpu.in_use()}: abs_backward, ")


def test_there_is_a_first_rung_on_the_cpu_and_on_the_simulator() -> None:
    assert {("cpu", "gemm", "0_naive"), ("cpu", "conv2d", "0_naive")} <= set(RUNGS)
    if backend.why_absent("sim") is None:
        assert ("sim", "gemm", "0_naive") in RUNGS


# Of tensor cores, whose models take minutes for one row of 4,200,001 in tiles of 64.
SLOW_RUNGS, MOST = ("6_tensor", "7_copies"), 30e6


@pytest.mark.parametrize(
    ("where", "op", "rung"), [*RUNGS, *(ON_CUDA if bg.cuda.is_available() else [])]
)
def test_a_rung_passes_every_case_of_its_op(where: str, op: str, rung: str) -> None:
    from baregrad.cases import OPS
    from baregrad.cases.check import check, exact_result
    from baregrad.cases.on_device import OnDevice

    table: Any = bg.kernels.cpu if where == "cpu" else OnDevice(backend.device(where))
    with bg.use(**{op: f"ladder/{rung}"}):
        assert rung in backend.device(where).table.own.in_use()
        for case in OPS[op].tests:  # type: ignore[attr-defined]
            if where == "sim" and rung in SLOW_RUNGS and max(case.bytes, case.flops) > MOST:
                continue
            arguments = case.arguments(np.random.default_rng(0))
            check(case, table, arguments, exact_result(case, arguments))


def losses(device: str = "cpu", steps: int = 10, change: Any = None) -> list[float]:
    """The first losses of one training run on the digits."""
    bg.manual_seed(0)
    model = bg.nn.Sequential(bg.nn.Linear(64, 32), bg.nn.ReLU(), bg.nn.Linear(32, 10)).to(device)
    optimizer = bg.optim.Adam(model.parameters(), lr=1e-2)
    loader = bg.utils.data.DataLoader(bg.data.digits().train, batch_size=32, shuffle=True)
    criterion, seen = bg.nn.CrossEntropyLoss(), []
    for step, (images, labels) in zip(range(steps), loader, strict=False):
        if change and step == steps // 2:
            change()
        loss = criterion(model(images.to(device)), labels.to(device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seen.append(loss.item())
    return seen


# Each loss is a sum of some hundred rounded terms, and Adam's first steps are of the size of the
# learning rate whatever the gradient: 1e-5 is about 100 roundings of a loss near 2.
SAME = 1e-5


def test_the_same_script_trains_alike_on_every_backend(isa: str, device: str) -> None:
    with bg.use("reference"):
        want = losses()
    assert want[0] > 2
    assert want[-1] < 0.9 * want[0]
    np.testing.assert_allclose(losses(device), want, atol=SAME)


@pytest.mark.parametrize("entry", [{"gemm": "ladder/naive"}, {"isa": "baseline"}])
def test_an_entry_can_be_swapped_inside_live_training(entry: dict[str, str]) -> None:
    if entry.get("isa", "baseline") not in _cpu.available():
        pytest.skip("this CPU has no baseline table")
    want = losses()
    try:
        np.testing.assert_allclose(losses(change=lambda: bg.use(**entry)), want, atol=SAME)
        assert _cpu.in_use() != _cpu.available()[0]
    finally:
        bg.use("cpu")


def test_an_entry_reaches_the_simulator_inside_live_training() -> None:
    if why := backend.why_absent("sim"):
        pytest.skip(f"sim is not here: {why}")
    want = losses("sim", 4)
    with bg.use(gemm="ladder/naive"):
        assert "0_naive" in backend.device("sim").table.own.in_use()
        np.testing.assert_allclose(losses("sim", 4), want, atol=SAME)
    assert backend.device("sim").table.own.in_use() == "sim"


@pytest.mark.parametrize(
    ("args", "entries", "sentence"),
    [
        ((), {"isa": "sse9"}, r"isa is 'sse9', expected one that this CPU has: .*"),
        (
            ("fast",),
            {},
            "table is 'fast', expected cpu, reference, name=value or a file .cpp, .cc, .cxx or .cu",
        ),
        ((".",), {}, "table is '.', expected cpu, .*; it is a folder"),
        (("sim",), {}, r'a device is chosen by .to\("sim"\)'),
        ((), {"gemm": "ladder/9"}, "gemm is 'ladder/9', .* gemm=ladder/0_naive"),
        (("conv=ladder/0",), {}, "'conv' is no op, expected conv2d"),
        ((), {"relu": "ladder/0"}, "'relu' is no op, expected .*; relu is a kind of unary"),
        ((), {"threads": 3}, "'threads' is no op"),
        (("ladder/3",), {}, "a rung is that of an op, gemm=ladder/3 for one"),
        (("baseline",), {}, "an instruction set is isa=baseline"),
    ],
)
def test_an_impossible_wish_names_what_there_is(
    args: tuple[str, ...], entries: dict[str, str], sentence: str
) -> None:
    before = _cpu.in_use()
    with pytest.raises(ValueError, match=sentence):
        bg.use(*args, **entries)
    assert _cpu.in_use() == before


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_environment_chooses_too() -> None:
    code = "import baregrad as bg; from baregrad import _cpu; print(_cpu.in_use(), bg.kernels.active.name)"
    last = _cpu.available()[-1]
    assert python(code, BAREGRAD_ISA=last).stdout.split() == [last, "cpu"]
    assert python(code, BAREGRAD_USE=f"isa={last},reference").stdout.split() == [last, "reference"]
    wrong = python(code, BAREGRAD_ISA="mmx")
    assert "BAREGRAD_ISA=mmx: [use] isa is 'mmx', expected one that this CPU has:" in wrong.stderr


def test_a_library_of_your_own_fills_a_slot() -> None:
    rung = next(path for where, op, _, path in rungs() if (where, op) == ("cpu", "gemm"))
    library = own.build(rung).library
    with bg.use(gemm=str(library)):
        assert _cpu.in_use().endswith(f"gemm={library.stem}")
        a = np.eye(3, dtype=np.float32)
        np.testing.assert_array_equal(bg.kernels.cpu.gemm(a, a), a)
    with pytest.raises(ValueError, match="does not fill a slot of unary"):
        bg.use(unary=str(library))
    with pytest.raises(ValueError, match=r"gemm: .*missing.so"):
        bg.use(gemm="./missing.so")
    with pytest.raises(TypeError, match="isa is a NoneType, expected text"):
        bg.use(isa=None)  # type: ignore[arg-type]


def test_a_library_that_was_compiled_again_is_loaded_again(tmp_path: Any) -> None:
    x = np.ones(1, np.float32)
    for number in (1, 2):
        source = tmp_path / "mine.cpp"
        source.write_text(
            f'#include "{SOURCES}/csrc/kernels.h"\n'
            "static void one(baregrad::UnaryKind, const float*, float* out, int64_t, float)"
            f"{{ out[0] = {number}; }}\n"
            "void baregrad_plugin(baregrad::Kernels* table) { table->unary_forward = one; }\n"
        )
        library = compile_shared([source], tmp_path / "mine.so")
        with bg.use(unary=str(library)):
            assert bg.kernels.cpu.relu_forward(x).item() == number


def test_a_file_that_is_no_plug_in_is_refused(tmp_path: Any) -> None:
    text = tmp_path / "not_a_library.so"
    text.write_text("hello")
    with pytest.raises(ValueError, match=r"\[use\] gemm: .*not_a_library.so"):
        _cpu.select("", [("gemm", "mine", str(text))])
    with pytest.raises(ValueError, match="does not export baregrad_plugin"):
        _cpu.select("", [("gemm", "mine", _cpu.__file__)])
    with pytest.raises(ValueError, match=re.escape(f"[use] gemm: {text}: ")):  # not of a copy
        bg.use(gemm=str(text))
