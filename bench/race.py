"""Our kernels against NumPy, PyTorch and JAX: python bench/race.py [--only TEXT] [--python PATH] [--save].

Each contestant is a process of its own, in every setting that its users know: threads that spin in
one runtime slow another down, and here the others sleep. They take turns, in another order every
round, with a pause before each. All get the same new random inputs in every round, and new ones in
every call. Calls are timed one by one by the contestant, and the round by a clock that it cannot reach;
those of its first half do not count, as threads that slept may share a processor for 90 ms.

What is timed is what is checked: the last call of a round, which no contestant can tell from the
others, is looked at as it returns, and then held to a definition in float64. `refusals.py` has what
puts one out of the race, `tests/cheats` somebody who tries it. The median over the rounds of the median
call counts. Beside a ratio stands that of the yardstick against itself, in another process, and a
ratio within the spread of that is "equal". Settings of yardsticks whose fastest call is hopeless in a
first whole round rest. What we lose is raced again, three times in all, and the middle race counts. `results` keep
every sample.
"""

from __future__ import annotations

import argparse
import signal
import statistics
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import plots
import refusals
import report
from baregrad.racing import PAUSE
from process import Contestant, Draw, OutError, Processes, Timing
from settings import OURS, YARDSTICKS, Setting
from works import SIZES, TABLE, Work

SECONDS = 0.1  # of timed calls in a round, for the fastest
HOPELESS = 1.5  # times as long as the best yardstick's, in the first round that counts
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # where arrays lie on their way


class Race:
    """One work: who takes part, all their samples, and a sentence for each who is out."""

    def __init__(self, work: Work, processes: Processes, pause: float, seed: int | None) -> None:
        self.work, self.processes, self.pause = work, processes, pause
        self.rng = np.random.default_rng(seed)
        self.field: dict[str, Contestant] = {}
        self.timings: dict[str, list[Timing]] = {}
        self.ceilings: list[tuple[float, float]] = []  # GFLOP/s of multiply-adds, GB/s of a copy
        self.out: dict[str, str] = {}
        self.above: dict[str, str] = {}  # yardsticks above the ceiling of the machine, as measured
        self.resting: dict[str, float] = {}  # times as long as the best yardstick

    def enter(self, setting: Setting) -> None:
        try:
            self.field[setting.name] = self.processes.prepare(setting, self.work)
        except OutError as why:
            self.out[setting.name] = str(why)

    def round(self, calls: int, names: list[str]) -> None:
        """The same new inputs for all, in any order; each is checked before the next one starts."""
        with tempfile.TemporaryDirectory(prefix="baregrad-race-", dir=MEMORY) as folder:
            # Nobody who counts calls finds out which one is the last.
            calls += int(self.rng.integers(max(3, calls // 4)))
            draw = Draw(self.work, self.rng, Path(folder), calls)
            for name in map(str, self.rng.permutation(names)):
                contestant = self.field[name]
                time.sleep(self.pause)
                try:
                    timing, handed = contestant.round(draw)
                    if why := refusals.wrong(draw, handed, contestant.setting):
                        raise OutError(why)
                    self.timings.setdefault(name, []).append(timing)
                except OutError as sentence:
                    self.out[name] = str(sentence)
                    del self.field[name]
                    self.processes.end(name)
        self.ceilings.append(refusals.ceilings(self.work))

    def rest(self, first: dict[str, float]) -> None:
        """Leave out yardsticks that took too long, unless another setting is fast as installed."""
        best = min(first.values())
        slow = {name: took / best for name, took in first.items() if took > HOPELESS * best}
        fast = {self.field[name].setting.file for name in first if name not in slow}
        for name, times in slow.items():
            setting = self.field[name].setting
            if setting.environment or setting.file not in fast:
                self.resting[name] = times
                del self.field[name]

    def run(self, rounds: int) -> dict[str, Any]:
        """What `report` makes tables of."""
        # A round that does not count: it compiles, finds memory, and says how long a call takes.
        self.round(1, list(self.field))
        first = {name: statistics.median(t.times) for name, (t,) in self.timings.items()}
        calls = np.clip(SECONDS * 1e9 / min(first.values(), default=1), 2, self.work.most)
        # Who rests is known after a whole round: an allocator that keeps memory has none at first.
        self.timings.clear()
        self.round(int(calls), list(self.field))
        yardsticks = {
            name: float(min(timing.times))
            for name, (timing,) in self.timings.items()
            if name in self.field and not self.field[name].setting.ours
        }
        if yardsticks:
            best = self.field[min(yardsticks, key=yardsticks.__getitem__)].setting
            self.rest(yardsticks)
            self.enter(replace(best, name=best.name + report.AGAIN))
            self.round(1, list(self.field)[-1:])
        self.timings.clear()
        for _ in range(rounds):
            self.round(int(calls), list(self.field))
        needed = [refusals.least_seconds(self.work, rates) for rates in self.ceilings]
        for name, contestant in self.field.items():
            if why := refusals.clock(self.timings[name]):
                self.out[name] = why
            elif why := refusals.ceiling(
                self.timings[name], [seconds / contestant.setting.fewer for seconds in needed]
            ):
                (self.out if contestant.setting.ours else self.above)[name] = why
        return report.row(self, min(needed))


def race(
    work: Work,
    settings: list[Setting],
    rounds: int,
    processes: Processes,
    pause: float = PAUSE,
    seed: int | None = None,
) -> dict[str, Any]:
    this = Race(work, processes, pause, seed)
    for setting in settings:
        unfit = setting.fewer > 1 and not work.small_windows
        if not unfit and (work.images or not setting.channels_last):
            this.enter(setting)
    return this.run(rounds)


def main() -> int | None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="", metavar="TEXT", help="works whose names have it")
    parser.add_argument("--sizes", action="store_true", help="gemm from 256 to 1056")
    parser.add_argument("--python", default=sys.executable, help="that has NumPy, PyTorch, JAX")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeat", type=int, default=3, help="races of a row that we lose")
    parser.add_argument("--save", action="store_true", help="in results, and in the README here")
    parser.add_argument("--plot", action="store_true", help="draw what was saved last, no more")
    args = parser.parse_args()
    if args.plot:
        return plots.plot()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # and leave neither files nor processes
    settings = [*OURS, *(replace(setting, python=args.python) for setting in YARDSTICKS)]
    result = report.begin()
    with closing(Processes()) as processes:
        for work in SIZES if args.sizes else TABLE:
            if args.only not in work.name:
                continue
            races = [race(work, settings, args.rounds, processes)]
            while len(races) < args.repeat and report.lost(races[0]):
                races.append(race(work, settings, args.rounds, processes))
            result["works"].append({"work": work.name, "races": races})
            report.show(result["works"][-1])
            if args.save:
                report.save(result, "sizes" if args.sizes else "race")
    return int(report.refused_ours(result))


if __name__ == "__main__":
    sys.exit(main())
