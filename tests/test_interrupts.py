"""Ctrl-C: felt within 100 ms in whatever takes long, and what it leaves is whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import baregrad as bg
import numpy as np
import pytest
from baregrad import backend
from compare import assert_same_bits
from interrupted import latencies

AT_ONCE = 100  # milliseconds


@pytest.mark.parametrize(
    "work", ["gemm", "conv2d_backward_weight", "elementwise", "simulated", "epoch"]
)
def test_ctrl_c_is_felt_at_once_and_the_next_call_is_right(work: str) -> None:
    if work == "simulated" and (why := backend.why_absent("sim")):
        pytest.skip(f"sim is not here: {why}")
    assert min(latencies(work, tries=3)) <= AT_ONCE


def child(code: str) -> None:
    """Run it in a process of its own, where a signal that comes late hurts nobody."""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parent, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


START = """
import signal, threading, time
import numpy as np
import baregrad as bg
from compare import assert_same_bits
from interrupted import numbers, press
"""


@pytest.mark.parametrize(
    ("call", "changes"),
    [
        ("k.gemm(a, a, beta=1, out=out)", "a, out = numbers(2000, 2000), np.ones((2000, 2000), np.float32)"),
        ("k.pow(out, e, out=out)", "out, e = np.ones(1 << 23, np.float32) * 1.1, np.full(1, 3, np.float32)"),
        (
            "k.scatter_add_rows(d, rows, out)",
            "d, rows, out = numbers(1 << 19, 64), np.arange(1 << 19) % 5, np.zeros((9, 64), np.float32)",
        ),
        (
            "k.sgd_step([out], [g], [v], np.ones(1, np.float32), momentum=0.9)",
            "out, g, v = (np.ones(1 << 26, np.float32) for _ in range(3))",
        ),
    ],
    ids=["gemm with beta", "out is an input", "scatter_add_rows", "sgd_step"],
)  # fmt: skip
def test_what_changes_an_array_in_place_runs_to_its_end(call: str, changes: str) -> None:
    child(f"""{START}
k = bg.kernels.cpu
{changes}
before = out.copy()
start = time.perf_counter()
{call}
took = time.perf_counter() - start
want = out.copy()
for share in (0.2, 0.4, 0.6):
    out[...] = before
    {"v[...] = 1" if "[v]" in call else ""}
    try:
        sender, _ = press(share * took)
        {call}
        sender.join()
        time.sleep(1)
        raise SystemExit("felt nothing")
    except KeyboardInterrupt:
        pass
    assert np.array_equal(out, want) or np.array_equal(out, before), "half done"
""")


def test_a_product_of_endless_terms_ends() -> None:
    child(f"""{START}
a = np.broadcast_to(np.float32(1), (9, 1 << 56))
sender, when = press(0.2)
try:
    bg.kernels.cpu.gemm(a, a.T)
except KeyboardInterrupt:
    took = time.perf_counter() - when[0]
assert took < 10, took  # at once on an idle machine; the turns that are left would take a day
""")


def test_a_handler_that_does_not_raise_lets_the_kernel_go_on() -> None:
    child(f"""{START}
bg.set_num_threads(2)
came = []
signal.signal(signal.SIGINT, lambda *_: came.append(time.perf_counter()))
a = numbers(2500, 2500)
want = bg.kernels.cpu.gemm(a, a)
sender, when = press(0.03)
got = bg.kernels.cpu.gemm(a, a)
end = time.perf_counter()
sender.join()
assert came and came[0] < end
assert_same_bits(got, want)
""")


@pytest.mark.skipif(backend.why_absent("sim") is not None, reason="sim is not here")
@pytest.mark.parametrize("device", ["cpu", "sim"])
def test_a_handler_may_itself_compute_on_any_device(device: str) -> None:
    child(f"""{START}
small, large = numbers(30, 30), numbers(*({{"cpu": 2500, "sim": 400}}["{device}"],) * 2)

def product(x, where):
    x = bg.tensor(x, device=where)
    return (x @ x).numpy()

want = product(small, "cpu"), product(small, "sim"), product(large, "{device}")
got = []
signal.signal(signal.SIGINT, lambda *_: got.extend([product(small, "cpu"), product(small, "sim")]))
sender, _ = press(0.03)
got.append(product(large, "{device}"))
sender.join()
for one, other in zip(got, want, strict=True):
    assert_same_bits(one, other)
""")


@pytest.mark.skipif(backend.why_absent("sim") is not None, reason="sim is not here")
def test_launches_of_several_threads_wait_for_each_other_and_for_no_lock_of_python() -> None:
    large = bg.tensor(np.full((200, 200), 2, np.float32), device="sim")
    small = bg.tensor(np.ones((4, 4), np.float32), device="sim")
    done, wrong = threading.Event(), []

    def launch() -> None:  # holds the GIL: it is over in no time
        while not done.is_set():
            if (small + small).numpy().sum() != 32:
                wrong.append(1)

    others = [threading.Thread(target=launch) for _ in range(2)]
    for other in others:
        other.start()
    try:
        np.testing.assert_array_equal((large @ large).numpy(), 800)
    finally:
        done.set()
    for other in others:
        other.join(timeout=60)
    assert not wrong
    assert not any(other.is_alive() for other in others)


class Pressed(bg.optim.Adam):
    """Ctrl-C comes when the kernel has run and its step is not yet counted."""

    def _move(self, *args: Any) -> None:
        super()._move(*args)
        os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_waits_until_an_optimizers_step_is_whole() -> None:
    params = [bg.nn.Parameter(np.ones(3, np.float32)) for _ in range(2)]
    for param in params:
        param.grad = bg.ones(3)
    other = [bg.nn.Parameter(np.ones(3, np.float32))]
    other[0].grad = bg.ones(3)
    optimizer = Pressed([{"params": params}, {"params": other, "lr": 0.1}])
    with pytest.raises(KeyboardInterrupt):
        optimizer.step()
    assert {optimizer.state[param]["step"] for param in (*params, *other)} == {1}
    assert_same_bits(params[0].array, params[1].array)
    assert np.all(other[0].array < 0.95)
