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
import functools
import importlib
import itertools
import json
import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import baregrad as bg
import numpy as np
import works
from baregrad import backend, cases, racing
from baregrad.cases import Arguments, Case
from baregrad.cases.case import CaseError, floats
from baregrad.cases.check import exact_result, share_of_bound
from baregrad.cases.strided import contiguous
from baregrad.cases.window import Windows
from baregrad.typing import NDArray

Call = Callable[[], Any]
Calls = Sequence[Call]
Checks = list[tuple[NDArray, NDArray]]  # exact values, and how far off a result may be
BATCH, ROUNDS = 0.025, 7  # seconds of a turn
COLD = 3
THEIRS = 8  # as in refusals.py
# gamma(6 k) for gamma(k + 3): in each of k products mma may lose three times 2^-23, see gpu_models.cu.
# Eight times that covers, from k = 1343 on, that they cut off TF32 and give bfloat16.
MMA = 6.1
STEPS = 5  # of training that are checked
SEED = 0


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


@dataclass(frozen=True)
class Entry:
    """How one of them does a work: a call for each copy of its arrays, and what its result is held to."""

    calls: Calls
    checks: Callable[[], Checks]
    slack: float  # times the bound that it may be off
    steps: int = 1  # of the first call, whose results are checked

    def wrong(self, d: Device) -> str | None:
        """What is wrong with it. PyTorch may give fewer outputs than our kernel."""
        outputs = [x for _ in range(self.steps) for x in listed(self.calls[0]())]
        try:
            for output, (exact, bound) in zip(outputs, self.checks(), strict=False):
                got, exact, bound = (np.atleast_1d(x) for x in (d.numpy(output), exact, bound))
                share_of_bound(got, exact, self.slack * bound)
        except CaseError as error:
            return str(error)
        return None


@dataclass(frozen=True)
class Work:
    """What is raced. `aim` is how many times as fast as whom; of "copy", the share of its speed."""

    name: str
    flops: int
    bytes: int
    aim: tuple[str, float]
    enter: Callable[[Device, int], dict[str, Entry]]
    precision: str = "float32"


def listed(result: Any) -> list[Any]:
    return [x for x in result if x is not None] if isinstance(result, (tuple, list)) else [result]


def sent(value: Any, send: Callable[[NDArray], Any]) -> Any:
    """Arguments of a case, their arrays sent."""
    if isinstance(value, dict):
        return {name: sent(item, send) for name, item in value.items()}
    if isinstance(value, list):
        return [sent(item, send) for item in value]
    return send(value) if isinstance(value, np.ndarray) else value


def rounded(x: Any, precision: str) -> Any:
    """x as our kernels multiply it: TF32 rounds ties away from 0, bfloat16 to even."""
    if precision == "float32" or not isinstance(x, np.ndarray):
        return x
    bits, dropped = x.view(np.uint32), np.uint32(13 if precision == "tf32" else 16)
    half: Any = np.uint32(1) << (dropped - np.uint32(1))
    if precision == "bf16":
        half = half - np.uint32(1) + (bits >> dropped & np.uint32(1))
    return ((bits + half) >> dropped << dropped).view(np.float32)


def of_case(
    case: Case, theirs: Callable[[Any, Any], Call], aim: tuple[str, float],
    precision: str = "float32", beside: Case | None = None,
) -> Work:  # fmt: skip
    """A case on our device beside `theirs(torch, tensors by name)`, and beside a case more of ours."""
    slack = 1 if precision == "float32" else MMA

    def checks(of: Case, given: Arguments) -> Checks:
        given = {name: rounded(x, precision) for name, x in given.items()}
        return [*zip(exact_result(of, given), of.bound(given), strict=True)]

    def enter(d: Device, copies: int) -> dict[str, Entry]:
        found = {}
        for name, of in (("ours", case), *([(f"own {beside.kernel}", beside)] if beside else [])):
            given = of.arguments(np.random.default_rng(SEED))
            exact = functools.cache(partial(checks, of, given))
            there = [sent(given, d.ours.from_numpy) for _ in range(copies)]
            found[name] = Entry([partial(of.run, d.kernels, x) for x in there], exact, slack)
            if of is case:
                calls = [theirs(d.torch, sent(given, d.tensor)) for _ in range(copies)]
                found["PyTorch"] = Entry(calls, exact, THEIRS * slack)
        return found

    name = str(case) if precision == "float32" else f"{case}, {precision}"
    return Work(name, case.flops, case.bytes, aim, enter, precision)


def product(m: int, n: int, k: int) -> Case:
    """The product alone, into an output that holds NaN."""

    def arguments(rng: np.random.Generator) -> Arguments:
        return {"a": floats(rng, m, k), "b": floats(rng, k, n), "out": np.full((m, n), np.nan, "f")}

    moved = 4 * (m * k + k * n + m * n)
    return replace(cases.gemm.case(m, n, k), arguments=arguments, bytes=moved)


def products(m: int, n: int, k: int, aim: float, precision: str = "float32") -> Work:
    def theirs(torch: Any, t: Any) -> Call:
        if precision == "bf16":
            return partial(torch.mm, t["a"].bfloat16(), t["b"].bfloat16())
        return partial(torch.mm, t["a"], t["b"], out=t["out"])

    return of_case(product(m, n, k), theirs, ("PyTorch", aim), precision)


