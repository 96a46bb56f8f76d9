"""The CUDA simulator: correct kernels agree with NumPy under every schedule."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from simulated import (
    EVERY_SCHEDULE,
    INVALID_CONFIGURATION,
    INVALID_VALUE,
    LAUNCH_FAILURE,
    MEMORY_ALLOCATION,
    PROGRAMS,
    SUCCESS,
    Simulator,
    address,
    line_of,
    neighbour_is_right,
)
from toolchain import SIMT, compile_cu, compiler

pytestmark = pytest.mark.skipif(compiler() is None, reason="no C++ compiler on this machine")


@EVERY_SCHEDULE
def test_every_thread_of_a_grid_runs_once_with_its_own_indices(
    simulator: Simulator, schedule: str
) -> None:
    out = np.full(12 * 30, -1, np.int32)
    assert simulator.kernels.indices(address(out)) == SUCCESS
    np.testing.assert_array_equal(
        out.reshape(12, 30), np.add.outer(1000 * np.arange(12), range(30))
    )


@EVERY_SCHEDULE
@pytest.mark.parametrize(("n", "tile"), [(1, 8), (33, 8), (48, 16), (67, 16)])
def test_tiled_product_equals_numpy(
    simulator: Simulator, schedule: str, rng: np.random.Generator, n: int, tile: int
) -> None:
    a, b = rng.integers(-9, 10, (2, n, n)).astype(np.float32)  # sums of integers are exact
    c = np.full((n, n), np.nan, np.float32)
    assert simulator.kernels.gemm(address(a), address(b), address(c), n, tile) == SUCCESS
    np.testing.assert_array_equal(c, a @ b)


@EVERY_SCHEDULE
@pytest.mark.parametrize("threads", [32, 96, 1024])
def test_row_sums_through_shuffles_and_dynamic_shared_memory_equal_numpy(
    simulator: Simulator, schedule: str, rng: np.random.Generator, threads: int
) -> None:
    x = rng.integers(-99, 100, (5, 1001)).astype(np.float32)
    sums = np.full(5, np.nan, np.float32)
    assert simulator.kernels.row_sums(address(x), address(sums), *x.shape, threads) == SUCCESS
    np.testing.assert_array_equal(sums, x.sum(axis=1))


@EVERY_SCHEDULE
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("operand", "width"), [(0, 32), (1, 32), (5, 8), (16, 16), (31, 32), (3, 1)]
)
def test_shuffles_read_the_lane_that_cuda_defines(
    simulator: Simulator, schedule: str, dtype: type, operand: int, width: int
) -> None:
    lane = np.arange(32)
    value: NDArray[Any] = (lane + np.pi).astype(dtype)
    out: NDArray[Any] = np.full((4, 32), np.nan, dtype)
    kernel = getattr(simulator.kernels, {4: "shuffles_float", 8: "shuffles_double"}[value.itemsize])
    assert kernel(address(value), address(out), operand, width) == SUCCESS
    segment = lane // width * width
    up, down, partner = lane - operand, lane + operand, lane ^ operand
    sources = [
        segment + operand % width,
        np.where(up < segment, lane, up),
        np.where(down >= segment + width, lane, down),
        np.where(partner >= segment + width, lane, partner),
    ]
    np.testing.assert_array_equal(out, value[np.stack(sources)])


@EVERY_SCHEDULE
def test_halves_of_a_warp_shuffle_apart(simulator: Simulator, schedule: str) -> None:
    out = np.full(32, -1, np.int32)
    assert simulator.kernels.half_warps(address(out)) == SUCCESS
    np.testing.assert_array_equal(out, np.repeat([3, 19], 16))


@EVERY_SCHEDULE
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_votes_count_the_threads_that_say_yes(
    simulator: Simulator, schedule: str, rng: np.random.Generator, share: float
) -> None:
    flags = (rng.random(64) < share).astype(np.int32)
    out = np.full((7, 64), 0xDEAD, np.uint32)
    assert simulator.kernels.votes(address(flags), address(out), 64) == SUCCESS
    warps = flags.reshape(2, 32)
    ballots = (warps.astype(np.uint64) << np.arange(32, dtype=np.uint64)).sum(axis=1)
    active = np.where(warps, ballots[:, None], 0xFFFFFFFF ^ ballots[:, None])
    expected = [
        np.repeat(ballots, 32),
        np.repeat(warps.any(axis=1), 32),
        np.repeat(warps.all(axis=1), 32),
        np.full(64, flags.sum()),
        np.full(64, flags.all()),
        np.full(64, flags.any()),
        active.reshape(64),
    ]
    np.testing.assert_array_equal(out, np.stack(expected))


@EVERY_SCHEDULE
@pytest.mark.parametrize(("first", "threads"), [(20, 64), (40, 64), (16, 24), (24, 24)])
def test_threads_that_have_returned_are_not_waited_for(
    simulator: Simulator, schedule: str, first: int, threads: int
) -> None:
    out = np.full(threads, -1, np.int32)
    assert simulator.kernels.early_return(first, address(out), threads) == SUCCESS
    expected = np.where(np.arange(first) < 32, first + 1000 * min(first, 32), first)
    np.testing.assert_array_equal(out, np.r_[expected, np.full(threads - first, -1)])


@EVERY_SCHEDULE
def test_atomics_lose_nothing(
    simulator: Simulator, schedule: str, rng: np.random.Generator
) -> None:
    keys = rng.integers(-1000, 1000, 1000).astype(np.int32)
    bins, extremes = np.zeros(16, np.int32), np.zeros(2, np.int32)
    total, wide = np.zeros(1, np.float32), np.zeros(1)
    arrays: list[NDArray[Any]] = [bins, total, wide, extremes]
    pointers = [address(array) for array in arrays]
    assert simulator.kernels.histogram(address(keys), keys.size, *pointers) == SUCCESS
    np.testing.assert_array_equal(bins, np.bincount(keys & 15, minlength=16))
    np.testing.assert_array_equal(extremes, [keys.min(), keys.max()])
    assert (total[0], wide[0]) == (1000, 500)


def test_bit_atomics_follow_their_definitions(simulator: Simulator) -> None:
    words = np.array([0xFFFFFFFF, 0, 0xFF, 77, 0, 0, 100], np.uint32)
    wide = np.array([5, 1], np.uint64)
    assert simulator.kernels.bit_atomics(address(words), address(wide)) == SUCCESS
    # the exchange ends on lane 31, compare-and-swap climbs lane by lane, the counter wraps after 4
    np.testing.assert_array_equal(words, [0, 0xFFFFFFFF, 0xFFFFFF00, 31, 32, 32 % 5, 36])
    np.testing.assert_array_equal(wide, [1 << 31, 1 + (32 << 40)])


@EVERY_SCHEDULE
def test_a_spin_lock_lets_its_holder_go_on(simulator: Simulator, schedule: str) -> None:
    lock, count = np.zeros(1, np.int32), np.zeros(1, np.int32)
    assert simulator.kernels.spin_lock(address(lock), address(count)) == SUCCESS
    assert count[0] == 96


def test_language_surface_computes_what_cuda_does(simulator: Simulator) -> None:
    x = np.arange(1, 41, dtype=np.float32).reshape(10, 4)
    out, extra = np.full((10, 4), np.nan, np.float32), np.full((4, 10), np.nan, np.float32)
    assert simulator.kernels.language(address(x), address(out), address(extra), 10) == SUCCESS
    np.testing.assert_array_equal(out, x * [1, 2, 3, 4] + [0, 0, 0, 0.5])
    expected = [x[:, 1] + 0.5, x[:, 2] + 8 + 31 + 4, 2 * x[:, 0] + 1 + 3, 2 + x[:, 1] / 2 + 2 + 2.5]
    np.testing.assert_allclose(extra, expected, rtol=1e-6)  # __expf and __logf round once each


def test_arguments_of_a_launch_are_evaluated_once(simulator: Simulator) -> None:
    assert simulator.kernels.argument_evaluations() == 1


def test_device_memory_copies_and_starts_as_nan(simulator: Simulator) -> None:
    source, target = np.arange(8, dtype=np.float32), np.zeros(8, np.float32)
    assert simulator.kernels.round_trip(address(source), address(target), 8) == SUCCESS
    np.testing.assert_array_equal(target, np.r_[source[:4], np.full(4, np.nan)])


def test_copies_a_rectangle_out_of_a_matrix(simulator: Simulator) -> None:
    matrix, left = np.arange(12, dtype=np.float32).reshape(3, 4), np.zeros((3, 2), np.float32)
    assert simulator.kernels.left_columns(address(matrix), address(left), 3, 4, 2) == SUCCESS
    np.testing.assert_array_equal(left, matrix[:, :2])
    assert simulator.kernels.left_columns(address(matrix), address(left), 3, 1, 2) == INVALID_VALUE
    assert simulator.control.last_error() == INVALID_VALUE


def order(simulator: Simulator, schedule: str) -> list[int]:
    """The threads of 5 blocks of 96 threads in the order in which they ran."""
    count, out = np.zeros(1, np.int32), np.full(480, -1, np.int32)
    assert simulator.set_schedule(schedule)
    assert simulator.kernels.order(address(count), address(out), 5, 96) == SUCCESS
    assert simulator.set_schedule("forward")
    result: list[int] = out.tolist()
    return result


def test_a_schedule_sets_the_order_of_blocks_warps_and_lanes(simulator: Simulator) -> None:
    assert order(simulator, "forward") == list(range(480))
    assert order(simulator, "reverse") == list(range(479, -1, -1))
    orders = [order(simulator, f"random:{seed}") for seed in range(8)]
    for one in orders:
        assert sorted(one) == list(range(480))
    for size in (96, 32, 1):  # of a block, a warp, a lane
        assert len({tuple(thread // size for thread in one) for one in orders}) > 1


def test_a_launch_repeats_itself_under_one_schedule(simulator: Simulator) -> None:
    assert order(simulator, "random:5") == order(simulator, "random:5")


# Errors and limits


@pytest.mark.parametrize(
    ("grid", "block", "error"),
    [
        ((1, 1, 1), (32, 1, 1), SUCCESS),
        ((3, 65535, 1), (1, 1, 1), LAUNCH_FAILURE),  # runs, and lane 3 is not there
        ((1, 65536, 1), (32, 1, 1), INVALID_CONFIGURATION),
        ((1, 1, 65536), (32, 1, 1), INVALID_CONFIGURATION),
        ((2**31, 1, 1), (32, 1, 1), INVALID_CONFIGURATION),
        ((0, 1, 1), (32, 1, 1), INVALID_CONFIGURATION),
        ((1, 1, 1), (32, 0, 1), INVALID_CONFIGURATION),
        ((1, 1, 1), (1025, 1, 1), INVALID_CONFIGURATION),
        ((1, 1, 1), (64, 17, 1), INVALID_CONFIGURATION),
        ((1, 1, 1), (1, 1, 65), INVALID_CONFIGURATION),
        ((1, 1, 1), (2**16, 2**16, 1), INVALID_CONFIGURATION),  # 2^32 threads are not 0
    ],
)
def test_takes_the_shapes_that_a_device_takes(
    simulator: Simulator, grid: tuple[int, ...], block: tuple[int, ...], error: int
) -> None:
    shape = [address(np.array(size, np.uint32)) for size in (grid, block)]
    assert simulator.kernels.launch_shape(*shape, ctypes.c_size_t(0)) == error


def test_a_launch_that_no_device_takes_is_told_with_its_figures(simulator: Simulator) -> None:
    def said(grid: tuple[int, ...], block: tuple[int, ...], shared_bytes: int = 0) -> str:
        shape = [address(np.array(size, np.uint32)) for size in (grid, block)]
        error = simulator.kernels.launch_shape(*shape, ctypes.c_size_t(shared_bytes))
        text: bytes = simulator.control.error_text(error)
        return text.decode()

    line = line_of("launched", "kernels.cu", "line")
    what = f"{line}: invalid configuration argument of the launch of half_warps_kernel: "
    assert said((1, 1, 1), (64, 17, 1)) == (
        f"{what}blocks of 64 x 17 x 1 threads, expected 1 to 1024, and at most 64 along z"
    )
    assert said((3, 0, 1), (32, 1, 1)) == (
        f"{what}a grid of 3 x 0 x 1 blocks, expected 1 or more, and at most 65535 along y and z"
    )
    assert said((1, 1, 1), (32, 1, 1), 1 << 20) == (
        f"{line}: invalid argument of the launch of half_warps_kernel: 1048576 bytes of dynamic "
        "shared memory, expected at most 232448"
    )
    assert said((1, 1, 1), (32, 1, 1)) == "no error"
    assert simulator.control.error_text(INVALID_CONFIGURATION) == b"invalid configuration argument"


def test_takes_as_much_dynamic_shared_memory_as_a_device(simulator: Simulator) -> None:
    assert simulator.faults.dynamic_bytes(227 << 10) == SUCCESS
    assert simulator.faults.dynamic_bytes((227 << 10) + 4) == INVALID_VALUE


def test_refuses_more_memory_than_the_host_has(simulator: Simulator) -> None:
    assert simulator.kernels.allocate(ctypes.c_size_t(1 << 60)) == MEMORY_ALLOCATION
    assert simulator.control.last_error() == MEMORY_ALLOCATION
    assert simulator.control.last_error() == SUCCESS


def test_a_failure_stays_until_it_is_asked_for(simulator: Simulator) -> None:
    simulator.faults.trap()
    simulator.faults.own_mask()  # does not run any more
    simulator.kernels.allocate(ctypes.c_size_t(1 << 60))
    assert simulator.control.peek_error() == LAUNCH_FAILURE
    assert "trap_kernel" in simulator.report()
    assert simulator.control.last_error() == SUCCESS
    assert neighbour_is_right(simulator, barrier=True)


def test_names_the_schedule_that_is_in_force(simulator: Simulator) -> None:
    for name in ("reverse", "random:18446744073709551615", "forward"):
        assert simulator.set_schedule(name)
        assert simulator.control.get_schedule() == name.encode()
    for name in ("backward", "random", "random:", "random:x", "random:1 ", "random:-1", ""):
        assert not simulator.set_schedule(name)
        assert simulator.control.get_schedule() == b"forward"


def test_two_host_threads_launch_at_once_and_keep_their_own_errors(simulator: Simulator) -> None:
    outcomes: dict[str, list[object]] = {"right": [], "wrong": []}

    def right() -> None:
        for _ in range(50):
            outcomes["right"].append(neighbour_is_right(simulator, barrier=True))

    def wrong() -> None:
        for _ in range(50):
            simulator.faults.trap()
            outcomes["wrong"].append(simulator.report())

    threads = [threading.Thread(target=target) for target in (right, wrong)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes["right"] == [True] * 50
    assert len(outcomes["wrong"]) == 50
    assert len(set(outcomes["wrong"])) == 1


# Other builds and the environment

RUN_ALONE = """
import ctypes, sys
import numpy as np
library = ctypes.CDLL(sys.argv[1])
out = np.full(12 * 30, -1, np.int32)
print(library.indices(out.ctypes.data_as(ctypes.c_void_p)), out.max())
sums = np.zeros(5, np.float32)
x = np.ones((5, 1001), np.float32)
pointers = [array.ctypes.data_as(ctypes.c_void_p) for array in (x, sums)]
print(library.row_sums(*pointers, 5, 1001, 96), sums.tolist())
library.error_text.restype = ctypes.c_char_p
library.get_schedule.restype = ctypes.c_char_p
print(library.get_schedule().decode())
print(library.error_text(719).decode())
"""


@pytest.fixture(scope="session")
def ucontext_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runtime and kernels in one library, switching stacks the portable way."""
    out = tmp_path_factory.mktemp("ucontext") / "kernels.so"
    flags = ["-DSIMT_UCONTEXT", "-O0", "-I", str(SIMT), str(PROGRAMS / "control.cpp")]
    return compile_cu(PROGRAMS / "kernels.cu", out, *flags, runtime=True)


