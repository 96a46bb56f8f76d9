"""Instructions that one call of each kernel executes: python bench/instructions.py [--save].

Counted by valgrind, with AVX2 on one thread, so that neither clock nor load matters. Leaves with 1
if a count is more than 2 % above the one recorded by --save, with 77 if it cannot count or compare.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import json
import platform
import re
import sys
from pathlib import Path

import callgrind
import numpy as np
from baregrad import _cpu
from baregrad.cases import Case
from counted import CASES, STEP

HERE = Path(__file__).parent
RECORD = HERE / "results" / "instructions.json"
# Two runs of a build give the same counts. What bindings execute depends a little on the headers of
# Python, and the step, by up to 1 %, on what the process has done before and where it has put it.
TOLERANCE = 0.02
CANNOT_RUN = 77
ENVIRONMENT = {
    "BAREGRAD_ISA": "avx2",  # valgrind has no AVX-512
    "BAREGRAD_USE": "",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
}


@dataclasses.dataclass(frozen=True)
class Record:
    """Counts by name, and what they depend on."""

    date: str
    compiler: str
    flags: str
    python: str
    counts: dict[str, int]


def count() -> dict[str, int]:
    """Of a case what runs inside `_cpu`: libc chooses by CPU, and its `rep` counts each byte."""
    if "avx2" not in _cpu.available():
        raise callgrind.CannotRunError("needs AVX2")
    found = callgrind.count(HERE / "counted.py", ENVIRONMENT)
    kernels = {
        name: sum(n for library, n in found[name].items() if library.startswith("_cpu."))
        for name in map(str, CASES)
    }
    return {**kernels, STEP: found[STEP].total()}


def flags() -> str:
    """What the kernels are compiled with, beside the flags of a release."""
    text = (HERE.parent / "CMakeLists.txt").read_text()
    found = re.findall(r"isa_\$\{name\} PRIVATE ([^$]+)\$\{ARGN\}|add_isa\(avx2 ([^)]+)\)", text)
    return " ".join(" ".join(map(" ".join, found)).split())


def compare(found: Record, recorded: Record) -> list[str]:
    """What is wrong, a line each."""
    wrong = []
    for name, now in found.counts.items():
        before = recorded.counts.get(name)
        if before is None:
            wrong.append(f"{name} is not recorded")
        elif name == STEP and found.python != recorded.python:
            continue
        elif now > (1 + TOLERANCE) * before:
            wrong.append(f"{name} has grown by {now / before - 1:.1%}")
    return wrong + [
        f"{name} is no longer counted" for name in recorded.counts.keys() - found.counts
    ]


def share(case: Case, instructions: int) -> str:
    """The instructions per flop of a product, else per element of the largest argument."""
    if case.kernel.startswith(("gemm", "conv2d")):
        return f"{instructions / case.flops:.3f} / flop"
    values = case.arguments(np.random.default_rng(0)).values()
    elements = (sum(map(np.size, v)) if isinstance(v, list) else np.size(v) for v in values)
    return f"{instructions / max(elements):.2f} / element"


def table(counts: dict[str, int], recorded: dict[str, int]) -> str:
    """Cases down, what a call executes across."""
    lines = [
        "| case | instructions | per flop or element | recorded | change |",
        "|---|---:|---:|---:|---:|",
    ]
    cases = {str(case): case for case in CASES}
    for name, now in counts.items():
        each = share(cases[name], now) if name in cases else ""
        before = recorded.get(name)
        change = f"{before:,} | {now / before - 1:+.1%}" if before else "| "
        lines.append(f"| {name} | {now:,} | {each} | {change} |")
    return "\n".join(lines)


def main() -> int:
    """0 if no count has grown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--save", action="store_true")
    args = parser.parse_args()
    try:
        counts = count()
    except callgrind.CannotRunError as why:
        print(f"{why}.")
        return CANNOT_RUN
    compiler = f"{_cpu.compiler()} and {_cpu.thread_runtime()}"
    python = f"Python {platform.python_version()}, NumPy {np.__version__}"
    found = Record(datetime.date.today().isoformat(), compiler, flags(), python, counts)
    if args.save:
        RECORD.write_text(json.dumps(dataclasses.asdict(found), indent=1) + "\n")
    recorded = Record(**json.loads(RECORD.read_text()))
    if compiler != recorded.compiler:
        print(table(counts, {}))
        print(f"Built by {compiler}, recorded of {recorded.compiler}: nothing is compared.")
        return CANNOT_RUN
    print(table(counts, recorded.counts))
    if python != recorded.python:
        print(f"{python}, recorded of {recorded.python}: the step is not compared.")
    wrong = compare(found, recorded)
    print("\n".join(wrong) or f"No count has grown by more than {TOLERANCE:.0%}.")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
