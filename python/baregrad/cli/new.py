"""`baregrad new OP FILE`: a kernel to begin with, the first rung of the op."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

from ..cases import OPS
from ..choice import SOURCES
from ..own import CUDA, DEVICE, HEADERS, SUFFIX
from .options import one_of

HELP = "write a right kernel into a file, the first rung of its op, to make it faster"


def add_parser(subparsers: Any) -> None:
    """Add the subcommand to the command line."""
    parser = subparsers.add_parser("new", description=HELP)
    parser.add_argument("op", type=one_of(OPS), help=", ".join(OPS))
    parser.add_argument(
        "file", type=Path, help="such as my_gemm.cpp or my_gemm.cu; it must not be there yet"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the first rung of the op's ladder. ArgumentTypeError for a file that is there."""
    if args.file.suffix not in SOURCES:
        raise argparse.ArgumentTypeError(
            f"argument file: {args.file}, expected a name that ends in {', '.join(SOURCES)}"
        )
    text = re.sub(r'#include "(\.\./)+(kernels/)?', '#include "', _first(args).read_text())
    text = re.sub(r"\A// Rung 0: (\w)", lambda found: f"// {found[1].upper()}", text)
    try:
        with args.file.open("x") as file:
            file.write(text)
    except FileExistsError:
        raise argparse.ArgumentTypeError(f"argument file: {args.file} is there already") from None
    print(f"wrote          {args.file}, {len(text.splitlines())} lines")
    then = "sim" if args.file.suffix == CUDA else "bench"
    for command in (f"check {args.file}", f"{then} {args.op} --use {args.file}"):
        print(f"next           baregrad {command}")
    return 0


def _first(args: argparse.Namespace) -> Path:
    """The lowest rung that the op has; a device has some ops in one way only."""
    folder, suffix = (DEVICE, CUDA) if args.file.suffix == CUDA else (HEADERS, SUFFIX)
    rungs = (folder / "ladder").glob(f"{args.op}_0_*{suffix}")
    return min(rungs, default=folder / "kernels" / f"{args.op}{suffix}")
