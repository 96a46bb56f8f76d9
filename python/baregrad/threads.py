"""How many threads the kernels use, and how soon those sleep."""

from __future__ import annotations

import os

# libgomp reads its environment once, when it is loaded. By default its threads spin for
# milliseconds after each region, and NumPy's next matmul, on threads of its own, runs 10 to 20
# times slower meanwhile. 2000 turns are about 50 us.
_SPIN = {"GOMP_SPINCOUNT": "2000"}
_unset = {
    name: value
    for name, value in _SPIN.items()
    if name not in os.environ and "OMP_WAIT_POLICY" not in os.environ
}
os.environ.update(_unset)
try:
    from . import _cpu
finally:
    for _name in _unset:
        del os.environ[_name]  # child processes and other libraries decide for themselves


__all__ = ["_cpu", "get_num_threads", "set_num_threads"]  # the extension, loaded as it should be


def get_num_threads() -> int:
    """How many threads a kernel may use. `baregrad info` says why it is that many."""
    return _cpu.get_num_threads()


def set_num_threads(count: int) -> None:
    """Let kernels use `count` threads, in this process. The results do not depend on it.

    ValueError unless count is at least 1.
    """
    if not isinstance(count, int) or isinstance(count, bool):
        raise TypeError(f"[set_num_threads] count is {count!r}, expected an integer")
    if count < 1:
        raise ValueError(f"[set_num_threads] count is {count}, expected at least 1")
    _cpu.set_num_threads(min(count, 1024))
