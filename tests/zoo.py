"""docs/zoo.md, what the simulator says of wrong kernels: `python tests/zoo.py` writes it anew.

The tests of the reports run, and each report that they ask for is kept beside the line that it names.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

TESTS = Path(__file__).resolve().parent
PROGRAMS = TESTS / "simulator"
PAGE = TESTS.parent / "docs" / "zoo.md"
NOT_THESE = "not tiled_product and not our_kernels and not the_page"  # which take long, or read it
KEPT = "BAREGRAD_KEPT_REPORTS"  # a file that gets every report, with a line between two
RULE = "\x1e"
MARK = re.compile(r"(?P<code>.*?)\s*// fault: (?P<name>\w+)$")

HEAD = """# Wrong kernels, and what the simulator says of each

Each is wrong in one way, on the line that is shown, in [tests/simulator](../tests/simulator/README.md). The first ones are found in any run, those of
`watched.cu` where every access is watched: `bg.use(sim="watched")`, `baregrad check`, `baregrad sim`. This page is written by `tests/zoo.py`.
"""


def keep(report: str) -> None:
    """Add a report to the file of the environment, if there is one."""
    if path := os.environ.get(KEPT):
        with Path(path).open("a") as file:
            file.write(report + RULE)


def faults() -> dict[str, tuple[str, str]]:
    """Where each fault is, as "faults.cu:12", with its name and the kernel that has it."""
    found = {}
    for program in ("faults.cu", "watched.cu", "host_only.cu", "groups.cu"):
        lines = (PROGRAMS / program).read_text().splitlines()
        for number, line in enumerate(lines, 1):
            if mark := MARK.fullmatch(line):
                found[f"{program}:{number}"] = mark["name"], kernel(lines, number - 1)
    return found


def kernel(lines: list[str], at: int) -> str:
    """The function around a line, which alone keeps the mark of its fault."""
    begin = max(i for i in range(at + 1) if lines[i] and not lines[i][0].isspace())
    end = next(i for i in range(at, len(lines)) if lines[i] == "}")
    others = ((i, MARK.sub(r"\g<code>", lines[i])) for i in range(begin, end + 1))
    return "\n".join(lines[i] if i == at else text for i, text in others)


def page(reports: list[str]) -> str:
    """The page, of the first report that begins with each place."""
    lines = [HEAD]
    for place, (name, code) in faults().items():
        said = [report for report in reports if report.startswith(f"{place}: ")]
        said = said or [report for report in reports if f"({place})" in report]  # of the last lane
        lines.append(f"**{name.replace('_', ' ')}**, {place}\n\n```cuda\n{code}\n```\n")
        lines.append(f"> {min(said, key=len).removeprefix(f'{place}: ')}\n")
    return "\n".join(lines)


def main() -> None:
    """Run the tests and write the page."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "reports"
        names = ("reports", "watched")
        files = [*(f"test_simulator_{name}.py" for name in names), "test_simulator.py"]
        subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-k", NOT_THESE, *files],
            cwd=TESTS, env={**os.environ, KEPT: str(path)}, check=True,
        )  # fmt: skip
        PAGE.write_text(page(path.read_text().split(RULE)))


if __name__ == "__main__":
    main()
