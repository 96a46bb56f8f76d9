"""The pool behind outputs: alignment, reuse, what is kept and what goes back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from baregrad import _cpu


@pytest.fixture(autouse=True)
def empty_pool() -> Iterator[None]:
    _cpu.trim_pool()
    yield
    _cpu.trim_pool()


@pytest.mark.parametrize("n", [0, 1, 15, 16, 17, 33, 1000, 1 << 20])
def test_outputs_start_at_a_cache_line(n: int) -> None:
    for _ in range(3):
        assert _cpu.relu_forward(np.zeros(n, np.float32)).ctypes.data % 64 == 0


@pytest.mark.parametrize("n", [1 << 14, (1 << 14) + 1, 100_000, 1 << 20, (4 << 20) + 1])
def test_large_outputs_start_at_a_page(n: int) -> None:
    for _ in range(3):
        assert _cpu.relu_forward(np.zeros(n, np.float32)).ctypes.data % 4096 == 0


def test_a_block_is_used_again_once_its_array_is_gone() -> None:
    x = np.ones(100_000, np.float32)
    first = _cpu.relu_forward(x)
    address = first.ctypes.data
    view = first[10:]
    del first
    other = _cpu.relu_forward(x)
    assert other.ctypes.data != address  # the view still needs the block
    np.testing.assert_array_equal(view, 1)
    del view
    before = _cpu.pool()
    again = _cpu.relu_forward(-x)
    assert again.ctypes.data == address
    assert _cpu.pool()["hits"] == before["hits"] + 1
    assert _cpu.pool()["misses"] == before["misses"]
    np.testing.assert_array_equal(other, 1)


def test_counts_what_is_in_use_and_what_is_kept() -> None:
    in_use = _cpu.pool()["in_use"]
    out = _cpu.relu_forward(np.ones(1 << 20, np.float32))
    assert _cpu.pool()["in_use"] - in_use == 4 << 20
    assert _cpu.pool()["kept"] == 0
    del out
    assert _cpu.pool()["in_use"] == in_use
    assert _cpu.pool()["kept"] == 4 << 20
    _cpu.trim_pool()
    assert _cpu.pool()["kept"] == 0


@pytest.mark.parametrize("elements", [1, 16, 17, 20, 21, 33, 100, 1025, 5000])
def test_a_block_is_large_enough_and_wastes_little(elements: int) -> None:
    in_use, needed = _cpu.pool()["in_use"], 4 * elements
    out = _cpu.relu_forward(np.ones(elements, np.float32))
    taken = _cpu.pool()["in_use"] - in_use
    assert needed <= taken <= max(64, needed * 1.25)
    assert out.nbytes == needed


def test_goes_on_after_memory_was_out() -> None:
    with pytest.raises(MemoryError):
        _cpu.gemm(*(np.broadcast_to(np.float32(1), shape) for shape in ((2**24, 1), (1, 2**24))))
    np.testing.assert_array_equal(_cpu.relu_forward(np.ones(3, np.float32)), 1)


@pytest.mark.skipif(
    not Path("/sys/kernel/mm/transparent_hugepage").exists(),
    reason="this system has no large pages",
)
def test_a_large_block_asks_for_large_pages() -> None:
    out = _cpu.relu_forward(np.zeros(16 << 20, np.float32))
    flags, mappings = None, Path("/proc/self/smaps").read_text()
    for begin, end, rest in re.findall(
        r"^([0-9a-f]+)-([0-9a-f]+) (.*?)(?=^[0-9a-f]+-|\Z)", mappings, re.MULTILINE | re.DOTALL
    ):
        if int(begin, 16) <= out.ctypes.data + out.nbytes // 2 < int(end, 16):
            flags = rest.partition("VmFlags:")[2].split()
    assert flags is not None
    assert "hg" in flags