def run_alone(library: Path, **environment: str) -> list[str]:
    command = [sys.executable, "-c", RUN_ALONE, str(library)]
    variables = {**os.environ, **environment}
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_switches_stacks_by_ucontext_too(ucontext_library: Path) -> None:
    lines = run_alone(ucontext_library, BAREGRAD_SIM_SCHEDULE="random:7")
    assert lines[:3] == ["0 11029", f"0 {[1001.0] * 5}", "random:7"]


def test_refuses_to_run_under_a_mistyped_schedule(ucontext_library: Path) -> None:
    lines = run_alone(ucontext_library, BAREGRAD_SIM_SCHEDULE="sideways")
    assert lines[0] == f"{LAUNCH_FAILURE} -1"
    assert lines[-1].startswith('BAREGRAD_SIM_SCHEDULE is "sideways", expected "forward"')


# Host threads


def where_blocks_ran(simulator: Simulator, threads: int, first_bad: int = 1000) -> set[int]:
    ran, total = np.zeros(30, np.int64), np.zeros(1, np.uint32)
    simulator.control.set_host_threads(threads)
    try:
        simulator.host_only.where(address(ran), address(total), len(ran), first_bad)
    finally:
        simulator.control.set_host_threads(os.cpu_count() or 1)
    if first_bad > len(ran):
        assert simulator.control.last_error() == SUCCESS
        assert total[0] == 30 * 31 // 2  # each block once
    return set(ran.tolist())


