"""Options that several subcommands share, and what they stand for."""

from __future__ import annotations

import argparse
import os
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from .. import data
from ..backend import device as find_device
from ..choice import kind_of, left_out, use
from ..threads import set_num_threads


def at_least(least: int) -> Callable[[str], int]:
    """The type of an integer of at least `least`."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least:
            raise argparse.ArgumentTypeError(f"{text!r}, expected an integer of at least {least}")
        return value

    return parse


def one_of(ops: Iterable[str]) -> Callable[[str], str]:
    """The type of an op's name, one of these."""

    def parse(text: str) -> str:
        if text not in ops:
            raise argparse.ArgumentTypeError(
                f"{text!r}, expected one of {', '.join(ops)}{kind_of(text)}"
            )
        return text

    return parse


def positive(text: str) -> float:
    """The type of a finite number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r}, expected a number above 0")
    return value


def add_machine(parser: argparse.ArgumentParser, devices: bool = True) -> None:
    """--device, --use and --threads, which `machine` follows."""
    group = parser.add_argument_group("where it runs")
    parser.set_defaults(device="cpu")
    if devices:
        group.add_argument("--device", help="cpu (the default), sim or cuda")
    group.add_argument("--use", metavar="SPEC", help="which kernels: reference, isa=avx2, ...")
    group.add_argument(
        "--threads", type=at_least(1), metavar="N", help="results do not depend on it"
    )


@contextmanager
def machine(args: argparse.Namespace) -> Iterator[None]:
    """Inside, what `add_machine` was asked for. ArgumentTypeError if it is not here."""
    try:
        name = "--device"
        find_device(args.device)
        name = "--threads"
        if args.threads is not None:
            set_num_threads(args.threads)
        name = "--use"
        chosen = use(args.use) if args.use else nullcontext()
    except (ValueError, RuntimeError) as error:
        raise argparse.ArgumentTypeError(f"argument {name}: {error}") from error
    with chosen:
        if args.use:
            expect_used(args.use, args.device.partition(":")[0])
        yield


def expect_used(spec: str, device: str) -> None:
    """ArgumentTypeError if the device has no kernel like one that is in use."""
    if ops := left_out(device):
        raise argparse.ArgumentTypeError(
            f"argument --use: {spec!r} has no {' or '.join(ops)} for {device}, expected "
            + (
                "a .cpp or a rung of csrc/ladder"
                if device == "cpu"
                else "a .cu or a rung of cuda/ladder"
            )
        )


def add_data(parser: argparse.ArgumentParser) -> None:
    """--data and what belongs to it, which `load_data` follows."""
    group = parser.add_argument_group("the data")
    group.add_argument(
        "--data",
        required=True,
        metavar="NAME|FILE",
        help="digits, mnist, cifar100, an .npz, a .csv",
    )
    group.add_argument(
        "--data-dir",
        metavar="DIR",
        help="where the files of mnist and cifar100 are, default: $BAREGRAD_DATA, ~/.cache/baregrad",
    )
    group.add_argument("--target", metavar="COLUMN", help="what to predict, of a .csv")
    group.add_argument(
        "--ignore", action="append", default=[], metavar="COLUMN", help="of a .csv, may be repeated"
    )


def load_data(args: argparse.Namespace, encoding: Mapping[str, Any] | None = None) -> data.Splits:
    """The data of --data, always split in the same way; a .csv by `encoding` if that is given."""
    name, suffix = args.data, Path(args.data).suffix
    if suffix != ".csv" and (args.target or args.ignore):
        raise argparse.ArgumentTypeError(f"argument --target: {name!r} has no columns, only a .csv")
    if name == "digits":
        return data.digits()
    if name in ("mnist", "cifar100"):
        return data.mnist(args.data_dir) if name == "mnist" else data.cifar100(args.data_dir)
    if suffix == ".npz":
        return data.from_npz(name)
    if suffix != ".csv":
        raise argparse.ArgumentTypeError(
            f"argument --data: {name!r}, expected digits, mnist, cifar100, an .npz or a .csv"
        )
    if not args.target:
        raise argparse.ArgumentTypeError(f"argument --target: none for {name!r}, expected a column")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        splits = data.from_csv(name, args.target, ignore=args.ignore, encoding=encoding)
    for warning in said:
        print(warning.message)
    return splits


def writable(option: str, path: Path) -> None:
    """Make the folder of `path` if need be and see that a file can be made there: now, not later."""
    if path.is_dir() or path.is_fifo():
        kind = "folder" if path.is_dir() else "pipe"
        raise argparse.ArgumentTypeError(
            f"argument {option}: {str(path)!r} is a {kind}, expected a file"
        )
    folder = Path(os.path.realpath(path)).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise argparse.ArgumentTypeError(
            f"argument {option}: {str(folder)!r} cannot be written to ({error.strerror}), "
            "expected a folder that can"
        ) from error
