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

TESTED = ("tests/test_cases.py::test_any_number_of_threads_gives_the_same_bits",
          "tests/test_threads.py", "tests/test_pool.py")  # fmt: skip
# OpenMP or not -> the setting of CMake
BUILDS = {"openmp": "ON", "threads": "OFF"}


def clang_files() -> tuple[Path, Path] | None:
    """The sanitizer's library for programs that were not compiled with it, and Archer."""
    clang = shutil.which("clang++")
    if clang is None or shutil.which("setarch") is None:
        return None
    resources = subprocess.run(
        [clang, "-print-resource-dir"], capture_output=True, text=True, check=True
    ).stdout.strip()
    (*_, runtime) = [
        None,
        *Path(resources).glob(f"lib/linux/libclang_rt.tsan-{os.uname().machine}.so"),
    ]
    archer = Path(clang).resolve().parent.parent / "lib" / "libarcher.so"
    return (runtime, archer) if runtime and archer.exists() else None


def main() -> int:
    """0 if nothing is reported but what was planted."""
    files = clang_files()
    if files is None:
        print("needs clang++ with its sanitizers, libomp and Archer: Debian's clang and libomp-dev")
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
                "TSAN_OPTIONS": "ignore_noninstrumented_modules=1:die_after_fork=0:exitcode=0",
                "OPENBLAS_NUM_THREADS": "1",
            },
            ("setarch", "-R"),  # the sanitizer wants addresses where they always are
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
