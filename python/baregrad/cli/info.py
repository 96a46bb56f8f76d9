"""`baregrad info`: what is here and why, to read or to paste into a report."""

from __future__ import annotations

import argparse
import platform
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__, backend
from ..choice import rungs
from ..native import _cpu

HELP = "what is here and why: instruction sets, threads, backends, the ceilings of this machine"
_RUNTIMES = re.compile(r"/(lib(?:gomp|iomp5|omp)[^/]*)$")


def add_parser(subparsers: Any) -> None:
    """Add the subcommand to the command line."""
    parser = subparsers.add_parser("info", description=HELP)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print a table of names and facts."""
    for name, fact in facts():
        print(f"{name:<18}{fact}", flush=True)
    return 0


def facts() -> Iterator[tuple[str, str]]:
    """What there is to say, one line at a time: the last two take half a second to measure."""
    yield "baregrad", f"{__version__}, {_cpu.compiler()}"
    yield "Python", f"{platform.python_version()}, NumPy {np.__version__}, {platform.platform()}"
    yield (
        "instruction sets",
        f"{', '.join(_cpu.available())}; in use: {backend.kernels.active.name} {_cpu.in_use()}",
    )
    threads = _cpu.get_num_threads()
    yield "threads", f"{threads} ({_cpu.thread_reason()}), by {_cpu.thread_runtime()}"
    yield "OpenMP runtimes", ", ".join(sorted(set(loaded_runtimes()))) or "none loaded"
    for name in ("reference", "cpu", "sim", "cuda"):
        why = None if name == "reference" else backend.why_absent(name)
        yield f"backend {name}", f"no: {why}" if why else "yes"
    ladders: dict[str, list[str]] = {}
    for where, op, rung, _ in rungs():
        ladders.setdefault(f"{where} {op}=ladder/", []).append(rung)
    yield "ladders", "; ".join(name + ", ".join(all_) for name, all_ in ladders.items()) or "none"
    pool = _cpu.pool()
    yield (
        "pool",
        (
            f"{pool['in_use'] / 2**20:.1f} MiB in use, {pool['kept'] / 2**20:.1f} MiB kept, "
            f"{pool['hits']} blocks used again, {pool['misses']} from the system"
        ),
    )
    yield (
        "FMA peak",
        f"{_cpu.measure_fma():.0f} GFLOP/s, {_cpu.in_use()}, measured on {threads} threads",
    )
    yield "copy bandwidth", f"{_cpu.measure_copy():.1f} GB/s read and written, arrays of 128 MiB"


def loaded_runtimes() -> Iterator[str]:
    """The OpenMP libraries in this process, by file name; nothing where there is no /proc."""
    maps = Path("/proc/self/maps")
    if not maps.exists():
        return
    for line in maps.read_text().splitlines():
        if found := _RUNTIMES.search(line):
            yield found[1]
