"""Memory runs out: python -m out_of_memory <cpu or sim> <the allocator>, which is preloaded.

For a case of every kernel, and for a step of training, the n-th allocation of the extension fails,
for every n until none does. Prints how many did, and what went wrong.
"""

from __future__ import annotations

import contextlib
import copy
import ctypes
import gc
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import baregrad as bg
import numpy as np
from baregrad import _cpu, backend
from baregrad.cases import OPS, Case
from baregrad.cases.on_device import OnDevice
from compare import assert_same_bits

MOST = 2000  # allocations of one call


class Allocator:
    """What failing_malloc.cpp offers."""

    def __init__(self, path: str, extension: str) -> None:
        self._library = ctypes.CDLL(path)
        for name in ("calls", "live"):
            getattr(self._library, f"failing_malloc_{name}").restype = ctypes.c_int64
        assert self._library.failing_malloc_watch(extension.encode())

    def fail(self, n: int) -> None:
        self._library.failing_malloc_fail(ctypes.c_int64(n))

    def calls(self) -> int:
        return int(self._library.failing_malloc_calls())

    def in_use(self) -> tuple[int, int]:
        """Blocks that are not freed, and bytes that arrays have of the pool."""
        gc.collect()
        _cpu.trim_pool()
        return int(self._library.failing_malloc_live()), _cpu.pool()["in_use"]


def one_case_of_each_kernel() -> list[Case]:
    """The middle one in size of its cases."""
    cases: dict[str, list[Case]] = {}
    for op in OPS.values():
        for case in op.tests:
            cases.setdefault(case.kernel, []).append(case)
    return [sorted(those, key=lambda case: case.bytes)[len(those) // 2] for those in cases.values()]


def run_case(table: Any, case: Case) -> Callable[[], Any]:
    arguments = case.arguments(np.random.default_rng(0))
    return lambda: case.run(table, copy.deepcopy(arguments))


def train(device: str) -> Callable[[], Any]:
    def step() -> tuple[np.ndarray, ...]:
        bg.manual_seed(0)
        model = bg.nn.Sequential(bg.nn.Linear(6, 5), bg.nn.BatchNorm1d(5), bg.nn.ReLU())
        model.to(device)
        optimizer = bg.optim.Adam(model.parameters())
        x = bg.tensor(np.arange(24, dtype=np.float32).reshape(4, 6), device=device)
        bg.nn.functional.cross_entropy(model(x), bg.tensor([0, 1, 2, 3], device=device)).backward()
        optimizer.step()
        return tuple(param.detach().numpy() for param in model.parameters())

    return step


def profile() -> tuple[np.ndarray, ...]:
    _cpu.profile_start()
    try:
        return (bg.kernels.cpu.relu_forward(np.ones(3, np.float32)),)
    finally:
        _cpu.profile_stop()


def same(got: Any, want: Any) -> None:
    for one, other in zip(got, want, strict=True):
        assert_same_bits(one, other)


def fail_all(allocator: Allocator, name: str, call: Callable[[], Any]) -> tuple[int, list[str]]:
    """How many allocations were failed, and what went wrong."""
    call()
    want = call()
    before, wrong = allocator.in_use(), []
    for n in range(1, MOST):
        allocator.fail(n)
        with contextlib.suppress(MemoryError):  # an algorithm may also do without, and be right
            same(call(), want)
        failed = allocator.calls() >= n
        allocator.fail(0)
        if (now := allocator.in_use()) != before:
            wrong.append(f"{name}, allocation {n}: blocks and bytes {before} -> {now}")
            before = now
        same(call(), want)
        if not failed:
            return n - 1, wrong
    return MOST, [*wrong, f"{name}: does not end"]


def fail_all_in_a_child(device: str, allocator: Path) -> tuple[int, list[str]]:
    """The same in a process that has the allocator."""
    done = subprocess.run(
        [sys.executable, "-m", "out_of_memory", device, str(allocator)],
        cwd=Path(__file__).parent, env={**os.environ, "LD_PRELOAD": str(allocator)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise AssertionError(f"{done.returncode}: {done.stdout[-2000:]} {done.stderr[-4000:]}")
    count, wrong = json.loads(done.stdout.splitlines()[-1])
    return count, wrong


def main() -> None:
    device, path = sys.argv[1:]
    where = backend.device(device)
    table = OnDevice(where) if device == "sim" else bg.kernels.cpu
    extension: Any = where.table.own
    if device == "sim":
        extension.set_host_threads(1)  # each keeps what it needs for the next launch
    allocator = Allocator(path, Path(extension.__file__).name)
    total, wrong = 0, []
    calls = {str(case): run_case(table, case) for case in one_case_of_each_kernel()}
    gc.freeze()  # what there is already need not be looked at each time
    for name, call in {**calls, "profile": profile, "train": train(device)}.items():
        print(name, file=sys.stderr)  # the last one, where the process ends
        count, found = fail_all(allocator, name, call)
        total += count
        wrong += found
    print(json.dumps([total, wrong]))


if __name__ == "__main__":
    main()
