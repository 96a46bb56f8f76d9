"""Our CUDA kernels against PyTorch's on one GPU, for bench/gpu.sh: python bench/gpu.py --out FILE.

They take turns in this process, in another order every round. A turn is a batch of calls that takes
BATCH seconds or more, with a wait for the whole device at its end: so one clock, the host's, holds for
both, whatever their streams, and waiting is little of it. Calls go round through copies of their
arrays, COLD times the L2. Before anything is timed, results are held to the definition in float64 and
the bound of their case; a yardstick may be off THEIRS times as far. How long a call takes to return is
measured apart, as that may be all of its time.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import json
import math
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import baregrad as bg
import numpy as np
from baregrad import backend, racing
from baregrad.typing import NDArray
from gpu_works import TABLE, Call, Calls, Work

BATCH, ROUNDS = 0.025, 7  # seconds of a turn
COLD = 3


class Device:
    """The GPU as both see it."""

    def __init__(self) -> None:
        self.torch: Any = importlib.import_module("torch")
        self.ours = backend.device("cuda")
        self.kernels: Any = self.ours.table
        self.place = "cuda"
        self.wait: Call = self.torch.cuda.synchronize  # for all streams
        about = self.torch.cuda.get_device_properties(0)
        self.name, self.l2 = str(about.name), int(about.L2_cache_size)
        self.torch.backends.cudnn.benchmark = True

    def use_tf32(self, yes: bool) -> None:
        """Let PyTorch round the factors of float32 products, or not; those of convolutions never.

        RuntimeError if it does otherwise with 1 + 2^-12, which TF32 cannot hold.
        """
        self.torch.backends.cuda.matmul.allow_tf32 = yes
        self.torch.backends.cudnn.allow_tf32 = False
        x, eye = self.tensor(np.full((256, 256), 1 + 2**-12, "f")), self.torch.eye(256).cuda()
        image, weight = x.view(1, 256, 16, 16), eye.view(256, 256, 1, 1)
        convolved = self.torch.nn.functional.conv2d(image, weight)
        if bool((x @ eye != x).any()) != yes or bool((convolved != image).any()):
            raise RuntimeError("PyTorch does not round as it was told")

    def tensor(self, x: NDArray) -> Any:
        return self.torch.from_numpy(x).to(self.place, copy=True)

    def numpy(self, x: Any) -> NDArray:
        """A result of either."""
        x = x.detach().array if isinstance(x, bg.Tensor) else x
        ours = isinstance(x, self.ours.array)
        return self.ours.to_numpy(x) if ours else x.detach().float().cpu().numpy()

    def copy_speed(self, size: int = 1 << 31) -> float:
        """Bytes per second, read and written, of a copy that no cache can hold."""
        one, other = self.torch.ones(2, size, dtype=self.torch.uint8, device="cuda")
        calls = [partial(other.copy_, one)]
        count = calls_in_a_turn(calls, self.wait)
        return 2 * size * count / racing.median_time(partial(batch, calls, count, self.wait), 0)


def batch(calls: Calls, count: int, wait: Call) -> None:
    for call in itertools.islice(itertools.cycle(calls), count):
        call()
    wait()


def calls_in_a_turn(calls: Calls, wait: Call) -> int:
    """How many calls take BATCH seconds."""
    count, took = len(calls), 0.0
    batch(calls, count, wait)
    while took < BATCH:
        start = time.perf_counter()
        batch(calls, count, wait)
        took = time.perf_counter() - start
        count = math.ceil(count * min(10, max(1, 1.2 * BATCH / took)))
    return count


def seconds_to_return(calls: Calls, wait: Call, count: int = 20) -> float:
    """Of a call whose work nobody waits for."""
    wait()
    start = time.perf_counter()
    batch(calls, count, int)
    return (time.perf_counter() - start) / count


def take_turns(entries: dict[str, Calls], wait: Call) -> dict[str, dict[str, Any]]:
    """Seconds of a call of each by round, and seconds until it returns."""
    counts = {name: calls_in_a_turn(calls, wait) for name, calls in entries.items()}

    def turn(name: str) -> Call:
        return partial(batch, entries[name], counts[name], wait)

    # Each turn is a batch that does not count, and one that does.
    rounds = racing.race({name: partial(turn, name) for name in entries}, ROUNDS, 0, 0)
    return {
        "rounds": {name: [took / counts[name] for took in rounds[name]] for name in entries},
        "returns": {name: seconds_to_return(calls, wait) for name, calls in entries.items()},
    }


def race(d: Device, work: Work) -> dict[str, Any]:
    """A work as it is kept; whoever is wrong is not timed."""
    d.use_tf32(work.precision == "tf32")
    with bg.use(precision=work.precision):
        entries = work.enter(d, 1 + math.ceil(COLD * d.l2 / work.bytes))
        out = {name: why for name, entry in entries.items() if (why := entry.wrong(d))}
        fair = {name: entry.calls for name, entry in entries.items() if name not in out}
        timed = take_turns(fair, d.wait)
    kept = ("name", "flops", "bytes", "aim", "precision")
    return {**{name: getattr(work, name) for name in kept}, "out": out, **timed}


def races(out: Path, seconds: float) -> int:
    """All works, as long as there is time; kept after each. Returns how many are missing or wrong."""
    end, d, failed = time.monotonic() + seconds, Device(), 0
    about = {"gpu": d.name, "torch": d.torch.__version__, "cudnn": d.torch.backends.cudnn.version()}
    result: dict[str, Any] = {"about": about, "copy": [d.copy_speed()], "races": []}
    for work in TABLE:
        try:
            if time.monotonic() > end:
                raise TimeoutError("there was no time left")
            row = race(d, work)
        except Exception as error:  # noqa: BLE001  the others go on
            row = {"name": work.name, "out": {"all": f"{type(error).__name__}: {error}"}}
        failed += bool(row["out"])
        result["races"].append(row)
        result["copy"].append(d.copy_speed())
        (whole := out.with_suffix(".part")).write_text(json.dumps(result))
        whole.replace(out)  # in one step, for time may be up
        print(work.name, row["out"] or "raced", flush=True)
    print(f"{len(TABLE)} works, {failed} failed")
    return failed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=100, help="after which no work begins")
    args = parser.parse_args()
    return int(races(args.out, args.seconds) > 0)


if __name__ == "__main__":
    sys.exit(main())
