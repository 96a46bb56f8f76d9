"""The suite on a package compiled with AddressSanitizer and UBSan: cd tests; python -m deep.asan.

First both have to find a fault that was planted: a read beyond an array, an integer that wraps.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from deep.prove import CANNOT_RUN
from sanitized import ROOT, Sanitizer, print_findings

FOLDER = ROOT / "build" / "asan"
PLANTED = {"overrun": "heap-buffer-overflow", "wrap": "signed integer overflow"}

# Files that the sanitizers are no use to, and why.
LEFT_OUT = {
    "test_planted_faults.py": "its faults are for the tests to find",
    "test_simulator_reports.py": "its faults are for the simulator to find",
    "test_own.py": "its faults are for the child to die of",
    "test_out_of_memory.py": "preloads an allocator of its own",
    "test_hostile_files.py": "limits memory, of which the sanitizers want terabytes",
    "test_simulator.py": "compiles a simulator of its own, without the sanitizers",
    "test_simulator_watched.py": "compiles a simulator of its own, without the sanitizers",
    "test_simulator_counts.py": "compiles a simulator of its own, without the sanitizers",
    "test_cli_sim.py": "watches kernels, which the sanitizers do not bear beside them",
    "test_own_cuda.py": "watches kernels, which the sanitizers do not bear beside them",
    "test_translate.py": "runs no compiled kernel",
    "test_instruction_sets.py": "compiles vectors of its own, without the sanitizers",
    "test_other_cpus.py": "runs under qemu",
    "test_instructions.py": "runs valgrind, which does not bear libasan beside it",
    "test_device_code.py": "compiles with nvcc, which does not bear libasan beside it",
    "test_gpu_bench.py": "compiles with nvcc, which does not bear libasan beside it",
    "test_package.py": "compiles with nvcc, which does not bear libasan beside it",
    "test_own_nvcc.py": "compiles with nvcc, which does not bear libasan beside it",
    "test_references.py": "runs no compiled kernel",
    "test_parity.py": "compares values with PyTorch",
    "test_proof.py": "runs no compiled kernel",
    "test_readme.py": "compiles the listings, without the sanitizers",
}
# The reference has no compiled kernel, one order of a device's threads will do, the numbers of
# threads are for tsan.py, and how soon Ctrl-C is felt is not for kernels that were made slow.
UNWANTED = ("the_reference_in_float32", "sim-reverse", "sim-random", "any_number_of_threads",
            "is_felt_at_once", "watched", "race_free", "counted")  # fmt: skip


def library(name: str) -> str:
    """Where g++ has a library of its own."""
    found = subprocess.run(
        ["g++", f"-print-file-name={name}"], capture_output=True, text=True, check=True
    )
    return str(Path(found.stdout.strip()).resolve())


def plain_compiler() -> str:
    """A g++ for the tests that compile something: by itself, without the sanitizer beside it."""
    path = FOLDER / "g++"
    path.write_text('#!/bin/sh\nexec env -u LD_PRELOAD g++ "$@"\n')
    path.chmod(0o755)
    return str(path)


def sanitizer() -> Sanitizer:
    """g++ with both sanitizers, and Python beside them."""
    return Sanitizer(
        FOLDER,
        "g++",
        ("-fsanitize=address,undefined,float-cast-overflow", "-fno-sanitize-recover=all",
         "-fno-omit-frame-pointer", "-g1"),
        {
            "LD_PRELOAD": f"{library('libasan.so')} {library('libstdc++.so')}",
            "PYTHONMALLOC": "malloc",
            # Python itself leaks; what is too large is a MemoryError; fibers have their own stacks.
            "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1:detect_stack_use_after_return=0",
            "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
        },
    )  # fmt: skip


def main() -> int:
    """0 if nothing is reported and what was planted is."""
    if shutil.which("g++") is None or not Path(library("libasan.so")).is_absolute():
        print("needs g++ with libasan and libubsan")
        return CANNOT_RUN
    checked = sanitizer()
    checked.build()
    missed = [fault for fault, report in PLANTED.items() if not checked.finds(fault, report)]
    checked.environment["CXX"] = plain_compiler()
    wanted = " and ".join(f"not {name}" for name in UNWANTED)
    found = checked.run(*(f"--ignore=tests/{file}" for file in LEFT_OUT), "-k", wanted)
    print_findings(found)
    print(
        f"{found.passed} tests passed, {len(found.failed)} failed, {len(found.reports)} reports; "
        f"planted faults found: {len(PLANTED) - len(missed)} of {len(PLANTED)}"
    )
    return int(bool(missed or found.failed or found.reports or not found.passed))


if __name__ == "__main__":
    sys.exit(main())
