"""The CUDA kernels in four schedules, every access watched: cd tests; python -m deep.watched."""

from __future__ import annotations

import sys

import baregrad as bg
import numpy as np
from baregrad import backend, choice
from baregrad.cases import OPS
from baregrad.cases.case import CaseError
from baregrad.cases.check import check, exact_result
from baregrad.cases.on_device import OnDevice
from deep.prove import CANNOT_RUN

SCHEDULES = ("forward", "reverse", "random:1", "random:2")
# Larger ones have no thread that is not like the others; the suite has those in one schedule.
MOST_BYTES, MOST_FLOPS, MOST_FLOPS_OF_RUNGS = 20e6, 25e6, 3e6


def main() -> int:
    """Print how many cases passed; 0 if all did."""
    if why := backend.why_absent("sim"):
        print(f"no simulator: {why}")
        return CANNOT_RUN
    sim = backend.device("sim")
    simulator = sim.table.own
    rungs = [{op: f"ladder/{rung}"} for where, op, rung, _ in choice.rungs() if where == "sim"]
    passed, failed = 0, []
    for schedule in SCHEDULES:
        simulator.set_schedule(schedule)
        for entries in ({}, *rungs):
            with bg.use(sim="watched", **entries):
                for op in entries or OPS:
                    for case in OPS[op].tests:
                        most = MOST_FLOPS_OF_RUNGS if entries else MOST_FLOPS
                        if case.bytes > MOST_BYTES or case.flops > most:
                            continue
                        arguments = case.arguments(np.random.default_rng(0))
                        try:
                            check(case, OnDevice(sim), arguments, exact_result(case, arguments))
                            passed += 1
                        except (CaseError, RuntimeError) as wrong:
                            failed.append(f"{schedule}, {entries}, {case}: {wrong}")
    simulator.set_schedule("forward")
    print("\n".join(failed[:20]), file=sys.stderr)
    print(
        f"{passed:,} cases passed, {len(failed)} failed or had a report, in {len(SCHEDULES)} schedules"
    )
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
