"""`baregrad predict`: what a saved network makes of images, arrays or rows of a table."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import nn, saving, tensorfile
from ..arrayfile import read_npy
from ..autograd import no_grad
from ..data.tables import encode
from ..tablefile import read_csv
from ..tensor import from_numpy
from ..typing import NDArray
from . import models
from .pictures import read_picture

HELP = "class and probability of images (.png, ...), arrays (.npy) or rows (.csv)"


@dataclass(frozen=True)
class Network:
    """A saved network with what its file says: how inputs are prepared, what outputs mean."""

    model: nn.Module
    said: dict[str, Any]
    classes: list[str]


def add_parser(subparsers: Any) -> None:
    """Add the subcommand to the command line."""
    parser = subparsers.add_parser("predict", description=HELP)
    parser.add_argument("model", type=Path, help="what `baregrad train` wrote")
    parser.add_argument(
        "files", type=Path, nargs="+", metavar="file", help="images of any size, .npy or .csv"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Read all inputs first, then print a line for each."""
    network = load_network(args.model)
    inputs = [
        (path, models.prepared(read(path, network.said), network.said)) for path in args.files
    ]
    for path, x in inputs:
        outputs = _outputs(args.model, network, x)
        for row, output in enumerate(outputs):
            name = str(path) if len(outputs) == 1 else f"{path}:{row}"
            print(f"{name}  {_meaning(output, network)}")
    return 0


def _outputs(path: Path, network: Network, x: NDArray) -> NDArray:
    """float64 (n, k): what the network gives for inputs (n, ...). ValueError if it cannot."""
    expected = (len(x), len(network.classes) or 1)
    with no_grad(), naming(path):
        outputs = network.model(from_numpy(x)).numpy().astype(np.float64)
    if outputs.shape != expected:
        raise ValueError(f"[predict] {path} gives {outputs.shape}, expected {expected}")
    return outputs


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Inside, what the network of a file raises becomes a ValueError that names the file."""
    try:
        yield
    except saving.FAULTS as error:
        raise ValueError(f"[predict] the network of {path} fails on its inputs: {error}") from error


def load_network(path: Path) -> Network:
    """ValueError for a file without a network or without what `baregrad train` says of it."""
    model, header = saving.load(path), tensorfile.metadata(path)
    if not isinstance(model, nn.Module):
        raise ValueError(  # noqa: TRY004  it is the file that is wrong
            f"[load] {path} has tensors only, expected a network of nn's layers"
        )
    try:
        said, classes = json.loads(header["preprocess"]), json.loads(header["classes"])
        models.check(said, classes)
        return Network(model, said, classes)
    except (AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise ValueError(
            f"[load] {path} does not say how its inputs are made, expected a file of baregrad train"
        ) from error


def read(path: Path, said: dict[str, Any]) -> NDArray:
    """A file as inputs (n, ...), float32: bytes become [0, 1], pictures what the network knows."""
    if path.suffix == ".csv":
        if "columns" not in said:
            raise ValueError(f"[predict] {path} is a table, expected inputs {said['shape']}")
        return encode(path, read_csv(path), said["columns"])
    if path.suffix == ".npy":
        array = read_npy("predict", path)
        if array.dtype.kind not in "biuf" or not array.size:
            raise ValueError(f"[predict] {path} has dtype {array.dtype}, expected some numbers")
        if array.size == np.prod(said["shape"], dtype=int):
            array = array[None]
        scale = 255 if array.dtype == np.uint8 else 1
        return np.asarray(array / np.float32(scale), np.float32)
    if "image" not in said:
        raise ValueError(f"[predict] {path} is a picture, expected inputs {said['shape']}")
    return read_picture(path, tuple(said["image"]), said.get("ink"))[None]


def _meaning(output: NDArray, network: Network) -> str:
    if not network.classes:
        target = network.said.get("target", {})
        return f"{output[0] * target.get('deviation', 1.0) + target.get('mean', 0.0):.6g}"
    shares = np.exp(output - output.max())
    best = int(output.argmax())
    return f"{network.classes[best]}  {shares[best] / shares.sum():.1%}"
