"""A CUDA file of one's own compiled by nvcc, for a device: as far as can be tried without one, and on one."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path
from typing import Any

import baregrad as bg
import numpy as np
import pytest
from baregrad import backend, choice, own, trial
from baregrad.choice import rungs
from baregrad.cli import main
from test_cuda import built, needs_build
from test_own_cuda import PLAIN
from toolchain import SOURCES, compile_shared, compiler

needs_nvcc = pytest.mark.skipif(
    shutil.which("nvcc") is None or compiler() is None, reason="needs nvcc, but no GPU"
)
needs_sim = pytest.mark.skipif(
    backend.why_absent("sim") is not None or compiler() is None,
    reason="needs the simulator, and a C++ compiler",
)
needs_device = pytest.mark.skipif(not bg.cuda.is_available(), reason="no CUDA device")
RUNGS = [(op, path) for where, op, _, path in rungs() if where == "sim"]


@pytest.fixture(autouse=True)
def architecture(monkeypatch: pytest.MonkeyPatch) -> None:
    if not bg.cuda.is_available():
        monkeypatch.setenv("NVCC_APPEND_FLAGS", "-arch=sm_90")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    source = tmp_path / 'my "own" gemm.cu'
    source.write_text(PLAIN)
    return source


@pytest.fixture
def no_nvcc(monkeypatch: pytest.MonkeyPatch) -> None:
    which = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name: None if "nvcc" in name else which(name))


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module _cuda, which says that there is a device, and the devices on which files were tried."""
    cuda, tried = built(), []
    for name in ("_BY_NAME", "_BY_ARRAY", "_WHY_ABSENT"):
        monkeypatch.setattr(backend, name, dict(getattr(backend, name)))
    for found in (backend._BY_NAME, backend._WHY_ABSENT):
        found.pop("cuda", None)
    monkeypatch.setattr(cuda, "why_absent", str)
    monkeypatch.setattr(trial, "check", lambda plugin: tried.append(plugin.device))
    yield cuda, tried
    cuda.select("", [])


@needs_nvcc
def test_it_exports_two_functions_and_opens_without_a_driver(file: Path) -> None:
    plugin = own.build(file, device="cuda")
    assert (plugin.device, plugin.slots) == ("cuda", ("gemm", "gemm_workspace"))
    assert own.build(file, device="cuda") == plugin
    names = subprocess.run(
        ["nm", "-D", "--defined-only", plugin.library], capture_output=True, text=True, check=True
    ).stdout
    assert names.split()[2::3] == ["baregrad_last_error", "baregrad_plugin"]
    last_error = ctypes.CDLL(str(plugin.library)).baregrad_last_error
    assert bg.cuda.is_available() or last_error() != 0  # the driver that is not there


@needs_build
@needs_nvcc
@pytest.mark.parametrize(("op", "rung"), RUNGS, ids=[path.stem for _, path in RUNGS])
def test_a_rung_is_laid_over_the_kernels_and_taken_off(op: str, rung: Path) -> None:
    library = own.build(rung, device="cuda").library
    try:
        built().select("bf16", [(op, "mine", str(library))])
        assert built().in_use() == f"bf16, {op}=mine"
    finally:
        built().select("", [])
    assert built().in_use() == "cuda"


@needs_nvcc
@pytest.mark.parametrize("op", ["conv2d", "reduce"])
def test_what_new_writes_compiles(op: str, tmp_path: Path) -> None:
    source = tmp_path / f"my_{op}.cu"
    assert main(["new", op, str(source)]) == 0
    simulated = {slot for slot in own.wrapped(source)[1] if bg.backend._cpu.SLOTS[slot] == op}
    assert set(own.build(source, device="cuda").slots) == simulated


@needs_nvcc
@pytest.mark.parametrize(
    ("right", "wrong", "sentence"),
    [
        ("float sum = 0;", "float sum = zero;", r'\(7\): error: identifier "zero" is undefined'),
        ("(m, n, k, a, b, c);", "(m, n, k, a, b);", r"\(21\): error: too few arguments"),
        ("float rows[TILE][TILE]", "float rows[TILE][999]", "too much shared data"),
    ],
)
def test_what_nvcc_refuses_is_told_in_its_words(
    file: Path, right: str, wrong: str, sentence: str
) -> None:
    assert right in PLAIN
    file.write_text(PLAIN.replace(right, wrong))
    with pytest.raises(
        ValueError, match=r"^\[use\] .* gemm.cu does not compile:\n(?s:.*)" + sentence
    ):
        own.build(file, device="cuda")


