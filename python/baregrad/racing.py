"""What a race says: a ratio, how far it was spread, and whether that is more than chance."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

Turn: TypeAlias = Callable[[], Callable[[], object]]
PAUSE = 0.3  # seconds: OpenMP runtimes spin for up to 0.2 after their last call
SETTLE = 0.1  # seconds for which two threads that slept may have one core between them


@dataclass(frozen=True)
class Ratio:
    """How many times as fast: of the medians, and the least and the largest of any round."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.2f}x ({self.low:.2f} to {self.high:.2f})"

    def beside(self, control: Ratio) -> str:
        """equal, if no further from 1 than a race of one against itself was in some round."""
        chance = max(control.high, 1 / control.low)
        if 1 / chance <= self.value <= chance:
            return "equal"
        return "faster" if self.value > 1 else "slower"


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Ratio:
    """How many times as fast as theirs ours is, from the time that a call took in each round."""
    rounds = [their / our for our, their in zip(ours, theirs, strict=True)]
    return Ratio(statistics.median(theirs) / statistics.median(ours), min(rounds), max(rounds))


def race(
    contestants: dict[str, Turn], rounds: int, seconds: float, pause: float
) -> dict[str, list[float]]:
    """Seconds of the median call in each round, of contestants in this process.

    They take turns, in any order. At the beginning of its turn each says what is called.
    """
    medians: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name in random.sample(list(contestants), len(contestants)):
            time.sleep(pause)
            medians[name].append(median_time(contestants[name](), seconds))
    return medians


def median_time(call: Callable[[], object], seconds: float, least: int = 5) -> float:
    """Of calls one after the other for so many seconds: at least `least`, unless one takes longer.

    Those before do not count, one or for SETTLE.
    """
    end = time.perf_counter() + min(seconds, SETTLE)
    call()
    while time.perf_counter() < end:
        call()
    times: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or not times or (len(times) < least and times[0] < seconds):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)