def convolution(way: str, n: int, c: int, side: int, o: int) -> Work:
    """3x3, beside our own product of as many sums of as many terms."""
    windows, pixels = Windows(n, c, side, side, (3, 3), o=o, padding=(1, 1)), n * side * side
    case = cases.conv2d.case(f"conv2d_{way}", windows)

    def theirs(torch: Any, t: Any) -> Call:
        if way == "forward":
            return partial(torch.nn.functional.conv2d, t["x"], t["w"], t["bias"], padding=1)
        x = t["x"] if "x" in t else t["dout"].new_empty(t["shape"])
        w = t["w"] if "w" in t else t["dout"].new_empty((o, c, 3, 3))
        one, wanted = [1, 1], [way == "backward_input", way == "backward_weight", False]
        backward = torch.ops.aten.convolution_backward
        return partial(backward, t["dout"], x, w, None, one, one, one, False, [0, 0], 1, wanted)

    shape = {
        "forward": (pixels, o, 9 * c),
        "backward_input": (pixels, c, 9 * o),
        "backward_weight": (o, 9 * c, pixels),
    }[way]
    case = replace(case, flops=2 * n * o * c * (3 * side - 2) ** 2)  # of taps inside the image
    return of_case(case, theirs, ("own gemm", 0.8), beside=product(*shape))


def cross_entropy(torch: Any, t: Any) -> Call:
    def run() -> tuple[Any, Any]:
        loss = torch.nn.functional.cross_entropy(logits, t["labels"], reduction="none")
        return loss.detach() * t["weight"], torch.autograd.grad(loss, logits, t["weight"])[0]

    logits = t["logits"].requires_grad_()
    return run


def adam(torch: Any, t: Any) -> Call:
    """The same step of the same moments, and the next ones."""
    for param, grad in zip(t["params"], t["grads"], strict=True):
        param.requires_grad_().grad = grad
    options = {"lr": t["learning_rate"].item(), "weight_decay": t["weight_decay"]}
    optimizer = torch.optim.Adam(t["params"], **options, fused=True)
    for param, m, v in zip(t["params"], t["ms"], t["vs"], strict=True):
        done = t["step"].float()[0] - 1
        optimizer.state[param] = {"step": done, "exp_avg": m, "exp_avg_sq": v}
    return lambda: (optimizer.step(), *t["params"], *t["ms"], *t["vs"])


def training_step() -> Work:
    """That of the race on CPUs, eager on both sides, with the same batch again and again."""
    work = next(work for work in works.TABLE if work.kind == "mlp_step")

    def enter(d: Device, copies: int) -> dict[str, Entry]:
        rng = np.random.default_rng(SEED)
        state, batch = (
            {name: draw(rng, math.prod(shape)).reshape(shape) for name, (shape, draw) in of.items()}
            for of in (work.state, work.inputs)
        )

        def entry(library: Any, place: str, slack: float, **options: Any) -> Entry:
            nn, linear = library.nn, library.nn.Linear
            layers = [linear(784, 256), nn.ReLU(), linear(256, 128), nn.ReLU(), linear(128, 10)]
            model, start = nn.Sequential(*layers), map(library.from_numpy, state.values())
            model.load_state_dict(dict(zip(model.state_dict(), start, strict=True)))
            model = model.to(place)
            optimizer = library.optim.Adam(model.parameters(), **work.options, **options)
            x, labels = (library.from_numpy(array).to(place) for array in batch.values())

            def step() -> Any:
                loss = nn.functional.cross_entropy(model(x), labels)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                return loss

            return Entry([step], checks, slack, STEPS)

        def checks() -> Checks:
            steps: Any = work.check([batch] * STEPS, state)
            return [losses for (losses,) in steps]

        theirs = entry(d.torch, d.place, THEIRS, fused=True)
        return {"ours": entry(bg, d.ours.name, 1), "PyTorch": theirs}

    return Work(f"{work.name}, eager", 0, work.bytes, ("PyTorch", 1), enter)


def pool(torch: Any, t: Any) -> Call:
    """With places, of which backward needs eight bytes each, and a byte of ours."""
    return lambda: torch.nn.functional.max_pool2d(t["x"], 2, return_indices=True)[0]


def elementwise(name: str) -> Callable[[Any, Any], Call]:
    return lambda torch, t: partial(getattr(torch, name), *t.values())


def streamed(case: Case, theirs: Callable[[Any, Any], Call]) -> Work:
    return of_case(case, theirs, ("copy", 0.92))


IMAGES = Windows(32, 64, 112, 112, (2, 2), stride=(2, 2))
MANY = 32 << 20
TABLE = [
    *(products(n, n, n, 0.85) for n in (512, 1024, 4096)),
    products(8, 4096, 4096, 0.85),
    *(products(n, n, n, 0.45, p) for n, p in ((4096, "tf32"), (2048, "bf16"), (4096, "bf16"))),
    *(
        convolution(way, 16, c, side, c)
        for c, side in ((64, 56), (256, 14))  # of ResNet-18
        for way in ("forward", "backward_input", "backward_weight")
    ),
    streamed(cases.unary.case("relu", "forward", MANY), elementwise("relu")),
    streamed(cases.binary.case("add", "n", contiguous(MANY)), elementwise("add")),
    streamed(cases.maxpool2d.case("maxpool2d_forward", IMAGES), pool),
    streamed(cases.softmax_xent.forward(16384, 1000), cross_entropy),
    streamed(cases.softmax_xent.forward(4096, 8192), cross_entropy),
    streamed(cases.adam_step.case([2 << 20] * 8, False), adam),
    training_step(),
]


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