def test_without_nvcc_it_says_what_is_missing(
    file: Path, no_nvcc: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUDACXX", raising=False)
    with pytest.raises(RuntimeError, match=r"\[use\] there is no nvcc, expected one on the PATH"):
        own.build(file, device="cuda")
    monkeypatch.setenv("CUDACXX", "nvcc-99 -G")
    with pytest.raises(RuntimeError, match=r"\[use\] \$CUDACXX, 'nvcc-99', is not here, expected"):
        own.build(file, device="cuda")


def test_nvcc_is_looked_for_where_cuda_says_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "bin" / "nvcc"
    place.parent.mkdir()
    place.write_text("")
    place.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CUDA_HOME", str(tmp_path))
    assert own.nvcc() == (str(place),)
    monkeypatch.setenv("CUDACXX", f"{place} -G")
    assert own.nvcc() == (str(place), "-G")


# --- bg.use, where a device is pretended: nothing runs on it


@needs_build
@needs_nvcc
@needs_sim
def test_a_file_in_use_is_laid_over_cuda_when_that_is_loaded(file: Path, pretended: Any) -> None:
    cuda, tried = pretended
    with bg.use(str(file)):
        assert tried == ["sim"]
        file.write_text("not CUDA any more")
        assert backend.device("cuda").table.own is cuda
        assert tried == ["sim", "cuda"]
        assert cuda.in_use() == 'cuda, gemm=my "own" gemm'
        with bg.use(precision="tf32", softmax_xent="ladder/warp"):
            assert cuda.in_use() == 'tf32, gemm=my "own" gemm, softmax_xent=ladder/1_warp'
        assert tried == ["sim", "cuda"]
    assert cuda.in_use() == "cuda"


@needs_build
@needs_nvcc
def test_where_cuda_alone_is_here_a_file_is_tried_there(file: Path, pretended: Any) -> None:
    cuda, tried = pretended
    backend._BY_NAME.pop("sim", None)
    backend._EXTENSIONS["sim"] = "baregrad._no_such_module"
    try:
        with bg.use(str(file)):
            assert tried == ["cuda"]
            assert cuda.in_use() == 'cuda, gemm=my "own" gemm'
    finally:
        backend._EXTENSIONS["sim"] = "baregrad._sim"


@needs_build
@needs_sim
def test_without_nvcc_cuda_is_not_available_while_a_file_is_in_use(
    file: Path, pretended: Any, no_nvcc: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUDACXX", raising=False)
    with bg.use(str(file)):
        for _ in range(2):
            with pytest.raises(RuntimeError, match="there is no nvcc"):
                backend.device("cuda")
            assert "there is no nvcc" in (bg.cuda.why_not() or "")
    assert bg.cuda.is_available()
    with pytest.raises(RuntimeError, match="there is no nvcc"):
        bg.use(str(file))
    assert choice._current.rungs == ()


def test_check_names_the_devices_that_a_file_is_for(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["check", str(file), "--device", "cpu"])
    assert "argument --device: 'cpu', expected sim or cuda for " in capsys.readouterr().err
    if not bg.cuda.is_available():
        with pytest.raises(SystemExit):
            main(["check", str(file), "--device", "cuda"])
        assert "argument --device: [device] cuda is not available: " in capsys.readouterr().err


# --- What goes wrong in the runtime of a plug-in


@needs_sim
def test_an_error_of_its_own_runtime_is_that_of_the_call(tmp_path: Path) -> None:
    source = tmp_path / "fails.cpp"
    source.write_text(
        f'#include "{SOURCES}/csrc/kernels.h"\n'
        "static int error = 0;\n"
        "static void fail(baregrad::UnaryKind, const float*, float*, int64_t, float, cudaStream_t) "
        "{ error = 9; }\n"
        "void baregrad_plugin(baregrad::Kernels* table) { table->unary_forward = fail; }\n"
        "int baregrad_last_error() { const int last = error; error = 0; return last; }\n"
    )
    library = compile_shared([source], tmp_path / "fails.so", "-DBAREGRAD_DEVICE")
    sim = backend.device("sim")
    x = sim.from_numpy(np.ones(3, np.float32))
    try:
        sim.table.own.select("", [("unary", "fails", str(library))])
        for _ in range(2):
            with pytest.raises(RuntimeError, match=r"\[relu_forward\] invalid configuration"):
                sim.table.relu_forward(x)
            sim.table.relu_backward(x, x)  # told once
    finally:
        sim.table.own.select("", [])
    sim.table.relu_forward(x)


# --- On a device


@needs_nvcc
@needs_device
def test_on_cuda_a_file_is_checked_and_computes_a_product(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", str(file), "--device", "cuda"]) == 0
    assert "on cuda" in capsys.readouterr().out
    cuda = backend.device("cuda")
    a = np.arange(6, dtype=np.float32).reshape(2, 3)
    with bg.use(str(file)):
        there = cuda.from_numpy(a)
        np.testing.assert_array_equal(cuda.table.gemm(there, there.mT).numpy(), a @ a.T)


@needs_nvcc
@needs_device
def test_on_cuda_a_launch_that_cannot_be_is_told(file: Path) -> None:
    file.write_text(PLAIN.replace("block(TILE, TILE)", "block(2 * TILE, 4 * TILE)"))
    with pytest.raises(ValueError, match=r"on cuda: invalid configuration argument"):
        trial.check(own.build(file, device="cuda"))
