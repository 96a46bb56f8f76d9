"""Kernels as the compiler that is here makes them."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .. import own

# As CMakeLists.txt has them: what all objects of csrc/isa are compiled with, then by kind of CPU
# what each of them is.
COMMON = (
    *("-std=c++20", "-fvisibility=hidden", "-fPIC", "-O3"),
    *("-ffp-contract=off", "-fno-math-errno", "-fno-exceptions", "-fno-rtti"),
)
MACHINES: dict[str, dict[str, tuple[str, ...]]] = {
    "x86_64": {
        "avx512": ("-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl", "-mavx2", "-mfma"),
        "avx2": ("-mavx2", "-mfma"),
        "baseline": (),
    },
    "aarch64": {"neon": ()},
}
_SYNTAX = {"x86_64": ("-masm=intel",)}  # the destination first, as on every other machine
_OTHER_NAMES = {"amd64": "x86_64", "arm64": "aarch64"}


@dataclass(frozen=True)
class Listing:
    """What a compiler made, and how."""

    compiler: str
    flags: tuple[str, ...]
    assembly: str


def targets() -> dict[str, tuple[str, ...]]:
    """The instruction sets that the compiler makes code for, with the flags that say so."""
    return MACHINES[_machine(own.compiler("[show]"))]


@cache
def _machine(compiler: tuple[str, ...]) -> str:
    command = [*compiler, "-dumpmachine"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    machine = done.stdout.partition("-")[0]
    machine = _OTHER_NAMES.get(machine, machine)
    if machine not in MACHINES:
        known = " or ".join(MACHINES)
        raise ValueError(f"[show] the compiler here is for {machine!r}, expected {known}")
    return machine


def of_slots(op: str, slots: Sequence[str], isa: str) -> Listing:
    """The kernels of an op that fill `slots`, compiled as csrc/isa/<isa>.cpp has them compiled."""
    what = (own.HEADERS / "isa" / f"{isa}.cpp").read_text().partition("#include")[0]
    files = ("kernels.h", "isa/math.h", f"kernels/{op}.inl.h")
    includes = "".join(f'#include "{own.HEADERS / file}"\n' for file in files)
    fill = ", ".join(f".{slot} = {slot}" for slot in slots)
    table = f"extern const Kernels kShown;\nconst Kernels kShown = {{{fill}}};\n"
    text = f"{what}{includes}namespace baregrad::BAREGRAD_ISA {{\n{table}}}\n"
    return _compile(f"[show] {op}", text, [*COMMON, *targets()[isa]])


def of_file(source: Path, isa: str) -> Listing:
    """A kernel of one's own or a rung, compiled as `use` has it compiled."""
    text = own.wrapped(source)[2]
    return _compile(f"[use] {source}", text, own.flags(isa), own.included(source))


def _compile(what: str, text: str, flags: Sequence[str], before: Sequence[str] = ()) -> Listing:
    compiler = own.compiler(what)
    quiet = ("-w", *_SYNTAX.get(_machine(compiler), ()))
    assembly = own.compile_cpp(what, text, *flags, *quiet, *before, "-S", "-o", "-")
    version = re.findall(r"\d+\.[\d.]*\d", "".join(re.findall(r"\.ident.*", assembly)))
    name = Path(compiler[0]).name
    return Listing(" ".join([name, *version[-1:]]), tuple(flags), assembly)


def demangled(symbol: str) -> str:
    """The name of a function without namespaces and arguments; the symbol where no c++filt is."""
    tool = shutil.which("c++filt")
    if tool is None:
        return symbol
    done = subprocess.run([tool, symbol], capture_output=True, text=True, check=False)
    name = re.sub(r"(?:\w+::)*\(anonymous namespace\)::|baregrad::| \[clone.*", "", done.stdout)
    name = name.replace("operator()", "operator").strip()
    while (shorter := re.sub(r"\([^()]*\)(?: const)?", "", name)) != name:
        name = shorter
    return name.removeprefix("void ")
