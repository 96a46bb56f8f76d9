"""The sources that tests compile, and the compiler that does it.

An installed package carries its sources; a checkout has them at its root, laid out alike.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from types import ModuleType

ISA_FLAGS = {
    "avx512": ["-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl", "-mavx2", "-mfma"],
    "avx2": ["-mavx2", "-mfma"],
    "baseline": [],
    "neon": [],
}
FLAGS = ["-std=c++20", "-O2", "-fPIC", "-fvisibility=hidden", "-Wall", "-Wextra", "-Werror"]


def find_sources() -> Path:
    package = importlib.util.find_spec("baregrad")
    for folder in (package and package.submodule_search_locations) or []:
        if (Path(folder) / "sources" / "cuda" / "simt").is_dir():
            return Path(folder) / "sources"
    return Path(__file__).resolve().parent.parent


SOURCES = find_sources()
SIMT = SOURCES / "cuda" / "simt"


class CompileError(RuntimeError):
    """What the compiler said."""


@cache
def compiler() -> str | None:
    """The C++ compiler of $CXX or of this machine, or None: tests that need one then skip."""
    names = [os.environ.get("CXX", ""), "g++", "c++", "clang++"]
    return next((found for name in names if name and (found := shutil.which(name))), None)


def compile_shared(sources: Iterable[Path], out: Path, *flags: str) -> Path:
    """Compile C++ files into the shared library `out`."""
    command = [compiler() or "c++", *FLAGS, "-shared", *flags, *map(str, sources), "-o", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CompileError(done.stderr)
    return out


@cache
def translator() -> ModuleType:
    """cuda/simt/translate.py as a module."""
    spec = importlib.util.spec_from_file_location("translate", SIMT / "translate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["translate"] = module
    spec.loader.exec_module(module)
    return module


def translate_cu(path: Path, out: Path) -> Path:
    """Translate the CUDA file `path` into the C++ file `out`."""
    out.write_text(translator().translate(path.read_text("utf-8"), str(path)), "utf-8")
    return out


def simulator_sources() -> list[Path]:
    return sorted(SIMT.glob("*.cpp"))


def compile_cu(path: Path, out: Path, *flags: str, runtime: bool = False) -> Path:
    """Compile the CUDA file `path` for the simulator, with the simulator itself if `runtime`."""
    translated = translate_cu(path, out.with_suffix(".cpp"))
    include = ["-I", str(SIMT / "include"), "-I", str(path.parent)]
    sources = [translated, *(simulator_sources() if runtime else [])]
    return compile_shared(sources, out, *include, *flags)


def compile_watched(path: Path, out: Path) -> Path:
    """The same, so that the simulator sees every access to memory, with its line."""
    translated = translate_cu(path, out.with_suffix(".cpp"))
    include = ["-I", str(SIMT / "include"), "-I", str(path.parent)]
    half = out.with_suffix(".o")
    watched = ["-O1", "-gdwarf-4", "-g1", "-fsanitize=thread", "-fsanitize-coverage=trace-pc"]
    if "clang" in (compiler() or ""):
        watched += ["-mllvm", "-tsan-distinguish-volatile"]
    else:  # what is copied in one piece is to stay one access
        watched += ["-fno-tree-sra", "--param=tsan-distinguish-volatile=1"]
    command = [compiler() or "c++", *FLAGS, *watched, *include]
    done = subprocess.run(
        [*command, "-c", str(translated), "-o", str(half)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise CompileError(done.stderr)
    return compile_shared([half], out)  # without the sanitizer's library
