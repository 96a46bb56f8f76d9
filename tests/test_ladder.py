"""The ladders: a rung 0 for every op, rungs right on every instruction set, and the command."""

from __future__ import annotations

import dataclasses
import re
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import baregrad as bg
import numpy as np
import pytest
from baregrad import _cpu, backend, choice, own, trial
from baregrad.cases import OPS, conv2d, gemm
from baregrad.cases.case import SPECIAL, Case
from baregrad.cases.check import exact_result
from baregrad.cases.on_device import OnDevice
from baregrad.cases.window import Windows
from baregrad.choice import rungs
from baregrad.cli import ladder, main
from baregrad.typing import NDArray
from conftest import SCHEDULES
from toolchain import compiler

pytestmark = pytest.mark.skipif(compiler() is None, reason="needs a C++ compiler")

CPU = [(op, rung) for where, op, rung, _ in rungs() if where == "cpu"]
THREADED = [
    (op, rung)
    for op, rung in CPU
    if '"threads.h"' in (own.HEADERS / "ladder" / f"{op}_{rung}.cpp").read_text()
]


def test_every_op_has_a_rung_0_and_numbers_without_gaps() -> None:
    for op in OPS:
        numbers = [int(rung.split("_")[0]) for o, rung in CPU if o == op]
        assert numbers == list(range(max(1, len(numbers)))), op
    assert {op for op, rung in CPU if rung.startswith("1_")} == set(ladder.LADDERS)


@pytest.mark.parametrize(("op", "rung"), CPU)
def test_a_rung_begins_with_its_idea(op: str, rung: str) -> None:
    text = (own.HEADERS / "ladder" / f"{op}_{rung}.cpp").read_text()
    assert text.startswith(f"// Rung {rung.split('_')[0]}: ")
    headers = {"../kernels.h", "threads.h", "vector.h", "winograd.h"}
    assert set(re.findall(r'#include "(.*)"', text)) <= headers


@pytest.mark.parametrize("isa", _cpu.available()[1:])
def test_rungs_are_right_on_every_instruction_set(isa: str) -> None:
    for op, rung in CPU:
        if op in ladder.LADDERS and not rung.startswith("0_"):
            with bg.use(isa=isa, **{op: f"ladder/{rung}"}):
                assert _cpu.in_use() == f"{isa}, {op}=ladder/{rung}"
                for case in OPS[op].tests:
                    assert case.flops > 100_000 or trial.first_wrong(case) is None, str(case)


@pytest.mark.parametrize(("op", "rung"), THREADED)
def test_a_rung_with_threads_gives_the_same_bits_for_any_number(op: str, rung: str) -> None:
    cases = {
        "gemm": ladder.LADDERS["gemm"].cases(350, 600, 530),
        "conv2d": ladder.LADDERS["conv2d"].cases(17, 48, 40, 40, 40),
        "softmax_xent": ladder.LADDERS["softmax_xent"].cases(300, 130),
        "adam_step": ladder.LADDERS["adam_step"].cases(3, 40_001),
    }[op]

    def results(threads: int) -> list[Any]:
        before = bg.get_num_threads()
        bg.set_num_threads(threads)
        try:
            with bg.use(**{op: f"ladder/{rung}"}):
                arguments = [case.arguments(np.random.default_rng(0)) for case in cases]
                pairs = zip(cases, arguments, strict=True)
                return [out for case, a in pairs for out in case.run(bg.kernels.cpu, a)]
        finally:
            bg.set_num_threads(before)

    alone = results(1)
    for threads in (2, 3, 5):
        for one, many in zip(alone, results(threads), strict=True):
            np.testing.assert_array_equal(one, many)


def by_winograd(case: Case, arguments: dict[str, Any]) -> tuple[NDArray, bool]:
    """Its result, and whether it has the bits of that of the kernel in use."""
    (plain,) = case.run(bg.kernels.cpu, arguments)
    with bg.use(conv2d="ladder/winograd"):
        (got,) = case.run(bg.kernels.cpu, arguments)
    return got, np.array_equal(got, plain, equal_nan=True)


DIRECTIONS = ["conv2d_forward", "conv2d_backward_input", "conv2d_backward_weight"]


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize(
    ("c", "o", "size", "padding"),
    [(128, 128, (6, 6), (0, 0)), (128, 128, (4, 4), (2, 2)), (64, 64, (9, 14), (2, 1)),
     (64, 33, (13, 21), (1, 1)), (256, 64, (7, 7), (1, 1)), (64, 64, (4, 40), (1, 0)),
     (48, 80, (40, 40), (1, 1))],
)  # fmt: skip
def test_winograd_is_half_as_wrong_at_most_as_a_sum_of_products_may_be(
    direction: str, c: int, o: int, size: tuple[int, int], padding: tuple[int, int]
) -> None:
    # 17 images: those of a vector of any instruction set, and one more.
    case = conv2d.case(direction, Windows(17, c, *size, (3, 3), o=o, padding=padding))
    arguments = case.arguments(np.random.default_rng(0))
    (exact,), (bound,) = exact_result(case, arguments), case.bound(arguments)
    got, plain = by_winograd(case, arguments)
    assert not plain
    assert np.all(np.abs(got - exact) <= bound / 2)


