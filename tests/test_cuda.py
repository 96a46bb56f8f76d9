"""The module _cuda, in builds that have it: it loads without a driver, and says what is missing."""

from __future__ import annotations

import importlib
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import baregrad as bg
import numpy as np
import pytest
from baregrad import _cpu, backend
from baregrad.cli.info import facts

LARGEST = 3 << 20  # bytes, packed, of the 5 MiB that a wheel may have


def built() -> Any:
    try:
        return importlib.import_module("baregrad._cuda")
    except ModuleNotFoundError:
        return None


needs_build = pytest.mark.skipif(built() is None, reason=_cpu.CUDA_BUILD)
no_device = pytest.mark.skipif(bg.cuda.is_available(), reason="there is a device")


def test_why_there_is_no_cuda_is_said_where_it_is_asked_for() -> None:
    why = bg.cuda.why_not()
    if why is None:
        return
    assert why.startswith("BAREGRAD_CUDA was " if built() is None else "no CUDA device")
    assert ("backend cuda", f"no: {why}") in list(facts())
    with pytest.raises(RuntimeError, match=r"\[device\] cuda is not available: "):
        bg.ones(3).to("cuda")


@needs_build
@no_device
def test_it_loads_without_a_driver_and_does_not_crash() -> None:
    code = "import baregrad._cuda as cuda; print(cuda.why_absent(), cuda.ARCHITECTURES)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("no CUDA device")
    with pytest.raises(RuntimeError, match=r"^\[device\] \w+"):
        built().Array.from_numpy(np.ones(3, np.float32))


@needs_build
def test_it_has_every_kernel_and_fits_into_the_wheel() -> None:
    for name in bg.reference.__all__:
        assert hasattr(built(), name) == hasattr(backend.device("sim").table.own, name), name
    assert len(zlib.compress(Path(built().__file__).read_bytes(), 6)) < LARGEST


@pytest.mark.skipif(bg.cuda.is_available() is False, reason="no CUDA device")
def test_a_device_computes_what_the_simulator_does() -> None:
    a = np.random.default_rng(0).standard_normal((70, 50), np.float32)
    for name in ("sim", "cuda"):
        there = backend.device(name)
        got = there.table.gemm(there.from_numpy(a), there.from_numpy(a).mT).numpy()
        np.testing.assert_allclose(got, a @ a.T, atol=1e-4)