def test_a_long_launch_runs_on_several_host_threads(simulator: Simulator) -> None:
    assert where_blocks_ran(simulator, 1) == {threading.get_native_id()}
    several = where_blocks_ran(simulator, 3)
    if simulator.control.is_watching():  # since another test
        assert several == {threading.get_native_id()}
    else:
        assert len(several) > 3  # the helpers of each while are new
    simulator.set_schedule("reverse")
    try:
        assert where_blocks_ran(simulator, 3) == {threading.get_native_id()}
    finally:
        simulator.set_schedule("forward")


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_the_fault_that_is_told_is_that_of_the_first_block(
    simulator: Simulator, threads: int
) -> None:
    for first_bad in (0, 11):
        where_blocks_ran(simulator, threads, first_bad)
        assert f"block ({first_bad}, 0, 0)" in simulator.report()
    assert len(where_blocks_ran(simulator, threads)) >= 1  # and all goes on


# Cooperative groups


@EVERY_SCHEDULE
@pytest.mark.parametrize("size", [4, 32])
def test_tiles_and_blocks_add_up(simulator: Simulator, schedule: str, size: int) -> None:
    x = np.arange(3 * 96, dtype=np.float32).reshape(3, 96)
    out = np.zeros_like(x)
    simulator.groups.sums(address(x), address(out), 3, 96, size)
    assert simulator.control.last_error() == SUCCESS
    want = x.reshape(3, -1, size).sum(2).repeat(size, 1)
    want[:, -1] = x.sum(1)
    np.testing.assert_array_equal(out, want)


