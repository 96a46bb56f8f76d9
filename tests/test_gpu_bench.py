"""bench/gpu.sh, as far as it can be tried without a GPU: what is raced, how, and what is told of it."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from baregrad import backend
from baregrad.cases import OPS
from baregrad.cases.check import check, exact_result
from baregrad.cases.on_device import OnDevice
from toolchain import compiler

ROOT = Path(__file__).resolve().parent.parent
BENCH = ROOT / "bench"
MODELS = BENCH / "gpu_models.cu"
SECONDS = 12  # of the small cases: compute-sanitizer runs them twice
needs_sim = pytest.mark.skipif(
    backend.why_absent("sim") is not None, reason="this build has no simulator"
)


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCH))
    return importlib.import_module("gpu_report")


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Its turns shorter than they are."""
    monkeypatch.syspath_prepend(str(BENCH))
    found = importlib.import_module("gpu")
    monkeypatch.setattr(found, "BATCH", 1e-4)
    return found


@pytest.fixture
def works(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCH))
    return importlib.import_module("gpu_works")


# --- The script


def test_the_script_is_one() -> None:
    subprocess.run(["bash", "-n", BENCH / "gpu.sh"], check=True)


def test_where_something_is_missing_it_says_so_in_one_sentence(tmp_path: Path) -> None:
    bash = shutil.which("bash")
    assert bash
    done = subprocess.run(
        [bash, str(BENCH / "gpu.sh")],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": str(tmp_path), "OUT": str(tmp_path)},
    )
    assert done.returncode == 77
    assert done.stdout == (
        "bench/gpu.sh needs what is not here: python3, nvcc, cmake, ninja, g++, timeout.\n"
    )
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []


# What stands in for tools that are not here: they leave notes of what they were asked.
TOOLS = {
    "cmake": 'echo "cmake $*" >>"$NOTES"',
    "ninja": "",
    "g++": "",
    "nvcc": 'echo "nvcc $*" >>"$NOTES"; [[ $* == *--version* ]] && exec echo "release 13.0"; exit 1',
    "compute-sanitizer": 'echo "========= ERROR SUMMARY: 0 errors"',
    "python3": """
case "$*" in
  "- hypothesis"*) cat >/dev/null ;;
  "-m pybind11"*) echo /there ;;
  "-c import baregrad"*) echo 0.1.0 None; ls -d "$PYTHONPATH"/* >>"$NOTES" ;;
  "-c import xdist") exit 1 ;;
  bench/gpu.py*) echo no such device; exit 1 ;;
  bench/gpu_report.py*) exec "$PYTHON" "$@" ;;
  "-m pytest"*) echo "python3 $*" >>"$NOTES"; sleep "$NAP"; echo "12 passed in 7s" ;;
esac""",
}


