"""`baregrad show <op>`: the whole life of an op, from its formula to its kernels."""

from __future__ import annotations

import argparse
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
    """Heading and text of every room the op lives in."""
    rooms = [
        ("The definition", _PACKAGE / "reference" / f"{stem}.py", f"reference/{stem}.py"),
        ("The derivative", _PACKAGE / "ops" / f"{stem}.py", f"ops/{stem}.py"),
        ("The binding", _SOURCES / "csrc" / "ops" / f"{stem}.cpp", f"csrc/ops/{stem}.cpp"),
        (
            "The CPU loop",
            _SOURCES / "csrc" / "kernels" / f"{stem}.inl.h",
            f"csrc/kernels/{stem}.inl.h",
        ),
        (
            "The CUDA kernel",
            _SOURCES / "cuda" / "kernels" / f"{stem}.cu",
            f"cuda/kernels/{stem}.cu",
        ),
    ]
    for heading, path, name in rooms:
        if path.exists():
            yield f"{heading}: {name}", path.read_text()
        elif heading == "The derivative":
            yield f"{heading}: none", f"{stem} is not differentiated: it is a step of an optimizer."
    yield "The tolerance", OPS[stem].tolerance
