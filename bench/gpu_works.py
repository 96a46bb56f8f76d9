"""What gpu.py races: our kernel and PyTorch's on the arguments of a case, and what holds the results."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import baregrad as bg
import numpy as np
import works
from baregrad import cases
from baregrad.cases import Arguments, Case
from baregrad.cases.case import CaseError, floats
from baregrad.cases.check import exact_result, share_of_bound
from baregrad.cases.strided import contiguous
from baregrad.cases.window import Windows
from baregrad.replay import ReplayedStep, Step
from baregrad.typing import NDArray

if TYPE_CHECKING:
    from gpu import Device

Call = Callable[[], Any]
Calls = Sequence[Call]
Checks = list[tuple[NDArray, NDArray]]  # exact values, and how far off a result may be
THEIRS = 8  # as in refusals.py
# gamma(6 k) for gamma(k + 3): in each of k products mma may lose three times 2^-23, see gpu_models.cu.
# Eight times that covers, from k = 1343 on, that they cut off TF32 and give bfloat16.
MMA = 6.1
STEPS = 5  # of training that are checked
SEED = 0


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


def training_step(way: str, aim: float) -> Work:
    """That of the race on CPUs with the same batch again and again: eager on both sides, or ours replayed."""
    work = next(work for work in works.TABLE if work.kind == "mlp_step")

    def enter(d: Device, copies: int) -> dict[str, Entry]:
        rng = np.random.default_rng(SEED)
        state, batch = (
            {name: draw(rng, math.prod(shape)).reshape(shape) for name, (shape, draw) in of.items()}
            for of in (work.state, work.inputs)
        )

        def entry(
            library: Any, place: str, slack: float, kind: type[Step], **options: Any
        ) -> Entry:
            nn, linear = library.nn, library.nn.Linear
            layers = [linear(784, 256), nn.ReLU(), linear(256, 128), nn.ReLU(), linear(128, 10)]
            model, start = nn.Sequential(*layers), map(library.from_numpy, state.values())
            model.load_state_dict(dict(zip(model.state_dict(), start, strict=True)))
            model = model.to(place)
            optimizer = library.optim.Adam(model.parameters(), **work.options, **options)
            x, labels = (library.from_numpy(array).to(place) for array in batch.values())

            whole = kind(model, nn.CrossEntropyLoss(), optimizer, None)

            def step() -> Any:
                _, loss = whole.forward(x, labels)
                kept = loss.clone() if kind is ReplayedStep else loss  # the next one writes there
                whole.backward()
                return kept

            return Entry([step], checks, slack, STEPS)

        def checks() -> Checks:
            steps: Any = work.check([batch] * STEPS, state)
            return [losses for (losses,) in steps]

        theirs = entry(d.torch, d.place, THEIRS, Step, fused=True)
        kind = ReplayedStep if way == "graph" else Step
        return {"ours": entry(bg, d.ours.name, 1, kind), "PyTorch": theirs}

    return Work(f"{work.name}, {way}", 0, work.bytes, ("PyTorch", aim), enter)


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
    training_step("eager", 1),
    training_step("graph", 2),
]
