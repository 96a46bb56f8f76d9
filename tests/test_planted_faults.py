"""The tests' own test: faults planted into a copy of the kernels must each be caught.

A fault is a line of a kernel changed. The kernels are compiled with it into a plug-in, laid over
the table in use, and the cases of the op must find it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import baregrad as bg
import numpy as np
import pytest
from backends import OnDevice
from baregrad import _cpu, backend
from baregrad.cases import OPS
from compare import assert_within
from test_cases import exact_result
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
    Fault("unary", "leaves the tail unwritten", "store_n(out + i, Kind::forward(load_n(x + i, end - i, 0.f)), end - i);",
          ""),
    Fault("softmax_xent", "does not take the largest logit away", "exp(load(x + j) - row_max)", "exp(load(x + j))"),
    Fault("softmax_xent", "counts the tail's empty lanes", "exp(load_n(x + whole, tail, -__builtin_inff()) - row_max)",
          "exp(load_n(x + whole, tail, row_max) - row_max)"),
    Fault("softmax_xent", "forgets the weight in the gradient", "w / row.sum", "1.f / row.sum"),
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
    Fault("softmax_xent", "sums half the lanes", "sum = warp_reduce(sum, Sum());",
          "sum += __shfl_xor_sync(0xffffffffu, sum, 16);"),
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


def assert_caught(fault: Fault, table: Any, schedules: list[Callable[[], None]]) -> None:
    for schedule in schedules:
        schedule()
        for case in OPS[fault.op].tests:
            arguments = case.arguments(np.random.default_rng(0))
            exact, bound = exact_result(case, arguments), case.bound(arguments)
            try:
                for got, want, allowed in zip(
                    case.run(table, arguments), exact, bound, strict=True
                ):
                    assert_within(got, want, allowed)
            except AssertionError:
                return
    pytest.fail(f"no case of {fault.op} noticed a kernel that {fault.what}")


@pytest.mark.parametrize("fault", CPU, ids=lambda f: f"{f.op}-{f.what}")
def test_a_fault_in_a_cpu_kernel_is_caught(fault: Fault, tmp_path: Path) -> None:
    isa = _cpu.available()[-1]  # compiles without flags of its own
    shutil.copytree(SOURCES / "csrc", tmp_path / "csrc")
    plant(tmp_path / "csrc" / "kernels" / f"{fault.shared or fault.op}.inl.h", fault)
    plugin = tmp_path / "plugin.cpp"
    plugin.write_text(
        f'#include "csrc/isa/{isa}.cpp"\n'
        "void baregrad_plugin(baregrad::Kernels* table) {\n"
        f"  const char* name = table->name;\n  *table = *baregrad::{isa}::table();\n"
        "  table->name = name;\n}\n"
    )
    library = compile_shared(
        [plugin, tmp_path / "csrc" / "threads.cpp"],
        tmp_path / "plugin.so",
        "-ffp-contract=off",
        "-Wno-unused-parameter",
        "-Wno-unused-but-set-parameter",
        "-Wno-unused-variable",
    )
    try:
        _cpu.select(isa, [(fault.op, fault.what, str(library))])
        assert_caught(fault, bg.kernels.cpu, [lambda: None])
    finally:
        _cpu.select("", [])


@pytest.mark.parametrize("fault", CUDA, ids=lambda f: f"{f.op}-{f.what}")
def test_a_fault_in_a_cuda_kernel_is_caught_on_the_simulator(fault: Fault, tmp_path: Path) -> None:
    if why := backend.why_absent("sim"):
        pytest.skip(f"sim is not here: {why}")
    sim = backend.device("sim")
    source = tmp_path / f"{fault.op}.cu"
    shutil.copy(SOURCES / "cuda" / "kernels" / f"{fault.op}.cu", source)
    plant(source, fault)
    slots = {
        "gemm": ["gemm"],
        "unary": ["unary_forward", "unary_backward"],
        "softmax_xent": ["softmax_xent_forward", "softmax_xent_backward"],
        "adam_step": ["adam_step"],
        "conv2d": ["conv2d_forward", "conv2d_backward_input", "conv2d_backward_weight"],
        "im2col": ["im2col", "col2im"],
        "maxpool2d": ["maxpool2d_forward", "maxpool2d_backward"],
        "avgpool2d": ["avgpool2d_forward", "avgpool2d_backward"],
    }[fault.op]
    with source.open("a") as text:
        fills = " ".join(f"table->{slot} = baregrad::{slot};" for slot in slots)
        text.write(f"\nvoid baregrad_plugin(baregrad::Kernels* table) {{ {fills} }}\n")
    library = compile_shared(
        [translate_cu(source, tmp_path / "plugin.cpp")],
        tmp_path / "plugin.so",
        *("-I", str(SIMT / "include"), "-I", str(SOURCES / "cuda" / "kernels")),
        "-Wno-unused-parameter",
    )
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
