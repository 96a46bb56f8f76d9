"""`baregrad selftest`: every kernel on every instruction set of this CPU, against the definition."""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__, backend
from ..cases import OPS, Case
from ..cases.case import CaseError
from ..cases.check import check, exact_result
from ..cases.on_device import OnDevice
from ..choice import use
from ..native import _cpu
from . import options
from .info import loaded_runtimes

HELP = "check every kernel on this machine, and print a line to paste into a report"
_PACKAGE = Path(__file__).parent.parent


@dataclass
class Contestant:
    """A table of kernels, how to choose it, and how it has done so far."""

    name: str
    table: Any
    chosen: Callable[[], AbstractContextManager[object]]
    cases: int = 0
    share: float = 0.0  # the largest that an error had of its bound
    where: str = "none has an error"
    failures: list[str] = field(default_factory=list)

    def run(self, op: str, case: Case, exact: tuple[Any, ...]) -> None:
        """Try one case, on arguments of its own: a kernel may change them."""
        self.cases += 1
        try:
            with self.chosen():
                share = check(case, self.table, case.arguments(_rng(case)), exact)
        except CaseError as error:
            self.failures.append(f"{self.name}: {op}: {case}: {error}")
            return
        if share > self.share:
            self.share, self.where = share, str(case)


def add_parser(subparsers: Any) -> None:
    """Add the subcommand to the command line."""
    parser = subparsers.add_parser(
        "selftest",
        description=f"{HELP}. A result may be off the exact one by the bound of its case; "
        "`baregrad show` says where the bound of an op comes from. Exit code 1 if one is further "
        "off. About twenty seconds.",
    )
    options.add_machine(parser, devices=False)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print a table, the cases that fail, and the line of the report; 1 if a case fails."""
    start = time.monotonic()
    with options.machine(args):
        contestants = list(_contestants())
        for op, cases in OPS.items():
            for case in cases.tests:
                exact = exact_result(case, case.arguments(_rng(case)))
                for contestant in contestants:
                    contestant.run(op, case, exact)
        failures = [failure for each in contestants for failure in each.failures]
        print(f"{'kernels':<16}{'cases':>6}{'failed':>8}  largest share of its bound")
        for each in contestants:
            print(
                f"{each.name:<16}{each.cases:>6}{len(each.failures):>8}"
                f"  {each.share:.0%}: {each.where}"
            )
        print(*failures, "", sep="\n")
        cases_run = sum(each.cases for each in contestants)
        found = f"{len(failures)} of {cases_run} cases FAILED" if failures else "passed"
        print(f"{report()}; selftest {found} in {time.monotonic() - start:.0f} s")
    return int(bool(failures))


def _contestants() -> Iterator[Contestant]:
    for isa in _cpu.available():
        table = backend.kernels.cpu
        yield Contestant(f"cpu {isa}", table, lambda isa=isa: use(isa=isa))  # type: ignore[misc]
    if backend.why_absent("sim") is None:
        yield Contestant("sim", OnDevice(backend.device("sim")), nullcontext)


def _rng(case: Case) -> np.random.Generator:
    return np.random.default_rng(list(str(case).encode()))


def report() -> str:
    """What a report has to say of an installation and its machine, in one line."""
    commit = _PACKAGE / "commit.txt"
    version = f"{__version__} ({commit.read_text().strip()})" if commit.exists() else __version__
    runtimes = ", ".join(sorted(set(loaded_runtimes()))) or "none"
    threads = (
        f"{_cpu.get_num_threads()} threads ({_cpu.thread_reason()}) by {_cpu.thread_runtime()}"
    )
    absent = (f"no {name}: {why}" for name in ("sim", "cuda") if (why := backend.why_absent(name)))
    return "; ".join(
        [
            f"baregrad {version}, Python {platform.python_version()}, NumPy {np.__version__}",
            f"{platform.platform()}, {_cpu_model()}, {' '.join(_cpu.available())}",
            f"{threads}, OpenMP runtimes: {runtimes}",
            _cpu.compiler(),
            f"in use: {backend.kernels.active.name} {_cpu.in_use()}",
            *absent,
        ]
    )


def _cpu_model() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, "") or platform.processor() or platform.machine()
