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
    *("-std=c++20", "-O3", "-ffp-contract=fast", "-fno-math-errno", "-fPIC", "-Werror=switch"),
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
    text, slots, fill = wrapped(source)
    what = f"{source.resolve()}\0{isa}\0{text}"
    folder = _place() / hashlib.sha256(what.encode()).hexdigest()[:16]
    plugin = Plugin(source, folder / f"{source.stem}.so", slots)
    if not plugin.library.exists():
        folder.mkdir(exist_ok=True)
        half = plugin.library.with_suffix(".half")  # appears under its name when it is whole
        arguments = [*flags(isa), *included(source), "-shared", "-o", str(half)]
        compile_cpp(f"[use] {source}", fill, *arguments)
        half.replace(plugin.library)
    return plugin


def wrapped(source: Path) -> tuple[str, tuple[str, ...], str]:
    """The text of `source`, the slots that it fills, and what a plug-in has behind it."""
    if source.suffix not in SOURCES:
        raise ValueError(
            f"[use] {source} is no C++ by its name, expected one that ends in .cpp, .cc or .cxx"
        )
    try:
        text = regular("use", source).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"[use] {source}: {getattr(error, 'strerror', 'not text')}") from error
    return text, *_slots(source, _NOT_CODE.sub("", text))


def flags(isa: str) -> list[str]:
    """How plug-ins are compiled; without an instruction set, for the CPU that is here."""
    machine = _MACHINES.get(isa, "")  # without a name, any CPU of this kind
    return [*_FLAGS, f"-march={machine}"] if machine else [*_FLAGS]


def included(source: Path) -> list[str]:
    """What a plug-in begins with, as options: in a line of code no name could have a quote."""
    headers = (HEADERS / "kernels.h", HEADERS / "plain.h", source.resolve())
    includes = [word for header in headers for word in ("-include", str(header))]
    return ["-I", str(HEADERS), "-I", str(source.resolve().parent), *includes]


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
        compile_cpp(f"[use] {source}", "", *flags(""), *included(source), "-fsyntax-only")
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


def compiler(what: str) -> tuple[str, ...]:
    """The C++ compiler that is used here, with the options of $CXX.

    ValueError, which begins with `what`, if there is none.
    """
    asked = shlex.split(os.environ.get("CXX", ""))  # as in make
    names = asked[:1] or ("g++", "c++", "clang++")
    found = next((found for name in names if (found := shutil.which(name))), None)
    if found is None:
        missing = f"$CXX, {asked[0]!r}, is not here" if asked else "there is no C++ compiler"
        raise ValueError(f"{what}: {missing}, expected g++, clang++ or another in $CXX")
    return found, *asked[1:]


def compile_cpp(what: str, text: str, *arguments: str) -> str:
    """What the compiler prints when it is given `text`. ValueError, as above, if it refuses it."""
    try:
        done = subprocess.run(
            [*compiler(what), *arguments, "-x", "c++", "-"], input=text,
            capture_output=True, text=True, timeout=_COMPILE_SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise ValueError(f"{what} takes more than {_COMPILE_SECONDS} s to compile") from error
    if done.returncode:
        raise ValueError(f"{what} does not compile:\n{done.stderr.rstrip()}")
    return done.stdout
