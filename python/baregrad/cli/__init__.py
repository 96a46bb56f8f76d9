"""The command `baregrad`. Each subcommand is a file with `add_parser(subparsers)` and `run(args) -> int`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from .. import __version__
from . import demo, info, show

_COMMANDS = (demo, info, show)


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence and leaves with 2, without repeating the usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; 130 after Ctrl-C.

    SystemExit with code 2 for an unknown option or a bad value, which a command reports by raising
    argparse.ArgumentTypeError.
    """
    parser = _Parser(prog="baregrad", description="Hand-written kernels under a thin autograd.")
    parser.add_argument("--version", action="version", version=f"baregrad {__version__}")
    subparsers = parser.add_subparsers(metavar="command", required=True)
    for command in _COMMANDS:
        command.add_parser(subparsers)
    args = parser.parse_args(argv)
    try:
        code: int = args.run(args)
    except argparse.ArgumentTypeError as error:
        parser.error(str(error))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return code
