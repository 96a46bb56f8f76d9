"""Threads: how many and why, callers on several threads, the GIL."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from typing import Any

import baregrad as bg
import numpy as np
import pytest
from baregrad import _cpu


def product() -> np.ndarray:
    """Large enough for several threads."""
    a = np.arange(300 * 300, dtype=np.float32).reshape(300, 300) % 7
    return bg.kernels.cpu.gemm(a, a)


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


def test_callers_on_several_threads_get_right_results() -> None:
    want, wrong = product(), []

    def call() -> None:
        for _ in range(20):
            if not np.array_equal(product(), want):
                wrong.append(1)

    callers = [threading.Thread(target=call) for _ in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(timeout=60)
    assert not wrong
    assert not any(caller.is_alive() for caller in callers)


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
