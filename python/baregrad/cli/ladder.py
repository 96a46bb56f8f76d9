"""`baregrad ladder <op>`: what each idea is worth, from the definition to the kernel in use."""

from __future__ import annotations

import argparse
import re
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .. import backend, sim, trial
from ..cases import OPS, Case
from ..cases.conv2d import case as conv2d_case
from ..cases.on_device import OnDevice
from ..cases.window import Windows
from ..choice import rungs, use
from ..native import _cpu
from ..own import CUDA, DEVICE, HEADERS, SUFFIX
from . import options

HELP = "climb from the definition of an op to its kernel in use: what each idea is worth here"
PRODUCTION = "in use"
# Turns of a rung, and seconds of a turn; a rung whose calls take longer than the last has one turn.
_TURNS, _SECONDS, _SLOW = 5, 0.15, 0.5


@dataclass(frozen=True)
class _Sizes:
    """What --size means for an op, and the cases that it gives."""

    letters: str
    default: tuple[int, ...]
    counted: tuple[int, ...]  # by the simulator, which takes seconds for it
    cases: Callable[..., list[Case]]


def _convolutions(n: int, c: int, h: int, w: int, o: int) -> list[Case]:
    windows = Windows(n, c, h, w, (3, 3), o=o, padding=(1, 1))
    directions = ("conv2d_forward", "conv2d_backward_input", "conv2d_backward_weight")
    return [conv2d_case(direction, windows) for direction in directions]


LADDERS = {
    "gemm": _Sizes(
        "m n k", (1024, 1024, 1024), (128, 128, 128), lambda *size: [OPS["gemm"].case(*size)]
    ),
    "conv2d": _Sizes("n c h w o", (16, 64, 28, 28, 64), (2, 16, 14, 14, 32), _convolutions),
    "softmax_xent": _Sizes(
        "n c", (8192, 1000), (256, 1000), lambda *size: [OPS["softmax_xent"].forward(*size)]
    ),
    "adam_step": _Sizes(
        "count n",
        (8, 1 << 20),
        (8, 5000),
        lambda count, n: [OPS["adam_step"].case([n] * count, False)],
    ),
}


COUNTED = ("gemm", "softmax_xent", "adam_step")  # that have rungs in CUDA


def add_parser(subparsers: Any) -> None:
    """Add the subcommand to the command line."""
    parser = subparsers.add_parser(
        "ladder",
        description=f"{HELP}. Every rung is held to all cases of its op and then timed. The gain is "
        "over the rung below, the share that of the nearer ceiling of all threads: multiply-adds, "
        "or a copy of as many bytes. Times are medians. With --device sim the rungs are those in CUDA, and "
        "instead of times there is what the simulator counts of them: `baregrad sim` says what that is.",
    )
    parser.add_argument("op", type=options.one_of(LADDERS), help=", ".join(LADDERS))
    add_size(parser, "of what is timed")
    options.add_machine(parser)
    parser.set_defaults(run=run)


def add_size(parser: argparse.ArgumentParser, what: str) -> None:
    """--size, which `cases_of` follows."""
    sizes = "; ".join(f"{op}: {sizes.letters}" for op, sizes in LADDERS.items())
    parser.add_argument(
        "--size", nargs="+", type=options.at_least(1), metavar="N", help=f"{what} ({sizes})"
    )


def cases_of(op: str, numbers: Sequence[int]) -> list[Case]:
    """The cases of an op in this size. ArgumentTypeError for too many numbers, or too few."""
    letters = LADDERS[op].letters
    if len(numbers) != len(letters.split()):
        raise argparse.ArgumentTypeError(
            f"argument --size: {len(numbers)} numbers, expected {letters} for {op}"
        )
    return LADDERS[op].cases(*numbers)


def run(args: argparse.Namespace) -> int:
    """Print a table for each direction. ValueError if a rung is wrong on a case."""
    if args.device not in ("cpu", "sim"):
        raise argparse.ArgumentTypeError(
            f"argument --device: {args.device!r}, expected cpu, where rungs are timed, or sim, where "
            "they are counted"
        )
    if args.device != "cpu" and args.op not in COUNTED:
        raise argparse.ArgumentTypeError(
            f"argument op: {args.op!r} has no rungs in CUDA, expected {', '.join(COUNTED)}"
        )
    if args.device != "cpu":
        return _print_counts(args)
    cases = cases_of(args.op, args.size or LADDERS[args.op].default)
    with options.machine(args):
        peak = _cpu.measure_fma()
        print(
            f"{_cpu.in_use()}, {_cpu.get_num_threads()} threads, "
            f"multiply-add peak {peak:.0f} GFLOP/s"
        )
        for case, rows in climb(args.op, cases):
            print(f"\n{case}\n")
            width = max(len(row.rung) for row in rows)
            print(f"{'rung':<{width}}{'ms':>10}{'rate':>16}{'gain':>8}{'share':>7}  idea")
            for row in rows:
                gain = f"{row.gain:.1f}x" if row.gain else ""
                print(
                    f"{row.rung:<{width}}{row.milliseconds:>10.2f}{row.rate:>16}{gain:>8}"
                    f"{row.share:>7.0%}  {row.idea}",
                    flush=True,
                )
    return 0


