"""How much of the library the suite runs, by branch: cd tests; python -m deep.covered.

The package is built once more, into build/coverage, with gcov's counters at -O1, and the suite runs
against it in an environment there, with the counters of coverage.py in every process. The goals are
90 % of the branches in csrc and 95 % of those in python/baregrad; what runs of cuda is reported.

What is counted: a branch of csrc is taken if it is in some template instance or instruction set of
this CPU; the kernels of each instruction set by themselves are reported, too. Left out are branches
that the compiler makes for exceptions on their way, those of lines without code, such as a closing
brace, and those of lines that declare a binding or a static, which branch nowhere in the source: there
they are for memory that runs out. A test that fails here, since these kernels are slow, is named by
pytest; it only makes the figures smaller.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from deep.prove import CANNOT_RUN, ROOT

BUILD = ROOT / "build" / "coverage"
OBJECTS = BUILD / "objects"
PYTHON = BUILD / "venv" / "bin" / "python"
GOALS = {"csrc": 90.0, "python": 95.0}
COMPILE = (
    "<CMAKE_CXX_COMPILER> <DEFINES> <INCLUDES> <FLAGS> --coverage -fprofile-update=atomic -O1 "
    "-o <OBJECT> -c <SOURCE>"
)  # last, so that nothing overrides it; atomic, or threads lose counts
# Lines whose branches are the compiler's own: arguments of a binding, lists of them, guards of statics.
DECLARED = r'.*("_a\b|_BIND\)|^\s*static |PYBIND11_MODULE).*'
# They compile what they test by themselves, so nothing of this build runs in them.
ELSEWHERE = ["test_planted_faults.py", "test_simulator.py", "test_translate.py"]
# They train for long, or repeat many cases, and run no line that others do not.
LONG = ["98_percent", "97_percent", "keras_listing_of_004", "every_case_runs_on_every_table",
        "is_felt_at_once", "sim-reverse", "sim-random"]  # fmt: skip
# A line of a .pth file, which every Python of the environment runs at its start.
IN_EACH_PROCESS = (
    'import os; os.getenv("COVERAGE_PROCESS_CONFIG") and __import__("coverage").process_startup()'
)
COUNTERS = f"""[run]
branch = true
parallel = true
source_pkgs = baregrad
data_file = {BUILD}/python.coverage
patch = subprocess
[report]
exclude_also =
    if TYPE_CHECKING:
    @overload
    raise NotImplementedError$
    : \\.\\.\\.$
"""


def build() -> None:
    """The package with counters, in an environment that sees the packages of this one."""
    shutil.rmtree(BUILD / "venv", ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", BUILD / "venv"], check=True)
    (site,) = (BUILD / "venv" / "lib").glob("*/site-packages")
    (site / "beside.pth").write_text(f"{sysconfig.get_path('purelib')}\n{IN_EACH_PROCESS}\n")
    options = {
        "build-dir": OBJECTS,
        "install.strip": "false",
        "cmake.define.CMAKE_CXX_COMPILE_OBJECT": COMPILE,
        "cmake.define.CMAKE_MODULE_LINKER_FLAGS": "--coverage",
    }
    settings = [f"-C{name}={value}" for name, value in options.items()]
    subprocess.run([PYTHON, "-m", "pip", "install", "-q", "--no-deps", *settings, ROOT], check=True)


def run_suite() -> None:
    """Run the suite once; both kinds of counters are written when its processes end."""
    for old in [*OBJECTS.rglob("*.gcda"), *BUILD.glob("python.coverage*")]:
        old.unlink()
    (BUILD / "coverage.ini").write_text(COUNTERS)
    ignored = [f"--ignore={ROOT / 'tests' / name}" for name in ELSEWHERE]
    subprocess.run(
        [PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider", *ignored,
         "-k", " and ".join(f"not {name}" for name in LONG), "--cov",
         f"--cov-config={BUILD / 'coverage.ini'}", f"--cov-report=json:{BUILD / 'python.json'}",
         f"--cov-report=html:{BUILD / 'python'}"],
        cwd=ROOT, check=False, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip


def gcov(folder: str, *objects: Path, html: Path | None = None) -> dict[str, Any]:
    """gcovr's summary of a folder of sources: of these objects, or of all."""
    out = BUILD / "gcov.json"
    report = [f"--html-details={html}"] if html else []
    subprocess.run(
        [sys.executable, "-m", "gcovr", "--root", ROOT, "--filter", f"{ROOT / folder}/", "--merge-lines",
         "--merge-mode-functions=separate", "--exclude-throw-branches", "--exclude-unreachable-branches",
         f"--exclude-branches-by-pattern={DECLARED}",
         "--gcov-ignore-errors=source_not_found",  # pybind11's, from where the build had it
         "--gcov-suspicious-hits-threshold=0",  # a loop of GEMM does run 5e9 times
         f"--json-summary={out}", *report, *(objects or [OBJECTS])],
        cwd=BUILD, check=True, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    return json.loads(out.read_text())


def main() -> int:
    """Measure, print what is below its goal, and the figures."""
    missing = [name for name in ("gcovr", "pytest_cov") if find_spec(name) is None]
    if missing or not shutil.which("gcov"):
        print(f"cannot run: {', '.join(missing) or 'gcov'} is not here (pip install --group deep)")
        return CANNOT_RUN
    build()
    run_suite()
    (BUILD / "csrc").mkdir(exist_ok=True)
    csrc = gcov("csrc", html=BUILD / "csrc" / "index.html")
    cuda = gcov("cuda")
    python = json.loads((BUILD / "python.json").read_text())
    branches = {
        "csrc": csrc["branch_percent"],
        "python": 100
        * python["totals"]["covered_branches"]
        / max(python["totals"]["num_branches"], 1),
    }
    each = ", ".join(
        f"{path.name.removeprefix('isa_').removesuffix('.dir')} "
        f"{gcov('csrc/kernels', path)['branch_percent']:.1f}"
        for path in sorted((OBJECTS / "CMakeFiles").glob("isa_*.dir"))
    )
    print(f"kernels of each instruction set, in per cent of their branches: {each}")
    print(
        f"branches run: csrc {branches['csrc']:.1f} %, python {branches['python']:.1f} %, "
        f"cuda on the simulator {cuda['branch_percent']:.1f} %"
    )
    return int(any(branches[name] < goal for name, goal in GOALS.items()))


if __name__ == "__main__":
    sys.exit(main())
