"""The package built by clang, and without OpenMP: the tests of kernels, threads and pool pass on each."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from .prove import CANNOT_RUN, ROOT

TESTS = ("tests/test_threads.py", "tests/test_pool.py", "tests/test_cases.py")
SELECTED = "not sim- and not reference"  # what the compiler made of the CPU's kernels


class Build(NamedTuple):
    """A compiler, and settings of CMakeLists.txt."""

    compiler: str
    settings: tuple[str, ...]


BUILDS = {
    "clang": Build("clang++", ()),
    "without OpenMP": Build("g++", ("BAREGRAD_OPENMP=OFF", "BAREGRAD_SIM=OFF")),
}


def install(build: Build, folder: Path) -> Path:
    """The interpreter of an environment in `folder` that has the package, built so."""
    python = folder / "venv/bin/python"
    settings = [f"-Ccmake.define.{setting}" for setting in ("BAREGRAD_WERROR=ON", *build.settings)]
    for command in (
        [sys.executable, "-m", "venv", folder / "venv"],
        [python, "-m", "pip", "install", "-q", f"-Cbuild-dir={folder}/build", *settings, ".[test]"],
    ):
        environment = {**os.environ, "CXX": build.compiler}
        subprocess.run(command, cwd=ROOT, env=environment, stdout=sys.stderr, check=True)
    return python


def run_tests(python: Path, arguments: Sequence[str], **environment: str) -> tuple[int, bool]:
    """How many tests pass, and whether all do."""
    done = subprocess.run(
        [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=ROOT, env={**os.environ, **environment}, text=True, stdout=subprocess.PIPE, check=False,
    )  # fmt: skip
    print(done.stdout, file=sys.stderr)
    passed = re.search(r"(\d+) passed", done.stdout)
    return int(passed[1]) if passed else 0, done.returncode == 0


def main() -> int:
    """0 if all tests pass on each build."""
    if missing := [b.compiler for b in BUILDS.values() if shutil.which(b.compiler) is None]:
        print(f"needs {' and '.join(missing)}: Debian's g++ and clang")
        return CANNOT_RUN
    figures, holds = [], True
    for name, build in BUILDS.items():
        python = install(build, ROOT / "build" / name.replace(" ", "-"))
        code = "from baregrad import _cpu; print(_cpu.compiler(), 'and', _cpu.thread_runtime())"
        made = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
        passed, all_pass = run_tests(python, (*TESTS, "-k", SELECTED))
        figures.append(f"{name} ({made.stdout.strip()}): {passed:,} tests passed")
        holds &= all_pass
    print("; ".join(figures))
    return int(not holds)


if __name__ == "__main__":
    sys.exit(main())
