"""What nvcc makes of the CUDA kernels: no spilled register, no more registers than before, vectors."""

from __future__ import annotations

import json
from pathlib import Path

import device_code
import pytest
from device_code import ARCHITECTURES, BUDGET, KERNELS, Resources

pytestmark = pytest.mark.skipif(device_code.nvcc() is None, reason="needs nvcc, but no GPU")
needs_tools = pytest.mark.skipif(
    device_code.tools() is None, reason="needs cuobjdump, of the group device"
)

# Kernels whose speed is that of memory, as far as 16 bytes at a time can carry them.
VECTORS = {
    "unary": ("unary_forward_kernel<kinds::relu>", "unary_backward_kernel<kinds::relu>"),
    "binary": ("binary_side_by_side_kernel<kinds::add>",),
    "bias_activation": ("bias_activation_forward_kernel<kinds::relu, unsigned int>",),
    "adam_step": ("adam_step_kernel",),
    "sgd_step": ("sgd_step_kernel",),
    "softmax_xent": ("softmax_xent_backward_kernel",),
    "philox": ("philox_dropout_kernel",),
}


@pytest.fixture(scope="module")
def budget() -> dict[str, dict[str, dict[str, list[int]]]]:
    return json.loads(BUDGET.read_text())


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("source", sorted(KERNELS.glob("*.cu")), ids=lambda path: path.stem)
def test_a_kernel_takes_no_more_than_it_did_and_spills_nothing(
    source: Path,
    architecture: str,
    tmp_path: Path,
    budget: dict[str, dict[str, dict[str, list[int]]]],
) -> None:
    cubin = tmp_path / "kernel.cubin"
    found = device_code.compile_cubin(source, architecture, cubin)
    assert found
    assert {name: r.local for name, r in found.items() if r.local} == {}
    if budget["nvcc"] == device_code.nvcc():
        allowed = {n: Resources(*r, 0) for n, r in budget[architecture][source.stem].items()}
        more = {n: r for n, r in found.items() if r > allowed.get(n, Resources(0, 0, 0))}
        assert more == {}, "python tests/device_code.py, if that is meant"
    if architecture == "sm_90" and device_code.tools():
        code = device_code.machine_code(cubin)
        local = [n for n, lines in code.items() if any(i.startswith(("LDL", "STL")) for i in lines)]
        assert local == []


@needs_tools
@pytest.mark.parametrize("op", VECTORS)
def test_a_kernel_that_memory_limits_reads_and_writes_16_bytes_at_a_time(
    op: str, tmp_path: Path
) -> None:
    cubin = tmp_path / "kernel.cubin"
    device_code.compile_cubin(KERNELS / f"{op}.cu", "sm_80", cubin)
    code = device_code.machine_code(cubin)
    for kernel in VECTORS[op]:
        assert {"LDG.E.128", "STG.E.128"} <= set(code[kernel]), sorted(set(code[kernel]))


@needs_tools
def test_a_product_copies_while_it_multiplies_and_rounded_ones_use_tensor_cores(
    tmp_path: Path,
) -> None:
    cubin = tmp_path / "kernel.cubin"
    device_code.compile_cubin(KERNELS / "gemm.cu", "sm_80", cubin)
    for kernel, code in device_code.machine_code(cubin).items():
        if "multiply" not in kernel:
            continue
        assert any(i.startswith("LDGSTS") for i in code), kernel  # cp.async
        if "FmaSums" in kernel:
            assert "LDS.128" in code, kernel
            assert code.count("FFMA") >= 2 * 16, kernel
        else:
            number = "TF32" if "Tf32" in kernel else "BF16"
            assert any(i.startswith("HMMA.1688") and i.endswith(number) for i in code), kernel
