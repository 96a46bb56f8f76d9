"""Ctrl-C at random times in whatever takes long: cd tests; python -m deep.interrupts.

After each the same call gives the same bits, and no step of an optimizer is half done. Half of all
are felt within 100 ms, for a machine that others use too lets single ones wait.
"""

from __future__ import annotations

import statistics
import sys
import time

from baregrad import backend
from interrupted import WORKS, latencies

AT_ONCE = 100  # milliseconds
DURATION = 60  # seconds
TRIES = 4  # of a work, before the next one's turn


def main() -> int:
    """1 if the median is above 100 ms; a state that is not whole is an AssertionError."""
    works = [work for work in WORKS if work != "simulated" or not backend.why_absent("sim")]
    found: dict[str, list[float]] = {work: [] for work in works}
    start, turn = time.monotonic(), 0
    while turn < len(works) or time.monotonic() - start < DURATION:
        work = works[turn % len(works)]
        found[work] += latencies(work, TRIES, seed=turn)
        turn += 1
    every = [latency for those in found.values() for latency in those]
    for work, those in found.items():
        print(f"{work}: median {statistics.median(those):.0f} ms, largest {max(those):.0f} ms")
    print(
        f"{len(every)} signals in {len(works)} kinds of work: median {statistics.median(every):.0f} ms, "
        f"largest {max(every):.0f} ms; all states whole"
    )
    return int(any(statistics.median(those) > AT_ONCE for those in found.values()))


if __name__ == "__main__":
    sys.exit(main())
