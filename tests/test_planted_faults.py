"""The tests' own test: faults planted into a copy of the kernels must each be caught.

A fault is a line of a kernel changed. The kernels are compiled with it into a plug-in, laid over
the table in use, and the cases of the op must find it.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import baregrad as bg
import numpy as np
import pytest
from baregrad import _cpu, backend
from baregrad.cases import OPS
from baregrad.cases.check import BoundError, check, exact_result
from baregrad.cases.on_device import OnDevice
from toolchain import SIMT, SOURCES, compile_shared, compiler, translate_cu

pytestmark = pytest.mark.skipif(compiler() is None, reason="planting a fault needs a C++ compiler")


@dataclass(frozen=True)
class Fault:
    op: str
    what: str
    right: str
    wrong: str
    shared: str = ""  # the header in which the line stands, if not the op's own file


CPU = [
    Fault("gemm", "drops the last k term", "for (int64_t p = 0; p < k; ++p, a += kTileRows",
          "for (int64_t p = 0; p + 1 < k; ++p, a += kTileRows", "blocked"),
    Fault("gemm", "drops the last column of a tail", "const int64_t n = columns - j;",
          "const int64_t n = columns - j - (columns % kLanes == 3);"),
    Fault("gemm", "forgets beta", "out = fma(broadcast(beta), c, out)", "out = out"),
    Fault("gemm", "takes the bias of the first tile for all", "bias + part.column", "bias"),
    Fault("gemm", "overwrites what an earlier block of k found",
          "Update update = {alpha, 1.f, nullptr};", "Update update = {alpha, 0.f, nullptr};"),
    Fault("gemm", "rounds products to bfloat16", "sum[i][j] = fma(broadcast(a[i]), row[j], sum[i][j]);",
          "sum[i][j] += floats(bits(broadcast(a[i]) * row[j]) & 0xffff0000u);", "blocked"),
    Fault("unary", "lets a gradient through at 0", "out <= 0.f ? Vec{} : dout", "out < 0.f ? Vec{} : dout"),
    Fault("unary", "leaves the tail unwritten",
          "store_n(out + i, Kind::forward(load_n(x + i, end - i, 0.f), alpha), end - i);", ""),
    Fault("unary", "takes the slope of gelu for its probability", "fma(x, density, below) * dout", "below * dout"),
    Fault("unary", "rounds alpha to a half", "x > 0.f ? dout : alpha * dout", "x > 0.f ? dout : 0.5f * dout"),
    Fault("binary", "takes the first row of a for all", "load_steps(p + j * a_step", "load_steps(a + j * a_step"),
    Fault("binary", "ends the series of a logarithm early", "p * z + 1 / 5.", "0. * p + 1 / 5."),
    Fault("binary", "swaps the operands of a difference", "return a - b;", "return b - a;"),
    Fault("compare", "takes equal for less", "return a < b;", "return a <= b;"),
    Fault("compare", "takes the first row of b for all", "load_steps(q + j * b_step", "load_steps(b + j * b_step"),
    Fault("where", "asks the first condition for a whole row", "load_bools(c + j * c_step, c_step", "load_bools(c + j * c_step, 0"),
    Fault("where", "chooses the wrong one", "holds ? x : y", "holds ? y : x"),
    Fault("fill", "skips every other element", "row[j * step] = value", "row[(j & ~1) * step] = value"),
    Fault("fill", "leaves the last element", "for (int64_t j = 0; j < n; ++j) row[j] = value",
          "for (int64_t j = 0; j + 1 < n; ++j) row[j] = value"),
    Fault("cast", "lets a large float run over", "if (x >= kEnd) return kMost;", ""),
    Fault("cast", "rounds to nearest", "return x == x ? To(x) : To(0);", "return x == x ? To(x + From(0.5)) : To(0);"),
    Fault("copy_strided", "repeats the first column of a tile", "x[i * x_row + j * x_column]", "x[i * x_row + j0 * x_column]"),
    Fault("copy_strided", "leaves the last rows of a plane", "least(kCopyTile, rows - i)", "least(kCopyTile, rows - i - 1)"),
    Fault("softmax_xent", "does not take the largest logit away", "exp(load(x + j) - row_max)", "exp(load(x + j))",
          "rows"),
    Fault("softmax_xent", "counts the tail's empty lanes", "exp(load_n(x + whole, tail, -kInfinity) - row_max)",
          "exp(load_n(x + whole, tail, row_max) - row_max)", "rows"),
    Fault("softmax_xent", "forgets the weight in the gradient", "w / row.sum", "1.f / row.sum"),
    Fault("softmax", "divides by the largest", "1.f / exponentials(x + i * c, row, c).sum", "1.f / exponentials(x + i * c, row, c).max"),
    Fault("softmax", "forgets the logarithm's maximum", "lanes.read(x_row + j) - found.max - log_sum", "lanes.read(x_row + j) - log_sum"),
    Fault("softmax", "drops the end of a run", "keep(first);", "if (n - j >= kStep) keep(first);", "rows"),
    Fault("batch_norm", "divides by one less than there are", "squares.get(0) / count", "squares.get(0) / (count - 1)"),
    Fault("batch_norm", "counts the tail's empty lanes", "lanes.read(p + j, m) - m;", "lanes.read(p + j) - m;"),
    Fault("batch_norm", "forgets that the mean depends on x", "slope, dout - dout_mean)", "slope, dout)"),
    Fault("batch_norm", "forgets the rows beyond the last four", "for (; i < end; ++i) {", "for (; i < end; i = end) {", "rows"),
    Fault("layer_norm", "forgets the second sum", "inverse * (g - g_mean - h * slope)", "inverse * (g - g_mean)"),
    Fault("layer_norm", "takes the first chunk alone", "fold_columns<Plus>(chunks, columns", "fold_columns<Plus>(least(chunks, 1), columns"),
    Fault("layer_norm", "rounds the mean to bfloat16", "const float m = float(sum.get(0) / double(d));",
          "const float m = floats(bits(broadcast(float(sum.get(0) / double(d)))) & 0xffff0000u)[0];"),
    Fault("reduce", "leaves out the last piece", "piece < pieces; ++piece)", "piece + 1 < pieces; ++piece)"),
    Fault("reduce", "centres on nothing", "(x - mean) * (x - mean)", "x * x"),
    Fault("reduce", "fills tails with 0", "return Extreme::kNothing; }", "return 0.f; }"),
    Fault("reduce", "takes the last of equals", "while (!is_best(x[i])) ++i;", "for (int64_t k = i; k < n; ++k) if (is_best(x[k])) i = k;"),
    Fault("reduce", "forgets the correction", "n > correction ? n - correction : 0", "n"),
    Fault("bias_activation", "gives all channels the bias of the first", "bias[plane % c]", "bias[0]"),
    Fault("bias_activation", "sums dout for dx", "lanes.write(dx + at, t[0]);", "lanes.write(dx + at, t[0]); t[0] = lanes.read(dout + at);"),
    Fault("philox", "stops one round short", "constexpr int kRounds = 10;", "constexpr int kRounds = 9;"),
    Fault("philox", "forgets the upper half of the counter", "c1 = low >> 32", "c1 = {}"),
    Fault("philox", "gives the second half of the blocks first", "{reinterpret_cast<Vec>(even_lanes(front, back))",
          "{reinterpret_cast<Vec>(odd_lanes(front, back))"),
    Fault("philox", "takes the logarithm of 0", "join(w.word[0], w.word[2]))) + 0x1p-24f", "join(w.word[0], w.word[2])))"),
    Fault("philox", "does not scale what it keeps", "v * scale : Vec{}", "v : Vec{}"),
    Fault("gather_rows", "drops the last column of a tail", "for (int64_t j = begin; j < end; j += kLanes)",
          "for (int64_t j = begin; j + 1 < end; j += kLanes)"),
    Fault("gather_rows", "misses the last row of the table", "rows[i] >= last) continue;", "rows[i] + 1 >= last) continue;"),
    Fault("sgd_step", "takes the old velocity for Nesterov's", "fma(keep, v, g) : v", "v : v"),
    Fault("sgd_step", "leaves the velocity as it was", "store_upto(tensor.velocity + i, v, n);", ""),
    Fault("adam_step", "lets a decoupled decay into the gradient", "Decoupled ? grad : fma(decay, param, grad)",
          "fma(decay, param, grad)"),
    Fault("adam_step", "forgets the second bias correction", "1 / (1 - power(beta2, *step))", "1"),
    Fault("adam_step", "squares the gradient's moment", "rest2 * g * g", "rest2 * m * m"),
    Fault("conv2d", "packs the first tile of filters for all", "weight + (g * o + i) * k + k0;",
          "weight + g * o * k + k0;"),
    Fault("conv2d", "adds the bias once a block", "const bool fresh = part.first && !add;",
          "const bool fresh = !add;"),
    Fault("conv2d", "takes one step for all phases", "step = stride / divisor;", "step = stride;"),
    Fault("conv2d", "forgets a chunk of the batch", "chunk < chunks && s.n > 0", "chunk < (chunks + 1) / 2 && s.n > 0"),
    Fault("conv2d", "stays in a row of the window", "if (++cell == windows.kw) cell = 0, ++i;",
          "if (++cell == windows.kw) cell = 0;", "windows"),
    Fault("im2col", "reads beyond the right border", "const int64_t end = start < w ? least(divide_up(w - start, step), n) : 0;",
          "const int64_t end = n;", "windows"),
    Fault("im2col", "overwrites where windows overlap", "out[start + x * step] += row[x] / divisor;",
          "out[start + x * step] = row[x] / divisor;", "windows"),
    Fault("maxpool2d", "gives ties to the last", "Bits(v > value)", "Bits(v >= value)"),
    Fault("maxpool2d", "mixes rows and columns of a place", "uint32_t(i * s.kw + j)", "uint32_t(i * s.kh + j)"),
    Fault("maxpool2d", "keeps one gradient where windows overlap", "image[y * s.w + x] += dout[q];",
          "image[y * s.w + x] = dout[q];"),
    Fault("avgpool2d", "does not count the padding", "sum / cells, n)", "sum / float((in.end - in.begin) * s.kw), n)"),
    Fault("avgpool2d", "forgets the last row of a window", "const Span in = inside(top, 1, s.kh, s.h);",
          "const Span in = inside(top, 1, s.kh - (s.kh > 2), s.h);"),
]  # fmt: skip

CUDA = [
    Fault("gemm", "lets the next tile overwrite the one in use",
          "__syncthreads();  // the next step overwrites the tiles", ""),
    Fault("gemm", "reads a tile before it is whole", "      __syncthreads();\n      for (int p = 0",
          "      for (int p = 0"),
    Fault("unary", "misses the elements beyond one grid", "i < n; i += stride", "i < n; i += stride + n"),
    Fault("unary", "takes silu for sigmoid", "return x * sigmoid::of(x);", "return sigmoid::of(x);"),
    Fault("binary", "misses the elements beyond one grid", "i < n; i += stride", "i < n; i += stride + n"),
    Fault("binary", "reads the neighbour's b", "offset_of(i, extents, b_strides)", "offset_of(i / 2 * 2, extents, b_strides)"),
    Fault("compare", "misses the elements beyond one grid", "i < n; i += stride", "i < n; i += stride + n"),
    Fault("compare", "takes equal for greater", "return a > b;", "return a >= b;"),
    Fault("where", "misses the elements beyond one grid", "i < n; i += stride", "i < n; i += stride + n"),
    Fault("where", "asks for the condition of another element", "offset_of(i, extents, condition_strides)",
          "offset_of(i / 2, extents, condition_strides)"),
    Fault("fill", "skips every other element", "offset_of(i, extents, out_strides)", "offset_of(i / 2 * 2, extents, out_strides)"),
    Fault("fill", "misses the elements beyond one grid", "i < n; i += stride", "i < n; i += stride + n"),
    Fault("cast", "lets a large float run over", "if (x >= kEnd) return kMost;", ""),
    Fault("cast", "misses the elements beyond one grid", "i < n; i += stride", "i < n; i += stride + n"),
    Fault("copy_strided", "copies an element twice", "offset_of(i, extents, x_strides)", "offset_of(i / 2 * 2, extents, x_strides)"),
    Fault("copy_strided", "takes a byte for a float",
          "if (item == 4) copy_items<uint32_t>", "if (item == 4) copy_items<uint8_t>"),
    Fault("softmax_xent", "sums half the lanes", "sum = warp_reduce(sum, Sum());",
          "sum += __shfl_xor_sync(0xffffffffu, sum, 16);"),
    Fault("softmax", "sums half the lanes", "float(warp_reduce(running.get(), Sum()))",
          "float(running.get() + __shfl_xor_sync(0xffffffffu, running.get(), 16))"),
    Fault("softmax", "does not take the largest away", "expf(x[j] - largest);", "expf(x[j]);"),
    Fault("batch_norm", "forgets what follows a grid of threads", "i += kThreads) sum.add",
          "i += count) sum.add"),
    Fault("batch_norm", "forgets epsilon", "sqrt(v + epsilon)", "sqrt(v)"),
    Fault("layer_norm", "forgets the last warp", "w < kWarps; ++w", "w + 1 < kWarps; ++w"),
    Fault("layer_norm", "reads sums before they are there", "  __syncthreads();\n  if (warp > 0", "  if (warp > 0"),
    Fault("reduce", "combines half the threads", "int half = kThreads / 2; half", "int half = kThreads / 4; half"),
    Fault("reduce", "combines before all are there", "      __syncthreads();\n      if (thread < half)", "      if (thread < half)"),
    Fault("reduce", "takes the later of equals", "return same ? j < i", "return same ? j > i"),
    Fault("bias_activation", "takes the bias of a neighbour", "bias[i / s % c]", "bias[i % c]"),
    Fault("bias_activation", "sums dout for dx", "running.add(d);", "running.add(dout[place]);"),
    Fault("philox", "keeps the key as it was", "low += 0x9e3779b9u, ", ""),
    Fault("philox", "writes whole blocks only", "w < kWords && b * kWords + w < n; ++w",
          "w < kWords && b * kWords + kWords <= n; ++w"),
    Fault("gather_rows", "takes the first of 32 rows alone", "found &= found - 1", "found = 0"),
    Fault("gather_rows", "copies the columns of one warp alone", "for (int64_t j = lane; j < d; j += kWarp)\n    out",
          "for (int64_t j = lane; j < d; j += d)\n    out"),
    Fault("sgd_step", "takes the first tensor for all", "some.tensor[blockIdx.y]", "some.tensor[0]"),
    Fault("sgd_step", "decays nothing", "decay * tensor.param[i]", "0 * tensor.param[i]"),
    Fault("adam_step", "reads the rate before it is there", "__syncthreads();", ""),
    Fault("conv2d", "takes the filters of the first group for all", "weight + o * group_c * s.kh * s.kw",
          "weight + o % group_o * group_c * s.kh * s.kw"),
    Fault("conv2d", "reads a pixel beyond the border", "z >= 0 && z < s.w", "z >= 0 && z <= s.w"),
    Fault("im2col", "forgets the dilation", "cell % s.kw * s.dilation_w - s.pad_w", "cell % s.kw - s.pad_w"),
    Fault("im2col", "sums half the cells", "oy >= 0 && j < s.kw", "oy >= 0 && 2 * j < s.kw"),
    Fault("maxpool2d", "gives ties to the last", "v > largest", "v >= largest"),
    Fault("maxpool2d", "counts a window twice", "i = s.kh - 1; i >= 0; --i", "i = s.kh; i-- > 0; i -= i > 1"),
    Fault("avgpool2d", "does not count the padding", "sum / float(s.kh * s.kw)", "sum / float(min(s.kh, s.kh + top) * s.kw)"),
    Fault("avgpool2d", "lets a pixel miss its last window", "pad_w, 1);\n        if (ox >= 0)", "pad_w, 1);\n        if (ox > 0)"),
]  # fmt: skip


def plant(file: Path, fault: Fault) -> None:
    text = file.read_text()
    assert text.count(fault.right) >= 1, f"{file.name} no longer has {fault.right!r}"
    file.write_text(text.replace(fault.right, fault.wrong, 1))


def slots(op: str) -> list[str]:
    return re.findall(rf"slot\({op}, (\w+)\)", (SOURCES / "csrc" / "kernels.h").read_text())


def assert_caught(fault: Fault, table: Any, schedules: list[Callable[[], None]]) -> None:
    for schedule in schedules:
        schedule()
        for case in OPS[fault.op].tests:
            arguments = case.arguments(np.random.default_rng(0))
            try:
                check(case, table, arguments, exact_result(case, arguments))
            except BoundError:
                return
    pytest.fail(f"no case of {fault.op} noticed a kernel that {fault.what}")


@pytest.fixture(scope="module")
def plugins(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[Fault, Future[Path]]]:
    """The kernels of every fault that is to be tested, compiled side by side."""
    chosen = {
        item.callspec.params["fault"]
        for item in request.session.items
        if item.module is request.module and hasattr(item, "callspec")
    }
    folder = tmp_path_factory.mktemp("faults")
    threads = compile_shared([SOURCES / "csrc" / "threads.cpp"], folder / "threads.o", "-c")
    pool = ThreadPoolExecutor(os.cpu_count())
    futures = {}
    for i, fault in enumerate([*CPU, *CUDA]):
        if fault in chosen:
            (place := folder / str(i)).mkdir()
            compile = compile_cpu if i < len(CPU) else compile_cuda
            futures[fault] = pool.submit(compile, fault, place, threads)
    yield futures
    pool.shutdown(cancel_futures=True)


def compile_cpu(fault: Fault, folder: Path, threads: Path) -> Path:
    isa = _cpu.available()[-1]  # compiles without flags of its own
    shutil.copytree(SOURCES / "csrc", folder / "csrc")
    plant(folder / "csrc" / "kernels" / f"{fault.shared or fault.op}.inl.h", fault)
    plugin = folder / "plugin.cpp"
    # Of the kernels only this one: to compile all of them takes ten times as long.
    table = folder / "csrc" / "isa" / "table.inl.h"
    includes = re.findall(r'(#include ".*?(\w+)(?:\.inl)?\.h")', table.read_text())
    kept = [line for line, stem in includes if stem == fault.op or stem not in OPS]
    table.write_text("\n".join([*kept, ""]))
    fills = " ".join(f"table->{slot} = baregrad::{isa}::{slot};" for slot in slots(fault.op))
    plugin.write_text(
        f'#include "csrc/isa/{isa}.cpp"\n'
        f"void baregrad_plugin(baregrad::Kernels* table) {{ {fills} }}\n"
    )
    return compile_shared(
        [plugin, threads],
        folder / "plugin.so",
        "-ffp-contract=off",
        "-Wno-unused-parameter",
        "-Wno-unused-but-set-parameter",
        "-Wno-unused-variable",
        "-Wno-unused-function",
    )


def compile_cuda(fault: Fault, folder: Path, _: Path) -> Path:
    source = folder / f"{fault.op}.cu"
    shutil.copy(SOURCES / "cuda" / "kernels" / f"{fault.op}.cu", source)
    plant(source, fault)
    with source.open("a") as text:
        fills = " ".join(f"table->{slot} = baregrad::{slot};" for slot in slots(fault.op))
        text.write(f"\nvoid baregrad_plugin(baregrad::Kernels* table) {{ {fills} }}\n")
    return compile_shared(
        [translate_cu(source, folder / "plugin.cpp")],
        folder / "plugin.so",
        *("-I", str(SIMT / "include"), "-I", str(SOURCES / "cuda" / "kernels")),
        "-Wno-unused-parameter",
    )


@pytest.mark.parametrize("fault", CPU, ids=lambda f: f"{f.op}-{f.what}")
def test_a_fault_in_a_cpu_kernel_is_caught(
    fault: Fault, plugins: dict[Fault, Future[Path]]
) -> None:
    library = plugins[fault].result()
    try:
        _cpu.select(_cpu.available()[-1], [(fault.op, fault.what, str(library))])
        assert_caught(fault, bg.kernels.cpu, [lambda: None])
    finally:
        _cpu.select("", [])


@pytest.mark.parametrize("fault", CUDA, ids=lambda f: f"{f.op}-{f.what}")
def test_a_fault_in_a_cuda_kernel_is_caught_on_the_simulator(
    fault: Fault, plugins: dict[Fault, Future[Path]]
) -> None:
    if why := backend.why_absent("sim"):
        pytest.skip(f"sim is not here: {why}")
    sim, library = backend.device("sim"), plugins[fault].result()
    extension = sim.table.own
    before = extension.schedule()
    try:
        extension.select("", [(fault.op, fault.what, str(library))])
        schedules = [
            lambda s=s: extension.set_schedule(s) for s in ("forward", "reverse", "random:1")
        ]
        assert_caught(fault, OnDevice(sim), schedules)
    finally:
        extension.select("", [])
        extension.set_schedule(before)
