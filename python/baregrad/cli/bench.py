"""`baregrad bench <op>`: how fast an op is here, and how far from what the machine can do."""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

import numpy as np

from .. import backend
from ..cases import OPS, Case
from ..cases.check import BoundError, check as check_bound, exact_result
from ..native import _cpu
from . import options

HELP = "check an op against its definition, then time it and compare with the machine's ceilings"
_SECONDS, _LEAST_CALLS = 0.3, 5  # of each case


def add_parser(subparsers: Any) -> None:
    """Add the subcommand to the command line."""
    parser = subparsers.add_parser(
        "bench",
        description=f"{HELP}. The share is that of the nearer ceiling: multiply-adds, or a copy of "
        "as many bytes, both measured here. Times are medians. A write costs the memory a read too, "
        "so an op that writes less than it reads can be an eighth above a copy.",
    )
    parser.add_argument("op", choices=OPS, metavar="op", help=", ".join(OPS))
    options.add_machine(parser, devices=False)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print a line for each benchmark case. ValueError if a kernel is wrong on one."""
    with options.machine(args):
        table = backend.kernels.active
        peak = _cpu.measure_fma()
        print(
            f"{table.name} {_cpu.in_use()}, {_cpu.get_num_threads()} threads, "
            f"multiply-add peak {peak:.0f} GFLOP/s\n"
        )
        width = max(len(str(case)) for case in OPS[args.op].benchmarks)
        print(f"{'case':<{width}}{'us':>12}{'GFLOP/s':>10}{'GB/s':>8}{'share':>8}  of")
        for case in OPS[args.op].benchmarks:
            check(case, table)
            half = max(4096, case.bytes // 2)  # of the bytes: a copy reads and writes
            copied = _cpu.measure_copy(0.1, half)
            seconds = timed(case, table)
            gflops, gigabytes = (n / seconds / 1e9 for n in (case.flops, case.bytes))
            copied = max(copied, _cpu.measure_copy(0.1, half))
            share, ceiling = max((gflops / peak, "multiply-adds"), (gigabytes / copied, "copy"))
            print(
                f"{case!s:<{width}}{seconds * 1e6:>12.1f}{gflops:>10.1f}{gigabytes:>8.1f}"
                f"{share:>8.0%}  {ceiling}",
                flush=True,
            )
    return 0


def check(case: Case, table: Any) -> None:
    """ValueError if a kernel of `table` is off the definition by more than the case allows."""
    exact = exact_result(case, case.arguments(np.random.default_rng(0)))
    try:
        check_bound(case, table, case.arguments(np.random.default_rng(0)), exact)
    except BoundError as error:
        raise ValueError(f"[bench] {case} is off its definition: {error}") from None


def timed(case: Case, table: Any) -> float:
    """The median time of a call, in seconds."""
    arguments = case.arguments(np.random.default_rng(0))
    times: list[float] = []
    end = time.perf_counter() + _SECONDS
    while len(times) < _LEAST_CALLS or time.perf_counter() < end:
        start = time.perf_counter()
        case.run(table, arguments)
        times.append(time.perf_counter() - start)
    return statistics.median(times)
