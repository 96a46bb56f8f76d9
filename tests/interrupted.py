"""Ctrl-C in the middle of a call: python -m interrupted <work> <tries> <seed>, in a process of its own.

Prints a list of milliseconds from each signal to the exception, or fails when the same call does
not give the same bits afterwards, or the state that it changes is neither as before nor as after.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import baregrad as bg
import numpy as np
from baregrad import nn
from compare import assert_same_bits

Call = Callable[[], Any]
EARLIEST, LATEST = 0.02, 0.4  # seconds and share of the call after which the signal is sent


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape, np.float32)


def gemm() -> Call:
    a = numbers(2600, 2600)
    return lambda: bg.kernels.cpu.gemm(a, a)


def gemm_of_many_small() -> Call:
    a = numbers(500_000, 8, 8)
    return lambda: bg.kernels.cpu.gemm(a, a)


def conv2d(way: str) -> Call:
    x, w = numbers(16, 64, 112, 112), numbers(128, 64, 3, 3)
    dout = numbers(16, 128, 112, 112)
    kernel = getattr(bg.kernels.cpu, f"conv2d_{way}")
    arguments = {"forward": (x, w), "backward_input": (dout, w, x.shape),
                 "backward_weight": (x, dout, (3, 3))}[way]  # fmt: skip
    return lambda: kernel(*arguments, padding=(1, 1))


def conv2d_backward_input_plainly() -> Call:
    w = numbers(64, 32, 3, 3)
    w[0, 0, 0, 0] = np.inf
    dout = numbers(4, 64, 112, 112)
    return lambda: bg.kernels.cpu.conv2d_backward_input(dout, w, (4, 32, 112, 112), padding=(1, 1))


def elementwise() -> Call:
    x = np.ones(1 << 25, np.float32)
    return lambda: bg.kernels.cpu.gelu_forward(x)


def columns() -> Call:
    x = np.ones((1 << 21, 64, 1), np.float32)
    return lambda: bg.kernels.cpu.batch_norm_forward(x, x[0, :, 0], x[0, :, 0])


def places() -> Call:
    x = np.ones((1 << 22, 64), np.float32)
    return lambda: bg.kernels.cpu.argmax(x, 0)


def simulated() -> Call:
    sim = bg.kernels.sim
    a = sim.own.Array.from_numpy(numbers(400, 400))
    return lambda: sim.gemm(a, a).numpy()


def network(classes: int = 10) -> tuple[nn.Sequential, np.ndarray, np.ndarray]:
    bg.manual_seed(0)
    model = nn.Sequential(nn.Linear(2000, 2000), nn.ReLU(), nn.Linear(2000, classes))
    x = numbers(4096, 2000)
    return model, x, np.arange(len(x)) % classes


def epoch() -> Call:
    """A loop written by hand. What it changes is whole after each step."""
    model, x, labels = network()
    optimizer = bg.optim.Adam(model.parameters(), lr=1e-3)

    def train() -> None:
        try:
            for start in range(0, len(x), 512):
                optimizer.zero_grad()
                logits = model(bg.from_numpy(x[start : start + 512]))
                nn.functional.cross_entropy(
                    logits, bg.from_numpy(labels[start : start + 512])
                ).backward()
                optimizer.step()
        finally:
            assert len(steps(optimizer)) == 1, "a step was torn"

    return train


def steps(optimizer: bg.optim.Optimizer) -> set[int]:
    states = [
        optimizer.state.get(p, {}) for group in optimizer.param_groups for p in group["params"]
    ]
    return {state.get("step", 0) for state in states}


def fit() -> Call:
    model, x, labels = network()
    optimizer = bg.optim.Adam(model.parameters(), lr=1e-3)

    def train() -> None:
        try:
            bg.train.fit(model, (x, labels), optimizer=optimizer, epochs=1, progress=False)
        finally:
            assert len(steps(optimizer)) == 1, "a step was torn"

    return train


WORKS: dict[str, Callable[[], Call]] = {
    "gemm": gemm,
    "gemm_of_many_small": gemm_of_many_small,
    "conv2d_forward": lambda: conv2d("forward"),
    "conv2d_backward_input": lambda: conv2d("backward_input"),
    "conv2d_backward_weight": lambda: conv2d("backward_weight"),
    "conv2d_backward_input_plainly": conv2d_backward_input_plainly,
    "elementwise": elementwise,
    "columns": columns,
    "places": places,
    "simulated": simulated,
    "epoch": epoch,
    "fit": fit,
}


def press(delay: float) -> tuple[threading.Thread, list[float]]:
    """Ctrl-C in so many seconds, and a list that will hold when it was."""
    when: list[float] = []

    def send() -> None:
        time.sleep(delay)
        when.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    sender = threading.Thread(target=send)
    sender.start()
    return sender, when


def interrupt(call: Call, delay: float) -> float:
    """Milliseconds from a Ctrl-C, so many seconds from now, to the KeyboardInterrupt."""
    sender, when = press(delay)
    try:
        while True:
            call()
    except KeyboardInterrupt:
        felt = time.perf_counter()
    sender.join()
    return 1e3 * (felt - when[0])


def latencies(work: str, tries: int, seed: int = 0) -> list[float]:
    """Those of a work, from a process of its own."""
    command = [sys.executable, "-m", "interrupted", work, str(tries), str(seed)]
    done = subprocess.run(
        command, cwd=Path(__file__).parent, capture_output=True, text=True, timeout=300, check=False
    )
    if done.returncode:
        raise AssertionError(f"{work}: {done.stderr}")
    found: list[float] = json.loads(done.stdout)
    return found


def main() -> None:
    work, tries, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    signal.signal(signal.SIGINT, signal.default_int_handler)  # it may have been ignored before
    bg.set_num_threads(2)
    draw = random.Random(seed)
    call = WORKS[work]()
    start = time.perf_counter()
    want = call()
    latest = max(2 * EARLIEST, LATEST * (time.perf_counter() - start))
    found = []
    for _ in range(tries):
        found.append(interrupt(call, draw.uniform(EARLIEST, latest)))
        got = call()
        if work not in ("epoch", "fit"):
            for one, other in zip(tuple_of(got), tuple_of(want), strict=True):
                assert_same_bits(one, other)
    print(json.dumps(found))


def tuple_of(result: Any) -> tuple[Any, ...]:
    return result if isinstance(result, tuple) else (result,)


if __name__ == "__main__":
    main()
