"""Products of rounded factors: the models of mma.sync on the simulator against rounding in NumPy."""

from __future__ import annotations

from typing import Any

import baregrad as bg
import numpy as np
import pytest
from baregrad import backend
from baregrad.cases import OPS
from baregrad.cases.case import Case
from baregrad.cases.check import exact_result, share_of_bound
from baregrad.cases.gemm import rounded
from baregrad.cases.on_device import OnDevice
from conftest import SCHEDULES

pytestmark = pytest.mark.skipif(
    backend.why_absent("sim") is not None, reason="this build has no simulator"
)
PRECISIONS = pytest.mark.parametrize("precision", ["tf32", "bf16"])


def is_right(case: Case, table: Any, precision: str) -> None:
    """`case` on `table` is within the bound of its own, of the exact product of rounded factors."""
    arguments = case.arguments(np.random.default_rng(0))
    for name in ("a", "b"):
        arguments[name] = rounded(np.ascontiguousarray(arguments[name]), precision)
    exact = exact_result(case, arguments)
    with np.errstate(all="ignore"):
        bounds = case.bound(arguments)
        arguments = case.arguments(np.random.default_rng(0))
        got = case.run(table, arguments)
        for output in zip(got, exact, bounds, strict=True):
            share_of_bound(*output)


@PRECISIONS
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_factors_are_rounded_and_nothing_else_is(precision: str, schedule: str) -> None:
    sim = backend.device("sim")
    before = sim.table.own.schedule()
    sim.table.own.set_schedule(schedule)
    try:
        with bg.use(precision=precision):
            assert sim.table.own.in_use() == precision
            for case in OPS["gemm"].tests:
                if case.flops < (2e6 if schedule == "forward" else 2e5) and case.bytes < 1e6:
                    is_right(case, OnDevice(sim), precision)
    finally:
        sim.table.own.set_schedule(before)
    assert sim.table.own.in_use() == "sim"


@PRECISIONS
def test_large_tiles_of_rounded_factors_are_right_and_race_free(precision: str) -> None:
    with bg.use(precision=precision, sim="watched"):
        for size in ((1500, 1499, 9), (60, 36_500, 3), (36_500, 60, 3), (70, 90, 40)):
            is_right(OPS["gemm"].case(*size), OnDevice(backend.device("sim")), precision)


def test_the_rounding_is_that_of_the_hardware_manual() -> None:
    one = np.float32(1)
    steps = one + np.arange(5, dtype=np.float32) * np.float32(2.0**-11)
    np.testing.assert_array_equal(
        rounded(steps, "tf32"), one + np.array([0, 2, 2, 4, 4]) * np.float32(2.0**-11)
    )
    steps = one + np.arange(5, dtype=np.float32) * np.float32(2.0**-8)
    np.testing.assert_array_equal(
        rounded(steps, "bf16"), one + np.array([0, 0, 2, 4, 4]) * np.float32(2.0**-8)
    )


def test_autocast_is_for_a_while_and_for_devices() -> None:
    sim = backend.device("sim").table.own
    with bg.autocast("sim"):
        assert sim.in_use() == "bf16"
        with bg.autocast("sim", dtype="tf32"):
            assert sim.in_use() == "tf32"
        with bg.autocast("sim", enabled=False):
            assert sim.in_use() == "bf16"
    assert sim.in_use() == "sim"
    with pytest.raises(ValueError, match="dtype is 'float16', expected bfloat16, tf32 or float32"):
        bg.autocast("sim", dtype="float16")
    with pytest.raises(ValueError, match="device_type is 'cpu', whose kernels are float32"):
        bg.autocast("cpu")
    with pytest.raises(ValueError, match="precision is 'fp8', expected float32, tf32 or bf16"):
        bg.use(precision="fp8")


def test_a_network_trains_in_bfloat16_with_float32_weights() -> None:
    def losses(precision: str) -> list[float]:
        bg.manual_seed(0)
        model = bg.nn.Sequential(bg.nn.Linear(64, 32), bg.nn.ReLU(), bg.nn.Linear(32, 10))
        model = model.to("sim")
        optimizer = bg.optim.Adam(model.parameters(), lr=1e-2)
        images, labels = bg.data.digits().train[:256]
        images, labels = images.to("sim"), labels.to("sim")
        seen = []
        with bg.use(precision=precision):
            for _ in range(30):
                loss = bg.nn.functional.cross_entropy(model(images), labels)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                seen.append(loss.item())
        assert all(p.dtype == np.float32 for p in model.parameters())
        return seen

    exact, less = losses("float32"), losses("bf16")
    assert less != exact
    assert less[-1] < 0.5 * less[0]
    np.testing.assert_allclose(less, exact, rtol=0.05)
