"""The CUDA simulator where every access is watched: faults that show in no number have a report too."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import baregrad as bg
import numpy as np
import pytest
from baregrad import backend
from baregrad.cases import OPS
from baregrad.cases.check import check, exact_result
from baregrad.cases.on_device import OnDevice
from simulated import EVERY_SCHEDULE, INVALID_VALUE, PROGRAMS, SUCCESS, Simulator, line_of
from toolchain import compile_watched, compiler

pytestmark = pytest.mark.skipif(compiler() is None, reason="no C++ compiler on this machine")
needs_sim = pytest.mark.skipif(
    backend.why_absent("sim") is not None, reason="this build has no simulator"
)


class Watched:
    """watched.cu and faults.cu, compiled so that the simulator sees every access, and its memory."""

    def __init__(self, simulator: Simulator, folder: Path) -> None:
        self.simulator = simulator
        self.kernels, self.faults = (
            ctypes.CDLL(str(compile_watched(PROGRAMS / f"{name}.cu", folder / f"{name}.so")))
            for name in ("watched", "faults")
        )
        self.kernels.allocate.restype = ctypes.c_void_p
        self.taken: list[int] = []

    def empty(self, n: int) -> ctypes.c_void_p:
        """Memory for n numbers of 4 bytes that nobody wrote."""
        self.taken.append(self.kernels.allocate(ctypes.c_long(4 * n)))
        return ctypes.c_void_p(self.taken[-1])

    def array(self, values: Any) -> ctypes.c_void_p:
        host = np.asarray(values)
        memory = self.empty(host.nbytes // 4)
        self.kernels.upload(
            memory, host.ctypes.data_as(ctypes.c_void_p), ctypes.c_long(host.nbytes)
        )
        return memory

    def read(self, memory: ctypes.c_void_p, n: int, dtype: Any = np.float32) -> np.ndarray:
        host = np.empty(n, dtype)
        self.kernels.download(
            host.ctypes.data_as(ctypes.c_void_p), memory, ctypes.c_long(host.nbytes)
        )
        return host

    def is_right(self) -> bool:
        error = self.simulator.control.last_error()
        assert error == SUCCESS, self.simulator.control.error_text(error)
        return True

    def finds(self, fault: str, *words: str) -> None:
        """The report of what has run names the line of the fault, and says the words."""
        report = self.simulator.report()
        assert report.startswith(f"{line_of(fault, 'watched.cu')}: {words[0]} in "), report
        for word in words[1:]:
            assert word in report


@pytest.fixture(scope="module")
def library(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Watched:
    return Watched(simulator, tmp_path_factory.mktemp("watched"))


@pytest.fixture
def watched(library: Watched) -> Iterator[Watched]:
    yield library
    for memory in library.taken:
        library.kernels.release(ctypes.c_void_p(memory))
    library.taken.clear()


X = np.arange(128, dtype=np.float32)


@EVERY_SCHEDULE
def test_a_missing_barrier_is_a_race(watched: Watched, schedule: str) -> None:
    x, out = watched.array(X), watched.empty(128)
    watched.kernels.neighbour(x, out, True)
    assert watched.is_right()
    np.testing.assert_array_equal(watched.read(out, 128), np.roll(X, -32))
    watched.kernels.neighbour(x, out, False)
    report = watched.simulator.report()
    assert ": race in neighbour_kernel, block (0, 0, 0): thread " in report
    assert "of __shared__ array row, which thread" in report


@EVERY_SCHEDULE
def test_a_missing_second_barrier_is_a_race(watched: Watched, schedule: str) -> None:
    x, out = watched.array(X), watched.empty(5 * 64)
    watched.faults.row_loop(x, out, 5, True)
    assert watched.is_right()
    watched.faults.row_loop(x, out, 5, False)
    report = watched.simulator.report()
    assert ": race in row_loop_kernel" in report
    assert "of __shared__ array total" in report


def test_an_addition_without_an_atomic_is_a_race(watched: Watched) -> None:
    out = watched.empty(1)
    watched.kernels.count(out, True)
    assert watched.is_right()
    assert watched.read(out, 1, np.int32) == 64
    watched.kernels.count(out, False)
    watched.finds("count", "race", "__shared__ array count")


def test_two_writers_of_the_same_value_race_as_well(watched: Watched) -> None:
    watched.kernels.mixed(watched.empty(64))
    watched.finds("mixed_writes", "race", "thread 1 writes 4 bytes", "which thread 0 writes at")


def test_lanes_need_syncwarp(watched: Watched) -> None:
    x, out = watched.array(np.arange(32, dtype=np.int32)), watched.empty(32)
    watched.kernels.lanes(x, out, True)
    assert watched.is_right()
    watched.kernels.lanes(x, out, False)
    watched.finds("lanes", "race", "__shared__ array cells")
    watched.kernels.halves(x, out)
    watched.finds("halves", "race", "__shared__ array cells")


@EVERY_SCHEDULE
def test_blocks_that_write_one_cell_race(watched: Watched, schedule: str) -> None:
    out = watched.empty(1)
    watched.kernels.same_cell(out, 1)
    assert watched.is_right()
    watched.kernels.same_cell(out, 3)
    watched.finds("same_cell", "race", "which thread 0 of block (", "writes at watched.cu:")


@EVERY_SCHEDULE
def test_the_last_block_sees_the_others_behind_a_fence(watched: Watched, schedule: str) -> None:
    x, out = watched.array(X), watched.empty(1)
    for fence in (True, False):
        partial, count = watched.empty(4), watched.array(np.zeros(1, np.uint32))
        watched.kernels.last_block(x, partial, count, out, 4, fence)
        if fence:
            assert watched.is_right()
            assert watched.read(out, 1) == 6
        else:
            watched.finds("last_block", "race", "which thread 0 of block (")


def test_a_tail_without_a_check_leaves_global_memory(watched: Watched) -> None:
    x = watched.array(X[:70])
    watched.kernels.scale(x, 70, True)
    assert watched.is_right()
    np.testing.assert_array_equal(watched.read(x, 70), 2 * X[:70])
    watched.kernels.scale(x, 70, False)
    outside = "access outside global memory"
    watched.finds("scale", outside, "thread 6 reads 4 bytes: right behind the 280 bytes of")
    watched.kernels.before(x)
    watched.finds("before", outside, "thread 0 writes 4 bytes: 4 bytes before the 280 bytes of")


def test_memory_that_was_freed_or_is_the_hosts(watched: Watched) -> None:
    x, out = watched.array(X), watched.empty(4)
    watched.kernels.release(x)
    watched.taken.remove(x.value)
    watched.kernels.copy(x, out, 4)
    watched.finds("copy", "access to freed memory", "byte 0 of the 512 bytes of allocation")
    watched.kernels.copy(X.ctypes.data_as(ctypes.c_void_p), out, 4)
    watched.finds("copy", "access outside global memory", "that cudaMalloc did not give")


def test_memory_is_freed_once(watched: Watched) -> None:
    x = watched.empty(4)
    for error in (SUCCESS, INVALID_VALUE):
        watched.kernels.release(x)
        assert watched.simulator.control.last_error() == error
    watched.taken.clear()


def test_who_waits_for_what_is_volatile_lets_the_others_go_on(watched: Watched) -> None:
    flag, out = watched.array(np.zeros(1, np.int32)), watched.empty(64)
    watched.kernels.polling(flag, out, False)
    watched.finds("polling", "a thread spins for ever", "thread 0 waits at a volatile read for")
    watched.kernels.polling(flag, out, True)
    watched.finds("volatile_write", "race", "thread 40 writes 4 bytes", "which thread 0 reads at")


def test_the_ends_of_shared_arrays(watched: Watched) -> None:
    x, out = watched.array(X), watched.empty(32)
    watched.kernels.read_shared(x, out, 1)
    assert watched.is_right()
    watched.kernels.read_shared(x, out, 2)
    outside = "access outside shared memory"
    watched.finds(
        "read_shared", outside, "thread 31 reads 4 bytes: 0 bytes behind the end of", "row"
    )
    watched.kernels.write_shared(1)
    assert watched.is_right()
    watched.kernels.write_shared(5)
    watched.finds("write_shared", outside, "thread 0 writes 4 bytes: 0 bytes behind the end of")


def test_memory_that_nobody_wrote(watched: Watched) -> None:
    out = watched.empty(64)
    watched.kernels.unwritten_shared(out, True)
    assert watched.is_right()
    watched.kernels.unwritten_shared(out, False)
    watched.finds("unwritten_shared", "read of what nobody wrote", "thread 32", "array row")
    watched.kernels.copy(watched.empty(8), out, 8)
    watched.finds("copy", "read of what nobody wrote", "thread 0 reads", "byte 0 of the 32 bytes")


def test_vectors_lie_at_multiples_of_their_size(watched: Watched) -> None:
    x, out = watched.array(X), watched.empty(16)
    watched.kernels.quad(x, out, 4)
    assert watched.is_right()
    np.testing.assert_array_equal(watched.read(out, 16), X[4:20])
    watched.kernels.quad(x, out, 2)
    watched.finds("quad", "misaligned access", "thread 0 reads 16 bytes", "no multiple of 16")
    watched.kernels.store_pair(out, 2)
    assert watched.is_right()
    watched.kernels.store_pair(out, 1)
    watched.finds("store_pair", "misaligned access", "thread 0 writes 8 bytes")


@EVERY_SCHEDULE
def test_right_kernels_are_not_reported(watched: Watched, schedule: str) -> None:
    x, out = watched.array(X), watched.empty(16)
    watched.kernels.bytes(out)
    assert watched.is_right()
    np.testing.assert_array_equal(watched.read(out, 64, np.uint8), np.arange(64)[::-1])
    watched.kernels.sum(x, out)
    assert watched.is_right()
    assert watched.read(out, 1) == X[:32].sum()


# Our own


# The largest have no thread that is not like the others; deep/watched.py has most of them.
MOST_BYTES, MOST_FLOPS = 20e6, {"conv2d": 5e6}


@needs_sim
@pytest.mark.parametrize("op", OPS)
def test_our_kernels_are_right_where_every_access_is_watched(op: str) -> None:
    with bg.use(sim="watched"):
        table = OnDevice(backend.device("sim"))
        assert f"{op}=watched" in table.device.table.own.in_use()
        for case in OPS[op].tests:
            if case.bytes < MOST_BYTES and case.flops < MOST_FLOPS.get(op, math.inf):
                arguments = case.arguments(np.random.default_rng(0))
                check(case, table, arguments, exact_result(case, arguments))


@needs_sim
def test_a_kernel_of_ours_that_is_watched_has_a_report() -> None:
    sim = backend.device("sim")
    with bg.use(sim="watched"):
        unwritten = sim.empty((4,))
        with pytest.raises(RuntimeError, match=r"unary.cu:\d+: read of what nobody wrote in "):
            sim.table.relu_forward(unwritten)
        sim.table.relu_forward(sim.from_numpy(np.ones(4, np.float32)))
    sim.table.relu_forward(unwritten)  # not watched any more


def test_sim_is_plain_watched_or_counted() -> None:
    with pytest.raises(
        ValueError, match=r"\[use\] sim is 'fast', expected plain, watched or counted"
    ):
        bg.use(sim="fast")


@needs_sim
@pytest.mark.parametrize("first", [0, 1, 2, 4])
def test_arrays_that_begin_anywhere_are_not_read_by_vectors(first: int) -> None:
    sim = backend.device("sim")
    x = np.random.default_rng(0).standard_normal(1030, np.float32)
    with bg.use(sim="watched"):
        there = sim.from_numpy(x)[first:]
        np.testing.assert_array_equal(sim.table.add(there, there).numpy(), 2 * x[first:])
        np.testing.assert_array_equal(
            sim.table.relu_forward(there).numpy(), np.maximum(x[first:], 0)
        )
        rows = sim.from_numpy(x.reshape(103, 10))[:, first:6]
        product = sim.table.gemm(rows, rows.mT).numpy()
    want = x.reshape(103, 10)[:, first:6]
    np.testing.assert_allclose(product, want @ want.T, rtol=1e-4, atol=1e-4)
