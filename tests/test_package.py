"""The shape of the house: its budgets, its names, and that the CUDA sources are CUDA."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import baregrad
import pytest
from baregrad import reference
from baregrad.cases import OPS
from toolchain import SOURCES

PACKAGE = Path(baregrad.__file__).parent
ROOT = Path(__file__).parent.parent


def lines(*paths: Path) -> int:
    return sum(len(path.read_text().splitlines()) for path in paths)


def test_the_core_fits_on_a_few_screens() -> None:
    assert lines(PACKAGE / "autograd.py") <= 200
    assert lines(PACKAGE / "tensor.py") <= 400
    rooms = [PACKAGE / room for room in ("nn", "optim", "utils", "data", "train")]
    assert lines(*(path for room in rooms for path in room.rglob("*.py"))) <= 3_300
    assert len(list((SOURCES / "csrc" / "ops").glob("*.cpp"))) <= 24


def test_no_source_file_is_too_long_to_read() -> None:
    folders = [PACKAGE, SOURCES / "csrc", SOURCES / "cuda"]
    files = [
        f
        for folder in folders
        for f in folder.rglob("*")
        if f.suffix in {".py", ".h", ".cpp", ".cu"}
    ]
    assert len(files) > 50
    assert [f.name for f in files if lines(f) > 400] == []


@pytest.mark.parametrize("op", OPS)
def test_an_op_lives_under_one_stem_in_every_room(op: str) -> None:
    for room in ("csrc/ops/{}.cpp", "csrc/kernels/{}.inl.h", "cuda/kernels/{}.cu"):
        assert (SOURCES / room.format(op)).is_file()
    for room in ("reference", "cases"):
        assert (PACKAGE / room / f"{op}.py").is_file()
    assert (Path(__file__).parent / f"test_{op}.py").is_file()


def test_only_optimizer_steps_and_what_conv2d_is_made_of_have_no_derivative() -> None:
    without = {op for op in OPS if not (PACKAGE / "ops" / f"{op}.py").is_file()}
    assert without == {"sgd_step", "adam_step", "im2col"}


# What only some need, what is slow to import, and what would reach for a network.
LATE = {
    *("baregrad._sim", "baregrad.cases", "baregrad.cli", "baregrad.keras"),
    *("PIL", "matplotlib", "pooch", "safetensors", "torch", "tqdm"),
    *("argparse", "importlib.metadata", "multiprocessing", "subprocess"),
    *("socket", "ssl", "urllib.request"),
}


def test_imports_neither_the_simulator_nor_what_only_some_need_nor_a_driver() -> None:
    code = (
        "import numpy, sys\n"
        # Where the package is editable the finder builds it first, with modules of its own.
        "for finder in sys.meta_path: finder.find_spec('baregrad._cpu', None)\n"
        f"for name in {LATE}: sys.modules.pop(name, None)\n"
        "import baregrad; from pathlib import Path\n"
        f"late = {LATE} & set(sys.modules); assert not late, late\n"
        "maps = Path('/proc/self/maps'); assert not maps.exists() or 'libcuda' not in maps.read_text()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_kernel_and_public_function_says_what_it_does() -> None:
    for name in reference.__all__:
        text = getattr(reference, name).__doc__
        assert text, name
        assert "->" in text.splitlines()[0], f"{name}: the first line has no shapes"
