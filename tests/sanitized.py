"""The package compiled with a sanitizer, in an environment of its own under build/, and what it says."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

TESTS = Path(__file__).resolve().parent
ROOT = TESTS.parent
# What a report says somewhere; a sanitizer also notes allocations that it refuses.
SIGNS = ("ERROR: AddressSanitizer", "runtime error: ", "WARNING: ThreadSanitizer")
SOURCES = ("CMakeLists.txt", "pyproject.toml", "csrc", "cuda", "python")


class Found(NamedTuple):
    """What a run of tests came to, and the reports of the sanitizer."""

    passed: int
    failed: list[str]
    reports: list[str]


class Sanitizer(NamedTuple):
    """A compiler with its flags, and the environment in which Python bears what it made."""

    folder: Path  # in build/; all that is made lies in it
    compiler: str
    flags: tuple[str, ...]
    environment: dict[str, str]
    prefix: tuple[str, ...] = ()  # of the command

    @property
    def python(self) -> Path:
        """The interpreter that has the package."""
        return self.folder / "venv/bin/python"

    def build(self, *defines: str) -> None:
        """Build the package and install it with what its tests need, if a source is newer."""
        installed = self.folder / "installed"
        if installed.exists() and installed.stat().st_mtime > newest_source():
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        pip = [self.python, "-m", "pip", "-q"]
        settings = [f"CMAKE_CXX_FLAGS={' '.join(self.flags)}", *defines]
        commands = [
            [sys.executable, "-m", "venv", self.folder / "venv"],
            [*pip, "wheel", "--no-deps", f"--wheel-dir={self.folder}", "-Cinstall.strip=false",
             *(f"-Ccmake.define.{setting}" for setting in settings), ROOT],
        ]  # fmt: skip
        for command in commands:
            subprocess.run(
                command, env={**os.environ, "CXX": self.compiler}, stdout=sys.stderr, check=True
            )
        (wheel,) = self.folder.glob("*.whl")
        subprocess.run([*pip, "install", f"{wheel}[test]"], stdout=sys.stderr, check=True)
        installed.touch()

    def reports_of(self, command: Sequence[str | Path]) -> list[str]:
        """Run the interpreter with these arguments; what the sanitizer has to say."""
        logs = self.folder / "reports"
        shutil.rmtree(logs, ignore_errors=True)
        logs.mkdir()
        options = {
            name: f"{value}:log_path={logs}/report" if name.endswith("SAN_OPTIONS") else value
            for name, value in self.environment.items()
        }
        with open(logs / "stderr", "w") as stderr:  # UBSan beside ASan knows no other place
            subprocess.run(
                [*self.prefix, self.python, *command],
                cwd=ROOT, env={**os.environ, **options}, stdout=sys.stderr, stderr=stderr, check=False,
            )  # fmt: skip
        texts = [log.read_text() for log in logs.iterdir()]
        return [text for text in texts if any(sign in text for sign in SIGNS)]

    def finds(self, fault: str, report: str) -> bool:
        """Whether the sanitizer reports a fault of deep/planted.cpp in these words."""
        library = self.folder / "planted.so"
        source = TESTS / "deep" / "planted.cpp"
        subprocess.run(
            [self.compiler, *self.flags, "-std=c++20", "-fPIC", "-shared", source, "-o", library],
            check=True,
        )
        code = f"import ctypes; ctypes.CDLL({str(library)!r}).{fault}(2**31 - 1)"
        return any(
            report in text and "planted.cpp" in text for text in self.reports_of(["-c", code])
        )

    def run(self, *arguments: str) -> Found:
        """Run tests with these arguments of pytest."""
        results = self.folder / "results.xml"
        results.unlink(missing_ok=True)
        pytest = ["-m", "pytest", "-q", "--capture=sys", "-p", "no:cacheprovider"]
        reports = self.reports_of([*pytest, f"--junitxml={results}", *arguments])
        cases = list(ElementTree.parse(results).iter("testcase")) if results.exists() else []
        if not cases:
            return Found(0, ["the run itself"], reports)
        names = {
            f"{case.get('classname')}::{case.get('name')}": {child.tag for child in case}
            for case in cases
        }
        failed = [name for name, tags in names.items() if tags & {"failure", "error"}]
        skipped = sum("skipped" in tags for tags in names.values())
        return Found(len(names) - skipped - len(failed), failed, reports)


def newest_source() -> float:
    """When a source was last changed."""
    files = (file for name in SOURCES for file in [ROOT / name, *(ROOT / name).rglob("*.*")])
    return max(file.stat().st_mtime for file in files if file.suffix != ".pyc")


def print_findings(found: Found) -> None:
    """What failed and the start of each report, for whoever has to find out why."""
    for name in found.failed:
        print(f"failed: {name}")
    for report in found.reports:
        print(report[:3000])
