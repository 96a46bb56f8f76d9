"""The CUDA simulator: wrong kernels give wrong numbers or a report with their line."""

from __future__ import annotations

import re

import numpy as np
import pytest
import zoo
from simulated import (
    EVERY_SCHEDULE,
    SCHEDULES,
    SUCCESS,
    Simulator,
    address,
    line_of,
    neighbour_is_right,
)
from toolchain import compiler

pytestmark = pytest.mark.skipif(compiler() is None, reason="no C++ compiler on this machine")


# Faults that show as wrong numbers


@EVERY_SCHEDULE
def test_a_missing_barrier_before_a_read_gives_wrong_numbers(
    simulator: Simulator, schedule: str
) -> None:
    assert neighbour_is_right(simulator, barrier=True)
    assert not neighbour_is_right(simulator, barrier=False)


def row_loop_is_right(simulator: Simulator, barrier: bool) -> bool:
    x, out = np.arange(5, dtype=np.float32), np.zeros((5, 64), np.float32)
    simulator.faults.row_loop(address(x), address(out), 5, barrier)
    assert simulator.control.last_error() == SUCCESS
    return bool(np.array_equal(out, np.repeat(x[:, None], 64, axis=1)))


def test_a_warp_that_runs_ahead_shows_a_missing_second_barrier(simulator: Simulator) -> None:
    right: dict[bool, list[bool]] = {False: [], True: []}
    for name in SCHEDULES:
        assert simulator.set_schedule(name)
        for barrier, results in right.items():
            results.append(row_loop_is_right(simulator, barrier))
    assert simulator.set_schedule("forward")
    assert all(right[True])
    assert not all(right[False])


def test_shared_memory_is_nan_before_every_block(simulator: Simulator) -> None:
    out = np.zeros((3, 64), np.float32)
    simulator.faults.unwritten(address(out))
    assert simulator.control.last_error() == SUCCESS
    assert np.isnan(out).all()


# Faults that are reported


WARP_FAULTS = {
    "deadlock": (
        "deadlock in deadlock_kernel, block (0, 0, 0): threads 16-31 wait at __shfl_xor_sync "
        "({line}) for lanes 0-15; threads 48-63 wait at __shfl_xor_sync ({line}) for lanes 0-15 "
        "(threads 32-47); threads 0-15, 32-47 wait at __syncthreads ({before_2})"
    ),
    "read_of_returned": (
        "__shfl_xor_sync reads a lane that takes no part in read_of_returned_kernel, "
        "block (0, 0, 0): threads 0-15 with mask 0xffffffff want lanes 16-31, which returned before"
    ),
    "read_outside_mask": (
        "__shfl_sync reads a lane that takes no part in read_outside_mask_kernel, block (0, 0, 0): "
        "threads 0-15 with mask 0x0000ffff want lane 20, which the mask leaves out"
    ),
    "read_of_nobody": (
        "__shfl_down_sync reads a lane that takes no part in read_of_nobody_kernel, "
        "block (0, 0, 0): threads 16-23 with mask 0xffffffff want lanes 24-31, "
        "which the block does not have"
    ),
    "width": (
        "__shfl_sync of width 12 in width_kernel, block (0, 0, 0): "
        "a width is a power of two up to 32"
    ),
    "different_operations": (
        "lanes meet at different warp operations in different_operations_kernel, block (0, 0, 0): "
        "threads 0-15 wait at __shfl_up_sync ({line}) with mask 0xffffffff; "
        "threads 16-31 wait at __shfl_down_sync ({after_2}) with mask 0xffffffff"
    ),
}


@pytest.mark.parametrize("fault", WARP_FAULTS)
def test_reports_a_wrong_warp_operation_with_its_line(simulator: Simulator, fault: str) -> None:
    getattr(simulator.faults, fault)(address(np.zeros(64, np.int32)))
    line = line_of(fault)
    name, number = line.split(":")
    near = {f"{side}_2": f"{name}:{int(number) + n}" for side, n in (("before", -2), ("after", 2))}
    expected = WARP_FAULTS[fault].format(line=line, **near)
    report = simulator.report()
    assert report.partition(": ")[2] == expected
    assert report.partition(": ")[0] in (line, near["after_2"])  # the lane that came last


