"""`baregrad bench <op> --device cuda`: how fast an op is on a device, and a kernel of one's own."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import numpy as np

from .. import backend
from ..backend import Backend
from ..cases import Case
from ..cases.on_device import OnDevice
from ..choice import Chosen, in_use
from ..racing import Turn, median_time, race, ratio

_SECONDS, _ROUNDS = 0.3, 5  # of each case; of a race, a third as long each
_LONG = 0.02  # seconds, beside which one wait for the device is little


def print_times(name: str, cases: list[Case], plain: Chosen | None) -> None:
    """Print a line for each case: calls one after the other, of which the last is waited for.

    With `plain`, who is in use is raced against it.
    """
    device = backend.device(name)
    print(f"{name} {device.table.own.in_use()}\n")
    width = max(len(str(case)) for case in cases)
    race_columns = f"  {'the one in use':<24}{'itself':<24}" if plain else ""
    print(f"{'case':<{width}}{'us':>12}{'GFLOP/s':>10}{'GB/s':>8}{race_columns}")
    for case in cases:
        call = _call(case, device)
        many = _many(call, device)
        seconds = median_time(partial(_calls, call, many, device), _SECONDS) / many
        gflops, gigabytes = (n / seconds / 1e9 for n in (case.flops, case.bytes))
        raced = _raced(call, many, device, plain) if plain else ""
        print(
            f"{case!s:<{width}}{seconds * 1e6:>12.1f}{gflops:>10.1f}{gigabytes:>8.1f}{raced}",
            flush=True,
        )


def _call(case: Case, device: Backend) -> Callable[[], object]:
    arguments = OnDevice(device).sent(case.arguments(np.random.default_rng(0)))
    return partial(case.run, device.table, arguments)


def _calls(call: Callable[[], object], many: int, device: Backend) -> None:
    for _ in range(many):
        call()
    device.to_numpy(device.empty((1,)))  # a copy waits for all that is queued before it


def _many(call: Callable[[], object], device: Backend) -> int:
    """How many calls take long, counted in fours."""
    many = 1
    while True:
        start = time.perf_counter()
        _calls(call, many, device)
        if time.perf_counter() - start >= _LONG:
            return many
        many *= 4


def _raced(call: Callable[[], object], many: int, device: Backend, plain: Chosen) -> str:
    chosen = in_use()

    def turn(choice: Chosen) -> Callable[[], object]:
        choice.bring_back()
        return partial(_calls, call, many, device)

    ours, theirs = partial(turn, chosen), partial(turn, plain)
    contestants: dict[str, Turn] = {"ours": ours, "theirs": theirs, "again": theirs}
    times = race(contestants, _ROUNDS, _SECONDS / 3, 0)
    chosen.bring_back()
    found, control = (ratio(times[name], times["theirs"]) for name in ("ours", "again"))
    return f"  {found!s:<24}{control!s:<24}{found.beside(control)}"
