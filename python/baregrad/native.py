"""Loads the compiled CPU kernels, `_cpu`, with libgomp told to let its threads sleep soon."""

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

__all__ = ["_cpu"]
