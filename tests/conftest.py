"""Fixtures: every backend in turn, and random numbers that belong to one test alone."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import baregrad as bg
import numpy as np
import pytest
from baregrad import _cpu, backend
from baregrad.cases.on_device import OnDevice
from simulated import Simulator

# What a shell starts in the background ignores Ctrl-C, and so would its children.
signal.signal(signal.SIGINT, signal.default_int_handler)

SCHEDULES = ("forward", "reverse", "random:1")
DEVICES = [name for name in ("sim", "cuda") if not backend.why_absent(name)]
SIM = [f"sim-{schedule}" for schedule in SCHEDULES] if "sim" in DEVICES else []


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """Seeded by the test's own name, so that one test's draws never depend on which others ran."""
    return np.random.default_rng(list(request.node.name.encode()))


@pytest.fixture(params=_cpu.available())
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each instruction set of this CPU, in use."""
    with bg.use(isa=request.param):
        assert _cpu.in_use() == request.param
        yield request.param


@pytest.fixture(params=[*_cpu.available(), *SIM, *(["cuda"] if "cuda" in DEVICES else [])])
def table(request: pytest.FixtureRequest) -> Iterator[object]:
    """The kernels of every compiled backend, instruction set and schedule, on NumPy arrays."""
    if request.param in _cpu.available():
        with bg.use(isa=request.param):
            yield bg.kernels.cpu
        return
    if request.param == "cuda":
        yield OnDevice(backend.device("cuda"))
        return
    sim = backend.device("sim")
    before = sim.table.own.schedule()
    sim.table.own.set_schedule(request.param.removeprefix("sim-"))
    yield OnDevice(sim)
    sim.table.own.set_schedule(before)


@pytest.fixture(params=["reference", "cpu", *DEVICES])
def any_table(request: pytest.FixtureRequest) -> object:
    """The kernels of every backend, each in one form, the reference included."""
    if request.param in DEVICES:
        return OnDevice(backend.device(request.param))
    return getattr(bg.kernels, request.param)


@pytest.fixture(params=["cpu", *DEVICES, "opaque"])
def device(request: pytest.FixtureRequest) -> str:
    """The name of every device that a tensor can live on."""
    import opaque

    opaque.install()
    return request.param


@pytest.fixture(scope="session")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Simulator:
    """The simulator by itself, without baregrad around it."""
    return Simulator(tmp_path_factory.mktemp("simulator"))


@pytest.fixture
def schedule(simulator: Simulator, request: pytest.FixtureRequest) -> Iterator[str]:
    """One of its schedules, in use."""
    assert simulator.set_schedule(request.param)
    yield request.param
    assert simulator.set_schedule("forward")


@pytest.fixture
def data_dir() -> Path:
    """Where real data sets are: $BAREGRAD_DATA, or ../shared/data beside the checkout."""
    beside = Path(__file__).parent.parent.parent / "shared" / "data"
    folder = Path(os.environ.get("BAREGRAD_DATA", beside))
    if not (folder / "mnist").is_dir():
        pytest.skip("needs the data sets, in $BAREGRAD_DATA or ../shared/data")
    return folder
