"""The command `baregrad`. Each subcommand is a file with `add_parser(subparsers)` and `run(args) -> int`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from .. import __version__
from . import (
    bench,
    check,
    demo,
    evaluate,
    info,
    ladder,
    new,
    predict,
    selftest,
    show,
    sim,
    train,
)

_GROUPS = {
    "use": (demo, train, evaluate, predict, info, selftest),
    "measure": (bench, sim),
    "learn": (show, ladder),
    "write": (new, check),
}


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence and leaves with 2, without repeating the usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; 130 after Ctrl-C.

    SystemExit with code 2 and one sentence for an unknown option, a bad value, a file that cannot
    be read or written, or what is not here.
    """
    parser = _Parser(
        prog="baregrad",
        description="Hand-written kernels under a thin autograd.",
        epilog=_groups(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"baregrad {__version__}")
    subparsers = parser.add_subparsers(
        metavar="command", required=True, help="one of those below; each has a --help"
    )
    for commands in _GROUPS.values():
        for command in commands:
            command.add_parser(subparsers)
    args = parser.parse_args(argv)
    try:
        code: int = args.run(args)
    except BrokenPipeError:  # `baregrad predict ... | head`
        sys.stderr.close()
        return 0
    except (
        argparse.ArgumentTypeError,
        ArithmeticError,
        ImportError,
        MemoryError,
        OSError,
    ) as error:
        parser.error(str(error))
    except (RuntimeError, TypeError, ValueError) as error:
        if not str(error).startswith("["):  # not a sentence of ours: a fault, to be reported
            raise
        parser.error(str(error))
    except KeyboardInterrupt as stop:
        print(str(stop) or "interrupted", file=sys.stderr)
        return 130
    return code


def _groups() -> str:
    lines = []
    for group, commands in _GROUPS.items():
        lines.append(f"{group}:")
        lines += [f"  {_name(command):<10}{command.HELP}" for command in commands]
    return "\n".join(lines)


def _name(command: object) -> str:
    return getattr(command, "__name__", "").rpartition(".")[2]
