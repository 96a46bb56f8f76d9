"""The threaded kernels under ThreadSanitizer, over OpenMP and over our own threads: python -m deep.tsan.

Compiled by clang, with its libomp and Archer, which tells the sanitizer what OpenMP orders. First a
race that was planted has to be found.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from deep.prove import CANNOT_RUN
from sanitized import ROOT, Sanitizer, print_findings

# Threads meet in the same places whatever the instruction set is.
TESTED = ("tests/test_cases.py::test_any_number_of_threads_gives_the_same_bits",
          "tests/test_threads.py", "tests/test_pool.py",
          "-k", "not any_number_of_threads or avx2")  # fmt: skip
# OpenMP or not -> the setting of CMake
BUILDS = {"openmp": "ON", "threads": "OFF"}
PREFIX = ("setarch", "-R")  # the sanitizer wants addresses where they always are


def runtimes() -> list[Path]:
    """The sanitizer's libraries of all clangs here, newest first."""
    found = Path("/usr/lib").glob(
        f"llvm-*/lib/clang/*/lib/linux/libclang_rt.tsan-{os.uname().machine}.so"
    )
    return sorted(found, key=lambda path: int(path.parts[3].removeprefix("llvm-")), reverse=True)


def bears(runtime: Path) -> bool:
    """Whether a program that was not compiled with it runs with it: with clang 14's none does."""
    command = [*PREFIX, "env", f"LD_PRELOAD={runtime}", "true"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def clang_files() -> tuple[Path, Path] | None:
    """The sanitizer's library for a Python that was not compiled with it, and Archer."""
    clang = shutil.which("clang++")
    if clang is None or shutil.which("setarch") is None:
        return None
    archer = Path(clang).resolve().parents[1] / "lib" / "libarcher.so"
    runtime = next(filter(bears, runtimes()), None)
    return (runtime, archer) if runtime and archer.exists() else None


def main() -> int:
    """0 if nothing is reported but what was planted."""
    files = clang_files()
    if files is None:
        print(
            "needs clang++ with libomp and Archer, and the sanitizers of 16: Debian's clang, libomp-dev, libclang-rt-16-dev"
        )
        return CANNOT_RUN
    runtime, archer = files
    figures, wrong = [], 0
    for name, setting in BUILDS.items():
        sanitizer = Sanitizer(
            ROOT / "build" / f"tsan-{name}",
            "clang++",
            ("-fsanitize=thread", "-shared-libsan", "-g1", *(["-fopenmp"] if setting == "ON" else [])),
            {
                "LD_PRELOAD": str(runtime),
                "OMP_TOOL_LIBRARIES": str(archer),
                # Python and NumPy are not compiled with it; a forked child goes on with new threads.
                "TSAN_OPTIONS": "ignore_noninstrumented_modules=1:die_after_fork=0:exitcode=0:allocator_may_return_null=1",
                "OPENBLAS_NUM_THREADS": "1",
            },
            PREFIX,
        )  # fmt: skip
        sanitizer.build(f"BAREGRAD_OPENMP={setting}", "BAREGRAD_SIM=OFF", "BAREGRAD_WERROR=ON")
        seen = sanitizer.finds("race", "data race")
        found = sanitizer.run(*TESTED)
        print_findings(found)
        figures.append(
            f"{name}: {found.passed} tests passed, {len(found.failed)} failed, {len(found.reports)} "
            f"reports, the planted race {'found' if seen else 'not found'}"
        )
        wrong += bool(found.failed or found.reports or not seen or not found.passed)
    print("; ".join(figures))
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
