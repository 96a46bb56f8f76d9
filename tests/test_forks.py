"""Children of every kind compute, and compute right, whatever the parent was doing."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import baregrad as bg
import numpy as np
import pytest
from baregrad import _cpu, backend

LIMIT = 15  # seconds after which a child counts as hung

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning"),
]


def product() -> np.ndarray:
    """Large enough for several threads."""
    a = np.arange(300 * 300, dtype=np.float32).reshape(300, 300) % 7
    return bg.kernels.cpu.gemm(a, a)


def train() -> float:
    """The loss after three steps of a small network."""
    bg.manual_seed(0)
    model = bg.nn.Linear(200, 100)
    optimizer = bg.optim.Adam(model.parameters())
    x = bg.from_numpy(np.arange(400 * 200, dtype=np.float32).reshape(400, 200) % 11 / 11)
    for _ in range(3):
        optimizer.zero_grad()
        loss = (model(x) ** 2).mean()
        loss.backward()
        optimizer.step()
    return loss.item()


def simulate() -> float:
    one = bg.tensor(np.ones((40, 40), np.float32), device="sim")
    return float((one @ one).numpy().sum())


def succeeds_in_a_child(work: Callable[[], bool]) -> bool:
    """Whether `work` says so in a child of this very thread, within the limit."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if work() else 2
        finally:
            os._exit(code)
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def computes_right() -> bool:
    return bool(np.array_equal(product(), WANT[0])) and train() == WANT[1]


@pytest.fixture(scope="module", autouse=True)
def wanted() -> None:
    """The parent's own results; its threads are up from now on."""
    WANT[:] = [product(), train()]


WANT: list[Any] = []


@contextmanager
def busy(call: Callable[[], Any]) -> Iterator[None]:
    """Another thread that does nothing but call."""
    done = threading.Event()

    def work() -> None:
        while not done.is_set():
            call()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        time.sleep(0.05)
        yield
    finally:
        done.set()
        thread.join()


def test_a_fork_computes() -> None:
    assert succeeds_in_a_child(computes_right)
    assert computes_right()


def test_a_fork_of_a_fork_computes() -> None:
    def nested(depth: int) -> bool:
        if depth == 0:
            return computes_right()
        return computes_right() and succeeds_in_a_child(lambda: nested(depth - 1))

    assert succeeds_in_a_child(lambda: nested(2))


def test_a_fork_from_a_thread_computes() -> None:
    found: list[bool] = []
    thread = threading.Thread(target=lambda: found.append(succeeds_in_a_child(computes_right)))
    thread.start()
    thread.join()
    assert found == [True]


def test_a_fork_computes_that_was_made_while_another_thread_was_in_a_kernel() -> None:
    a = np.ones((700, 700), np.float32)
    with busy(lambda: bg.kernels.cpu.gemm(a, a)):
        assert [succeeds_in_a_child(computes_right) for _ in range(5)] == [True] * 5
    assert computes_right()


def test_a_fork_computes_that_was_made_while_another_thread_was_in_the_pool() -> None:
    with busy(lambda: _cpu.measure_copy(0, 64)):  # takes and gives two blocks without the GIL
        assert all(succeeds_in_a_child(lambda: bool(product().size)) for _ in range(100))


@pytest.mark.skipif(backend.why_absent("sim") is not None, reason="sim is not here")
def test_a_fork_simulates_that_was_made_in_the_middle_of_a_launch() -> None:
    large = bg.tensor(np.ones((200, 200), np.float32), device="sim")
    with busy(lambda: large @ large):
        assert all(succeeds_in_a_child(lambda: simulate() == 40**3) for _ in range(3))


def _row(number: int) -> float:
    return float(product()[number].sum())


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_workers_of_a_pool_compute(method: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        with multiprocessing.get_context(method).Pool(2) as pool:
            got = pool.map_async(_row, range(8)).get(timeout=60)
    assert got == [_row(number) for number in range(8)]
