"""`baregrad bench <op>`: how fast an op is here, and how far from what the machine can do."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from .. import backend, trial
from ..cases import OPS, Arguments, Case
from ..cases.case import CaseError
from ..cases.check import check as check_bound, exact_result
from ..cases.on_device import OnDevice
from ..choice import Chosen, changes, current, in_use, own_kernels
from ..native import _cpu
from ..own import CUDA
from ..racing import PAUSE, Ratio, Turn, median_time, race, ratio
from . import options
from .bench_device import print_times

HELP = "check an op against its definition, then time it and compare with the machine's ceilings"
_SECONDS = 0.3  # of each case
_ROUNDS = 5  # of a race, a third as long each


def add_parser(subparsers: Any) -> None:
    """Add the subcommand to the command line."""
    parser = subparsers.add_parser(
        "bench",
        description=f"{HELP}. The share is that of the nearer ceiling: multiply-adds, or a copy of "
        "as many bytes, both measured here. Times are medians. A write costs the memory a read too, "
        "so an op that writes less than it reads can be an eighth above a copy. With --use each case is "
        "raced against the kernel in use without it, and gemm against NumPy: how many times as fast, in "
        "rounds that take turns, beside what a kernel raced against itself gives. On a device calls follow each "
        "other without waiting, and there are no ceilings.",
    )
    parser.add_argument("op", type=options.one_of(OPS), help=", ".join(OPS))
    options.add_machine(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print a line for each benchmark case. ValueError if a kernel is wrong on one."""
    if args.device == "sim":
        raise argparse.ArgumentTypeError(
            "argument --device: the time of sim says nothing of a device, expected cpu or cuda; "
            f"`baregrad sim {args.op}` counts what it asks of memory"
        )
    plain, before = in_use(), current()
    if args.device != "cpu":
        with options.machine(args):
            for case in OPS[args.op].benchmarks:
                check(case, OnDevice(backend.device(args.device)))
            print_times(args.device, OPS[args.op].benchmarks, plain if args.use else None)
        return 0
    if args.use and args.use.endswith(CUDA):
        raise argparse.ArgumentTypeError(
            f"argument --use: {args.use} is for devices, and this times the CPU; "
            f"`baregrad sim {args.op} --use {args.use}` counts what it asks of memory, and "
            "--device cuda times it where there is one"
        )
    with options.machine(args):
        if args.use and not changes(args.op, before):
            raise argparse.ArgumentTypeError(
                f"argument --use: {args.use} changes nothing of {args.op}"
            )
        table, own = backend.kernels.active, own_kernels(args.op)
        if own:
            trial.check_timed(own, args.op)  # it may crash, or not return
        peak = _cpu.measure_fma()
        print(
            f"{table.name} {_cpu.in_use()}, {_cpu.get_num_threads()} threads, "
            f"multiply-add peak {peak:.0f} GFLOP/s\n"
        )
        width = max(len(str(case)) for case in OPS[args.op].benchmarks)
        print(f"{'case':<{width}}{'us':>12}{'GFLOP/s':>10}{'GB/s':>8}{'share':>8}  of")
        for case in OPS[args.op].benchmarks:
            if own is None:
                check(case, table)
            half = max(4096, case.bytes // 2)  # of the bytes: a copy reads and writes
            copied = _cpu.measure_copy(0.1, half)
            seconds = median_time(partial(case.run, table, _arguments(case)), _SECONDS)
            gflops, gigabytes = (n / seconds / 1e9 for n in (case.flops, case.bytes))
            copied = max(copied, _cpu.measure_copy(0.1, half))
            share, ceiling = max((gflops / peak, "multiply-adds"), (gigabytes / copied, "copy"))
            print(
                f"{case!s:<{width}}{seconds * 1e6:>12.1f}{gflops:>10.1f}{gigabytes:>8.1f}"
                f"{share:>8.0%}  {ceiling}",
                flush=True,
            )
        if args.use or args.op == "gemm":
            print(f"\n{'race':<{width}}  {'against':<16}{'ratio':<24}{'itself':<24}")
            for case in OPS[args.op].benchmarks:
                for rival, found, control in _races(case, plain if args.use else None):
                    print(
                        f"{case!s:<{width}}  {rival:<16}{found!s:<24}{control!s:<24}"
                        f"{found.beside(control)}",
                        flush=True,
                    )
    return 0


def _races(case: Case, plain: Chosen | None) -> Iterator[tuple[str, Ratio, Ratio]]:
    """Against whom, how many times as fast the chosen kernel is, and how many that one as itself."""
    chosen, arguments = in_use(), _arguments(case)

    def turn(choice: Chosen) -> Callable[[], object]:
        choice.bring_back()
        return partial(case.run, backend.kernels.active, arguments)

    if plain:
        yield "the one in use", *_race(partial(turn, chosen), partial(turn, plain), 0)
        chosen.bring_back()
    if case.kernel == "gemm":
        a, b = arguments["a"], arguments["b"]
        out = np.empty((len(a), b.shape[1]), np.float32)
        ours, theirs = (partial(f, a, b, out=out) for f in (backend.kernels.active.gemm, np.matmul))
        yield "NumPy", *_race(lambda: ours, lambda: theirs, PAUSE)


def _race(ours: Turn, theirs: Turn, pause: float) -> tuple[Ratio, Ratio]:
    times = race({"ours": ours, "theirs": theirs, "again": theirs}, _ROUNDS, _SECONDS / 3, pause)
    return ratio(times["ours"], times["theirs"]), ratio(times["again"], times["theirs"])


def check(case: Case, table: Any) -> None:
    """ValueError if a kernel of `table` is off the definition by more than the case allows."""
    exact = exact_result(case, _arguments(case))
    try:
        check_bound(case, table, _arguments(case), exact)
    except CaseError as error:
        raise ValueError(f"[bench] {case} is off its definition: {error}") from None


def _arguments(case: Case) -> Arguments:
    return case.arguments(np.random.default_rng(0))