def _print_counts(args: argparse.Namespace) -> int:
    """Print what the simulator counts of each rung. ValueError if one is wrong."""
    for case in cases_of(args.op, args.size or LADDERS[args.op].counted):
        print(f"{case}\n")
        with options.machine(args):
            for rung, *columns, idea in count(args.op, case):
                print(f"{rung:<12}{''.join(f'{text:>12}' for text in columns)}  {idea}", flush=True)
    return 0


def count(op: str, case: Case) -> Iterator[tuple[str, ...]]:
    """A table of the rungs in CUDA, from the kernel in use down. ValueError if one is wrong."""
    yield "rung", "sectors", "needed", "passes", "needed", "requests", "idea"
    for name in [PRODUCTION, *reversed(_rungs(op, "sim"))]:
        chosen = {} if name == PRODUCTION else {op: f"ladder/{name}"}
        with use(sim="counted", **chosen):
            if wrong := trial.first_wrong(case, OnDevice(backend.device("sim"))):
                raise ValueError(f"[{case.kernel}] {name}: {wrong}")
            kernels = sim.report().kernels
        memories = [text for memory in ("global", "shared") for text in _moved(kernels, memory)]
        requests = sum(kernel.requests for kernel in kernels)
        yield name, *memories, f"{requests:,}", _idea(op, name, DEVICE)


def _moved(kernels: Sequence[sim.Kernel], memory: str) -> tuple[str, str]:
    """Transactions of a memory, and how many of them are needed."""
    done, least = (
        sum(kernel.total(what, memory) for kernel in kernels) for what in ("transactions", "least")
    )
    return (f"{done:,}", f"{least / done:.0%}") if done else ("", "")


@dataclass(frozen=True)
class Row:
    """One rung, timed."""

    rung: str
    idea: str
    milliseconds: float
    rate: str
    gain: float | None  # over the rung below
    share: float  # of the ceiling


def climb(op: str, cases: Sequence[Case]) -> Iterator[tuple[Case, list[Row]]]:
    """For each direction of `op` its rungs, from the kernel in use down. ValueError if one is wrong."""
    names = [PRODUCTION, *reversed(_rungs(op))]
    for name in names:
        with _rung(op, name):
            for case in [*OPS[op].tests, *cases]:
                if wrong := trial.first_wrong(case):
                    raise ValueError(f"[{case.kernel}] {name}: {wrong}")
    for case in cases:
        before, arguments = _ceilings(case), case.arguments(np.random.default_rng(0))
        medians: dict[str, list[float]] = {name: [] for name in names}
        for turn in range(_TURNS):
            for name, took in medians.items():
                if turn == 0 or took[0] < _SLOW:
                    with _rung(op, name):
                        took.append(_timed(partial(case.run, backend.CPU.table, arguments)))
        peak, copy = map(max, before, _ceilings(case))
        seconds = list(map(statistics.median, medians.values()))
        yield case, list(rows_of(op, case, names, seconds, peak, copy))


def _ceilings(case: Case) -> tuple[float, float]:
    """Multiply-adds in GFLOP/s, and copying as many bytes as the case has, in GB/s."""
    half = max(4096, case.bytes // 2)  # a copy reads and writes
    return _cpu.measure_fma(0.1), _cpu.measure_copy(0.1, half)


def rows_of(
    op: str, case: Case, names: list[str], seconds: list[float], peak: float, copy: float
) -> Iterator[Row]:
    """The rungs as timed, below their ceilings."""
    computes = case.flops / peak > case.bytes / copy  # which ceiling takes longer
    for name, took, below in zip(names, seconds, [*seconds[1:], None], strict=True):
        gflops, gigabytes = case.flops / took / 1e9, case.bytes / took / 1e9
        rate = f"{gflops:.1f} GFLOP/s" if computes else f"{gigabytes:.1f} GB/s"
        share = gflops / peak if computes else gigabytes / copy
        yield Row(name, _idea(op, name), took * 1e3, rate, below and below / took, share)


def _rungs(op: str, device: str = "cpu") -> list[str]:
    return [rung for where, o, rung, _ in rungs() if (where, o) == (device, op)]


def _source(op: str, name: str) -> Path:
    return HEADERS / "ladder" / f"{op}_{name}{SUFFIX}"


def _rung(op: str, name: str) -> Any:
    return use() if name == PRODUCTION else use(**{op: f"ladder/{name}"})


def _idea(op: str, name: str, folder: Path = HEADERS) -> str:
    """The first sentence of what a rung says of itself."""
    suffix = SUFFIX if folder == HEADERS else CUDA
    if name == PRODUCTION:
        return f"{folder.name}/kernels/{op}{'.inl.h' if folder == HEADERS else CUDA}"
    text = (folder / "ladder" / f"{op}_{name}{suffix}").read_text()
    comment = " ".join(re.findall(r"^// (.*)", text.partition("#include")[0], re.MULTILINE))
    return comment.partition(": ")[2].partition(". ")[0].rstrip(".")


def _timed(call: Callable[[], object]) -> float:
    """The median time of a call in a turn, in seconds."""
    times: list[float] = []
    total = 0.0
    while not times or total < _SECONDS:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
        total += times[-1]
    return statistics.median(times)