@EVERY_SCHEDULE
def test_groups_are_asked(simulator: Simulator, schedule: str) -> None:
    x = np.array([0, 1, 3, -1, 2, 0, 0, 1] * 2 + [0, 0, 1, 1, 0, 0, 0, 0] * 2, np.int32)
    out = np.full((5, 32), -7, np.int32)
    simulator.groups.ask(address(x), address(out))
    assert simulator.control.last_error() == SUCCESS
    tiles = x.reshape(4, 8)
    there = np.flatnonzero(x > 0)
    assert out[0].tolist() == ((tiles > 0) @ (1 << np.arange(8))).repeat(8).tolist()
    votes = (tiles > 2).any(1) + 2 * (tiles >= 0).all(1)
    assert out[1].tolist() == votes.repeat(8).tolist()
    assert out[2].tolist() == tiles.max(1).repeat(8).tolist()
    assert out[3, there].tolist() == [100 * len(there) + rank for rank in range(len(there))]
    assert set(out[4, there]) == {x[there[-1]]}
    assert set(out[3:, x <= 0].ravel()) == {-7}


def test_a_tile_reports_the_line_of_who_used_it(simulator: Simulator) -> None:
    simulator.groups.forgetful(address(np.zeros(32, np.float32)))
    report = simulator.report()
    assert line_of("forgetful", "groups.cu") in report
    assert "__shfl_sync" in report
