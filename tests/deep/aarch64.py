"""The package built for aarch64 and tested there, under qemu-user: cd tests; python -m deep.aarch64.

With the word `selftest` behind it only `baregrad selftest` runs there, every kernel once.

Debian's Python for arm64 is unpacked below build/, not installed. It runs the build of the wheel, in
which cmake, ninja and the cross compiler are this machine's, and then the tests, beside wheels of
NumPy and the others for aarch64.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from .builds import SELECTED, run_tests
from .prove import CANNOT_RUN, ROOT

FOLDER = ROOT / "build" / "aarch64"
SYSTEM, TOOLS, PACKAGES = (FOLDER / name for name in ("system", "tools", "packages"))
PYTHON = SYSTEM / "usr/bin/python"
KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
NEEDED = {
    "apt-get": "apt",
    "dpkg": "dpkg",
    "qemu-aarch64-static": "qemu-user-static",
    "aarch64-linux-gnu-g++": "g++-aarch64-linux-gnu",
    KEYS: "debian-archive-keyring",
}

# A CPU of the first aarch64, without what came later. Its argv[0] is what Python takes for its own
# path: so that it starts children by this script.
CPU = "cortex-a72"
INTERPRETER = """#!/bin/sh
exec qemu-aarch64-static -cpu {cpu} -0 "$0" -L {system} {system}/usr/bin/python3.11 "$@"
"""
DEBIAN = ("python3.11", "libpython3.11-dev", "libstdc++6", "libgomp1")
NEWEST_GLIBC = 36  # bookworm's is 2.36
PLATFORMS = ["linux_aarch64", *(f"manylinux_2_{n}_aarch64" for n in range(17, NEWEST_GLIBC + 1))]

TESTS = (
    *(f"tests/test_{source.stem}.py" for source in sorted((ROOT / "csrc" / "ops").glob("*.cpp"))),
    *(
        f"tests/test_{name}.py"
        for name in ("cases", "instruction_sets", "pool", "simulator", "threads")
    ),
)


def run(*command: str | Path, **environment: str) -> None:
    """Run a command to its end."""
    subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, stdout=sys.stderr, check=True
    )


def unpack_python() -> None:
    """Debian's Python and its libraries, by an apt that knows no other system than this folder."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    apt = FOLDER / "apt"
    for folder in ("lists/partial", "cache/archives/partial"):
        (apt / folder).mkdir(parents=True)
    (apt / "status").touch()
    (apt / "sources.list").write_text(
        f"deb [signed-by={KEYS}] http://deb.debian.org/debian bookworm main\n"
    )
    options = {
        "APT::Architecture": "arm64",
        "APT::Architectures": "arm64",
        "APT::Sandbox::User": "",
        "Dir::Cache": apt / "cache",
        "Dir::Etc::SourceList": apt / "sources.list",
        "Dir::Etc::SourceParts": "-",
        "Dir::State::Lists": apt / "lists",
        "Dir::State::Status": apt / "status",
    }
    apt_get = ["apt-get", "-qq", *(f"-o{name}={value}" for name, value in options.items())]
    run(*apt_get, "update")
    run(*apt_get, "install", "--yes", "--download-only", "--no-install-recommends", *DEBIAN)
    for archive in apt.glob("cache/archives/*.deb"):
        run("dpkg", "-x", archive, SYSTEM)
    PYTHON.write_text(INTERPRETER.format(cpu=CPU, system=SYSTEM))
    PYTHON.chmod(0o755)


def pip_install(folder: Path, *arguments: str | Path) -> None:
    """Install into a folder by this machine's pip."""
    run(sys.executable, "-m", "pip", "install", "-q", "--upgrade", "--target", folder, *arguments)


def build_wheel() -> Path:
    """The wheel for aarch64."""
    if not TOOLS.exists():
        pip_install(TOOLS, "scikit-build-core>=1.1", "pybind11>=3.1", "cmake", "ninja")
    settings = {
        "CMAKE_SYSTEM_NAME": "Linux",
        "CMAKE_SYSTEM_PROCESSOR": "aarch64",
        "CMAKE_CROSSCOMPILING_EMULATOR": "/usr/bin/env",  # the interpreter needs no other
        "CMAKE_CXX_FLAGS": f"-idirafter {SYSTEM}/usr/include",  # where its headers are
        "BAREGRAD_WERROR": "ON",
    }
    for old in FOLDER.glob("*.whl"):
        old.unlink()
    run(
        sys.executable, "-m", "pip", "--python", PYTHON, "wheel", "-q", "--no-deps",
        "--no-build-isolation", "--wheel-dir", FOLDER, f"-Cbuild-dir={FOLDER}/build",
        *(f"-Ccmake.define.{name}={value}" for name, value in settings.items()), ROOT,
        CXX="aarch64-linux-gnu-g++", PYTHONPATH=str(TOOLS),
        PATH=f"{TOOLS}/bin{os.pathsep}{os.environ['PATH']}",
    )  # fmt: skip
    (wheel,) = FOLDER.glob("*.whl")
    return wheel


def install(requirements: Sequence[str | Path]) -> None:
    """Install what is for aarch64 where its Python will look."""
    shutil.rmtree(PACKAGES, ignore_errors=True)
    platforms = [f"--platform={platform}" for platform in PLATFORMS]
    pip_install(PACKAGES, *platforms, "--python-version=3.11", "--only-binary=:all:", *requirements)


def main() -> int:
    """0 if all tests pass."""
    missing = [
        name for tool, name in NEEDED.items() if not shutil.which(tool) and not Path(tool).exists()
    ]
    if missing:
        print(f"needs Debian's packages {', '.join(missing)}")
        return CANNOT_RUN
    if not PYTHON.exists():
        unpack_python()
    install([build_wheel(), "pytest", "hypothesis"])
    if sys.argv[1:] == ["selftest"]:
        return subprocess.run(
            [PYTHON, "-m", "baregrad", "selftest"],
            env={**os.environ, "PYTHONPATH": str(PACKAGES)}, check=False,
        ).returncode  # fmt: skip
    passed, all_pass = run_tests(
        PYTHON, (*TESTS, "-k", SELECTED),
        PYTHONPATH=str(PACKAGES), CXX="aarch64-linux-gnu-g++",
    )  # fmt: skip
    print(f"the wheel on {CPU}, under qemu: {passed:,} tests passed")
    return int(not all_pass)


if __name__ == "__main__":
    sys.exit(main())
