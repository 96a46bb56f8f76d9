"""The arithmetic between the branches of a library, as its instructions say it: by objdump."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
from functools import cache

from .instructions import Counts, goes_on

_HOOK = "__sanitizer_cov_trace_pc"  # is called where a piece without branches begins
_INSTRUCTION = re.compile(r" *([0-9a-f]+):\t([^#]*)")
_TARGET = re.compile(r"<_*(\w+?)(f?)(@plt)?>")
_FUNCTIONS = frozenset(
    [
        "exp",
        "exp2",
        "expm1",
        "log",
        "log1p",
        "log2",
        "log10",
        "tanh",
        "erf",
        "erfc",
        "sin",
        "cos",
        "tan",
        "pow",
        "sqrt",
        "cbrt",
        "fmod",
        "hypot",
        "fma",
    ]
)


@cache
def flops_of(library: str) -> dict[int, int] | None:
    """Floating-point operations of each piece, by where it begins in `library`; None without objdump.

    A multiply-add is two, a comparison or a function of the C library one.
    """
    tool = shutil.which("objdump")
    if tool is None:
        return None
    syntax = ["-M", "intel"] if platform.machine().lower() in ("x86_64", "amd64") else []
    command = [tool, "-d", "--no-show-raw-insn", *syntax, library]
    listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found: dict[int, int] = {}
    begin, begins = 0, False  # 0: in no piece
    for match in map(_INSTRUCTION.match, listing.splitlines()):
        if match is None:  # another function
            begin, begins = 0, False
            continue
        place, instruction = int(match[1], 16), match[2].strip()
        if begins:
            begin, found[place] = place, 0
        begins = f"<{_HOOK}" in instruction
        if begin:
            found[begin] += _flops(instruction)
        if begins or not goes_on(instruction):
            begin = 0
    return found


def _flops(instruction: str) -> int:
    target = _TARGET.search(instruction)
    if target is None:
        return Counts.of([instruction]).flops
    name = target[1] if target[1] in _FUNCTIONS else ""
    return 2 if name == "fma" else int(bool(name))
