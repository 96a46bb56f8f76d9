"""`baregrad sim`: ops, kernels, rungs, and programs with all their ways to go wrong."""

from __future__ import annotations

import re
import shutil
import textwrap
from pathlib import Path

import baregrad as bg
import numpy as np
import pytest
from baregrad import backend, pieces, sim
from baregrad.cli import main
from simulated import counted_product
from toolchain import compiler

pytestmark = [
    pytest.mark.skipif(compiler() is None, reason="no C++ compiler on this machine"),
    pytest.mark.skipif(backend.why_absent("sim") is not None, reason="this build has no simulator"),
]
needs_objdump = pytest.mark.skipif(shutil.which("objdump") is None, reason="needs objdump")

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "cuda" / "simt" / "README.md"


@needs_objdump
def test_operations_are_those_of_the_instructions_that_ran(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (kernel,) = counted_product().kernels
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
    (kernel,) = counted_product().kernels
    assert kernel.flops is None
    assert "floating-point operations: unknown without objdump" in str(kernel)
    pieces.flops_of.cache_clear()


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


def test_rounded_products_are_held_to_those_of_rounded_factors(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["sim", "gemm", "--size", "70", "90", "40", "--use", "precision=bf16"]) == 0
    assert "gemm-m70-n90-k40-of bf16 numbers: right, and no fault" in capsys.readouterr().out


def test_kernels_of_the_cpu_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["sim", "gemm", "--use", "gemm=ladder/4_packed"])
    assert "'gemm=ladder/4_packed' has no gemm for sim, expected a .cu" in capsys.readouterr().err


@needs_objdump
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


def test_a_pointer_of_the_host_is_found_though_the_program_has_asked_for_the_error(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run_program(tmp_path, HOST_POINTER) == 1
    out, err = capfd.readouterr()
    assert out.startswith("asked: program.cu:3: access outside global memory in copy_kernel")
    assert out.endswith("no kernel ran to its end\n")
    assert "thread 0 reads 4 bytes: an address that cudaMalloc did not give" in err


def test_managed_memory_may_be_written_by_the_host(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run_program(tmp_path, MANAGED) == 7
    assert "copy_kernel: 1 launch, 1 blocks of 8 threads" in capfd.readouterr().out


def test_a_copy_of_fewer_than_four_numbers_begins_at_a_multiple_of_16_bytes_too(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run_program(tmp_path, COPIES.replace("OFFSET", "4")) == 3
    assert run_program(tmp_path, COPIES.replace("OFFSET", "1")) == 4  # as if nothing were copied
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


WRONG = """#include <cassert>
#include <cstdlib>
__global__ void turn_kernel(float* y) {
  __shared__ float cells[64];
  cells[threadIdx.x] = 1;
  y[threadIdx.x] = cells[63 - threadIdx.x];
}
int main() {
  float *y, host[64];
  cudaMalloc(&y, sizeof host);
  turn_kernel<<<1, 64>>>(y);
  LEAVE;
}
"""


@pytest.mark.parametrize(
    ("leave", "code"),
    [
        ("std::exit(0)", 1),
        ("std::exit(7)", 7),
        ("return 0", 1),
        ("cudaGetLastError(); return 0", 1),
        ("cudaFree(host); return 0", 1),
        ("return cudaMemcpy(host, y, sizeof host, cudaMemcpyDeviceToHost) % 256", 719 % 256),
    ],
)
def test_a_fault_is_told_however_the_program_ends(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], leave: str, code: int
) -> None:
    assert run_program(tmp_path, WRONG.replace("LEAVE", leave)) == code
    out, err = capfd.readouterr()
    assert err.startswith("\nprogram.cu:6: read of what nobody wrote in turn_kernel")
    assert out == "\nno kernel ran to its end\n"


def test_a_fault_is_told_before_an_assert_ends_the_program(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run_program(tmp_path, WRONG.replace("LEAVE", 'assert(!"right")'))
    err = capfd.readouterr().err
    assert "program.cu:6: read of what nobody wrote in turn_kernel" in err
    assert err.endswith("the program crashed with SIGABRT\n")


MEMORY = """#include <cstdio>
__constant__ float two[2];
int main() {
  float host[64] = {}, *x;
  cudaMalloc(&x, 64);
  CALL;
  return 0;
}
"""


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        ("cudaMemcpy(x, host, 256, cudaMemcpyHostToDevice)",
         "cudaMemcpy: 256 bytes to byte 0 of the 64 bytes of allocation 1"),
        ("cudaMemcpy(host, x + 9, 64, cudaMemcpyDeviceToHost)",
         "cudaMemcpy: 64 bytes from byte 36 of the 64 bytes of allocation 1"),
        ("cudaMemcpy(host, host, 64, cudaMemcpyHostToDevice)",
         "cudaMemcpy: 64 bytes to memory of the host"),
        ("cudaMemcpy(x, host, 64, cudaMemcpyDeviceToHost)",
         "cudaMemcpy: 64 bytes to memory of the device"),
        ("cudaFree(x); cudaMemcpy(host, x, 64, cudaMemcpyDeviceToHost)",
         "cudaMemcpy: 64 bytes from memory that was freed"),
        ("cudaMemcpy(host, x + 1, std::size_t(-8), cudaMemcpyDeviceToHost)",
         "cudaMemcpy: 18446744073709551608 bytes from byte 4 of the 64 bytes of allocation 1"),
        ("cudaMemset(x, 0, 65)", "cudaMemset: 65 bytes to byte 0 of the 64 bytes of allocation 1"),
        ("cudaMemcpyToSymbol(two, host, 12)", "a copy of a symbol: 12 bytes are more than it has"),
    ],
)  # fmt: skip
def test_the_host_keeps_to_what_it_was_given(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], call: str, sentence: str
) -> None:
    assert run_program(tmp_path, MEMORY.replace("CALL", call)) == 1
    assert capfd.readouterr().err == f"\nprogram.cu:6: invalid argument of {sentence}\n"