@pytest.mark.skipif(shutil.which("timeout") is None, reason="needs GNU's timeout")
@pytest.mark.parametrize("nap", ["0", "30"])
def test_a_part_that_fails_is_kept_as_such_and_the_others_go_on(tmp_path: Path, nap: str) -> None:
    for folder in ("bench", "cuda", "python"):
        ignored = shutil.ignore_patterns("__pycache__", "*.so", "results")
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignored)
    (tmp_path / "bench" / "results").mkdir()
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    script = tmp_path / "bench" / "gpu.sh"
    script.write_text(script.read_text().replace("$((505 - SECONDS))", "1"))
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, text in TOOLS.items():
        (tools / name).write_text(f"#!/usr/bin/env bash\n{text}\n")
        (tools / name).chmod(0o755)
    notes = tmp_path / "notes"
    environment = {"NOTES": str(notes), "NAP": nap, "PYTHON": sys.executable, "COMMIT": "abc"}
    done = subprocess.run(
        ["bash", str(script)],
        capture_output=True, text=True, check=False,
        env=os.environ | environment | {"PATH": f"{tools}:{os.environ['PATH']}"},
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    (file,) = (tmp_path / "bench" / "results").iterdir()
    result = json.loads(file.read_text())
    assert {name: found["state"] for name, found in result["parts"].items()} == {
        "build": "passed", "models": "failed", "races": "failed", "sanitizer": "passed",
        "suite": "passed" if nap == "0" else "out of time",
    }  # fmt: skip
    assert result["parts"]["races"]["said"] == "no such device"
    assert result["machine"]["nvcc"] == "13.0"
    asked = notes.read_text()
    assert "-DCMAKE_CUDA_ARCHITECTURES=90-real" in asked
    assert "site/baregrad\n" in asked
    assert "site/baregrad-0.1.0.dist-info\n" in asked
    assert "python3 -m pytest -q -p no:cacheprovider -rfE -k cuda\n" in asked
    page = (tmp_path / "bench" / "gpu.md").read_text()
    assert page.strip() in done.stdout
    assert "| races | failed |" in page


# --- What is told


def test_the_hash_is_of_what_a_device_runs(report: ModuleType, tmp_path: Path) -> None:
    for name in ("array.cpp", "kernels/gemm.cu", "kernels/mma.cuh", "simt/warp.cpp", "README.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    seen = [report.sources_hash(tmp_path)]

    def changes() -> bool:
        seen.append(report.sources_hash(tmp_path))
        return seen[-1] != seen[-2]

    assert not changes()
    for name in ("simt/warp.cpp", "README.md"):
        (tmp_path / name).write_text("another")
        assert not changes(), name
    for name in ("array.cpp", "kernels/gemm.cu", "kernels/mma.cuh"):
        (tmp_path / name).write_text("another")
        assert changes(), name
    (tmp_path / "kernels" / "gemm.cu").rename(tmp_path / "kernels" / "gemv.cu")
    assert changes()
    (tmp_path / "kernels" / "gemv.cu").unlink()
    assert changes()
    assert len(report.sources_hash(report.SOURCES)) == 64


def row(name: str, aim: tuple[str, float], **speeds: float) -> dict:
    """Ours took 10, 11 and 12 us, the others so many times as long, and Python 1 us for a call."""
    times = {"ours": 1.0} | {name.replace("_", " "): speed for name, speed in speeds.items()}
    rounds = {who: [t * 1e-6 * speed for t in (10, 12, 11)] for who, speed in times.items()}
    return {
        "name": name, "flops": 10**6, "bytes": 22 * 10**6, "aim": aim, "precision": "float32",
        "out": {}, "rounds": rounds, "returns": dict.fromkeys(rounds, 1e-6),
    }  # fmt: skip


def made_up(sources: str) -> dict:
    product = row("gemm", ("PyTorch", 0.85), PyTorch=0.9)
    convolution = row("conv", ("own gemm", 0.8), PyTorch=2.0, own_gemm=0.7)
    small = row("relu", ("copy", 0.92), PyTorch=1.0)
    small["returns"]["PyTorch"] = 10e-6
    refused = row("add", ("copy", 0.92))
    refused["out"] = {"PyTorch": "3 of 7 outside"}
    step = row("step", ("PyTorch", 1.0), PyTorch=1.5) | {"flops": 0}
    absent = {"name": "pool", "out": {"all": "TimeoutError: there was no time left"}}
    passed = {"state": "passed", "seconds": 7, "said": "12 passed in 7.00s"}
    figures = {"cvt.rna.tf32": {"patterns": 4294967296, "different": 0}}
    return {
        "machine": {"gpu": "NVIDIA H200", "driver": "1.2", "torch": "2.11"},
        "date": "2026-11-22T10:00:00+00:00", "commit": "abc1234", "sources": sources,
        "parts": {"suite": passed, "models": {**passed, "said": "", "figures": figures}},
        "copy": [4.0e12, 3.9e12, 4.1e12],
        "races": [product, convolution, small, refused, step, absent],
    }  # fmt: skip


def test_a_table_is_made_of_medians_and_says_what_was_aimed_at(report: ModuleType) -> None:
    text = report.text(made_up("hash"), "hash")
    assert text.startswith(
        "gpu NVIDIA H200, driver 1.2, torch 2.11, 2026-11-22T10:00:00+00:00, commit abc1234.\n"
    )
    assert "Older" not in text
    assert "| suite | passed | 7 | 12 passed in 7.00s |" in text
    assert "| cvt.rna.tf32 | patterns 4294967296, different 0 |" in text
    assert "A copy moves 4.00 TB/s" in text
    # 22 MB at 4 TB/s are 5.5 us, which is half of the median.
    assert text.splitlines()[-6:] == [
        "| gemm | 11.0 us | 9.9 us | 0.90x (0.90 to 0.90) | 50% | 0.85x PyTorch | 0.90x | met |",
        "| conv | 11.0 us | 22.0 us | 2.00x (2.00 to 2.00) | 50% | 0.8x own gemm | 0.70x | missed |",
        "| relu | 11.0 us | 11.0 us* | 1.00x (1.00 to 1.00) | 50% | 92% of copy | 50% | missed |",
        "| add | 11.0 us | refused |  | 50% | 92% of copy | 50% | missed; PyTorch: 3 of 7 outside |",
        "| step | 11.0 us | 16.5 us | 1.50x (1.50 to 1.50) |  | 1x PyTorch | 1.50x | met |",
        "| pool |  |  |  |  |  |  | TimeoutError: there was no time left |",
    ]


def test_a_result_that_is_older_than_the_sources_says_so(
    report: ModuleType, tmp_path: Path
) -> None:
    assert report.latest(tmp_path) is None
    assert report.text(None, "hash") == "Not yet run on a GPU."
    result = made_up("hash")
    name = report.file_name(result)
    assert name == "h200-2026-11-22-abc1234.json"
    (tmp_path / name).write_text(json.dumps(result))
    (tmp_path / "race-2026-11-23.json").write_text("{}")  # of something else
    later = result | {"date": "2026-11-22T11:00:00+00:00", "commit": "0000000"}
    assert "Older than the sources" not in report.text(report.latest(tmp_path), "hash")
    (tmp_path / report.file_name(later)).write_text(json.dumps(later))
    assert report.latest(tmp_path) == json.loads(json.dumps(later))
    assert "\n**Older than the sources**" in report.text(report.latest(tmp_path), "another hash")


def test_the_page_is_what_was_measured() -> None:
    spec = importlib.util.spec_from_file_location("gpu_report", BENCH / "gpu_report.py")
    assert spec is not None
    assert spec.loader is not None
    report = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(report)
    now = report.text(report.latest(report.RESULTS), report.sources_hash(report.SOURCES))
    assert report.PAGE.read_text() == now + "\n", "python bench/gpu_report.py"


@pytest.mark.parametrize(
    ("name", "code", "log", "state", "said"),
    [
        ("suite", 0, "..\n==== 12 passed in 7.00s ====\n\n", "passed", "12 passed in 7.00s"),
        ("suite", 1, "F\n1 failed in 2s\n", "failed", "1 failed in 2s"),
        ("suite", 124, "", "out of time", ""),
        ("build", 2, f"{BENCH.parent}/cuda/a.cu: error\n", "failed", "cuda/a.cu: error"),
        ("sanitizer", 77, "no compute-sanitizer\n", "not possible here", "no compute-sanitizer"),
        ("sanitizer", 0, "= Error: Device not supported\n1 skipped\n", "not possible here",
         "1 skipped"),
        ("sanitizer", 0, "1 passed\n==== ERROR SUMMARY: 0 errors\n== RACECHECK SUMMARY: 0 hazards\n",
         "passed", "ERROR SUMMARY: 0 errors, RACECHECK SUMMARY: 0 hazards"),
    ],
)  # fmt: skip
def test_a_part_is_told_by_how_it_ended(
    report: ModuleType, tmp_path: Path, name: str, code: int, log: str, state: str, said: str
) -> None:
    (tmp_path / f"{name}.log").write_text(log)
    (tmp_path / f"{name}.status").write_text(f"{code} 3\n")
    assert report.part(tmp_path, name) == {"state": state, "seconds": 3, "said": said}


def test_a_result_is_kept_even_where_nothing_ran(report: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "models.log").write_text('{"mma": {"equal": 3}}\n')
    (tmp_path / "models.status").write_text("1 5\n")
    result = report.gather(tmp_path)
    assert result["sources"] == report.sources_hash(report.SOURCES)
    assert [found["state"] for found in result["parts"].values()] == [
        "not run", "failed", "not run", "not run", "not run",
    ]  # fmt: skip
    assert result["parts"]["models"]["figures"] == {"mma": {"equal": 3}}
    assert "| models | failed | 5 |  |" in report.text(result, result["sources"])
    races = {"about": {"gpu": "NVIDIA H200"}, "copy": [1e12], "races": [row("a", ("copy", 1.0))]}
    (tmp_path / "races.json").write_text(json.dumps(races))
    result = report.gather(tmp_path)
    assert result["races"] == json.loads(json.dumps(races["races"]))
    assert report.file_name(result).startswith("h200-20")


# --- The races


def test_a_turn_is_long_enough_and_its_time_is_that_of_a_call(
    gpu: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    called: list[str] = []

    def pass_(seconds: float, name: str = "") -> None:
        nonlocal now
        now += seconds
        called.append(name)

    monkeypatch.setattr(gpu, "BATCH", 0.02)
    monkeypatch.setattr(time, "perf_counter", lambda: now)
    entries = {
        "fast": [partial(pass_, 1e-3, name) for name in "abc"],  # copies, which take turns
        "slow": [partial(pass_, 4e-3, "d")],
    }
    wait = partial(pass_, 1e-4)
    assert gpu.calls_in_a_turn(entries["slow"], wait) == 6  # 1.2 times 20 ms, in calls of 4 ms
    found = gpu.take_turns(entries, wait)
    counts = {"fast": 24, "slow": 6}
    assert list(found["rounds"]) == list(counts)
    for name, count in counts.items():
        seconds = {"fast": 1e-3, "slow": 4e-3}[name]
        assert found["rounds"][name] == pytest.approx([seconds + 1e-4 / count] * gpu.ROUNDS)
        assert found["returns"][name] == pytest.approx(seconds)
    assert called.count("a") - called.count("c") in (0, 1)
    assert called[-21:] == [""] + ["d"] * 20


def on_simulator(gpu: ModuleType, torch) -> object:
    """The races with the simulator as our device, and theirs on the CPU."""

    class Simulated(gpu.Device):
        def __init__(self) -> None:
            self.torch, self.place, self.ours = torch, "cpu", backend.device("sim")
            self.kernels, self.wait, self.l2 = self.ours.table, int, 1000

        def use_tf32(self, yes: bool) -> None:
            assert isinstance(yes, bool)

    return Simulated()


def small_works(works: ModuleType) -> list:
    cases = works.cases
    images = works.Windows(2, 3, 8, 8, (2, 2), stride=(2, 2))
    ways = ("forward", "backward_input", "backward_weight")
    return [
        works.products(33, 17, 65, 0.85),
        *(works.products(17, 9, 1400, 0.45, precision) for precision in ("tf32", "bf16")),
        *(works.convolution(way, 2, 3, 9, 4) for way in ways),
        works.streamed(cases.unary.case("relu", "forward", 1000), works.elementwise("relu")),
        works.streamed(
            cases.binary.case("add", "n", works.contiguous(1000)), works.elementwise("add")
        ),
        works.streamed(cases.maxpool2d.case("maxpool2d_forward", images), works.pool),
        works.streamed(cases.softmax_xent.forward(33, 10), works.cross_entropy),
        works.streamed(cases.adam_step.case([100] * 3, False), works.adam),
        works.training_step("eager", 1),
        works.training_step("graph", 2),
    ]


@needs_sim
def test_every_work_is_done_rightly_by_both(
    gpu: ModuleType, works: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(gpu, "ROUNDS", 1)
    monkeypatch.setattr(works, "STEPS", 3)  # the third is a replay
    monkeypatch.setattr(gpu, "seconds_to_return", lambda calls, wait: 0.0)
    device, small = on_simulator(gpu, torch), small_works(works)
    assert len(small) == len({work.name for work in small})
    for work in small:
        found = gpu.race(device, work)
        assert found["out"] == {}, work.name
        own = ["own gemm"] * work.name.startswith("conv2d")
        assert list(found["rounds"]) == ["ours", "PyTorch", *own]
        assert work.aim[0] in (*found["rounds"], "copy")


@needs_sim
@pytest.mark.parametrize("error", [np.nan, 1.0])
def test_who_is_wrong_is_not_timed(gpu: ModuleType, works: ModuleType, error: float) -> None:
    def add(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        wrong = a + b
        wrong[17] += error
        return wrong

    device = on_simulator(gpu, SimpleNamespace(add=add))
    device.tensor = np.copy
    before = device.numpy
    device.numpy = lambda x: x if isinstance(x, np.ndarray) else before(x)
    case = works.cases.binary.case("add", "n", works.contiguous(100))
    found = gpu.race(device, works.streamed(case, works.elementwise("add")))
    assert list(found["rounds"]) == ["ours"]
    assert found["out"]["PyTorch"].startswith("1 of 100 outside their bound, the first at (17,)")
    device.kernels = SimpleNamespace(add=lambda a, b: device.ours.table.add(a, a))
    found = gpu.race(device, works.streamed(case, works.elementwise("add")))
    assert found["rounds"] == {}
    assert list(found["out"]) == ["ours", "PyTorch"]


def test_what_is_raced_has_its_aims(works: ModuleType) -> None:
    names = [work.name for work in works.TABLE]
    assert len(names) == len(set(names))
    aims = {(work.aim, work.precision) for work in works.TABLE}
    assert aims == {
        (("PyTorch", 0.85), "float32"), (("PyTorch", 0.45), "tf32"), (("PyTorch", 0.45), "bf16"),
        (("own gemm", 0.8), "float32"), (("copy", 0.92), "float32"), (("PyTorch", 1), "float32"),
        (("PyTorch", 2), "float32"),
    }  # fmt: skip
    assert all(work.bytes > 64e6 for work in works.TABLE if work.aim[0] == "copy")


# --- Instructions beside their models


@pytest.mark.skipif(shutil.which("nvcc") is None, reason="needs nvcc, but no GPU")
def test_the_comparison_of_instructions_compiles(tmp_path: Path) -> None:
    ways = {
        "hardware": ["-arch=sm_90"],
        "models": ["-arch=sm_90", "-DBAREGRAD_MODELS"],
    }
    flags = ["-std=c++17", "-O2", "-Werror", "all-warnings"]
    objects = [str(tmp_path / f"{way}.o") for way in ways]
    for out, options in zip(objects, ways.values(), strict=True):
        subprocess.run(["nvcc", *flags, *options, "-c", str(MODELS), "-o", out], check=True)
    program = str(tmp_path / "models")
    subprocess.run(["nvcc", *objects, "-o", program], check=True)
    done = subprocess.run([program], capture_output=True, text=True, check=False)
    if backend.why_absent("cuda") is not None:
        assert done.returncode in (0, 77)  # there may be a GPU, and a build without _cuda
        assert done.stdout.startswith("{" if done.returncode == 0 else "no CUDA device: ")
    else:
        assert done.returncode == 0, done.stdout


FORWARD = """
namespace models {
void to_tf32(uint32_t first, uint32_t* out, uint32_t n) { hardware::to_tf32(TF32, out, n); }
void to_bf16(uint32_t first, uint32_t* out, uint32_t n) { hardware::to_bf16(BF16, out, n); }
void mma_tf32(const float* a, const float* b, const float* c, float* out, int tiles) {
  hardware::mma_tf32(MMA, c, out, tiles);
}
void mma_bf16(const float* a, const float* b, const float* c, float* out, int tiles) {
  hardware::mma_bf16(a, b, c, out, tiles);
}
void load_matrices(const float* from, float* out, int n) {
  hardware::MATRICES(from, out, n);
}
void copy(const float* from, float* out, int n) { hardware::copy(from, out, COPIED); }
void copy_fours(const float* from, float* out, int n) { hardware::copy_fours(from, out, FOURS); }
}  // namespace models
"""
RIGHT = {"TF32": "first", "BF16": "first", "MMA": "a, b", "MATRICES": "load_matrices", "COPIED": "n",
         "FOURS": "n"}  # fmt: skip


@needs_sim
@pytest.mark.skipif(compiler() is None, reason="needs a C++ compiler")
@pytest.mark.parametrize(
    ("fault", "where"),
    [
        ({}, ()),
        (
            {"TF32": "first + 0x2000u * (first >= 0x80000000u)", "MMA": "c, b",
             "MATRICES": "copy", "COPIED": "n - 1", "FOURS": "n - 1"},
            ("cvt.rna.tf32", "mma of TF32", "ldmatrix", "cp.async", "cp.async of fours"),
        ),
    ],
    ids=["as it is", "planted"],
)  # fmt: skip
def test_the_comparison_finds_a_wrong_model_and_nothing_else(
    tmp_path: Path, fault: dict[str, str], where: tuple[str, ...]
) -> None:
    """On the simulator, which runs the models in place of both, of fewer numbers."""
    forward = FORWARD
    for name, words in (RIGHT | fault).items():
        forward = forward.replace(name, words, 1)
    program = MODELS.read_text().replace('"../cuda/ptx.h"', f'"{ROOT / "cuda" / "ptx.h"}"')
    for old, new in {
        "#ifndef BAREGRAD_MODELS\nnamespace {": f"{forward}#ifndef BAREGRAD_MODELS\nnamespace {{",
        "kPiece = 1u << 28": "kPiece = 1u << 9",
        "piece * kPiece": "piece * (1u << 28)",
        "kTiles = 16384": "kTiles = 16",
        "kMoved = 100000": "kMoved = 1000",
        "<<<1024, ": "<<<2, ",
    }.items():
        assert old in program, old
        program = program.replace(old, new)
    source = tmp_path / "models.cu"
    source.write_text(program)
    done = subprocess.run(
        [sys.executable, "-m", "baregrad", "sim", str(source)],
        capture_output=True, text=True, check=False
    )  # fmt: skip
    line = next((line for line in done.stdout.splitlines() if line.startswith("{")), "")
    assert line, done.stdout + done.stderr
    found = json.loads(line)
    wrong = [
        name
        for name, counts in found.items()
        if counts.get("different", 0) or max(counts.get("hardware", 0), counts.get("model", 0)) > 1
    ]
    assert tuple(wrong) == where
    if fault:
        assert found["cvt.rna.tf32"]["first"] == "0x80000000"
        assert found["cvt.rna.tf32"]["different"] == 8 * 512
        assert found["cp.async"]["different"] == found["cp.async of fours"]["different"] == 1
    products = [counts for name, counts in found.items() if name.startswith("mma")]
    assert all(counts["model"] > 0 for counts in products)


# --- For compute-sanitizer


@pytest.mark.skipif(backend.why_absent("cuda") is not None, reason="needs a GPU")
def test_small_cases_of_all_ops_are_right_on_cuda(request: pytest.FixtureRequest) -> None:
    table, end = OnDevice(backend.device("cuda")), time.monotonic() + SECONDS
    small = [c for op in OPS.values() for c in op.tests if c.flops < 2e5 and c.bytes < 2e5]
    done = 0
    for i in np.random.default_rng(0).permutation(len(small)):
        if time.monotonic() > end:
            break
        arguments, again = (small[i].arguments(np.random.default_rng(0)) for _ in range(2))
        check(small[i], table, arguments, exact_result(small[i], again))
        done += 1
    assert done > 0
