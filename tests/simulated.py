"""The simulator as its tests see it: compiled, loaded, and asked for its reports."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import baregrad as bg
import numpy as np
import pytest
import zoo
from baregrad import backend, sim
from numpy.typing import NDArray
from toolchain import SIMT, compile_cu, compile_shared, simulator_sources

PROGRAMS = Path(__file__).resolve().parent / "simulator"
SCHEDULES = ["forward", "reverse", "random:1", "random:2"]
EVERY_SCHEDULE = pytest.mark.parametrize("schedule", SCHEDULES, indirect=True)

SUCCESS = 0
INVALID_VALUE = 1
MEMORY_ALLOCATION = 2
INVALID_CONFIGURATION = 9
LAUNCH_FAILURE = 719


class Simulator:
    """The runtime and five libraries of kernels, each compiled and loaded by itself."""

    def __init__(self, folder: Path) -> None:
        runtime = [*simulator_sources(), PROGRAMS / "control.cpp"]
        # Libraries that are loaded later find the simulator's functions in this one.
        path = compile_shared(runtime, folder / "libsimulator.so", "-I", str(SIMT))
        self.control = ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
        self.control.error_text.restype = ctypes.c_char_p
        self.control.get_schedule.restype = self.control.counted.restype = ctypes.c_char_p
        self.kernels, self.faults, self.host_only, self.graphs, self.groups = (
            ctypes.CDLL(str(compile_cu(PROGRAMS / f"{name}.cu", folder / f"{name}.so")))
            for name in ("kernels", "faults", "host_only", "graphs", "groups")
        )

    def set_schedule(self, name: str) -> bool:
        return bool(self.control.set_schedule(name.encode()))

    def report(self) -> str:
        """The report of the launch that failed last in this host thread, which it ends."""
        error = self.control.last_error()
        assert error == LAUNCH_FAILURE
        text: bytes = self.control.error_text(error)
        zoo.keep(text.decode())
        return text.decode()


def address(array: NDArray[Any]) -> ctypes.c_void_p:
    return array.ctypes.data_as(ctypes.c_void_p)


def line_of(name: str, program: str = "faults.cu", what: str = "fault") -> str:
    """Where the comment "// fault: <name>" stands, as a report spells it."""
    lines = (PROGRAMS / program).read_text().splitlines()
    (number,) = (i for i, line in enumerate(lines, 1) if line.endswith(f"// {what}: {name}"))
    return f"{program}:{number}"


def counted_product(**entries: str) -> sim.Report:
    """What is counted of a product of 64 by 48 numbers with its transpose."""
    a = np.random.default_rng(0).standard_normal((64, 48), np.float32)
    with bg.use(sim="counted", **entries):
        there = backend.device("sim").from_numpy(a)
        backend.device("sim").table.gemm(there, there.mT)
        return sim.report()


def neighbour_is_right(simulator: Simulator, barrier: bool) -> bool:
    x, out = np.arange(128, dtype=np.float32), np.zeros(128, np.float32)
    simulator.faults.neighbour(address(x), address(out), barrier)
    assert simulator.control.last_error() == SUCCESS
    return bool(np.array_equal(out, np.roll(x, -32)))
