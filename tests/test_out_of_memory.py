"""Memory that runs out, at whichever allocation, is a MemoryError; nothing leaks, and all goes on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from baregrad import _cpu, backend
from out_of_memory import fail_all_in_a_child
from toolchain import compile_shared, compiler

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or compiler() is None, reason="needs Linux and a C++ compiler"
)


@pytest.mark.parametrize("device", ["cpu", "sim"])
def test_any_allocation_may_fail(device: str, tmp_path: Path) -> None:
    if why := backend.why_absent(device):
        pytest.skip(f"{device} is not here: {why}")
    source = Path(__file__).parent / "failing_malloc.cpp"
    count, wrong = fail_all_in_a_child(device, compile_shared([source], tmp_path / "malloc.so"))
    assert not wrong
    assert count > 200


LIMITED = """
import resource
import numpy as np
import baregrad as bg
from baregrad import _cpu
bg.set_num_threads({threads})
{warm}
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + {room}, used + {room}))
wide = np.broadcast_to(np.float32(1), (1, 40_000))
for _ in range(3):
    try:
        _cpu.gemm(wide.T, wide)
        raise SystemExit("6 GB were there")
    except MemoryError:
        pass
x = np.broadcast_to(np.float32(1), (300, 300))
assert (_cpu.gemm(x, x) == 300).all()
"""


@pytest.mark.parametrize(
    ("room", "threads"), [(64 << 20, 4), (5 << 20, 64)], ids=["for data", "not for threads' stacks"]
)
@pytest.mark.parametrize("warm", [True, False], ids=["threads up", "threads not yet started"])
def test_goes_on_where_the_address_space_is_limited(room: int, threads: int, warm: bool) -> None:
    code = LIMITED.format(
        room=room,
        threads=threads,
        warm="_cpu.gemm(*[np.ones((300, 300), np.float32)] * 2)" if warm else "",
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.returncode, done.stderr, _cpu.thread_runtime())
