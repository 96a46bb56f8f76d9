"""What the race refuses, each for a sentence: wrong results, late results, clocks that lie."""

from __future__ import annotations

import statistics

import numpy as np
from baregrad import _cpu
from baregrad.cases.check import BoundError, share_of_bound
from process import Draw, Handed, Timing
from settings import Setting
from works import LAST_LEVEL, Work

# What may pass in a round by the race's clock and not in calls by the contestant's: the loop around
# the calls, and two words through a pipe with a glance at the last outputs.
SHARE, A_CALL, A_ROUND = 0.05, 300, 500_000  # of the whole, ns, ns


THEIRS = 8  # times the bound, which is derived for our kernels, may a yardstick be off


def wrong(draw: Draw, handed: Handed, setting: Setting) -> str | None:
    """What is wrong with the results of a round, which are those that were timed."""
    factor = 1 if setting.ours else THEIRS
    outputs = handed.outputs[draw.calls - 1]
    for i, ((place, seen), output) in enumerate(zip(handed.glances, outputs, strict=True)):
        later = output[np.unravel_index(place, output.shape)]
        if late := int(((seen != later) & ~np.isnan(later)).sum()):
            return f"returned before its work was done: {late} of {len(seen)} places of output {i}"
    for call, inputs in handed.inputs.items():
        given = draw.inputs(call, setting.channels_last)
        for (name, before), after in zip(given.items(), inputs, strict=True):
            if changed := int((before != after).sum()):
                return f"wrote to its input {name}: {changed} of {before.size} elements"
    for call, checks in draw.expected(setting.channels_last).items():
        if len(handed.outputs[call]) != len(checks):
            return f"gave {len(handed.outputs[call])} outputs, expected {len(checks)}"
        for i, (output, (exact, bound)) in enumerate(
            zip(handed.outputs[call], checks, strict=True)
        ):
            got = output[draw.rows] if draw.work.rows else output
            if missing := int(np.isnan(got).sum()):
                return f"output {i} of call {call} is NaN in {missing} of {got.size} elements"
            try:
                share_of_bound(got, np.atleast_1d(exact), factor * bound)
            except BoundError as error:
                return f"output {i} of call {call} is not that of its inputs: {error}"
    return None


def clock(rounds: list[Timing]) -> str | None:
    """Whether the times that were reported are those that passed."""
    whole = [([*r.before, *r.times], r.whole) for r in rounds]
    counted = [(r.times, r.elapsed) for r in rounds]
    if any(sum(times) > took for times, took in whole):
        return f"{_reports(whole)}: more than there were"
    for clocked in (whole, counted):
        untold = [took * (1 - SHARE) - sum(t) - A_CALL * len(t) - A_ROUND for t, took in clocked]
        if statistics.median(untold) > 0:
            return f"{_reports(clocked)}: less than there were"
    return None


def _reports(clocked: list[tuple[list[int], int]]) -> str:
    told, took = (sum(ns) / 1e6 for ns in zip(*((sum(t), e) for t, e in clocked), strict=True))
    return f"reports {told:.3g} ms of rounds that took {took:.3g} ms"


def ceilings(work: Work) -> tuple[float, float]:
    """GFLOP/s of multiply-adds in registers, and GB/s of a copy of as many bytes as the work has."""
    half = work.copies * work.bytes // 2  # of the bytes: a copy reads and writes
    copy = _cpu.measure_copy(0.2, min(max(half, 4096), 2 * LAST_LEVEL))
    return _cpu.measure_fma(0.1), copy


def least_seconds(work: Work, rates: tuple[float, float]) -> float:
    """What the machine needs for it at these rates.

    A copy moves half as many bytes again as are counted: what is overwritten is read before.
    """
    multiply_adds, copy = rates
    return max(work.flops / multiply_adds, (work.bytes + work.fresh) / 1.5 / copy) / 1e9


def ceiling(rounds: list[Timing], needed: list[float]) -> str | None:
    """Whether calls took less than the seconds `needed`, by more than rounds or ceilings differ."""
    slowest = max((statistics.median(r.times) for r in rounds), default=0) / 1e9
    spread = max(needed) / min(needed)
    if 0 < slowest * spread < min(needed):
        words = f"took {slowest * 1e6:.3g} us, and the machine needs {min(needed) * 1e6:.3g} us"
        return f"{words} for as much (spread {spread - 1:.0%})"
    return None
