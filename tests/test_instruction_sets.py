"""Each instruction set's object: what leaves it, and how exact its exp, log, sine and cosine are."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from baregrad import _cpu
from toolchain import ISA_FLAGS, SOURCES, compile_shared, compiler

SAME = ["-ffp-contract=off", "-fno-math-errno", "-fno-exceptions", "-fno-rtti"]
QUIET = ["-Wno-uninitialized", "-Wno-maybe-uninitialized", "-Wno-unused-function"]

pytestmark = pytest.mark.skipif(compiler() is None, reason="needs a C++ compiler")


@pytest.mark.parametrize("isa", _cpu.available())
def test_only_its_table_leaves_an_object(isa: str, tmp_path: Path) -> None:
    # Any other symbol might be the copy, out of many, that the linker keeps for every CPU.
    if shutil.which("nm") is None:
        pytest.skip("needs nm")
    out = tmp_path / f"{isa}.o"
    source = SOURCES / "csrc" / "isa" / f"{isa}.cpp"
    subprocess.run(
        [
            str(compiler()),
            "-std=c++20",
            "-O0",  # nothing is inlined: what could leave, does
            "-fPIC",
            "-c",
            *SAME,
            *ISA_FLAGS[isa],
            source,
            "-o",
            out,
        ],
        check=True,
        capture_output=True,
    )
    symbols = subprocess.run(
        ["nm", "--extern-only", "--defined-only", "--demangle", out],
        check=True, capture_output=True, text=True,
    ).stdout.splitlines()  # fmt: skip
    assert [line.split(maxsplit=2)[2] for line in symbols] == [f"baregrad::{isa}::table()"]


@pytest.mark.skipif(shutil.which("aarch64-linux-gnu-g++") is None, reason="needs a cross compiler")
def test_neon_compiles_and_multiplies_and_adds_in_one(tmp_path: Path) -> None:
    # deep/aarch64.py runs it, under qemu; no aarch64 machine has run it yet.
    out, source = tmp_path / "neon.o", SOURCES / "csrc" / "isa" / "neon.cpp"
    flags = ["-std=c++20", "-O3", "-fPIC", "-Wall", "-Wextra", "-Werror", *SAME]
    subprocess.run(["aarch64-linux-gnu-g++", *flags, "-c", source, "-o", out], check=True)
    code = subprocess.run(
        ["aarch64-linux-gnu-objdump", "-d", out], check=True, capture_output=True, text=True
    ).stdout
    assert code.count("fmla") >= 8 * 3  # one for each register of the tile


@pytest.fixture(scope="module", params=_cpu.available())
def vector_math(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, np.ndarray], np.ndarray]:
    """exp, log, ... of an array, by the vectors of each instruction set of this CPU."""
    isa = request.param
    source = (SOURCES / "csrc" / "isa" / f"{isa}.cpp").read_text()
    defines = [f"-D{name}={value}" for name, value in re.findall(r"#define (\w+) (\w+)", source)]
    library = compile_shared(
        [Path(__file__).parent / "vector_math.cpp", SOURCES / "csrc" / "threads.cpp"],
        tmp_path_factory.mktemp(isa) / "vector_math.so",
        *SAME[:2],
        *ISA_FLAGS[isa],
        *QUIET,
        *defines,
        "-I",
        str(SOURCES / "csrc" / "isa"),
    )
    loaded = ctypes.CDLL(str(library))

    def call(name: str, x: np.ndarray) -> np.ndarray:
        x = np.ascontiguousarray(x, np.float32)
        out = np.empty_like(x)
        pointer = ctypes.POINTER(ctypes.c_float)
        getattr(loaded, name)(
            x.ctypes.data_as(pointer), out.ctypes.data_as(pointer), ctypes.c_int64(x.size)
        )
        return out

    return call


def ulp_error(got: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """Distance in units in the last place of the exact value, of a denormal below 2^-126."""
    ulp = np.maximum(np.exp2(np.floor(np.log2(np.abs(exact) + 1e-300)) - 23), 2.0**-149)
    return np.abs(got - exact) / ulp


def every_nth_float(n: int) -> np.ndarray:
    with np.errstate(all="ignore"):
        return np.arange(0, 2**32, n, dtype=np.uint64).astype(np.uint32).view(np.float32)


Math = Callable[[str, np.ndarray], np.ndarray]


def test_exp_is_within_two_ulp_of_every_float(vector_math: Math) -> None:
    x = every_nth_float(997)
    x = x[(x > -104) & (x <= 88.72283)]
    x = np.concatenate([x, np.linspace(-104, 88.72283, 1_000_001, dtype=np.float32)])
    exact = np.exp(x.astype(np.float64))
    error = ulp_error(vector_math("exp_of", x), exact)
    assert (error <= 2).all(), f"{error.max()} ulp at {x[error.argmax()]!r}"


def test_log_is_within_two_ulp_of_every_positive_float(vector_math: Math) -> None:
    x = every_nth_float(997)
    x = x[(x > 0) & np.isfinite(x)]
    near_one = (1 + np.arange(-50_000, 50_000) * 2.0**-24).astype(np.float32)
    x = np.concatenate([x, near_one[near_one != 1]])
    error = ulp_error(vector_math("log_of", x), np.log(x.astype(np.float64)))
    assert (error <= 2).all(), f"{error.max()} ulp at {x[error.argmax()]!r}"


def test_exp_of_special_values(vector_math: Math) -> None:
    x = np.array(
        [0, -0.0, np.inf, -np.inf, np.nan, 88.7228, 88.73, -103.97, -104.1, 3e38, -3e38, 1e-45]
    )
    want = [
        1,
        1,
        np.inf,
        0,
        np.nan,
        np.exp(np.float32(88.7228)),
        np.inf,
        2.0**-149,
        0,
        np.inf,
        0,
        1,
    ]
    np.testing.assert_allclose(vector_math("exp_of", x), np.float32(want), rtol=2e-7)


def test_log_of_special_values(vector_math: Math) -> None:
    x = np.array([1, 0, -0.0, np.inf, -np.inf, np.nan, -1, 2.0**-149, 2.0**-126])
    want = [
        0,
        -np.inf,
        -np.inf,
        np.inf,
        np.nan,
        np.nan,
        np.nan,
        np.log(2.0**-149),
        np.log(2.0**-126),
    ]
    np.testing.assert_allclose(vector_math("log_of", x), np.float32(want), rtol=2e-7)


def test_sine_and_cosine_of_a_turn_are_within_the_stated_bound(vector_math: Math) -> None:
    k = np.concatenate([np.arange(0, 2**24, 7), np.arange(0, 2**24, 2**18)])  # quarters too
    turns = k / 2.0**24
    for name, function in (("sin_turn_of", np.sin), ("cos_turn_of", np.cos)):
        error = np.abs(vector_math(name, turns) - function(2 * np.pi * turns))
        assert (error <= 1.6 * 2.0**-24).all(), f"{error.max()} at {turns[error.argmax()]!r}"


def test_quarters_of_a_turn_are_exact_far_from_zero_too(vector_math: Math) -> None:
    turns = np.array([0, 0.25, 0.5, 0.75, 1, -0.25, 1000.25, -65536.5, np.inf, np.nan])
    sines, cosines = (vector_math(name, turns) for name in ("sin_turn_of", "cos_turn_of"))
    np.testing.assert_array_equal(sines, [0, 1, 0, -1, 0, -1, 1, 0, np.nan, np.nan])
    np.testing.assert_array_equal(cosines, [1, 0, -1, 0, 1, 0, 0, -1, np.nan, np.nan])
