"""How many threads the kernels use."""

from __future__ import annotations

import sys

from .native import _cpu


def get_num_threads() -> int:
    """How many threads a kernel may use. `baregrad info` says why it is that many."""
    return _cpu.get_num_threads()


def set_num_threads(count: int) -> None:
    """Let kernels use `count` threads, 1 to 1024, in this process. Results do not depend on it."""
    if not isinstance(count, int) or isinstance(count, bool):
        raise TypeError(f"[set_num_threads] count is {count!r}, expected an integer")
    if abs(count) >= 2**31:  # the extension would not know it for a count
        raise ValueError(f"[set_num_threads] count is {count}, expected 1 to 1024")
    _cpu.set_num_threads(count)
    if simulator := sys.modules.get("baregrad._sim"):  # else it asks when it is loaded
        simulator.set_host_threads(count)
