"""Every kind of file that the package reads, and what reading one costs: python -m formats KIND FILE...

Prints a line of JSON for each file: what was raised, and by how much the peak of memory rose.
"""

from __future__ import annotations

import functools
import gc
import json
import resource
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import baregrad as bg
from baregrad import data, keras, tensorfile
from baregrad.arrayfile import read_npy
from baregrad.cli.pictures import read_picture
from baregrad.cli.predict import load_network
from baregrad.data import cifar
from baregrad.data.mnist import read_idx
from baregrad.train import checkpoint

CORPUS = Path(__file__).parent / "corpus"
_BACKSTOP = 1 << 30  # bytes of address space that reading may ask for; most of it is never touched


@functools.cache
def _model() -> bg.nn.Module:
    bg.manual_seed(0)
    return bg.nn.Sequential(bg.nn.Linear(2, 3), bg.nn.ReLU(), bg.nn.Linear(3, 2))


def training() -> tuple[bg.nn.Module, bg.optim.Adam, None, list[object]]:
    """What the checkpoints of the corpus are of: model (always the same), optimizer, scheduler, loader."""
    return _model(), bg.optim.Adam(_model().parameters()), None, [None] * 3


def _idx(path: Path) -> object:
    return read_idx(path, 3)


def _cifar(path: Path) -> object:
    cifar._PART = 1
    return cifar._from_archive(path)


def _npz(path: Path) -> object:
    return read_npy("predict", path) if path.suffix == ".npy" else data.from_npz(path)


def _csv(path: Path) -> object:
    return data.from_csv(path, "y")


def _safetensors(path: Path) -> object:
    """By each of the three readers; what one refuses another may take."""
    found = bg.load(path)
    metadata = tensorfile.metadata(path)
    if "keras" in metadata:
        return keras.load_model(path)
    return load_network(path) if "classes" in metadata else found


def _checkpoint(path: Path) -> object:
    return checkpoint.load_checkpoint(path, *training())


def _png(path: Path) -> object:
    return read_picture(path, (1, 8, 8), 8), read_picture(path, (3, 8, 8), None)


READERS: dict[str, Callable[[Path], object]] = {
    "checkpoint": _checkpoint,
    "cifar": _cifar,
    "csv": _csv,
    "idx": _idx,
    "npz": _npz,
    "png": _png,
    "safetensors": _safetensors,
}
DECLARED = (ValueError, OSError)


def _kilobytes(line: str) -> int:
    """A line of /proc/self/status: VmRSS, the memory in use; VmHWM, its peak; VmSize, the addresses."""
    status = Path("/proc/self/status").read_text()
    return int(status.split(f"{line}:")[1].split()[0])


def cost(kind: str, path: Path) -> dict[str, object]:
    """Read a file; the error's type and sentence, and the peak of memory above where it began."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before, error = _kilobytes("VmRSS"), None
    try:
        READERS[kind](path)
    except Exception as raised:  # noqa: BLE001  it is what is asked for
        error = raised
    rose = 1024 * (_kilobytes("VmHWM") - before)
    return {"error": error and type(error).__name__, "says": str(error), "rose": rose}


def main(kind: str, *files: str) -> None:
    warnings.filterwarnings("ignore", r"\[from_csv\] .* are left out")
    for path in sorted((CORPUS / kind).glob("whole*")):  # what is imported only when it is needed
        READERS[kind](path)
    limit = 1024 * _kilobytes("VmSize") + _BACKSTOP
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    for file in files:
        print(json.dumps(cost(kind, Path(file))), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
