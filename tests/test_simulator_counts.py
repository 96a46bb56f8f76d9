"""What the simulator counts, where it is known by hand: sectors, banks, lanes."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest
from baregrad import backend, sim
from simulated import EVERY_SCHEDULE, PROGRAMS, SUCCESS, Simulator, counted_product, line_of
from toolchain import compile_watched, compiler

pytestmark = pytest.mark.skipif(compiler() is None, reason="no C++ compiler on this machine")
needs_sim = pytest.mark.skipif(
    backend.why_absent("sim") is not None, reason="this build has no simulator"
)

READ, WRITE, ATOMIC = 0, 1, 2


class Counts(NamedTuple):
    requests: int
    lanes: int
    bytes: int
    transactions: int
    least: int


class Counted:
    """counted.cu, and what it was found to do at a line."""

    def __init__(self, simulator: Simulator, kernels: ctypes.CDLL) -> None:
        self.control, self.kernels = simulator.control, kernels

    def run(self, kernel: str, *arguments: int, x: Any = (), out: int = 0) -> np.ndarray:
        """What `kernel` leaves in `out` numbers, from x and further arguments."""
        host = np.asarray(x, np.float32)
        result = np.zeros(out, np.float32)
        data = [a.ctypes.data_as(ctypes.c_void_p) for a in (host, result)]
        self.kernels.run.restype = ctypes.c_int
        call = ctypes.cast(getattr(self.kernels, kernel), ctypes.c_void_p)
        argument = arguments[0] if arguments else 0
        code = self.kernels.run(call, *data, len(host), out, argument)
        assert code == SUCCESS, self.control.error_text(code)
        return result

    def at(self, what: str, kind: int, shared: bool = False) -> Counts:
        """The counts of the line that ends with "// count: <what>"."""
        number = line_of(what, "counted.cu", "count").split(":")[1]
        found = [line.split() for line in self.control.counted().decode().splitlines()]
        (counts,) = (f[3:] for f in found if f[:3] == [number, str(int(shared)), str(kind)])
        return Counts(*map(int, counts))

    def pieces(self, what: str) -> list[tuple[int, int]]:
        """Turns and lanes of the pieces that begin in that line."""
        number = line_of(what, "counted.cu", "count").split(":")[1]
        self.control.counted_pieces.restype = ctypes.c_char_p
        found = [line.split() for line in self.control.counted_pieces().decode().splitlines()]
        return [(int(turns), int(lanes)) for line, turns, lanes in found if line == number]


@pytest.fixture(scope="module")
def library(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    folder = tmp_path_factory.mktemp("counted")
    return ctypes.CDLL(str(compile_watched(PROGRAMS / "counted.cu", folder / "counted.so")))


@pytest.fixture
def counted(simulator: Simulator, library: ctypes.CDLL) -> Iterator[Counted]:
    simulator.control.set_counting(True)
    yield Counted(simulator, library)
    simulator.control.set_counting(False)


X = np.arange(1024, dtype=np.float32)


@EVERY_SCHEDULE
@pytest.mark.parametrize(
    ("stride", "sectors"), [(1, 4), (2, 8), (4, 16), (8, 32), (32, 32), (0, 1)]
)
def test_a_stride_costs_sectors(counted: Counted, schedule: str, stride: int, sectors: int) -> None:
    np.testing.assert_array_equal(
        counted.run("copy", stride, x=X, out=32), X[stride * np.arange(32)]
    )
    least = 4 if stride else 1
    assert counted.at("strided", READ) == Counts(1, 32, 128, sectors, least)
    assert counted.at("side by side", WRITE) == Counts(1, 32, 128, 4, 4)


def test_all_lanes_may_read_one_number_at_once(counted: Counted) -> None:
    counted.run("broadcast", x=X, out=32)
    assert counted.at("broadcast", READ) == Counts(1, 32, 128, 1, 1)


@EVERY_SCHEDULE
def test_lanes_that_take_no_part_are_not_counted(counted: Counted, schedule: str) -> None:
    counted.run("half", x=X, out=32)
    assert counted.at("half", READ) == Counts(1, 16, 64, 4, 2)
    counted.run("uneven", out=1024)
    requests = counted.at("uneven", WRITE)
    assert (requests.requests, requests.lanes) == (32, 32 * 33 // 2)


def test_a_vector_is_one_request(counted: Counted) -> None:
    np.testing.assert_array_equal(counted.run("vector", x=X[:128], out=128), X[:128])
    assert counted.at("vector", READ) == counted.at("vector", WRITE) == Counts(1, 32, 512, 16, 16)


@EVERY_SCHEDULE
@pytest.mark.parametrize(("padded", "passes"), [(False, 32), (True, 1)])
def test_a_column_of_32_is_in_one_bank_unless_rows_are_padded(
    counted: Counted, schedule: str, padded: bool, passes: int
) -> None:
    want = X.reshape(32, 32).sum(axis=1)
    np.testing.assert_allclose(counted.run("column", padded, x=X, out=32), want)
    assert counted.at("column", READ, shared=True) == Counts(32, 1024, 4096, 32 * passes, 32)


@EVERY_SCHEDULE
def test_lanes_that_branch_off_or_stay_in_a_loop_are_counted(
    counted: Counted, schedule: str
) -> None:
    want = np.where(np.arange(32) % 4 == 0, X[:32] * 3 + 1, X[:32])
    np.testing.assert_array_equal(counted.run("branch", x=X[:32], out=32), want)
    assert counted.pieces("branch") == [(1, 8)]
    counted.run("uneven", out=1024)
    assert (32, 32 * 33 // 2) in counted.pieces("uneven")


def test_atomics_on_one_word_take_turns(counted: Counted) -> None:
    counted.run("histogram", out=2)
    assert counted.at("atomic", ATOMIC, shared=True) == Counts(1, 32, 128, 16, 1)


def test_launches_add_up_and_what_is_not_asked_for_is_not_counted(counted: Counted) -> None:
    for _ in range(3):
        counted.run("copy", 1, x=X, out=32)
    assert counted.at("strided", READ).requests == 3
    counted.control.set_counting(False)
    counted.run("copy", 1, x=X, out=32)
    assert counted.control.counted() == b""


# As Python sees it


@needs_sim
def test_report_names_lines_of_our_kernels() -> None:
    (kernel,) = counted_product().kernels
    assert (kernel.name.partition("<")[0], kernel.launches) == ("multiply_kernel", 1)
    writes = [a for a in kernel.accesses if (a.memory, a.does) == ("global", "writes")]
    assert sum(access.bytes for access in writes) == 4 * 64 * 64
    assert {access.file for access in kernel.accesses} == {"cuda/kernels/tiles.cuh"}
    assert "write_four" in writes[0].text
    assert writes[0].text[:40] in str(kernel)
    assert counted_product()[kernel.name] == kernel  # forgotten between the two
    with pytest.raises(KeyError, match="no kernel 'gem' was counted, only multiply_kernel"):
        counted_product()["gem"]
    sim.reset()
    assert sim.report().kernels == ()
    assert "nothing was counted" in str(sim.report())
