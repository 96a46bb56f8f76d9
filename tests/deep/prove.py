"""Runs all that is long and writes what came out into docs/proof.md: cd tests; python -m deep.prove.

A row of a table there is a promise, what proves it, the latest figure and its date. What proves it
is either a script of this folder, which leaves with 0 if the promise holds and whose last line is
the figure, or tests of the suite, of which the figure is how many passed. A script that cannot run
here leaves with 77 and says why; its row stays as it was.
"""

from __future__ import annotations

import argparse
import datetime
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

TESTS = Path(__file__).resolve().parents[1]
ROOT = TESTS.parent
PAGE = ROOT / "docs" / "proof.md"
ROW = re.compile(r"^\| (?P<promise>.+?) \| `(?P<proof>[^`|]+)` \|(?P<figure>.*?)\|(?P<date>.*?)\|$")
CANNOT_RUN = 77
# These measure time, or want most of the memory. The others run two at a time.
ALONE = ("deep/wheel.py", "deep/interrupts.py", "deep/extents.py")
LONGEST = ("deep/asan.py", "deep/covered.py", "deep/aarch64.py", "suite")  # so that they begin


class Outcome(NamedTuple):
    """Whether a promise held, and the figure that says so."""

    holds: bool
    figure: str


def rows(page: str) -> list[re.Match[str]]:
    """The promises of a page, in its order."""
    return [row for line in page.splitlines() if (row := ROW.match(line))]


def run_script(name: str) -> Outcome | None:
    """Run a script of this folder; None if it cannot run here."""
    start = time.monotonic()
    print(f"{name} ...", flush=True)
    module = name.removesuffix(".py").replace("/", ".")
    done = subprocess.run(
        [sys.executable, "-m", module], cwd=TESTS, text=True, stdout=subprocess.PIPE, check=False
    )
    figure = (done.stdout.strip().splitlines() or ["said nothing"])[-1]
    print(f"{name}: {figure} ({time.monotonic() - start:.0f} s)", flush=True)
    return None if done.returncode == CANNOT_RUN else Outcome(done.returncode == 0, figure)


def run_suite() -> dict[str, list[bool]]:
    """Run the suite; of each test, as file::function, whether its cases passed. Skips do not count."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}"],
            cwd=ROOT, check=False,
        )  # fmt: skip
        cases = list(ElementTree.parse(report).iter("testcase"))
    passed: dict[str, list[bool]] = {}
    for case in cases:
        if case.find("skipped") is None:
            file, name = case.get("classname", "").rsplit(".", 1)[-1], case.get("name", "")
            holds = case.find("failure") is None and case.find("error") is None
            passed.setdefault(f"{file}.py::{name.split('[')[0]}", []).append(holds)
    return passed


def judge(proof: str, suite: dict[str, list[bool]]) -> Outcome | None:
    """What the suite says of `test_file.py` or of `test_file.py::test_name`, or of several."""
    found = [
        holds
        for one in proof.split()
        for test, cases in suite.items()
        if test == one or test.startswith(f"{one}::")
        for holds in cases
    ]
    if not found:
        return None
    failed = found.count(False)
    return Outcome(
        not failed,
        f"{failed} of {len(found)} tests failed" if failed else f"{len(found)} tests passed",
    )


def write(page: str, outcomes: dict[str, Outcome], date: str) -> str:
    """The page with the figures of what has been proved anew."""

    def renew(row: re.Match[str]) -> str:
        outcome = outcomes.get(row["proof"])
        if outcome is None:
            return row[0]
        figure = outcome.figure if outcome.holds else f"**does not hold**: {outcome.figure}"
        return f"| {row['promise']} | `{row['proof']}` | {figure} | {date} |"

    return (
        "\n".join(renew(row) if (row := ROW.match(line)) else line for line in page.splitlines())
        + "\n"
    )


def renew(proof: str) -> dict[str, Outcome | None]:
    """What a script, or the suite, says of the promises that it proves."""
    if proof != "suite":
        return {proof: run_script(proof)}
    suite = run_suite()
    proofs = [row["proof"] for row in rows(PAGE.read_text())]
    return {proof: judge(proof, suite) for proof in proofs if not proof.startswith("deep/")}


def main() -> int:
    """Prove what is named, or all; 1 if a promise does not hold."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "proofs", nargs="*", help="deep/<script>.py or `suite`; all if none is named"
    )
    wanted = parser.parse_args().proofs
    page = PAGE.read_text()
    proofs = list(dict.fromkeys(row["proof"] for row in rows(page)))
    scripts = [proof for proof in proofs if proof.startswith("deep/")]
    if unknown := set(wanted) - {*scripts, "suite"}:
        parser.error(
            f"{', '.join(sorted(unknown))}: not in docs/proof.md, which has suite {' '.join(scripts)}"
        )
    chosen = sorted(wanted or [*scripts, "suite"], key=lambda one: one not in LONGEST)
    found: dict[str, Outcome | None] = {}

    def keep(all_outcomes: Iterable[dict[str, Outcome | None]]) -> None:
        for outcomes in all_outcomes:
            found.update(outcomes)
            held = {proof: outcome for proof, outcome in outcomes.items() if outcome}
            PAGE.write_text(write(PAGE.read_text(), held, datetime.date.today().isoformat()))

    keep(map(renew, [one for one in chosen if one in ALONE]))
    with ThreadPoolExecutor(2) as two:
        keep(two.map(renew, [one for one in chosen if one not in ALONE]))
    for proof, outcome in found.items():
        if outcome is None:
            print(f"not run: {proof}")
        elif not outcome.holds:
            print(f"does not hold: {proof}: {outcome.figure}")
    return int(any(outcome and not outcome.holds for outcome in found.values()))


if __name__ == "__main__":
    sys.exit(main())