@pytest.mark.parametrize(
    ("direction", "n", "c", "o", "side", "padding"),
    [("conv2d_forward", 16, 31, 32, 8, 1), ("conv2d_forward", 16, 127, 32, 8, 2),
     ("conv2d_backward_input", 16, 32, 127, 8, 0), ("conv2d_forward", 1, 32, 32, 8, 1),
     ("conv2d_forward", 16, 32, 7, 8, 1), ("conv2d_backward_input", 16, 7, 32, 8, 1),
     ("conv2d_forward", 16, 32, 32, 5, 1), ("conv2d_backward_weight", 2, 32, 32, 8, 1),
     ("conv2d_backward_weight", 16, 1, 32, 8, 1), ("conv2d_backward_weight", 16, 32, 7, 8, 1),
     ("conv2d_backward_weight", 16, 32, 32, 5, 1)],
)  # fmt: skip
def test_winograd_leaves_what_is_too_small_for_it_to_the_kernel_in_use(
    direction: str, n: int, c: int, o: int, side: int, padding: int
) -> None:
    windows = Windows(n, c, side, side, (3, 3), o=o, padding=(padding, padding))
    case = conv2d.case(direction, windows)
    assert by_winograd(case, case.arguments(np.random.default_rng(0)))[1]


@pytest.mark.parametrize(("width", "stride"), [(16, (9, 1)), (40, (1, 64))])
def test_winograd_leaves_strides_that_have_no_second_window_to_the_kernel_in_use(
    width: int, stride: tuple[int, int]
) -> None:
    windows = Windows(16, 32, 9, width, (3, 3), o=128, stride=stride, padding=(1, 1))
    case = conv2d.case("conv2d_backward_input", windows)
    assert by_winograd(case, case.arguments(np.random.default_rng(0)))[1]


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("value", [1e2, 1e4, 1e8, 5e13])
def test_winograd_is_off_by_a_share_of_the_largest_number_of_a_tile(
    direction: str, value: float
) -> None:
    case = conv2d.case(direction, Windows(16, 64, 9, 9, (3, 3), o=64, padding=(1, 1)))
    arguments = case.arguments(np.random.default_rng(0))
    images = [name for name in ("x", "dout") if name in arguments]
    arguments[images[-1]][5, 3, 0, 0] = value  # which not all outputs of its tile see
    (exact,) = exact_result(case, arguments)
    got, plain = by_winograd(case, arguments)
    assert not plain
    largest = {name: np.abs(arguments[name]).max((2, 3), keepdims=True) for name in images}
    spread = {name: np.broadcast_to(x, arguments[name].shape) for name, x in largest.items()}
    (bound,) = case.bound({**arguments, **spread})
    assert np.all(np.abs(got - exact) <= bound / 2)
    if value > 1e5:  # and by more than a sum of products may be where these are small
        assert np.any(np.abs(got - exact) > case.bound(arguments)[0])


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("value", [np.inf, np.nan, 1e20])
@pytest.mark.parametrize("place", [0, 1])
def test_winograd_leaves_numbers_that_its_sums_would_lose_to_the_kernel_in_use(
    direction: str, value: float, place: int
) -> None:
    case = conv2d.case(direction, Windows(32, 32, 9, 9, (3, 3), o=32, padding=(1, 1)))
    arguments = case.arguments(np.random.default_rng(0))
    [*arguments.values()][place][3, 5, 2, 2] = value
    assert by_winograd(case, arguments)[1]


@pytest.mark.parametrize("rung", [rung for op, rung in CPU if op == "adam_step"])
def test_an_infinite_parameter_is_not_made_nan_by_a_decay_that_is_decoupled(rung: str) -> None:
    param = np.array([np.inf, -np.inf], np.float32)
    grad, m, v = np.ones((3, 2), np.float32)
    rate, step = np.array([1e-2], np.float32), np.array([1])
    with bg.use(adam_step=f"ladder/{rung}"):
        bg.kernels.cpu.adam_step(
            [param], [grad], [m], [v], rate, step, weight_decay=0.01, decoupled=True
        )
    np.testing.assert_array_equal(param, [np.inf, -np.inf])


