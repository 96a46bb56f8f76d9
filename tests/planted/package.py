"""Faults in the Python package: planted into a copy of it, with which a test then runs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import baregrad
from baregrad import _cpu

from . import plant

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = Path(baregrad.__file__).parent
TESTS_FAILED = 1  # what pytest leaves with

# Runs pytest with the package of a folder, also where another one is installed editable.
RUN = """
import sys
folder, *arguments = sys.argv[1:]
sys.meta_path[:] = [f for f in sys.meta_path if not type(f).__module__.startswith("_editable")]
sys.path.insert(0, folder)
import baregrad, pytest
assert baregrad.__file__.startswith(folder), baregrad.__file__
sys.exit(pytest.main(arguments))
"""


@dataclass(frozen=True)
class Fault:
    """A line of a file of the package, changed, and the test that must then fail."""

    file: str
    what: str
    right: str
    wrong: str
    test: str

    def __str__(self) -> str:
        return f"{self.file}-{self.what}"


def copy_package(folder: Path) -> Path:
    """The package in `folder`, as links; its compiled parts may be installed elsewhere."""
    copy = folder / "baregrad"
    shutil.copytree(
        PACKAGE, copy, copy_function=os.symlink, ignore=shutil.ignore_patterns("__pycache__")
    )
    for part in Path(_cpu.__file__).parent.iterdir():
        if not (copy / part.name).exists():
            (copy / part.name).symlink_to(part)
    return copy


def failed_test(fault: Fault | None, tests: Iterable[str], folder: Path) -> str:
    """The first of the tests that fails with a copy of the package that has the fault, or nothing."""
    copy = copy_package(folder)
    if fault:
        file = copy / fault.file
        text = file.read_text()
        file.unlink()  # only a link
        file.write_text(text)
        plant(file, fault.right, fault.wrong)
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(folder), "-x", "-q", "-p", "no:cacheprovider",
         f"--basetemp={folder / 'pytest'}", *(f"tests/{test}" for test in tests)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode == 0:
        return ""
    found = re.search(r"^FAILED tests/(\S+?)(\[| |$)", done.stdout, re.MULTILINE)
    if done.returncode != TESTS_FAILED or not found:
        raise RuntimeError(f"{fault}: pytest did not run:\n{done.stdout}{done.stderr}")
    return found[1]
