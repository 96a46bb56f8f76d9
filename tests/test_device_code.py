"""What nvcc makes of the CUDA kernels: no spilled register, no more registers than before, vectors."""

from __future__ import annotations

import json
from pathlib import Path

import device_code
import pytest
from device_code import ARCHITECTURES, BUDGET, KERNELS

pytestmark = pytest.mark.skipif(device_code.nvcc() is None, reason="needs nvcc, but no GPU")
needs_tools = pytest.mark.skipif(
    device_code.tools() is None, reason="needs cuobjdump, of the group device"
)

# Kernels whose speed is that of memory, as far as 16 bytes at a time can carry them.
VECTORS = {
    "unary": ("unary_forward_kernel<kinds::relu>", "unary_backward_kernel<kinds::relu>"),
    "binary": ("binary_side_by_side_kernel<kinds::add>",),
    "bias_activation": ("bias_activation_forward_kernel<kinds::relu>",),
    "adam_step": ("adam_step_kernel",),
    "sgd_step": ("sgd_step_kernel",),
    "softmax_xent": ("softmax_xent_backward_kernel",),
    "philox": ("philox_dropout_kernel",),
}


@pytest.mark.parametrize("source", sorted(KERNELS.glob("*.cu")), ids=lambda path: path.stem)
def test_a_kernel_takes_no_more_than_it_did_and_spills_nothing(
    source: Path, tmp_path: Path
) -> None:
    binary = tmp_path / "fatbin"
    found = device_code.compile_for_all(source, binary)
    assert found
    assert [name for name, on in found.items() if set(on) != set(ARCHITECTURES)] == []
    assert [(name, sm) for name, on in found.items() for sm, r in on.items() if r.local] == []
    budget = json.loads(BUDGET.read_text())
    if budget["nvcc"] == device_code.nvcc():
        assert tuple(budget["architectures"]) == ARCHITECTURES
        more = [
            (name, sm)
            for name, on in found.items()
            for sm, allowed in zip(ARCHITECTURES, budget[source.stem][name], strict=True)
            if any(now > then for now, then in zip(on[sm], allowed, strict=False))
        ]
        assert more == [], "python tests/device_code.py, if that is meant"
    if device_code.tools():
        code = device_code.machine_code(binary, "sm_90")
        assert set(code) == set(found)
        local = [n for n, lines in code.items() if any(i.startswith(("LDL", "STL")) for i in lines)]
        assert local == []


@needs_tools
@pytest.mark.parametrize("op", VECTORS)
def test_a_kernel_that_memory_limits_reads_and_writes_16_bytes_at_a_time(
    op: str, tmp_path: Path
) -> None:
    device_code.compile_for_all(KERNELS / f"{op}.cu", tmp_path / "fatbin")
    code = device_code.machine_code(tmp_path / "fatbin", "sm_80")
    for kernel in VECTORS[op]:
        assert {"LDG.E.128", "STG.E.128"} <= set(code[kernel]), sorted(set(code[kernel]))


@needs_tools
def test_a_product_copies_while_it_multiplies_and_rounded_ones_use_tensor_cores(
    tmp_path: Path,
) -> None:
    device_code.compile_for_all(KERNELS / "gemm.cu", tmp_path / "fatbin")
    for kernel, code in device_code.machine_code(tmp_path / "fatbin", "sm_80").items():
        if "multiply" not in kernel:
            continue
        assert any(i.startswith("LDGSTS") for i in code), kernel  # cp.async
        if "FmaSums" in kernel:
            assert "LDS.128" in code, kernel
            assert code.count("FFMA") >= 2 * 16, kernel
        else:
            mma = "HMMA.1688.F32.TF32" if "Tf32" in kernel else "HMMA.16816.F32.BF16"
            assert mma in code, kernel
            assert "LDSM.16.M88.4" in code, kernel  # ldmatrix
            assert any(i.startswith("LDGSTS") and ".128" in i for i in code), kernel


@pytest.mark.parametrize("rung", ["6_tensor", "7_copies"])
def test_a_rung_on_tensor_cores_keeps_its_parts_in_registers(rung: str, tmp_path: Path) -> None:
    source = KERNELS.parent / "ladder" / f"gemm_{rung}.cu"
    (found,) = device_code.compile_for_all(source, tmp_path / "fatbin").values()
    assert [architecture for architecture, taken in found.items() if taken.local] == []
    if device_code.tools():
        (code,) = device_code.machine_code(tmp_path / "fatbin", "sm_80").values()
        assert {"HMMA.1688.F32.TF32", "LDSM.16.M88.4"} <= set(code)
        copies = [i for i in code if i.startswith("LDGSTS") and ".128" in i]  # cp.async
        assert bool(copies) == (rung == "7_copies")