def test_the_naive_maximum_of_a_window_is_never_its_padding() -> None:
    x = np.full((1, 1, 3, 3), -np.inf, np.float32)
    options: dict[str, Any] = {"stride": (2, 2), "padding": (1, 1)}
    with bg.use(maxpool2d="ladder/0"):
        got = bg.kernels.cpu.maxpool2d_forward(x, (2, 2), **options)
    want = bg.kernels.reference.maxpool2d_forward(x, (2, 2), **options)
    np.testing.assert_array_equal(got[0], want[0])
    np.testing.assert_array_equal(got[1], want[1])


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ladder, "_SECONDS", 0.0)
    for op in ladder.LADDERS:
        monkeypatch.setattr(OPS[op], "tests", OPS[op].tests[20:22])


def test_calls_of_a_microsecond_are_timed_as_long_as_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = iter(range(10**9))
    monkeypatch.setattr(ladder.time, "perf_counter", lambda: next(clock) / 1e6)
    monkeypatch.setattr(ladder, "_SECONDS", 0.1)
    assert ladder._timed(lambda: None) == pytest.approx(1e-6)
    assert next(clock) == pytest.approx(200_000, rel=0.01)  # two looks at it for each call


@pytest.mark.parametrize(
    ("op", "size", "tables"),
    [("gemm", "65 33 17", 1), ("conv2d", "1 2 5 5 3", 3), ("softmax_xent", "9 20", 1),
     ("adam_step", "2 100", 1)],
)  # fmt: skip
def test_the_command_prints_all_rungs_from_the_kernel_in_use_down(
    op: str, size: str, tables: int, quick: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ladder", op, "--size", *size.split()]) == 0
    out = capsys.readouterr().out
    printed = re.findall(r"^(in use|\d_\w+) .*%  \S", out, re.MULTILINE)
    all_rungs = ["in use", *reversed([rung for o, rung in CPU if o == op])]
    assert printed == tables * all_rungs
    gains = re.findall(r"B?/s +([\d.]+x)? +\d+%", out)
    assert [bool(gain) for gain in gains] == [not name.startswith("0_") for name in printed]
    assert f"{_cpu.in_use()}, {_cpu.get_num_threads()} threads" in out


def test_rungs_take_turns_and_the_middle_turn_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the machine may be slow for one of them; of what takes long one turn is enough."""
    took = {
        "in use": [0.4, 0.1, 0.3, 0.2, 0.1],
        "1_rows": [0.2, 0.2, 9.0, 0.2, 0.2],
        "0_naive": [2.0],
    }
    turns: list[str] = []
    monkeypatch.setattr(ladder, "_rungs", lambda op: ["0_naive", "1_rows"])
    monkeypatch.setattr(ladder, "_rung", lambda op, name: turns.append(name) or nullcontext())
    monkeypatch.setattr(ladder, "_timed", lambda call: took[turns[-1]].pop(0))
    monkeypatch.setattr(ladder, "_ceilings", lambda case: (1.0, 1.0))
    monkeypatch.setattr(OPS["gemm"], "tests", [])
    ((_, rows),) = ladder.climb("gemm", [OPS["gemm"].case(2, 2, 2)])
    assert [row.milliseconds for row in rows] == [200, 200, 2000]
    assert turns[:3] == ["in use", "1_rows", "0_naive"]  # held to the case
    assert turns[3:8] == ["in use", "1_rows", "0_naive", "in use", "1_rows"]
    assert not any(took.values())


def test_a_gain_is_over_the_rung_below_and_a_share_of_the_nearer_ceiling() -> None:
    case = OPS["gemm"].case(100, 100, 100)
    top, bottom = ladder.rows_of("gemm", case, ["1_rows", "0_naive"], [0.001, 0.004], 4.0, 1.0)
    assert (top.gain, bottom.gain) == (4.0, None)
    assert (top.share, bottom.share) == (0.5, 0.125)
    assert (top.rate, bottom.rate) == ("2.0 GFLOP/s", "0.5 GFLOP/s")
    (copied,) = ladder.rows_of("gemm", case, ["0_naive"], [0.001], 1e6, 1.0)
    assert copied.rate.endswith("GB/s")
    assert copied.share == case.bytes / 1e6


def test_a_wrong_rung_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = dataclasses.replace(OPS["gemm"].tests[20], bound=lambda arguments: (np.float64(-1),))
    monkeypatch.setattr(OPS["gemm"], "tests", [wrong])
    with pytest.raises(ValueError, match=r"\[gemm\] in use: out\[0, 0\] is .*, expected "):
        next(ladder.climb("gemm", ladder.cases_of("gemm", (5, 5, 5))))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("gemm --size 5 5", "argument --size: 2 numbers, expected m n k for gemm"),
        ("gemm --size 5 5 0", "argument --size: '0', expected an integer of at least 1"),
        ("softmax", "argument op: 'softmax', expected one of gemm"),
    ],
)
def test_wrong_words_are_one_sentence(
    words: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["ladder", *words.split()])
    assert stop.value.code == 2
    assert sentence in capsys.readouterr().err


CUDA_LADDER = Path(__file__).parent.parent / "cuda" / "ladder"
needs_sim = pytest.mark.skipif(
    backend.why_absent("sim") is not None, reason="this build has no simulator"
)


def test_a_rung_in_cuda_begins_with_its_idea() -> None:
    rungs = [(op, rung) for where, op, rung, _ in choice.rungs() if where == "sim"]
    assert {op for op, _ in rungs} == set(ladder.COUNTED)
    for op, rung in rungs:
        text = (own.DEVICE / "ladder" / f"{op}_{rung}.cu").read_text()
        assert text.startswith(f"// Rung {rung.split('_')[0]}: ")


@needs_sim
@pytest.mark.parametrize("op", ladder.COUNTED)
def test_the_counts_in_the_readme_are_those_of_the_rungs(op: str) -> None:
    readme = (CUDA_LADDER / "README.md").read_text()
    (case,) = ladder.cases_of(op, ladder.LADDERS[op].counted)
    for row in ladder.count(op, case):
        assert f"| {' | '.join(row)} |" in readme, "python bench/ladder.py --counts"


@needs_sim
def test_each_rung_of_gemm_asks_less_of_memory(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ladder", "gemm", "--device", "sim", "--size", "64", "64", "32"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[3:]]
    sectors = {row[0]: int(row[1].replace(",", "")) for row in rows[1:]}
    assert sectors["0_naive"] > 4 * sectors["1_coalesced"] > 16 * sectors["2_shared"]
    rungs = rows[1:]  # below the kernel in use
    passes = [int(row[3].replace(",", "")) for row in rungs if not row[0].startswith(("0", "1"))]
    assert passes == sorted(passes)
    assert passes[0] < passes[-1] / 16
    requests = [int(row[5].replace(",", "")) for row in rungs[:6]]
    assert requests == sorted(requests)
    assert requests[0] < 0.8 * requests[1]  # copies of four numbers
    assert all(row[4] == "100%" for row in rungs[:2])  # no bank conflicts
    with pytest.raises(SystemExit):
        main(["ladder", "conv2d", "--device", "sim"])
    assert "'conv2d' has no rungs in CUDA, expected gemm, " in capsys.readouterr().err


TENSOR = pytest.mark.parametrize("rung", ["6", "7"])


def first_wrong_of(case: Case, rung: str, how: str) -> str | None:
    with bg.use(sim=how, gemm=f"ladder/{rung}"):
        return trial.first_wrong(case, OnDevice(backend.device("sim")))


@needs_sim
@TENSOR
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_products_of_parts_are_as_exact_as_those_of_float32(rung: str, schedule: str) -> None:
    sim = backend.device("sim").table.own
    before = sim.schedule()
    sim.set_schedule(schedule)
    try:
        for case in [*OPS["gemm"].tests, *gemm.more_tests[::9]]:
            if case.flops < (1e6 if schedule == "forward" else 1e5):
                assert first_wrong_of(case, rung, "plain") is None, str(case)
    finally:
        sim.set_schedule(before)


@needs_sim
@TENSOR
def test_products_of_parts_are_race_free(rung: str) -> None:
    for size in ((70, 90, 40), (130, 3, 33), (1, 70, 100)):
        assert first_wrong_of(gemm.case(*size), rung, "watched") is None


@needs_sim
@TENSOR
@pytest.mark.parametrize("value", SPECIAL[4:])
def test_numbers_without_parts_are_multiplied_all_the_same(rung: str, value: float) -> None:
    a, b = np.zeros((70, 20), np.float32), np.zeros((20, 70), np.float32)
    a[:, 3], a[66, 3], b[3] = 0.5, value, 1
    b[3, 1] = 0
    with np.errstate(invalid="ignore"):
        expected = a @ b
    with bg.use(gemm=f"ladder/{rung}"):
        sim = OnDevice(backend.device("sim"))
        np.testing.assert_array_equal(sim.gemm(a, b), expected)
        np.testing.assert_array_equal(sim.gemm(b.T, a.T), expected.T)


@needs_sim
@TENSOR
@pytest.mark.parametrize("k", [7, 8])  # the second product begins at a multiple of 16 bytes, or not
def test_products_of_parts_find_their_batch(rung: str, k: int) -> None:
    a, b = np.random.default_rng(0).standard_normal((2, 3, k, k), np.float32)
    with bg.use(gemm=f"ladder/{rung}"):
        got = OnDevice(backend.device("sim")).gemm(a, b)
    double = np.abs(a.astype(np.float64)) @ np.abs(b.astype(np.float64))
    assert np.all(np.abs(got - a.astype(np.float64) @ b) <= (k + 3) * 2.0**-24 * double)