HISTOGRAM = """#include "turn.cuh"
__global__ void histogram_kernel(unsigned* bins) {
  atomicAdd(&bins[turned(threadIdx.x) % 4], 1u);
  atomicAdd(&bins[4], 1u);
  if (threadIdx.x == 40) atomicAdd(&bins[5], 1u);
}
int main() {
  unsigned* bins;
  cudaMalloc(&bins, 20);
  cudaMemset(bins, 0, 20);
  histogram_kernel<<<1, 64>>>(bins);
  return 0;
}
"""
TURN = """__device__ unsigned turned(unsigned value) {
  __shared__ unsigned cells[64];
  cells[threadIdx.x] = value;
  __syncthreads();
  return cells[63 - threadIdx.x];
}
"""


def test_lines_are_those_of_atomics_and_of_headers_of_ones_own(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "turn.cuh").write_text(TURN)
    assert run_program(tmp_path, HISTOGRAM) == 1
    err = capfd.readouterr().err
    assert err.startswith("\nprogram.cu:5: access outside global memory in histogram_kernel")
    assert "thread 40 updates 4 bytes: right behind the 20 bytes of allocation 1" in err
    assert run_program(tmp_path, HISTOGRAM.replace("== 40", "== 64")) == 0
    out = capfd.readouterr().out
    assert re.search(r"    4 \| atomicAdd\(&bins\[4\], 1u\);\s+global updates +2", out)
    assert re.search(r"turn.cuh .*\n +3 \| cells.*\n +5 \| return cells", out)


def test_what_a_file_leaves_out_of_an_op_is_counted_all_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "half.cu"
    source.write_text(
        "__global__ void mine(const float* x, float* out, int64_t n, int64_t c) {\n"
        "  const int64_t i = blockIdx.x * int64_t(blockDim.x) + threadIdx.x;\n"
        "  if (i >= n) return;\n"
        "  float most = -INFINITY, sum = 0;\n"
        "  for (int64_t j = 0; j < c; ++j) most = fmaxf(most, x[i * c + j]);\n"
        "  for (int64_t j = 0; j < c; ++j) sum += expf(x[i * c + j] - most);\n"
        "  for (int64_t j = 0; j < c; ++j) out[i * c + j] = expf(x[i * c + j] - most) / sum;\n"
        "}\n"
        "void softmax_forward(const float* x, float* out, int64_t n, int64_t c, cudaStream_t stream) {\n"
        "  if (n * c) mine<<<(n + 31) / 32, 32, 0, stream>>>(x, out, n, c);\n"
        "}\n"
    )
    with bg.use(sim="counted", softmax=str(source)):
        table = backend.device("sim").table
        x = backend.device("sim").from_numpy(np.ones((4, 5), np.float32))
        table.log_softmax_forward(x)
        assert sum(kernel.requests for kernel in sim.report().kernels) > 0


@pytest.mark.parametrize("where", ["{folder}/other/turn.cuh", "../other/turn.cuh"])
def test_a_header_that_lies_elsewhere_stays_as_it_is(tmp_path: Path, where: str) -> None:
    header, mine = tmp_path / "other" / "turn.cuh", tmp_path / "mine"
    text = "// no word of CUDA\ninline unsigned turned(unsigned value) { return value; }\n"
    header.parent.mkdir()
    header.write_text(text)
    mine.mkdir()
    program = HISTOGRAM.replace('"turn.cuh"', f'"{where.format(folder=tmp_path)}"')
    assert run_program(mine, program.replace("== 40", "== 64")) == 0
    assert header.read_text() == text
