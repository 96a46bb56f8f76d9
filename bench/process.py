"""A contestant seen from the race: its process, the arrays it is given, what it hands in."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from baregrad.racing import SETTLE
from baregrad.typing import NDArray
from contestant import length, offset, window
from definitions import Checks
from settings import Setting
from works import Work

HERE = Path(__file__).parent
SECONDS = 600.0  # that a contestant may be silent for
WARM = 3  # calls of a round before those that count, or as many as those if these are more


class OutError(Exception):
    """A contestant that is out of the race, with the sentence that says why."""


class AbsentError(OutError):
    """One that does no such work, and may do the next."""


@dataclass(frozen=True)
class Timing:
    """A round, by the contestant's clock and by that of the race, in ns."""

    times: list[int]  # of each call that counts
    elapsed: (
        int  # from the word that it is warm, which may be read late, to the word that it is done
    )
    before: list[int]  # of each call between the order and the word that it is warm
    whole: int  # from the order to the word that it is done


@dataclass(frozen=True)
class Handed:
    """What a contestant handed in after a round, by call."""

    outputs: dict[int, list[NDArray]]
    inputs: dict[int, list[NDArray]]
    glances: list[tuple[NDArray, NDArray]]  # of the last outputs: places, and what was there


class Draw:
    """The arrays of one round, the same for all: new random numbers, in files."""

    def __init__(self, work: Work, rng: np.random.Generator, folder: Path, calls: int):
        self.work, self.rng, self.folder = work, rng, folder
        self.count, self.warm = calls, max(WARM, calls)
        self.calls = calls = self.warm + self.count
        self.copies = calls if work.every_call else min(work.copies, calls)
        self.flat = {
            name: draw(rng, length(self.calls, self.copies, int(np.prod(shape))))
            for name, (shape, draw) in work.inputs.items()
        }
        self.state = {
            name: draw(rng, int(np.prod(shape))).reshape(shape)
            for name, (shape, draw) in work.state.items()
        }
        for name, array in (self.flat | self.state).items():
            np.save(folder / f"{name}.npy", array)
        self._expected: dict[bool, dict[int, Checks]] = {}

    @property
    def checked(self) -> range:
        """The calls whose results are still there in the end."""
        return range(self.calls - self.copies, self.calls)

    @cached_property
    def rows(self) -> NDArray | slice:
        """Which rows are checked: drawn at the first check, so after a clock has stopped."""
        (n, *_), _ = next(iter(self.work.inputs.values()))
        if not 0 < self.work.rows < n:
            return slice(None)
        drawn = self.rng.choice(n, self.work.rows, replace=False)
        return np.unique([0, n - 1, *drawn])

    def inputs(self, call: int, channels_last: bool) -> dict[str, NDArray]:
        return {
            name: window(self.flat[name], list(shape), place, channels_last)
            for name, (shape, _) in self.work.inputs.items()
            for place in [offset(call, self.copies, int(np.prod(shape)))]
        }

    def expected(self, channels_last: bool) -> dict[int, Checks]:
        """Exact outputs and bounds of the calls that are checked."""
        if channels_last not in self._expected:

            def rows_of(call: int) -> dict[str, NDArray]:
                inputs = self.inputs(call, channels_last).items()
                return {name: x[self.rows] if self.work.rows else x for name, x in inputs}

            check, checked = self.work.check, self.checked
            if self.work.state:
                state = {n: x[self.rows] if self.work.rows else x for n, x in self.state.items()}
                found = check([rows_of(call) for call in range(self.calls)], state)
                every = found if self.work.every_call else [found]
                self._expected[channels_last] = dict(zip(checked, every, strict=True))
            else:
                self._expected[channels_last] = {call: check(rows_of(call)) for call in checked}
        return self._expected[channels_last]


class Contestant:
    """A process that waits for orders and uses no processor until they come."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.stderr = tempfile.TemporaryFile()  # noqa: SIM115  closed by close
        self.child = subprocess.Popen(
            [setting.python, str(HERE / "contestant.py"), str(HERE / "contestants" / setting.file)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.stderr, bufsize=0,
            env=os.environ | setting.environment,
        )  # fmt: skip

    def prepare(self, work: Work) -> None:
        """Tell it the work. OutError if it does not start here, or does no such work."""
        self.order(work.told())
        if "absent" in (answer := self.report()):
            raise AbsentError(answer["absent"])
        self.about: dict[str, Any] = answer["about"]

    def round(self, draw: Draw) -> tuple[Timing, Handed]:
        """Have it do the calls of a round, between two looks at a clock of our own."""
        given = len(draw.work.inputs)
        # In a folder of its own, so that nobody finds what another one handed in.
        with tempfile.TemporaryDirectory(dir=draw.folder) as results:
            place = {"folder": str(draw.folder), "results": results}
            counts = {"warm": draw.warm, "calls": draw.count, "copies": draw.copies}
            settle = 0 if draw.work.state else SETTLE
            self.order({**place, **counts, "settle": settle})
            self.report()  # that it is ready
            start = time.perf_counter_ns()
            self.order("go")
            self.report()  # that it is warm
            warm = time.perf_counter_ns()
            self.report()  # that it is done
            end = time.perf_counter_ns()
            report = self.report()

            def arrays(name: str, n: int) -> list[NDArray]:
                return [np.load(f"{results}/{name}-{i}.npy") for i in range(n)]

            of = report["outputs"]
            handed = Handed(
                {call: arrays(f"output-{call}", of) for call in draw.checked},
                {call: arrays(f"input-{call}", given) for call in draw.checked},
                list(zip(arrays("place", of), arrays("seen", of), strict=True)),
            )
        if len(times := report["times"]) != draw.count:
            raise OutError(f"reports {len(times)} times of {draw.count} calls")
        return Timing(times, end - warm, report["before"], end - start), handed

    def order(self, words: Any) -> None:
        assert self.child.stdin
        try:
            self.child.stdin.write(json.dumps(words).encode() + b"\n")
            self.child.stdin.flush()
        except BrokenPipeError:
            raise OutError(self.how_it_ended()) from None

    def report(self) -> Any:
        """The next line that it writes."""
        assert self.child.stdout
        if not select.select([self.child.stdout], [], [], SECONDS)[0]:
            raise OutError(f"said nothing for {SECONDS:g} s")
        line = self.child.stdout.readline()
        if not line:
            raise OutError(self.how_it_ended())
        return json.loads(line)

    def how_it_ended(self) -> str:
        code = self.child.wait()
        if code < 0:
            return f"crashed with {signal.Signals(-code).name}"
        self.stderr.seek(0)
        said = self.stderr.read().decode(errors="replace").strip().splitlines()
        return said[-1] if said else f"left with {code}"

    def close(self) -> None:
        self.child.kill()
        self.child.communicate()
        self.stderr.close()


class Processes:
    """Contestants by name: each starts once for all works, and again where it was put out."""

    def __init__(self) -> None:
        self.running: dict[str, Contestant] = {}

    def prepare(self, setting: Setting, work: Work) -> Contestant:
        """OutError if it does not start here, or does no such work."""
        if setting.name not in self.running:
            self.running[setting.name] = Contestant(setting)
        try:
            self.running[setting.name].prepare(work)
        except AbsentError:
            raise
        except OutError:
            self.end(setting.name)
            raise
        return self.running[setting.name]

    def end(self, name: str) -> None:
        self.running.pop(name).close()

    def close(self) -> None:
        for name in list(self.running):
            self.end(name)
