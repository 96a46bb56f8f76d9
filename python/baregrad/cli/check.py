"""`baregrad check FILE`: is a kernel of your own right? In a child process, with a time limit."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from .. import own, trial

HELP = "compile a kernel of your own and hold it to the cases of its op"


def add_parser(subparsers: Any) -> None:
    """Add the subcommand to the command line."""
    parser = subparsers.add_parser("check", description=HELP)
    parser.add_argument(
        "file", type=Path, help="a .cpp that defines slots of csrc/kernels.h, or gemm_plain"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print what was checked. ValueError, with the first case that is wrong, if there is one."""
    start = time.perf_counter()
    plugin = own.build(args.file)
    compiled = time.perf_counter()
    passed = trial.check(plugin)
    slots = ", ".join(slot for slot in plugin.slots if not slot.endswith("_workspace"))
    print(
        f"[{slots}] {args.file}: right in {passed} cases "
        f"(compiled in {compiled - start:.1f} s, checked in {time.perf_counter() - compiled:.1f} s)"
    )
    return 0
