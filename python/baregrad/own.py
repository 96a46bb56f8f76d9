"""Your own kernels: a C++ file that names slots of csrc/kernels.h becomes a plug-in."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from .choice import SOURCES
from .native import _cpu
from .reading import regular

SUFFIX = ".cpp"
HEADERS = Path(_cpu.__file__).parent / "sources" / "csrc"
# Contraction: a * b + c is rounded once where the CPU can, which the bounds of all cases allow.
# Werror: a kind that a switch leaves out would be an illegal instruction.
_FLAGS = (
    *("-std=c++20", "-O3", "-ffp-contract=fast", "-fno-math-errno", "-shared", "-fPIC"),
    "-Werror=switch",
)
# The instruction sets of csrc/isa, as compilers call them.
_MACHINES = {"avx512": "x86-64-v4", "avx2": "x86-64-v3", "": "native"}
_COMPILE_SECONDS = 120
_NOT_CODE = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_folder: tempfile.TemporaryDirectory[str] | None = None


@dataclass(frozen=True)
class Plugin:
    """A compiled file, and the slots that it fills."""

    source: Path
    library: Path
    slots: tuple[str, ...]

    @property
    def ops(self) -> list[str]:
        """The ops whose slots these are."""
        return sorted({_cpu.SLOTS[slot] for slot in self.slots})


def build(source: Path, isa: str = "") -> Plugin:
    """The plug-in that `source` makes: compiled, unless the same text was before.

    For the CPU that is here, or for any that has the instruction set `isa`.

    It defines functions that are named and typed as slots of csrc/kernels.h, or
    `gemm_plain(m, n, k, a, b, c)` for C += A B of row-major matrices, or `baregrad_plugin` itself.
    ValueError, with the compiler's words, if it does not compile or fills no slot.
    """
    if source.suffix not in SOURCES:
        raise ValueError(
            f"[use] {source} is no C++ by its name, expected one that ends in .cpp, .cc or .cxx"
        )
    try:
        text = regular("use", source).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"[use] {source}: {getattr(error, 'strerror', 'not text')}") from error
    slots, fill = _slots(source, _NOT_CODE.sub("", text))
    what = f"{source.resolve()}\0{isa}\0{text}"
    folder = _place() / hashlib.sha256(what.encode()).hexdigest()[:16]
    plugin = Plugin(source, folder / f"{source.stem}.so", slots)
    if not plugin.library.exists():
        folder.mkdir(exist_ok=True)
        wrapper = folder / "plugin.cpp"
        wrapper.write_text(fill)
        machine = _MACHINES.get(isa, "")  # without one, any CPU of this kind
        _compile(source, wrapper, plugin.library, machine)
    return plugin


def _slots(source: Path, code: str) -> tuple[tuple[str, ...], str]:
    """The slots that `code` fills, and the function that says so if it has none itself."""
    if "baregrad_plugin" in code:
        filled = [slot for slot in _cpu.SLOTS if re.search(rf"->\s*{slot}\s*=", code)]
        fill = ""
    else:
        defined = set(re.findall(r"\b(?:void|int64_t|auto)\s+(\w+)\s*\([^;{}]*\)[^;{}()]*\{", code))
        filled = [slot for slot in _cpu.SLOTS if slot in defined]
        lines = [f"table->{slot} = {slot};" for slot in filled]
        if "gemm_plain" in defined and "gemm" not in defined:
            filled += ["gemm", "gemm_workspace"]
            lines += [
                "table->gemm = baregrad::plain::gemm<gemm_plain>;",
                "table->gemm_workspace = baregrad::plain::gemm_workspace;",
            ]
        body = "\n  ".join(["using namespace baregrad;", *lines])
        fill = f"void baregrad_plugin(baregrad::Kernels* table) {{\n  {body}\n}}\n"
    if not filled:
        known, names = ("gemm_plain", *_cpu.SLOTS), re.findall(r"(\w+)\s*\(", code)
        near = [match for name in names for match in get_close_matches(name, known, 1, 0.8)]
        raise ValueError(
            f"[use] {source} defines no slot, expected {', '.join(dict.fromkeys(near)) or known[0]} "
            "or another of csrc/kernels.h; `baregrad new` writes one"
        )
    return tuple(filled), fill


def _place() -> Path:
    global _folder
    if _folder is None:
        _folder = tempfile.TemporaryDirectory(prefix="baregrad-own-")
    return Path(_folder.name)


def _compile(source: Path, wrapper: Path, library: Path, machine: str) -> None:
    asked = shlex.split(os.environ.get("CXX", ""))  # as in make, with options
    names = asked[:1] or ("g++", "c++", "clang++")
    compiler = next((found for name in names if (found := shutil.which(name))), None)
    if compiler is None:
        what = f"$CXX, {asked[0]!r}, is not here" if asked else "there is no C++ compiler"
        raise ValueError(f"[use] {source}: {what}, expected g++, clang++ or another in $CXX")
    half = library.with_suffix(".half")  # appears under its name when it is whole
    flags = [*_FLAGS, f"-march={machine}"] if machine else _FLAGS
    command = [compiler, *asked[1:], *flags, "-I", str(HEADERS), "-I", str(source.resolve().parent)]
    for header in (HEADERS / "kernels.h", HEADERS / "plain.h", source.resolve()):
        command += ["-include", str(header)]  # in a line of code a name could not have a quote
    try:
        done = subprocess.run(
            [*command, str(wrapper), "-o", str(half)],
            capture_output=True, text=True, timeout=_COMPILE_SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise ValueError(
            f"[use] {source} takes more than {_COMPILE_SECONDS} s to compile"
        ) from error
    if done.returncode:
        raise ValueError(f"[use] {source} does not compile:\n{done.stderr.rstrip()}")
    half.replace(library)
