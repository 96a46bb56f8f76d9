"""What runs in a contestant's process: python contestant.py FILE, with orders on its standard input.

FILE has a function for each kind of work, which makes what is timed: `gemm()` returns `run(a, b, out)`.
Nothing here needs baregrad, so that a yardstick can run in a Python of its own.

Every call gets inputs that no call before it had: its arrays are windows of one long random array,
each further on by a line of the cache, so that fresh inputs cost no copy and stay as warm or as cold
as the work says. The race decides how many calls there are, and no contestant is told which is the
last: that one is looked at as it returns, before anything else happens.
"""

from __future__ import annotations

from time import perf_counter_ns as clock  # isort: skip  before there is anybody who could patch it

import gc
import importlib.util
import inspect
import json
import math
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

NDArray = npt.NDArray[Any]
LINE = 16  # numbers in 64 bytes
LATER = (
    0.05  # seconds after which what was left to a thread is there, and so is told from a mistake
)
GLANCED = 256  # elements of an output that are read as it returns


def window(flat: NDArray, shape: list[int], offset: int, channels_last: bool) -> NDArray:
    """The array of this shape that begins at `offset`; images lie as the contestant has them."""
    piece = flat[offset : offset + math.prod(shape)]
    if channels_last and len(shape) == 4:
        n, c, h, w = shape
        return piece.reshape(n, h, w, c).transpose(0, 3, 1, 2)
    return piece.reshape(shape)


def offset(call: int, copies: int, size: int) -> int:
    """Where the window of a call begins: in turn in each of the copies, then a line further on."""
    return call % copies * size + call // copies * LINE


def length(calls: int, copies: int, size: int) -> int:
    """How long the array of all windows is."""
    return copies * size + calls // copies * LINE


def aligned(shape: list[int], like: NDArray | None = None) -> NDArray:
    """A copy of `like`, or an output that holds NaN, at a multiple of 64 bytes as frameworks have it."""
    dtype = np.dtype(np.float32) if like is None else like.dtype
    size = math.prod(shape) * dtype.itemsize
    raw = np.empty(size + 64, np.uint8)
    start = -raw.ctypes.data % 64
    array = raw[start : start + size].view(dtype).reshape(shape)
    array[...] = np.nan if like is None else like
    return array


def tupled(result: Any) -> tuple[Any, ...]:
    return result if isinstance(result, tuple) else (result,)


def takes_out(run: Callable[..., Any]) -> bool:
    try:
        return "out" in inspect.signature(run).parameters
    except ValueError:  # built in, and as it is called here it allocates
        return False


def timed(run: Callable[..., Any], calls: list[Any], results: list[Any], first: int) -> list[int]:
    """Nanoseconds of each call. Its result takes the place of an older one; that is timed with it."""
    times, copies, now = [], len(results), clock
    for i, arguments in enumerate(calls, first):
        start = now()
        results[i % copies] = run(*arguments)
        times.append(now() - start)
    return times


class Round:
    """The calls of one round: their arguments, and places for their results."""

    def __init__(self, module: Any, work: dict[str, Any], order: dict[str, Any]) -> None:
        folder = Path(order["folder"])
        self.warm, self.copies, calls = order["warm"], order["copies"], order["calls"]
        self.settle = order["settle"] * 1e9  # ns
        self.take = getattr(module, "take", lambda array: array)
        self.give = getattr(module, "give", lambda array: array)
        channels_last = getattr(module, "CHANNELS_LAST", False)
        files = {name: np.load(folder / f"{name}.npy") for name in work["inputs"] | work["state"]}
        bank = {name: aligned(list(array.shape), array) for name, array in files.items()}
        state = {name: self.take(bank[name].reshape(work["state"][name])) for name in work["state"]}
        self.run = getattr(module, work["kind"])(**work["options"], **state)
        outs = []
        if takes_out(self.run):
            outs = [self.take(aligned(work["out"])) for _ in range(self.copies)]
        self.calls = [
            (
                *(
                    self.take(
                        window(bank[name], shape, offset(i, self.copies, size), channels_last)
                    )
                    for name, shape in work["inputs"].items()
                    for size in [math.prod(shape)]
                ),
                *outs[i % self.copies : i % self.copies + 1],
            )
            for i in range(self.warm + calls)
        ]
        self.results: list[Any] = [None] * self.copies

    def begin(self) -> None:
        """The first call, which nobody times, and where to look at the outputs of the last."""
        timed(self.run, self.calls[:1], self.results, 0)
        rng = np.random.default_rng()
        outputs = self.outputs(0)
        self.places = [rng.integers(output.size, size=GLANCED) for output in outputs]
        self.where = [
            np.unravel_index(place, output.shape)
            for place, output in zip(self.places, outputs, strict=True)
        ]
        gc.unfreeze()  # what the round before has left
        gc.collect()
        gc.freeze()

    def warm_up(self) -> None:
        """Calls that are timed and do not count: two threads may wake on one processor, and a system
        take 90 ms to see it."""
        start, self.before = clock(), []
        while not self.before or clock() - start < self.settle:
            self.before += timed(self.run, self.calls[1 : self.warm], self.results, 1)

    def go(self) -> None:
        """The calls that count, and a glance at what the last one left as it returned."""
        self.times = timed(self.run, self.calls[self.warm :], self.results, self.warm)
        outputs = self.outputs(len(self.calls) - 1)
        self.seen = [output[place] for output, place in zip(outputs, self.where, strict=True)]

    def outputs(self, call: int) -> list[NDArray]:
        results = tupled(self.results[call % self.copies])
        return [np.atleast_1d(self.give(result)) for result in results]

    def hand_in(self, folder: Path, inputs: int) -> None:
        """Leave the results that are still there, and the inputs of those calls, in `folder`."""
        time.sleep(LATER)
        for name, arrays in (("place", self.places), ("seen", self.seen)):
            for i, array in enumerate(arrays):
                np.save(folder / f"{name}-{i}.npy", array)
        for call in range(len(self.calls) - self.copies, len(self.calls)):
            for i, output in enumerate(self.outputs(call)):
                np.save(folder / f"output-{call}-{i}.npy", output)
            for i, argument in enumerate(self.calls[call][:inputs]):
                np.save(folder / f"input-{call}-{i}.npy", self.give(argument))


def main(file: str) -> None:
    reports = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no report

    def tell(report: Any) -> None:
        print(json.dumps(report), file=reports, flush=True)

    spec = importlib.util.spec_from_file_location("in_the_race", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for line in sys.stdin:
        order = json.loads(line)
        if "kind" in order:
            work = order
            able = hasattr(module, work["kind"])
            tell({"about": module.about()} if able else {"absent": f"does no {work['kind']}"})
            continue
        this = Round(module, work, order)
        this.begin()
        tell("ready")
        sys.stdin.readline()
        this.warm_up()
        tell("warm")
        this.go()
        tell("done")
        this.hand_in(Path(order["results"]), len(work["inputs"]))
        tell({"times": this.times, "before": this.before, "outputs": len(this.where)})
        del this


if __name__ == "__main__":
    main(sys.argv[1])
