"""`baregrad show <op>`: the whole life of an op, from its formula to its kernels."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..cases import OPS
from ..native import _cpu

HELP = "print an op: definition, derivative, CPU loop, CUDA kernel, tolerance"
_PACKAGE = Path(__file__).parent.parent
_SOURCES = Path(_cpu.__file__).parent / "sources"  # csrc/ and cuda/, beside the extensions


def add_parser(subparsers: Any) -> None:
    """Add the subcommand to the command line."""
    parser = subparsers.add_parser("show", description=HELP)
    parser.add_argument("op", help=f"{', '.join(OPS)}, or a kind of unary: {', '.join(_cpu.UNARY)}")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print each source file under a heading, in the order in which to read them."""
    stem = "unary" if args.op in _cpu.UNARY else args.op
    if stem not in OPS:
        known = ", ".join([*OPS, *_cpu.UNARY])
        raise argparse.ArgumentTypeError(f"argument op: {args.op!r}, expected one of {known}")
    try:
        for heading, text in sections(stem):
            print(f"{heading}\n{'=' * len(heading)}\n\n{text.rstrip()}\n\n")
    except BrokenPipeError:  # `baregrad show gemm | head`
        sys.stderr.close()
    return 0


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
