"""`baregrad check FILE`: is a kernel of your own right? In a child process, with a time limit."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from .. import backend, own, trial

HELP = "compile a kernel of your own and hold it to the cases of its op"


def add_parser(subparsers: Any) -> None:
    """Add the subcommand to the command line."""
    parser = subparsers.add_parser("check", description=HELP)
    parser.add_argument(
        "file", type=Path, help="a .cpp or .cu that defines slots of csrc/kernels.h, or gemm_plain"
    )
    parser.add_argument("--device", help="of a .cu: sim (the default, where it is) or cuda")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print what was checked. ValueError, with the first case that is wrong, if there is one."""
    if args.device:
        _expect_device(args.device, args.file)
    start = time.perf_counter()
    plugin = own.build(args.file, device=args.device or "")
    compiled = time.perf_counter()
    passed = trial.check(plugin)
    slots = ", ".join(slot for slot in plugin.slots if not slot.endswith("_workspace"))
    where = " on cuda" if plugin.device == "cuda" else ""
    print(
        f"[{slots}] {args.file}: right in {passed} cases{where} "
        f"(compiled in {compiled - start:.1f} s, checked in {time.perf_counter() - compiled:.1f} s)"
    )
    return 0


def _expect_device(name: str, file: Path) -> None:
    expected = ("sim", "cuda") if file.suffix == own.CUDA else ("cpu",)
    if name not in expected:
        raise argparse.ArgumentTypeError(
            f"argument --device: {name!r}, expected {' or '.join(expected)} for {file}"
        )
    try:
        backend.device(name)
    except RuntimeError as error:
        raise argparse.ArgumentTypeError(f"argument --device: {error}") from error
