"""`baregrad sim`: run a CUDA kernel on the simulator, find its faults, count what memory has to do."""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from .. import backend, own, sim
from ..cases import OPS, Case
from ..cases.gemm import PRECISIONS, of_rounded
from ..cases.on_device import OnDevice
from ..choice import current, use
from ..trial import first_wrong
from . import options
from .ladder import LADDERS, add_size, cases_of

HELP = (
    "run a CUDA kernel on the simulator: find its faults, count what it executes and asks of memory"
)
_MOST_FLOPS, _MOST_BYTES = 1 << 26, 1 << 20  # of a case that is shown: a second or so
_MOST_KERNELS = 4  # of an op that are shown with their lines
_SECONDS_TO_SPEAK = 5
_CHILD = "import sys; from baregrad.cli import sim; sim.run_program(*sys.argv[1:])"


def add_parser(subparsers: Any) -> None:
    """Add the subcommand to the command line."""
    parser = subparsers.add_parser(
        "sim",
        description=f"{HELP}. Each kernel of an op runs on a case of moderate size; a .cu with a main "
        "runs as a program. Operations are those that ran, on padding too; a warp has 32 lanes, of which "
        "branches leave some idle. A request is a warp's, for which global memory moves sectors of 32 "
        "bytes and shared memory passes through its 32 banks; `each` is how many it takes, `excess` how "
        "many times as many as its bytes need. That is a model of the memory, not its time.",
    )
    parser.add_argument(
        "what",
        metavar="op|kernel|file.cu",
        help=f"{', '.join(OPS)}; one kernel, as relu_forward; or a program",
    )
    parser.add_argument("arguments", metavar="ARG", nargs="*", help="what a program is given")
    parser.add_argument(
        "--use", metavar="SPEC", help="which kernels: my_gemm.cu, gemm=ladder/0, ..."
    )
    add_size(parser, "of an op that has a ladder")
    parser.add_argument("--schedule", help="the order of turns: forward, reverse or random:<seed>")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print what was counted. ValueError, with what is wrong, if a kernel is."""
    simulator = backend.device("sim").table.own
    before = simulator.schedule()
    if args.schedule:
        simulator.set_schedule(args.schedule)
    try:
        return _run_program(args) if args.what.endswith(own.CUDA) else _run_kernels(args)
    finally:
        simulator.set_schedule(before)


def _run_kernels(args: argparse.Namespace) -> int:
    if args.arguments:
        raise argparse.ArgumentTypeError(f"argument ARG: {args.what} is no program, expected none")
    shown = [case for op in OPS for case in _shown(op) if args.what in (op, case.kernel)]
    if not shown:
        raise argparse.ArgumentTypeError(
            f"argument what: {args.what!r}, expected a .cu file, a kernel or one of {', '.join(OPS)}"
        )
    if args.size and args.what not in LADDERS:
        raise argparse.ArgumentTypeError(
            f"argument --size: none for {args.what}, expected one of {', '.join(LADDERS)}"
        )
    brief = len(shown) > _MOST_KERNELS
    with use(*filter(None, [args.use]), sim="counted"):
        if args.use:
            options.expect_used(args.use, "sim")
        schedule = backend.device("sim").table.own.schedule()
        print(f"{args.what}, {args.use or 'as it is'}, schedule {schedule}")
        for case in cases_of(args.what, args.size) if args.size else shown:
            _print_counts(case, brief)
    if brief:
        print(f"\nWith the lines of its source, one of them: baregrad sim {shown[0].kernel}")
    return 0


def _print_counts(case: Case, brief: bool) -> None:
    if case.kernel == "gemm" and current().precision in PRECISIONS:
        case = of_rounded(case, current().precision)
    sim.reset()
    start = time.perf_counter()
    if wrong := first_wrong(case, OnDevice(backend.device("sim"))):
        raise ValueError(f"[{case.kernel}] {wrong}")
    print(f"\n{case}: right, and no fault found, in {time.perf_counter() - start:.1f} s")
    found = sim.report()
    moved = 32 * sum(kernel.total("transactions", "global") for kernel in found.kernels)
    each = f", {case.flops / moved:.2f} for each byte that global memory moves" if moved else ""
    print(f"{case.flops:,} floating-point operations asked for{each}\n")
    print("\n".join(kernel.summary for kernel in found.kernels) if brief else found)


def _shown(op: str) -> Iterator[Case]:
    """Of each kernel of an op the largest case that is quickly done."""
    cases = [*OPS[op].tests, *OPS[op].benchmarks]
    for kernel in dict.fromkeys(case.kernel for case in OPS[op].benchmarks):
        quick = (c for c in cases if c.kernel == kernel and not c.what)
        quick = (c for c in quick if c.flops <= _MOST_FLOPS and c.bytes <= _MOST_BYTES)
        yield max(quick, key=lambda case: (case.flops, case.bytes))


def _run_program(args: argparse.Namespace) -> int:
    """In a process of its own, which may crash."""
    for name in ("use", "size"):
        if getattr(args, name):
            raise argparse.ArgumentTypeError(
                f"argument --{name}: {args.what} is a program, expected an op"
            )
    library = own.build_program(Path(args.what))
    schedule = backend.device("sim").table.own.schedule()
    command = [sys.executable, "-c", _CHILD, str(library), schedule, *args.arguments]
    done = subprocess.run(command, check=False)
    if done.returncode < 0:
        raise ValueError(f"[sim] the program crashed with {signal.Signals(-done.returncode).name}")
    return done.returncode


def run_program(library: str, schedule: str, *given: str) -> None:
    """Call the main of a library, print what was found and counted, and leave as it does."""
    simulator = backend.device("sim").table.own
    simulator.set_schedule(schedule)
    simulator.set_counting(True)
    libc = ctypes.CDLL(None)

    def fault() -> str:
        # The program may have asked for its error already.
        found = str(simulator.last_report() or simulator.last_error())
        libc.fflush(None)
        if found:
            print(f"\n{found}", file=sys.stderr, flush=True)
        return found

    def leave(code: int, _: object) -> None:
        is_wrong = bool(fault())
        found = sim.report()
        with suppress(BrokenPipeError):  # `baregrad sim ... | head`
            nothing = "no kernel ran" + (" to its end" if is_wrong else "")
            print(f"\n{found if found.kernels else nothing}", flush=True)
        os._exit(code & 0xFF or is_wrong)  # of which a shell sees 8 bits

    def abort(number: int) -> None:  # of an assert, say, that is wrong about a result
        signal.alarm(_SECONDS_TO_SPEAK)  # the heap may be what is broken
        fault()

    at_exit = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_void_p)(leave)
    at_abort = ctypes.CFUNCTYPE(None, ctypes.c_int)(abort)
    libc.on_exit(at_exit, None)
    libc.signal(signal.SIGABRT, at_abort)
    words = [os.fsencode(word) for word in (Path(library).name, *given)]
    arguments = (ctypes.c_char_p * (len(words) + 1))(*words, None)
    leave(ctypes.CDLL(library).main(len(words), arguments), None)
