"""`baregrad show <op>`: the whole life of an op, from its formula to its kernels, or to its loop."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .. import choice, own
from ..cases import OPS
from ..native import _cpu
from . import assembly
from .loops import innermost

HELP = "print an op: definition, derivative, CPU loop, CUDA kernel, tolerance, or its loop compiled"
_PACKAGE = Path(__file__).parent.parent
_SOURCES = Path(_cpu.__file__).parent / "sources"  # csrc/ and cuda/, beside the extensions


def add_parser(subparsers: Any) -> None:
    """Add the subcommand to the command line."""
    parser = subparsers.add_parser("show", description=HELP)
    parser.add_argument("op", help=f"{', '.join(OPS)}, or a kind of unary: {', '.join(_cpu.UNARY)}")
    parser.add_argument(
        "--asm",
        metavar="ISA",
        help="print its inner loop instead, as the compiler here makes it for avx512, avx2, baseline "
        "or neon, and count loads, arithmetic and stores; op may be a slot, softmax_xent_backward",
    )
    parser.add_argument(
        "--use", metavar="SPEC", help="with --asm: a rung, gemm=ladder/tile, or a file of your own"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print each source file under a heading, in the order in which to read them; or the loop."""
    stem, slots, kind = _find(args.op)
    if args.use and not args.asm:
        raise argparse.ArgumentTypeError("argument --use: only with --asm")
    found = [_loop(args, stem, slots, kind)] if args.asm else sections(stem)
    try:
        for heading, text in found:
            print(f"{heading}\n{'=' * len(heading)}\n\n{text.rstrip()}\n\n")
    except BrokenPipeError:  # `baregrad show gemm | head`
        sys.stderr.close()
    return 0


def _find(op: str) -> tuple[str, list[str], str]:
    """The stem, its slots and the kind of unary that a word means."""
    if op in OPS:
        return op, [slot for slot, stem in _cpu.SLOTS.items() if stem == op], ""
    if op in _cpu.SLOTS:
        return _cpu.SLOTS[op], [op], ""
    kind, direction = re.findall(r"^(.*?)(?:_(forward|backward))?$", op)[0]
    if kind in _cpu.UNARY:
        return "unary", [f"unary_{direction or 'forward'}"], kind
    known = ", ".join([*OPS, *_cpu.UNARY])
    raise argparse.ArgumentTypeError(f"argument op: {op!r}, expected one of {known}")


def _loop(args: argparse.Namespace, stem: str, slots: list[str], kind: str) -> tuple[str, str]:
    """Heading and text of --asm."""
    targets = assembly.targets()
    if args.asm not in targets:
        raise argparse.ArgumentTypeError(
            f"argument --asm: {args.asm!r}, expected one that the compiler here is for: "
            + ", ".join(targets)
        )
    if not args.use:
        shown, listing = args.op, assembly.of_slots(stem, slots, args.asm)
    elif args.op == stem:
        shown, source = _own(stem, args.use)
        listing = assembly.of_file(source, args.asm)
    else:
        raise argparse.ArgumentTypeError(
            f"argument op: {args.op!r}, expected {stem} with --use, which is shown whole"
        )
    found = [loop for loop in innermost(listing.assembly) if loop.is_of(kind)]
    if not found:
        raise ValueError(f"[show] {shown}, {args.asm}: there is no loop")
    loop = max(found, key=lambda one: one.rank)
    which = f"Of {len(found)} innermost loops the one with the most float arithmetic for a load or store, by"
    how = f"{listing.compiler} {' '.join(listing.flags)}"
    heading = f"{shown}, {args.asm}: {assembly.demangled(loop.function)}"
    return heading, f"{which}\n{how}\n\n{loop}"


def _own(op: str, spec: str) -> tuple[str, Path]:
    """What a rung or a file is called, and where it is."""
    name, _, value = spec.rpartition("=")
    if value.endswith(own.CUDA):
        raise argparse.ArgumentTypeError(f"argument --use: {value} is no C++ for the CPU")
    if value.endswith(choice.SOURCES):
        source = Path(value)
        ops = {_cpu.SLOTS[slot] for slot in own.wrapped(source)[1]}
        if op not in ops or name not in ("", op):
            raise argparse.ArgumentTypeError(
                f"argument --use: {value} fills {', '.join(sorted(ops))}, expected {op}"
            )
        return f"{op}={value}", source
    if name != op:
        raise argparse.ArgumentTypeError(
            f"argument --use: {spec!r}, expected a rung, {op}=ladder/..., or a .cpp file"
        )
    rung = choice.find_rung(op, value)
    return f"{op}=ladder/{rung}", own.HEADERS / "ladder" / f"{op}_{rung}{own.SUFFIX}"


def sections(stem: str) -> Iterator[tuple[str, str]]:
    """Heading and text of every room the op lives in, each with what it shares with other ops."""
    rooms = [
        ("The definition", _PACKAGE, f"reference/{stem}.py"),
        ("The derivative", _PACKAGE, f"ops/{stem}.py"),
        ("The binding", _SOURCES, f"csrc/ops/{stem}.cpp"),
        ("The CPU loop", _SOURCES, f"csrc/kernels/{stem}.inl.h"),
        ("The CUDA kernel", _SOURCES, f"cuda/kernels/{stem}.cu"),
    ]
    for heading, root, name in rooms:
        path = root / name
        if path.exists():
            yield f"{heading}: {name}", path.read_text()
            for shared in _included(path):
                yield f"{heading} includes: {shared.relative_to(root)}", shared.read_text()
        elif heading == "The derivative":
            yield f"{heading}: none", f"{stem} has no derivative of its own: it is no Function."
    yield "The tolerance", OPS[stem].tolerance


def _included(path: Path) -> list[Path]:
    """What lies beside a kernel and is included by it, but for what all include."""
    found: list[Path] = []
    stack = [path]
    while stack:
        beside = re.findall(r'#include "([\w.]+)"', stack.pop().read_text())
        fresh = [path.parent / name for name in beside if name != "launch.cuh"]
        found += [f for f in fresh if f not in found]
        stack += fresh
    return found
