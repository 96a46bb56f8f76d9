"""A CUDA file of one's own: checked on the simulator with every access watched, and trained with."""

from __future__ import annotations

import re
from pathlib import Path

import baregrad as bg
import numpy as np
import pytest
from baregrad import backend, choice, own, trial
from baregrad.cases import OPS
from baregrad.cli import bench_device, main
from toolchain import compiler

pytestmark = [
    pytest.mark.skipif(compiler() is None, reason="needs a C++ compiler"),
    pytest.mark.skipif(backend.why_absent("sim") is not None, reason="this build has no simulator"),
]

# As tutorials write it.
PLAIN = """
#define TILE 16

__global__ void matmul(int m, int n, int k, const float* a, const float* b, float* c) {
  __shared__ float rows[TILE][TILE], columns[TILE][TILE];
  int i = blockIdx.y * TILE + threadIdx.y, j = blockIdx.x * TILE + threadIdx.x;
  float sum = 0;
  for (int p = 0; p < k; p += TILE) {
    int q = p + threadIdx.x, r = p + threadIdx.y;
    rows[threadIdx.y][threadIdx.x] = i < m && q < k ? a[i * k + q] : 0;
    columns[threadIdx.y][threadIdx.x] = r < k && j < n ? b[r * n + j] : 0;
    __syncthreads();
    for (int e = 0; e < TILE; ++e) sum += rows[threadIdx.y][e] * columns[e][threadIdx.x];
    __syncthreads();  // before the next tiles
  }
  if (i < m && j < n) c[i * n + j] = sum;
}

void gemm_plain(int m, int n, int k, const float* a, const float* b, float* c) {
  dim3 grid((n + TILE - 1) / TILE, (m + TILE - 1) / TILE), block(TILE, TILE);
  matmul<<<grid, block>>>(m, n, k, a, b, c);
}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    source = tmp_path / "my_gemm.cu"
    source.write_text(PLAIN)
    return source


@pytest.mark.parametrize("rung", ["gemm_5_vectors", "gemm_7_copies", "softmax_xent_0_naive"])
def test_a_copy_of_a_rung_finds_what_the_rung_includes(rung: str, tmp_path: Path) -> None:
    copy = tmp_path / "mine.cu"
    copy.write_text((own.DEVICE / "ladder" / f"{rung}.cu").read_text())
    assert set(own.build(copy, device="sim").ops) == {re.split(r"_\d", rung)[0]}


@pytest.mark.parametrize(
    ("device", "spec", "expected"),
    [
        ("cpu", "{file}", "a .cpp or a rung of csrc/ladder"),
        ("cpu", "gemm=ladder/1_coalesced", "a .cpp or a rung of csrc/ladder"),
        ("sim", "gemm=ladder/4_packed", "a .cu or a rung of cuda/ladder"),
    ],
)
def test_a_kernel_that_the_device_would_not_use_is_refused(
    file: Path, capsys: pytest.CaptureFixture[str], device: str, spec: str, expected: str
) -> None:
    spec = spec.format(file=file)
    with pytest.raises(SystemExit):
        main(["train", "--data", "digits", "--model", "mlp", "--device", device, "--use", spec])
    said = f"argument --use: {spec!r} has no gemm for {device}, expected {expected}"
    assert said in capsys.readouterr().err


def test_a_kernel_may_be_named_as_a_slot(file: Path) -> None:
    file.write_text(PLAIN.replace("matmul", "gemm"))
    assert own.build(file).slots == ("gemm", "gemm_workspace")


def test_a_product_as_tutorials_write_it_fills_the_slot(file: Path) -> None:
    sim = backend.device("sim")
    a = np.arange(6, dtype=np.float32).reshape(2, 3)
    batched = sim.from_numpy(np.stack([a, -a]))
    for entries in ({}, {"sim": "watched"}, {"sim": "counted"}):
        with bg.use(str(file), **entries):
            assert "gemm=my_gemm" in sim.table.own.in_use()
            got = sim.table.gemm(batched, batched.mT, alpha=2.0)
            np.testing.assert_array_equal(got.numpy(), np.stack([2 * a @ a.T] * 2))
    assert "matmul" in str(bg.sim.report())
    assert sim.table.own.in_use() == "sim"
    plugin = own.build(file)
    assert (plugin.ops, plugin.device) == (["gemm"], "sim")
    assert trial.check(plugin) > 50


@pytest.mark.parametrize(
    ("right", "wrong", "sentence"),
    [
        ("    __syncthreads();  // before the next tiles\n", "",
         r"my_gemm.cu:\d+: race in matmul, block .* byte 0 of __shared__ array rows"),
        ("q < k", "q <= k", r"my_gemm.cu:10: access outside global memory in matmul"),
        ("i < m && j < n", "j < n", r"my_gemm.cu:16: access outside global memory in matmul"),
        ("float sum = 0", "float sum = 1", r"out\[0, 0\] is .*, expected "),
        ("r < k && j < n ?", "r < k && j < n && n % 7 ?", r"out\[0, 0\] is "),
        ("(m + TILE - 1) / TILE", "m / TILE", "invalid configuration argument"),
        ("block(TILE, TILE)", "block(2 * TILE, 4 * TILE)", r"invalid configuration argument"),
        ("float sum = 0;", "float sum = 0; if (m == 15) *(volatile int*)8 = 0;",
         r"my_gemm.cu:7: access outside global memory in matmul.* an address that cudaMalloc did"),
        ("  dim3 grid", "  *(volatile int*)8 = 0; dim3 grid", r"crashed with SIG\w+ \(m n k = "),
        ("  dim3 grid", "  for (volatile int x = 0;;) x = 0; dim3 grid", "did not return within 3"),
    ],
)  # fmt: skip
def test_a_wrong_kernel_is_a_sentence(file: Path, right: str, wrong: str, sentence: str) -> None:
    assert right in PLAIN
    file.write_text(PLAIN.replace(right, wrong, 1))
    with pytest.raises(ValueError, match=r"\[gemm\] .*my_gemm.cu: .*" + sentence):
        trial.check(own.build(file), seconds=3.0 if "for (vol" in wrong else 20.0)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("void gemm_plain(int m) { x; }", r"does not compile:\n(.*\n)*.*'x' was not declared"),
        ("__global__ void f();\nint main() { f<<<1>>>(); }", r"does not compile:\n"),
        ("__global__ void f();\nvoid g() { f<<<>>>(); }", r":2: a launch needs a grid and a block"),
        ("__global__ void matmul() {}", "defines no slot, expected gemm_plain or another of csrc"),
    ],
)
def test_a_file_that_is_no_kernel_is_refused(
    file: Path, text: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    file.write_text(text)
    with pytest.raises(ValueError, match=r"\[use\] .*my_gemm.cu.?" + sentence):
        own.build(file)


@pytest.mark.parametrize("op", OPS)
def test_new_writes_what_compiles_and_says_what_is_next(
    op: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / f"my_{op}.cu"
    assert main(["new", op, str(source)]) == 0
    assert f"baregrad sim {op} --use {source}" in capsys.readouterr().out
    assert own.build(source).ops == [op]
    if op in ("gemm", "adam_step", "softmax"):  # all are held to their cases as they are
        assert main(["check", str(source)]) == 0
        assert re.search(r"right in \d+ cases", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("right", "wrong"), [("p * a.col", "p"), ("s * a.batch", "0"), ("j * c.col", "j")]
)
def test_strides_and_batches_are_checked(tmp_path: Path, right: str, wrong: str) -> None:
    source = tmp_path / "my_gemm.cu"
    main(["new", "gemm", str(source)])
    text = source.read_text()
    assert right in text
    source.write_text(text.replace(right, wrong))
    with pytest.raises(
        ValueError, match=r"my_gemm.cu: .*\((m n k (transposed|backwards)|batch m n k) = "
    ):
        trial.check(own.build(source))


def test_it_can_be_trained_with(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save = str(file.with_name("model.safetensors"))
    arguments = ["train", "--data", "digits", "--model", "mlp", "--epochs", "1", "--output", save]
    assert main([*arguments, "--device", "sim", "--use", str(file)]) == 0
    mine = capsys.readouterr().out
    assert main([*arguments, "--device", "sim"]) == 0
    loss = r"loss\D+(\d\.\d\d)"
    assert re.findall(loss, mine) == re.findall(loss, capsys.readouterr().out) != []


def test_it_is_not_for_the_cpu(file: Path) -> None:
    with bg.use(str(file)):
        assert "my_gemm" not in bg.backend.CPU.table.own.in_use()


def test_a_training_on_the_simulator_can_be_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "points.csv"
    table.write_text("x,y\n" + "\n".join(f"{i / 40},{i / 20}" for i in range(40)))
    words = ["--data", str(table), "--target", "y", "--model", "linear", "--epochs", "1"]
    more = ["--device", "sim", "--use", "sim=counted", "--output", str(tmp_path / "m.safetensors")]
    assert main(["train", *words, *more]) == 0
    out = capsys.readouterr().out
    assert "adam_step_kernel" in out
    assert "lanes busy" in out


def test_a_device_is_timed_in_calls_that_follow_each_other(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench_device, "_SECONDS", 0.01)
    monkeypatch.setattr(bench_device, "_ROUNDS", 2)
    cases = [OPS["gemm"].case(8, 9, 10), OPS["gemm"].case(20, 9, 10)]  # type: ignore[attr-defined]
    plain = choice.in_use()
    with bg.use(gemm="ladder/0_naive"):
        bench_device.print_times("sim", cases, plain)
        assert "gemm=ladder/0_naive" in backend.device("sim").table.own.in_use()
    head, _, columns, *rows = capsys.readouterr().out.splitlines()
    assert head == "sim sim, gemm=ladder/0_naive"
    assert columns.split("  ")[0] == "case"
    assert [row.split()[0] for row in rows] == [str(case) for case in cases]
    assert all(row.split()[-1] in ("faster", "equal", "slower") for row in rows)
