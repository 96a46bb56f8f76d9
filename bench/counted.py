"""What bench/instructions.py counts, and the script that runs under valgrind for it."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import baregrad as bg
import numpy as np
from baregrad import nn
from baregrad.cases import (
    Case,
    adam_step,
    avgpool2d,
    batch_norm,
    bias_activation,
    binary,
    cast,
    compare,
    conv2d,
    copy_strided,
    fill,
    gather_rows,
    gemm,
    im2col,
    layer_norm,
    maxpool2d,
    philox,
    reduce,
    sgd_step,
    softmax,
    softmax_xent,
    unary,
    where,
)
from baregrad.cases.strided import PAIRS, contiguous
from baregrad.cases.window import Windows
from callgrind import Requests

STEP = "step of an MLP 16-16-16-10, batch 4, Adam"
STEPS = 20  # before one is counted: Python rewrites the bytecode of what has run a few times

_N = 1 << 14  # so many that the binding, about 2,000 instructions, is little of it
_line = contiguous(_N)
_square = (128, 128)
_ways = ("forward", "backward")
_conv = Windows(4, 32, 14, 14, (3, 3), o=64, padding=(1, 1))
_many = Windows(16, 16, 14, 14, (3, 3), o=32, padding=(1, 1))  # images, so they are stacked
_pool = Windows(4, 32, 28, 28, (2, 2), stride=(2, 2))

CASES: list[Case] = [
    *(gemm.case(*mnk) for mnk in ((64, 64, 64), (256, 256, 256), (128, 256, 784))),
    *(gemm.case(*mnk) for mnk in ((128, 10, 128), (1, 256, 784))),
    *(
        conv2d.case(f"conv2d_{way}", windows)
        for windows in (_conv, _many)
        for way in ("forward", "backward_input", "backward_weight")
    ),
    *(im2col.case(kernel, _conv) for kernel in ("im2col", "col2im")),
    *(maxpool2d.case(f"maxpool2d_{way}", _pool) for way in _ways),
    *(avgpool2d.case(f"avgpool2d_{way}", _pool) for way in _ways),
    *(unary.case(kind, way, _N) for kind in unary.KINDS for way in _ways),
    *(binary.case(kind, "n", _line) for kind in ("add", "div", "pow")),
    binary.case("add", "pieces", PAIRS["pieces"]),
    compare.case("lt", "n", _line),
    where.case("n", _line),
    fill.case("contiguous", _line),
    cast.case("float32", "int64", _N),
    copy_strided.case("contiguous", _line),
    copy_strided.case("transposed", lambda new: (new(*_square).T, new(*_square))),
    *(case("relu", 4, 32, 196) for case in (bias_activation.forward, bias_activation.backward)),
    *(philox.draw(f"philox_{kind}", _N) for kind in ("uniform", "normal")),
    philox.dropout(_N, 50),
    *(case(256, 256, 64) for case in (gather_rows.gather, gather_rows.scatter)),
    *(
        reduce.case(f"reduce_{kind}", *size)
        for kind in ("sum", "max", "var")
        for size in (((_N,), (0,)), (_square, (1,)), (_square, (0,)))
    ),
    *(reduce.case("argmax", _square, (axis,)) for axis in (0, 1)),
    *(
        case(f"{kind}_{way}", *size)
        for kind in ("softmax", "log_softmax")
        for way, case in (("forward", softmax.forward), ("backward", softmax.backward))
        for size in ((128, 10), (64, 1000))
    ),
    *(
        case(*size)
        for case in (softmax_xent.forward, softmax_xent.backward)
        for size in ((128, 10), (64, 1000))
    ),
    *(
        case(*size)
        for case in (batch_norm.forward, batch_norm.backward)
        for size in ((4, 32, 196), (64, 256, 1))
    ),
    *(case(64, 256) for case in (layer_norm.forward, layer_norm.backward)),
    sgd_step.case([_N], "momentum"),
    *(adam_step.case(lengths, False) for lengths in ([_N], [100] * 20)),
]


def training_step() -> Callable[[], object]:
    """So small that Python and the bindings are nearly all of it."""
    bg.manual_seed(0)
    hidden = (nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU())
    model = nn.Sequential(*hidden, nn.Linear(16, 10))
    criterion, optimizer = nn.CrossEntropyLoss(), bg.optim.Adam(model.parameters(), lr=1e-3)
    inputs, labels = bg.randn(4, 16), bg.tensor([0, 3, 9, 3])

    def step() -> None:
        loss = criterion(model(inputs), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def count(library: str) -> None:
    """One dump for each call."""
    requests = Requests(library)
    calls: dict[str, Callable[[], object]] = {
        str(case): partial(case.run, bg.kernels.cpu, case.arguments(np.random.default_rng(0)))
        for case in CASES
    }
    calls[STEP] = training_step()
    for name, call in calls.items():
        for _ in range(STEPS if name == STEP else 1):
            call()
    gc.collect()
    gc.disable()
    requests.start()
    for name, call in calls.items():
        requests.zero()
        call()
        requests.dump(name.encode())


if __name__ == "__main__":
    # On the main thread a long call asks, every so often by the clock, whether a signal has come.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(count, sys.argv[1]).result()
