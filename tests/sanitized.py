"""The package compiled with a sanitizer, in an environment of its own under build/."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("CMakeLists.txt", "pyproject.toml", "csrc", "cuda", "python")


def newest_source() -> float:
    """When a source was last changed."""
    files = (file for name in SOURCES for file in [ROOT / name, *(ROOT / name).rglob("*.*")])
    return max(file.stat().st_mtime for file in files if file.suffix != ".pyc")


def build(name: str, compiler: str, flags: str, *defines: str) -> Path:
    """Build the package and install it with what its tests need; the interpreter that has it.

    What is there already stays if no source is newer. Warnings fail the build.
    """
    folder = ROOT / "build" / name
    python, installed = folder / "venv/bin/python", folder / "installed"
    if installed.exists() and installed.stat().st_mtime > newest_source():
        return python
    shutil.rmtree(folder, ignore_errors=True)
    settings = ["BAREGRAD_WERROR=ON", f"CMAKE_CXX_FLAGS={flags}", *defines]
    commands = [
        [sys.executable, "-m", "venv", folder / "venv"],
        [python, "-m", "pip", "wheel", "-q", "--no-deps", f"--wheel-dir={folder}", "-Cinstall.strip=false",
         *(f"-Ccmake.define.{setting}" for setting in settings), ROOT],
    ]  # fmt: skip
    for command in commands:
        subprocess.run(command, env={**os.environ, "CXX": compiler}, stdout=sys.stderr, check=True)
    (wheel,) = folder.glob("*.whl")
    subprocess.run(
        [python, "-m", "pip", "install", "-q", f"{wheel}[test]"], stdout=sys.stderr, check=True
    )
    installed.touch()
    return python
