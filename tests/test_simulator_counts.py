"""What the simulator counts, where it is known by hand: sectors, banks, lanes."""

from __future__ import annotations

import ctypes
import re
import shutil
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import baregrad as bg
import numpy as np
import pytest
from baregrad import backend, pieces, sim
from baregrad.cli import main
from simulated import EVERY_SCHEDULE, PROGRAMS, SUCCESS, Simulator, line_of
from toolchain import compile_watched, compiler

pytestmark = pytest.mark.skipif(compiler() is None, reason="no C++ compiler on this machine")
needs_sim = pytest.mark.skipif(
    backend.why_absent("sim") is not None, reason="this build has no simulator"
)

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "cuda" / "simt" / "README.md"
READ, WRITE, ATOMIC = 0, 1, 2


class Counts(NamedTuple):
    requests: int
    lanes: int
    bytes: int
    transactions: int
    least: int


class Counted:
    """counted.cu, and what it was found to do at a line."""

    def __init__(self, simulator: Simulator, kernels: ctypes.CDLL) -> None:
        self.control, self.kernels = simulator.control, kernels

    def run(self, kernel: str, *arguments: int, x: Any = (), out: int = 0) -> np.ndarray:
        """What `kernel` leaves in `out` numbers, from x and further arguments."""
        host = np.asarray(x, np.float32)
        result = np.zeros(out, np.float32)
        data = [a.ctypes.data_as(ctypes.c_void_p) for a in (host, result)]
        self.kernels.run.restype = ctypes.c_int
        call = ctypes.cast(getattr(self.kernels, kernel), ctypes.c_void_p)
        argument = arguments[0] if arguments else 0
        code = self.kernels.run(call, *data, len(host), out, argument)
        assert code == SUCCESS, self.control.error_text(code)
        return result

    def at(self, what: str, kind: int, shared: bool = False) -> Counts:
        """The counts of the line that ends with "// count: <what>"."""
        number = line_of(what, "counted.cu", "count").split(":")[1]
        found = [line.split() for line in self.control.counted().decode().splitlines()]
        (counts,) = (f[3:] for f in found if f[:3] == [number, str(int(shared)), str(kind)])
        return Counts(*map(int, counts))

    def pieces(self, what: str) -> list[tuple[int, int]]:
        """Turns and lanes of the pieces that begin in that line."""
        number = line_of(what, "counted.cu", "count").split(":")[1]
        self.control.counted_pieces.restype = ctypes.c_char_p
        found = [line.split() for line in self.control.counted_pieces().decode().splitlines()]
        return [(int(turns), int(lanes)) for line, turns, lanes in found if line == number]


