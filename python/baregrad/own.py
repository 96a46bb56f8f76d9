"""Your own kernels: a C++ or CUDA file that names slots of csrc/kernels.h becomes a plug-in."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from . import backend
from .choice import SOURCES
from .native import _cpu
from .reading import regular

SUFFIX, CUDA = ".cpp", ".cu"
HEADERS = Path(_cpu.__file__).parent / "sources" / "csrc"
DEVICE = HEADERS.parent / "cuda"
# Contraction: a * b + c is rounded once where the CPU can, which the bounds of all cases allow.
# Werror: a kind that a switch leaves out would be an illegal instruction.
_FLAGS = (
    *("-std=c++20", "-O3", "-ffp-contract=fast", "-fno-math-errno", "-fPIC", "-Werror=switch"),
)
# For the simulator: fast, and so that it sees every access, as cuda/CMakeLists.txt has its kernels.
_DEVICE_FLAGS = ("-std=c++20", "-fPIC", "-DBAREGRAD_DEVICE")
_PLAIN, _WATCHED = (
    ("-O2",),
    ("-O1", "-gdwarf-4", "-g1", "-fsanitize=thread", "-fsanitize-coverage=trace-pc"),
)
# A vector is not to be loaded piece by piece; and who reads what is volatile may wait for it.
_WATCHED_BY_GCC = ("-fno-tree-sra", "--param=tsan-distinguish-volatile=1")
_WATCHED_BY_CLANG = ("-mllvm", "-tsan-distinguish-volatile")
# For the device at hand. The runtime of CUDA is inside, and its names stay there.
_NVCC_FLAGS = (
    *("-std=c++20", "-O3", "-arch=native", "-DBAREGRAD_DEVICE"),
    *("-shared", "--cudart=static", "-Xcompiler=-fPIC,-fvisibility=hidden"),
)
_SIM_LIBRARY, _WATCHED_LIBRARY, _CUDA_LIBRARY = ".sim.so", ".watched.so", ".cuda.so"
# The instruction sets of csrc/isa, as compilers call them.
_MACHINES = {"avx512": "x86-64-v4", "avx2": "x86-64-v3", "": "native"}
_COMPILE_SECONDS = 120
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', re.MULTILINE)
_NOT_CODE = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_folder: tempfile.TemporaryDirectory[str] | None = None


@dataclass(frozen=True)
class Plugin:
    """A compiled file, and the slots that it fills."""

    source: Path
    library: Path  # for the simulator the fast one: `watched` gives the other
    slots: tuple[str, ...]
    text: str = field(default="", repr=False)  # of a CUDA file, what nvcc reads

    @property
    def ops(self) -> list[str]:
        """The ops whose slots these are."""
        return sorted({_cpu.SLOTS[slot] for slot in self.slots})

    @property
    def device(self) -> str:
        """The backend whose arrays it takes: "cpu", "sim" or "cuda"."""
        return device_of(str(self.library))


def device_of(library: str) -> str:
    """The backend that a library of `build` is for."""
    names = {_SIM_LIBRARY: "sim", _CUDA_LIBRARY: "cuda"}
    return next((name for end, name in names.items() if library.endswith(end)), "cpu")


def watched(library: str) -> str:
    """The same kernels, of whose accesses the simulator is told."""
    return library.removesuffix(_SIM_LIBRARY) + _WATCHED_LIBRARY


def build(source: Path, isa: str = "", device: str = "") -> Plugin:
    """The plug-in that `source` makes: compiled, unless the same text was before.

    For the CPU that is here, or for any that has the instruction set `isa`; a .cu for the `device` "sim"
    or "cuda", by itself the simulator wherever it is.

    It defines functions that are named and typed as slots of csrc/kernels.h, or
    `gemm_plain(m, n, k, a, b, c)` for C += A B of row-major matrices, or `baregrad_plugin` itself. In
    a .cu all of them launch kernels, on memory of the device.
    ValueError, with the compiler's words, if it does not compile or fills no slot; RuntimeError if
    it is for cuda and there is no nvcc.
    """
    text, slots, fill = wrapped(source)
    what = f"{source.resolve()}\0{isa}\0{text}\0{_included(source)}"
    folder = _place() / hashlib.sha256(what.encode()).hexdigest()[:16]
    folder.mkdir(exist_ok=True)
    if source.suffix != CUDA:
        library = folder / f"{source.stem}.so"
        arguments = [*flags(isa), *included(source)]
        _make(library, f"[use] {source}", fill, arguments)
        return Plugin(source, library, slots)
    library = folder / f"{source.stem}{_SIM_LIBRARY}"
    plugin = Plugin(source, library, slots, _for_nvcc(source, text, fill))
    if (device or _device()) == "cuda":
        return on_cuda(plugin)
    translated = for_simulator(source, fill)
    with ThreadPoolExecutor() as threads:
        both = ((library, False), (Path(watched(str(library))), True))
        made = [
            threads.submit(_make, path, f"[use] {source}", translated, device_flags(source, seen))
            for path, seen in both
        ]
    for done in made:
        done.result()
    return plugin


def _device() -> str:
    """Where a .cu is tried: on the simulator, unless cuda alone is here."""
    alone = backend.why_absent("sim") is not None and backend.why_absent("cuda") is None
    return "cuda" if alone else "sim"


def on_cuda(plugin: Plugin) -> Plugin:
    """The same kernels for the CUDA device that is here, compiled by nvcc. Raises as `build`."""
    source, library = plugin.source, plugin.library.with_name(plugin.source.stem + _CUDA_LIBRARY)
    if not library.exists():
        parts = (DEVICE, DEVICE / "kernels", DEVICE / "ladder")
        folders = (*parts, HEADERS, source.resolve().parent)
        includes = [word for folder in folders for word in ("-I", str(folder))]
        half = library.with_name("half")  # nvcc takes no name that has a quote
        output = ("-include", str(HEADERS / "kernels.h"), "-o", str(half), "-x", "cu", "-")
        _run(f"[use] {source}", [*nvcc(), *_NVCC_FLAGS, *includes, *output], plugin.text)
        half.replace(library)
    return replace(plugin, library=library)


def _for_nvcc(source: Path, text: str, fill: str) -> str:
    """The text of a .cu, lines numbered as they are, with what `fill` needs around it.

    Its runtime is not that of _cuda, which has to ask it what went wrong: see csrc/kernels.h.
    """
    return "\n".join(
        [
            '#include "plain.cuh"' if "plain::" in fill else "",
            f"#line 1 {json.dumps(str(source.resolve()), ensure_ascii=False)}",
            text,
            '#line 1 "what fills the table"',
            f"{fill}int baregrad_last_error() {{ return int(cudaGetLastError()); }}\n",
        ]
    )


def build_program(source: Path) -> Path:
    """A library in which `main` of a .cu is, for the simulator, which sees every access."""
    text = _text(source)
    if not re.search(r"\bmain\s*\(", _NOT_CODE.sub("", text)):
        raise ValueError(f"[sim] {source} has no main, expected one, or a slot of csrc/kernels.h")
    folder = Path(tempfile.mkdtemp(dir=_place()))
    library = folder / f"{source.stem}{_WATCHED_LIBRARY}"
    _make(library, f"[sim] {source}", for_simulator(source), device_flags(source, seen=True))
    return library


def _make(library: Path, what: str, text: str, arguments: Sequence[str]) -> None:
    if library.exists():
        return
    # Compiled, then linked: a sanitizer's library is not to come with its calls.
    objects = library.with_suffix(".o")
    compile_cpp(what, text, *arguments, "-c", "-o", str(objects))
    half = library.with_suffix(".half")  # appears under its name when it is whole
    compile_cpp(what, "", "-shared", str(objects), "-o", str(half))
    half.replace(library)


def for_simulator(source: Path, fill: str = "") -> str:
    """The text of a .cu as C++ for the simulator, lines numbered as they are; ValueError if it is none.

    With what `fill` needs before it, and that behind.
    """
    files = [source.resolve()]
    if "plain::" in fill:
        files.insert(0, DEVICE / "plain.cuh")
    try:
        texts = [_translator().translate(file.read_text(), str(file)) for file in files]
    except ValueError as error:
        raise ValueError(f"[use] {error}") from error
    return "\n".join([*texts, '#line 1 "what fills the table"', fill])


@cache
def _translator() -> Any:
    place = spec_from_file_location("baregrad_translate", DEVICE / "simt" / "translate.py")
    assert place is not None
    assert place.loader is not None
    module = module_from_spec(place)
    place.loader.exec_module(module)
    return module


@cache
def _device_headers() -> Path:
    """A folder of the headers in cuda/kernels, translated."""
    folder = _place() / "kernels"
    folder.mkdir()
    for header in (DEVICE / "kernels").glob("*.cuh"):
        text = _translator().translate(header.read_text(), str(header))
        (folder / header.name).write_text(text)
    return folder


def _included(source: Path) -> dict[str, tuple[Path, str]]:
    """The places and texts of the files that a .cu includes, and of those that these do, by name.

    They lie beside it or, of a copy of a rung, beside the rung.
    """
    found: dict[str, tuple[Path, str]] = {}
    names = _INCLUDE.findall(_text(source))
    while names:
        name = names.pop()
        if name in found or Path(name).is_absolute() or ".." in Path(name).parts:
            continue
        for folder in (source.resolve().parent, DEVICE / "ladder"):
            if (folder / name).is_file():
                found[name] = folder / name, _text(folder / name)
                names += _INCLUDE.findall(found[name][1])
                break
    return found


def _own_headers(source: Path) -> Path:
    """A folder of what a .cu includes, translated."""
    found = _included(source)
    what = f"{source.resolve()}\0{found}"
    folder = _place() / hashlib.sha256(what.encode()).hexdigest()[:16]
    for name, (header, text) in found.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            path.write_text(_translator().translate(text, str(header)))
        except ValueError as error:
            raise ValueError(f"[use] {error}") from error
    return folder


def device_flags(source: Path, seen: bool) -> list[str]:
    """How a .cu is compiled for the simulator, which sees every access or not."""
    is_clang = "clang" in compiler("[use]")[0]
    how = (*_WATCHED, *(_WATCHED_BY_CLANG if is_clang else _WATCHED_BY_GCC))
    folders = (
        *(_own_headers(source), DEVICE / "simt" / "include", _device_headers(), DEVICE / "kernels"),
        *(HEADERS, source.resolve().parent),
    )
    includes = [word for folder in folders for word in ("-I", str(folder))]
    before = ("-include", "cuda_runtime.h", "-include", str(HEADERS / "kernels.h"))
    return [*_DEVICE_FLAGS, *(how if seen else _PLAIN), *includes, *before]


def _text(source: Path) -> str:
    try:
        return regular("use", source).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"[use] {source}: {getattr(error, 'strerror', 'not text')}") from error


def wrapped(source: Path) -> tuple[str, tuple[str, ...], str]:
    """The text of `source`, the slots that it fills, and what a plug-in has behind it."""
    if source.suffix not in SOURCES:
        raise ValueError(
            f"[use] {source} is no C++ by its name, expected one that ends in {', '.join(SOURCES)}"
        )
    text = _text(source)
    return text, *_slots(source, _NOT_CODE.sub("", text))


def flags(isa: str) -> list[str]:
    """How plug-ins are compiled; without an instruction set, for the CPU that is here."""
    machine = _MACHINES.get(isa, "")  # without a name, any CPU of this kind
    return [*_FLAGS, f"-march={machine}"] if machine else [*_FLAGS]


def included(source: Path) -> list[str]:
    """What a plug-in begins with, as options: in a line of code no name could have a quote."""
    headers = (HEADERS / "kernels.h", HEADERS / "plain.h", source.resolve())
    includes = [word for header in headers for word in ("-include", str(header))]
    # As a rung finds them, so that a copy of one does, wherever it is.
    folders = (HEADERS / "ladder", HEADERS, source.resolve().parent)
    return [*(word for folder in folders for word in ("-I", str(folder))), *includes]


def _slots(source: Path, code: str) -> tuple[tuple[str, ...], str]:
    """The slots that `code` fills, and the function that says so if it has none itself."""
    code = re.sub(r"__global__[^{;]*", "", code)  # a kernel is no launcher, whatever its name
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
        if source.suffix == CUDA:
            text, arguments = for_simulator(source), device_flags(source, seen=False)
        else:
            text, arguments = "", [*flags(""), *included(source)]
        compile_cpp(f"[use] {source}", text, *arguments, "-fsyntax-only")
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
    try:
        return _program("CXX", "C++ compiler", "g++", "c++", "clang++")
    except LookupError as error:
        raise ValueError(f"{what}: {error}, expected g++, clang++ or another in $CXX") from None


def nvcc() -> tuple[str, ...]:
    """The nvcc of $CUDACXX, with its options, of the PATH or of $CUDA_HOME. RuntimeError if there is none."""
    home = os.environ.get("CUDA_HOME")
    try:
        return _program("CUDACXX", "nvcc", "nvcc", *([f"{home}/bin/nvcc"] if home else []))
    except LookupError as error:
        raise RuntimeError(
            f"[use] {error}, expected one on the PATH, in $CUDACXX or in $CUDA_HOME/bin: "
            "it compiles a .cu for cuda"
        ) from None


def _program(variable: str, kind: str, *names: str) -> tuple[str, ...]:
    """What $variable asks for, with its options, or the first of `names`; LookupError if it is not here."""
    asked = shlex.split(os.environ.get(variable, ""))  # as in make
    found = next((found for name in asked[:1] or names if (found := shutil.which(name))), None)
    if found is None:
        missing = f"${variable}, {asked[0]!r}, is not here" if asked else f"there is no {kind}"
        raise LookupError(missing)
    return os.path.abspath(found), *asked[1:]


def compile_cpp(what: str, text: str, *arguments: str) -> str:
    """What the compiler prints when it is given `text`. ValueError, as above, if it refuses it."""
    return _run(what, [*compiler(what), *arguments, "-x", "c++", "-"], text)


def _run(what: str, command: Sequence[str], text: str) -> str:
    try:
        done = subprocess.run(
            command, input=text, cwd=_place(),  # else what is here were included before what is meant
            capture_output=True, text=True, timeout=_COMPILE_SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise ValueError(f"{what} takes more than {_COMPILE_SECONDS} s to compile") from error
    if done.returncode:
        raise ValueError(f"{what} does not compile:\n{done.stderr.rstrip()}")
    return done.stdout