@EVERY_SCHEDULE
def test_reports_a_divergent_barrier_with_its_line(simulator: Simulator, schedule: str) -> None:
    simulator.faults.divergent_barrier()
    line = line_of("divergent_barrier")
    number = int(line.split(":")[1])
    block = {"forward": "(0, 0, 0)", "reverse": "(1, 2, 0)"}.get(schedule, "")
    expected = (
        rf"{line}: divergent barrier in divergent_barrier_kernel, block {re.escape(block)}.*: "
        rf"threads 0-15 wait at __syncthreads \({line}\); "
        rf"threads 16-31 wait at __syncthreads \(faults\.cu:{number + 2}\)"
    )
    assert re.fullmatch(expected, simulator.report())


def test_reports_a_lane_that_is_not_in_its_own_mask(simulator: Simulator) -> None:
    simulator.faults.own_mask()
    assert simulator.report() == (
        f"{line_of('own_mask')}: __syncwarp by a lane not in its own mask in own_mask_kernel, "
        "block (0, 0, 0): thread 4 is lane 4, the mask 0x0000000f"
    )


def test_reports_lanes_that_name_different_masks(simulator: Simulator) -> None:
    simulator.faults.different_masks()
    line = line_of("different_masks")
    assert simulator.report() == (
        f"{line}: lanes meet at different warp operations in different_masks_kernel, "
        f"block (0, 0, 0): thread 0 waits at __ballot_sync ({line}) with mask 0xffffffff; "
        f"thread 1 waits at __ballot_sync ({line}) with mask 0x00000003"
    )


def test_reports_a_write_past_the_end_of_a_shared_array(simulator: Simulator) -> None:
    simulator.faults.overrun(16)
    assert simulator.control.last_error() == SUCCESS
    simulator.faults.overrun(17)
    assert simulator.report() == (
        f"{line_of('overrun')}: a write past the end of __shared__ array tile in overrun_kernel, "
        "block (0, 0, 0)"
    )


def test_reports_a_write_before_the_first_shared_array(simulator: Simulator) -> None:
    simulator.faults.underrun(0)
    assert simulator.control.last_error() == SUCCESS
    simulator.faults.underrun(1)
    assert simulator.report() == (
        f"{line_of('underrun')}: a write before the start of __shared__ array first in "
        "underrun_kernel, block (0, 0, 0)"
    )


def test_reports_a_write_past_the_end_of_dynamic_shared_memory(simulator: Simulator) -> None:
    simulator.faults.dynamic_overrun(16)
    assert simulator.control.last_error() == SUCCESS
    simulator.faults.dynamic_overrun(17)
    assert simulator.report() == (
        f"{line_of('dynamic_overrun')}: a write past the end of __shared__ array rows in "
        "dynamic_overrun_kernel, block (0, 0, 0)"
    )


def test_reports_a_thread_that_spins_for_ever(simulator: Simulator) -> None:
    lock = np.zeros(1, np.int32)
    simulator.faults.spinning(address(lock))
    report = simulator.report()
    assert report.startswith(f"{line_of('spinning')}: a thread spins for ever in spinning_kernel")
    assert "atomicCAS" in report


def test_reports_a_trap_with_its_block(simulator: Simulator) -> None:
    simulator.faults.trap()
    assert simulator.report() == f"{line_of('trap')}: __trap in trap_kernel, block (2, 0, 0)"


def test_reports_a_launch_inside_a_kernel(simulator: Simulator) -> None:
    simulator.host_only.nested()
    assert simulator.report() == (
        f"{line_of('nested', 'host_only.cu')}: nested launch of inner_kernel in nested_kernel, "
        "block (0, 0, 0)"
    )


def test_reports_an_exception_that_leaves_a_thread(simulator: Simulator) -> None:
    simulator.host_only.throwing()
    assert simulator.report() == (
        f"{line_of('throwing', 'host_only.cu')}: a C++ exception left a thread in "
        "throwing_kernel, block (0, 0, 0)"
    )


def test_reports_more_static_shared_memory_than_a_block_has(simulator: Simulator) -> None:
    simulator.host_only.too_large(address(np.zeros(32, np.float32)))
    report = simulator.report()
    assert report.startswith(f"{line_of('too_large', 'host_only.cu')}: no room for __shared__")
    assert "array b in too_large_kernel" in report
    assert "49152 bytes" in report


def test_the_page_of_wrong_kernels_has_all_of_them() -> None:
    page = zoo.PAGE.read_text()
    found = zoo.faults()
    assert len(found) >= 30
    assert page.count("\n> ") == len(found)
    for place, (_, code) in found.items():
        assert f", {place}\n\n```cuda\n{code}\n```\n\n> " in page, "python tests/zoo.py"