@pytest.fixture(scope="module")
def library(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    folder = tmp_path_factory.mktemp("counted")
    return ctypes.CDLL(str(compile_watched(PROGRAMS / "counted.cu", folder / "counted.so")))


@pytest.fixture
def counted(simulator: Simulator, library: ctypes.CDLL) -> Iterator[Counted]:
    simulator.control.set_counting(True)
    yield Counted(simulator, library)
    simulator.control.set_counting(False)


X = np.arange(1024, dtype=np.float32)


@EVERY_SCHEDULE
@pytest.mark.parametrize(
    ("stride", "sectors"), [(1, 4), (2, 8), (4, 16), (8, 32), (32, 32), (0, 1)]
)
def test_a_stride_costs_sectors(counted: Counted, schedule: str, stride: int, sectors: int) -> None:
    np.testing.assert_array_equal(
        counted.run("copy", stride, x=X, out=32), X[stride * np.arange(32)]
    )
    least = 4 if stride else 1
    assert counted.at("strided", READ) == Counts(1, 32, 128, sectors, least)
    assert counted.at("side by side", WRITE) == Counts(1, 32, 128, 4, 4)


def test_all_lanes_may_read_one_number_at_once(counted: Counted) -> None:
    counted.run("broadcast", x=X, out=32)
    assert counted.at("broadcast", READ) == Counts(1, 32, 128, 1, 1)


@EVERY_SCHEDULE
def test_lanes_that_take_no_part_are_not_counted(counted: Counted, schedule: str) -> None:
    counted.run("half", x=X, out=32)
    assert counted.at("half", READ) == Counts(1, 16, 64, 4, 2)
    counted.run("uneven", out=1024)
    requests = counted.at("uneven", WRITE)
    assert (requests.requests, requests.lanes) == (32, 32 * 33 // 2)


def test_a_vector_is_one_request(counted: Counted) -> None:
    np.testing.assert_array_equal(counted.run("vector", x=X[:128], out=128), X[:128])
    assert counted.at("vector", READ) == counted.at("vector", WRITE) == Counts(1, 32, 512, 16, 16)


@EVERY_SCHEDULE
@pytest.mark.parametrize(("padded", "passes"), [(False, 32), (True, 1)])
def test_a_column_of_32_is_in_one_bank_unless_rows_are_padded(
    counted: Counted, schedule: str, padded: bool, passes: int
) -> None:
    want = X.reshape(32, 32).sum(axis=1)
    np.testing.assert_allclose(counted.run("column", padded, x=X, out=32), want)
    assert counted.at("column", READ, shared=True) == Counts(32, 1024, 4096, 32 * passes, 32)


@EVERY_SCHEDULE
def test_lanes_that_branch_off_or_stay_in_a_loop_are_counted(
    counted: Counted, schedule: str
) -> None:
    want = np.where(np.arange(32) % 4 == 0, X[:32] * 3 + 1, X[:32])
    np.testing.assert_array_equal(counted.run("branch", x=X[:32], out=32), want)
    assert counted.pieces("branch") == [(1, 8)]
    counted.run("uneven", out=1024)
    assert (32, 32 * 33 // 2) in counted.pieces("uneven")


def test_atomics_on_one_word_take_turns(counted: Counted) -> None:
    counted.run("histogram", out=2)
    assert counted.at("atomic", ATOMIC, shared=True) == Counts(1, 32, 128, 16, 1)


def test_launches_add_up_and_what_is_not_asked_for_is_not_counted(counted: Counted) -> None:
    for _ in range(3):
        counted.run("copy", 1, x=X, out=32)
    assert counted.at("strided", READ).requests == 3
    counted.control.set_counting(False)
    counted.run("copy", 1, x=X, out=32)
    assert counted.control.counted() == b""


# As Python sees it


def product(**entries: str) -> sim.Report:
    a = np.random.default_rng(0).standard_normal((64, 48), np.float32)
    with bg.use(sim="counted", **entries):
        there = backend.device("sim").from_numpy(a)
        backend.device("sim").table.gemm(there, there.mT)
        return sim.report()


@needs_sim
def test_report_names_lines_of_our_kernels() -> None:
    (kernel,) = product().kernels
    assert (kernel.name.partition("<")[0], kernel.launches) == ("multiply_kernel", 1)
    writes = [a for a in kernel.accesses if (a.memory, a.does) == ("global", "writes")]
    assert sum(access.bytes for access in writes) == 4 * 64 * 64
    assert {access.file for access in kernel.accesses} == {"cuda/kernels/tiles.cuh"}
    assert "write_four" in writes[0].text
    assert writes[0].text[:40] in str(kernel)
    assert product()[kernel.name] == kernel  # forgotten between the two
    with pytest.raises(KeyError, match="no kernel 'gem' was counted, only multiply_kernel"):
        product()["gem"]
    sim.reset()
    assert sim.report().kernels == ()
    assert "nothing was counted" in str(sim.report())


@needs_sim
@pytest.mark.skipif(shutil.which("objdump") is None, reason="needs objdump")
def test_operations_are_those_of_the_instructions_that_ran(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (kernel,) = product().kernels
    outputs = 64 * 64  # one tile; alpha sum + beta c + bias, and for each four beta != 0
    assert kernel.flops == outputs * (2 * 48 + 4) + outputs // 4
    program = tmp_path / "program.cu"
    change = "if (threadIdx.x < 2) y[threadIdx.x] = expf(fmaf(x[threadIdx.x], 3.f, 1.f)) / x[1];"
    program.write_text(PROGRAM.replace("y[threadIdx.x] = x[threadIdx.x];", change))
    main(["sim", str(program)])
    out = capfd.readouterr().out  # a multiply-add, a function and a division of two lanes
    assert "floating-point operations: 8; lanes busy: 2" in out
    assert "program.cu:3, 2.0 of 32\n" in out
    monkeypatch.setattr(shutil, "which", lambda tool: None)
    pieces.flops_of.cache_clear()
    (kernel,) = product().kernels
    assert kernel.flops is None
    assert "floating-point operations: unknown without objdump" in str(kernel)
    pieces.flops_of.cache_clear()


@needs_sim
def test_sim_shows_an_op_its_rung_and_a_program(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["sim", "maxpool2d"]) == 0
    out = capfd.readouterr().out
    assert "maxpool2d_backward-" in out
    assert "right, and no fault found" in out
    assert main(["sim", "relu_forward"]) == 0
    out = capfd.readouterr().out
    assert "unary_forward_kernel<Kind>: 1 launch" in out
    assert "cuda/kernels/unary.cu  " in out
    assert main(["sim", "binary"]) == 0
    out = capfd.readouterr().out
    assert "cuda/kernels/binary.cu  " not in out
    assert "With the lines of its source, one of them: baregrad sim add" in out
    assert main(["sim", "gemm", "--size", "33", "20", "40", "--use", "gemm=ladder/0"]) == 0
    assert "gemm_naive_kernel: 1 launch" in capfd.readouterr().out
    program = tmp_path / "program.cu"
    program.write_text(PROGRAM)
    assert main(["sim", str(program)]) == 3
    out = capfd.readouterr().out
    assert "copied 7\n" in out
    assert "copy_kernel: 1 launch, 1 blocks of 8 threads" in out
    program.write_text(PROGRAM.replace("x[threadIdx.x]", "x[threadIdx.x + 1]"))
    assert main(["sim", str(program)]) == 3
    assert "program.cu:3: access outside global memory in copy_kernel" in capfd.readouterr().err
    program.write_text(PROGRAM.replace("return 3", "*(volatile int*)8 = 0"))
    with pytest.raises(SystemExit):
        main(["sim", str(program)])
    assert "the program crashed with SIGSEGV" in capfd.readouterr().err


@needs_sim
def test_a_program_of_a_tutorial_runs_and_is_given_its_arguments(
    capfd: pytest.CaptureFixture[str],
) -> None:
    program = str(Path(__file__).parent / "simulator" / "tutorial.cu")
    assert main(["sim", program]) == 0
    assert "300 of 300 done, the first 1, the last -300, the 101st 0\n" in capfd.readouterr().out
    assert main(["sim", program, "1000", "--schedule", "reverse"]) == 0
    out = capfd.readouterr().out
    assert "1000 of 1000 done, the first 1, the last -1000, the 101st 0\n" in out
    assert "stencil<1>: 1 launch, 8 blocks of 128 threads" in out


@needs_sim
def test_rounded_products_are_held_to_those_of_rounded_factors(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["sim", "gemm", "--size", "70", "90", "40", "--use", "precision=bf16"]) == 0
    assert "gemm-m70-n90-k40-of bf16 numbers: right, and no fault" in capsys.readouterr().out


@needs_sim
def test_kernels_of_the_cpu_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["sim", "gemm", "--use", "gemm=ladder/4_packed"])
    assert "'gemm=ladder/4_packed' has no gemm for sim, expected a .cu" in capsys.readouterr().err


@needs_sim
@pytest.mark.skipif(shutil.which("objdump") is None, reason="needs objdump")
def test_the_page_shows_what_its_example_prints(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    listings = re.findall(r"(?:^    .*\n|^\n)+", PAGE.read_text(), re.MULTILINE)
    shown = [textwrap.dedent(listing).strip() for listing in listings]
    assert main(["sim", "examples/reverse.cu"]) == 0
    printed = "\n".join(line.rstrip() for line in capfd.readouterr().out.splitlines())
    assert printed in shown
    text = (ROOT / "examples" / "reverse.cu").read_text()
    wrong = tmp_path / "reverse.cu"
    wrong.write_text(re.sub(r".*__syncthreads.*\n", "", text))
    assert main(["sim", str(wrong)]) == 1
    assert capfd.readouterr().err.strip() in shown


def run_program(tmp_path: Path, text: str) -> int:
    program = tmp_path / "program.cu"
    program.write_text(text)
    return main(["sim", str(program)])


@needs_sim
def test_a_pointer_of_the_host_is_found_though_the_program_has_asked_for_the_error(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run_program(tmp_path, HOST_POINTER) == 1
    out, err = capfd.readouterr()
    assert out.startswith("asked: program.cu:3: access outside global memory in copy_kernel")
    assert out.endswith("no kernel ran to its end\n")
    assert "thread 0 reads 4 bytes: an address that cudaMalloc did not give" in err


@needs_sim
def test_managed_memory_may_be_written_by_the_host(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run_program(tmp_path, MANAGED) == 7
    assert "copy_kernel: 1 launch, 1 blocks of 8 threads" in capfd.readouterr().out


@needs_sim
def test_a_copy_of_fewer_than_four_numbers_begins_at_a_multiple_of_16_bytes_too(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run_program(tmp_path, COPIES.replace("OFFSET", "4")) == 3
    assert run_program(tmp_path, COPIES.replace("OFFSET", "1")) == 1
    err = capfd.readouterr().err
    assert "misaligned access in copy_kernel" in err
    assert "the address is no multiple of 16, byte 4 of the 64 bytes" in err


COPIES = """#include "../ptx.h"
__global__ void copy_kernel(const float* x, float* y) {
  __shared__ __align__(16) float four[4];
  baregrad::ptx::copy_four_async(four, x + OFFSET, 3);
  baregrad::ptx::commit_copies();
  baregrad::ptx::wait_for_copies<0>();
  for (int e = 0; e < 4; ++e) y[e] = four[e];
}
int main() {
  float host[16], *x, *y;
  for (int i = 0; i < 16; ++i) host[i] = 1;
  cudaMalloc(&x, sizeof host);
  cudaMalloc(&y, sizeof host);
  cudaMemcpy(x, host, sizeof host, cudaMemcpyHostToDevice);
  copy_kernel<<<1, 1>>>(x, y);
  cudaMemcpy(host, y, 16, cudaMemcpyDeviceToHost);
  return int(host[0] + host[1] + host[2] + host[3]);
}
"""
KERNEL = """#include <cstdio>
__global__ void copy_kernel(const float* x, float* y) {
  y[threadIdx.x] = x[threadIdx.x];
}
"""
HOST_POINTER = f"""{KERNEL}int main() {{
  float x[8] = {{}}, y[8];
  copy_kernel<<<1, 8>>>(x, y);
  printf("asked: %s\\n", cudaGetErrorString(cudaGetLastError()));
}}
"""
MANAGED = f"""{KERNEL}int main() {{
  float *x, *y;
  cudaMallocManaged(&x, 32);
  cudaMallocManaged(&y, 32);
  for (int i = 0; i < 8; ++i) x[i] = i;
  copy_kernel<<<1, 8>>>(x, y);
  cudaDeviceSynchronize();
  return int(y[7]);
}}
"""
PROGRAM = """#include <cstdio>
__global__ void copy_kernel(const float* x, float* y) {
  y[threadIdx.x] = x[threadIdx.x];
}
int main() {
  float host[8] = {0, 1, 2, 3, 4, 5, 6, 7}, *x, *y;
  cudaMalloc(&x, sizeof host);
  cudaMalloc(&y, sizeof host);
  cudaEvent_t begin, end;
  cudaEventCreate(&begin);
  cudaEventCreate(&end);
  cudaMemcpy(x, host, sizeof host, cudaMemcpyHostToDevice);
  cudaEventRecord(begin);
  copy_kernel<<<1, 8>>>(x, y);
  cudaEventRecord(end);
  cudaEventSynchronize(end);
  float milliseconds = -1;
  cudaEventElapsedTime(&milliseconds, begin, end);
  cudaMemcpy(host, y, sizeof host, cudaMemcpyDeviceToHost);
  if (milliseconds >= 0) printf("copied %g\\n", host[7]);
  cudaFree(x);
  cudaFree(y);
  return 3;
}
"""


@needs_sim
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["gem"], "argument what: 'gem', expected a .cu file, a kernel or one of gemm, "),
        (["fill", "--size", "3"], "argument --size: none for fill, expected one of gemm, "),
        (["gemm", "--size", "3"], "argument --size: 1 numbers, expected m n k for gemm"),
        (["gemm", "--schedule", "sideways"], "schedule is 'sideways', expected forward, reverse"),
        (["gemm", "7"], "argument ARG: gemm is no program, expected none"),
        (["a.cu", "--use", "gemm=ladder/0"], "argument --use: a.cu is a program, expected an op"),
        (["a.cu", "--size", "3"], "argument --size: a.cu is a program, expected an op"),
        (["nothing.cu"], r"nothing.cu: No such file"),
    ],
)
def test_sim_refuses_with_a_sentence(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["sim", *arguments])
    assert sentence in capsys.readouterr().err
