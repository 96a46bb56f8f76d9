"""Threads: how many and why, callers on several threads, the GIL."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import baregrad as bg
import numpy as np
import pytest
from baregrad import _cpu
from baregrad.cases import OPS
from compare import assert_same_bits
from toolchain import SOURCES, compile_shared, compiler


def test_counts_the_cpus_that_it_may_use() -> None:
    code = "from baregrad import _cpu; print(_cpu.get_num_threads(), _cpu.thread_reason())"

    def ask(prefix: tuple[str, ...] = (), **environment: str) -> str:
        clean = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
        return subprocess.run(
            [*prefix, sys.executable, "-c", code],
            env={**clean, **environment}, capture_output=True, text=True, check=True,
        ).stdout.strip()  # fmt: skip

    assert ask(OMP_NUM_THREADS="3") == "3 OMP_NUM_THREADS"
    assert ask(OMP_NUM_THREADS="nonsense") == ask()
    number, reason = ask().split(" ", 1)
    assert 1 <= int(number) <= len(os.sched_getaffinity(0))
    assert reason.startswith(("CPUs this process may run on", "cgroup quota"))
    if subprocess.run(["which", "taskset"], capture_output=True, check=False).returncode == 0:
        assert ask(("taskset", "-c", str(min(os.sched_getaffinity(0))))).startswith("1 ")


def test_set_num_threads_says_so() -> None:
    before = bg.get_num_threads()
    try:
        bg.set_num_threads(3)
        assert bg.get_num_threads() == 3
        assert _cpu.thread_reason() == "set_num_threads"
    finally:
        bg.set_num_threads(before)


@pytest.mark.parametrize(
    ("count", "error"), [(0, ValueError), (-1, ValueError), (1025, ValueError), (1.5, TypeError)]
)
def test_refuses_a_count_that_is_none(count: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"\[set_num_threads\] count is"):
        bg.set_num_threads(count)


def at_once(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """What each call returns, every one in a thread of its own."""
    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result(timeout=120) for future in [pool.submit(call) for call in calls]]


def kernels_in_turn(first: int) -> Callable[[], list[np.ndarray]]:
    """Every kernel in one of the larger of its cases, beginning with another one each."""
    cases = [max(op.tests, key=lambda case: case.flops) for op in OPS.values()]
    cases = cases[first:] + cases[:first]

    def call() -> list[np.ndarray]:
        found: list[np.ndarray] = []
        for case in cases:
            found += case.run(bg.kernels.cpu, case.arguments(np.random.default_rng(0)))
        return found

    return call


def training(seed: int) -> Callable[[], list[np.ndarray]]:
    """Ten steps of a network of its own."""

    def train() -> list[np.ndarray]:
        rng = np.random.default_rng(seed)
        model = bg.nn.Sequential(
            bg.nn.Conv2d(3, 8 + seed, 3, padding=1), bg.nn.BatchNorm2d(8 + seed), bg.nn.ReLU(),
            bg.nn.MaxPool2d(2), bg.nn.Flatten(), bg.nn.Linear((8 + seed) * 64, 10),
        )  # fmt: skip
        for param in model.parameters():
            param.array[...] = rng.standard_normal(param.shape, np.float32) / 10
        optimizer = bg.optim.Adam(model.parameters())
        for _ in range(10):
            x = bg.from_numpy(rng.standard_normal((32, 3, 16, 16), np.float32))
            optimizer.zero_grad()
            bg.nn.functional.cross_entropy(
                model(x), bg.tensor([i % 10 for i in range(32)])
            ).backward()
            optimizer.step()
        return [param.detach().numpy() for param in model.parameters()]

    return train


@pytest.fixture(params=["constant", "changing"])
def number_of_threads(request: pytest.FixtureRequest) -> Iterator[None]:
    """How many threads kernels have: as it was, or another number all the time."""
    before, done = bg.get_num_threads(), threading.Event()

    def change() -> None:
        while not done.wait(0.001):
            bg.set_num_threads(bg.get_num_threads() % 5 + 1)

    changer = threading.Thread(target=change)
    if request.param == "changing":
        changer.start()
    yield
    done.set()
    if request.param == "changing":
        changer.join()
    bg.set_num_threads(before)


@pytest.mark.usefixtures("number_of_threads")
@pytest.mark.parametrize("work", [kernels_in_turn, training])
def test_eight_callers_get_the_bits_that_one_gets(work: Callable[[int], Callable[[], Any]]) -> None:
    calls = [work(number) for number in range(8)]
    alone = [call() for call in calls]
    for got, want in zip(at_once(calls), alone, strict=True):
        for one, other in zip(got, want, strict=True):
            assert_same_bits(one, other)


def test_whether_a_graph_is_recorded_is_a_matter_of_each_thread() -> None:
    w = bg.ones(3, requires_grad=True)
    inside, outside = threading.Barrier(2), threading.Barrier(2)

    def without() -> bool:
        with bg.no_grad():
            inside.wait(60)
            recorded = (w * 2).requires_grad
            outside.wait(60)
        return recorded

    def beside() -> bool:
        inside.wait(60)
        recorded = (w * 2).requires_grad
        outside.wait(60)
        return recorded

    assert at_once([without, beside]) == [False, True]


def test_a_choice_is_that_of_the_whole_process() -> None:
    isa = _cpu.available()[-1]
    with bg.use(isa=isa):
        assert at_once([_cpu.in_use]) == [isa]


@pytest.mark.skipif(compiler() is None, reason="needs a C++ compiler")
def test_kernels_go_on_while_another_thread_chooses() -> None:
    done = threading.Event()
    x = np.linspace(-3, 3, 1000, dtype=np.float32)
    want = np.maximum(x, 0)

    def choose() -> None:
        while not done.is_set():
            for isa in _cpu.available():
                with bg.use(isa=isa, gemm="ladder/naive"):
                    pass

    def compute() -> bool:
        try:
            return all(np.array_equal(bg.kernels.cpu.relu_forward(x), want) for _ in range(2000))
        finally:
            done.set()

    assert at_once([compute, choose]) == [True, None]


@pytest.fixture(scope="module", params=["-fopenmp", "-pthread"])
def regions(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> ctypes.CDLL:
    """regions.cpp, compiled with the library's threads: OpenMP's and its own."""
    if compiler() is None:
        pytest.skip("needs a C++ compiler")
    if request.param == "-fopenmp" and "OpenMP" not in _cpu.thread_runtime():
        pytest.skip("built without OpenMP")
    sources = [Path(__file__).parent / "regions.cpp", SOURCES / "csrc" / "threads.cpp"]
    out = tmp_path_factory.mktemp("regions") / "regions.so"
    library = ctypes.CDLL(
        str(compile_shared(sources, out, request.param, "-I", str(SOURCES / "csrc")))
    )
    library.covered.restype = library.done_beside.restype = ctypes.c_int64
    return library


@pytest.mark.parametrize(("n", "slice"), [(400, 1), (403, 5)])
def test_what_a_thread_has_left_is_done_by_others(regions: ctypes.CDLL, n: int, slice: int) -> None:
    assert n - 3 * slice <= regions.done_beside(ctypes.c_int64(n), ctypes.c_int64(slice)) < n


@pytest.mark.parametrize("grain", [1, 2, 3])
@pytest.mark.parametrize("pieces", [2**31, 2**32, 2**33])
@pytest.mark.parametrize("more", [-1, 0, 1])
def test_regions_of_very_many_pieces_are_done_as_a_whole(
    regions: ctypes.CDLL, grain: int, pieces: int, more: int
) -> None:
    n = grain * pieces + more
    assert regions.covered(ctypes.c_int64(n), ctypes.c_int64(grain)) == n


def test_a_long_kernel_lets_other_python_threads_run() -> None:
    a = np.ones((1500, 1500), np.float32)
    ticks, done = [], threading.Event()

    def tick() -> None:
        while not done.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.001)

    other = threading.Thread(target=tick)
    other.start()
    start = time.perf_counter()
    bg.kernels.cpu.gemm(a, a)
    end = time.perf_counter()
    done.set()
    other.join()
    assert any(start < t < end for t in ticks)


def test_leaves_the_environment_as_it_was() -> None:
    code = "import os; before = dict(os.environ); import baregrad; assert os.environ == before"
    subprocess.run([sys.executable, "-c", code], check=True)


THE_SAME_THREADS = """
import os
from pathlib import Path
import numpy as np
from baregrad import _cpu
_cpu.set_num_threads(4)
many, few = (np.ones(n << 16, np.float32) for n in (4, 2))  # a thread takes 65,536 at least
def threads():
    _cpu.relu_forward(many)
    return set(os.listdir("/proc/self/task"))
first = threads()
assert len(first) >= 4, first
for _ in range(5):
    _cpu.relu_forward(few)
    assert threads() == first
"""


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs /proc")
def test_regions_of_fewer_pieces_leave_the_threads_as_they_are() -> None:
    done = subprocess.run(
        [sys.executable, "-c", THE_SAME_THREADS], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
