"""MNIST: 70,000 handwritten digits of 28x28 pixels."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np

from ..reading import expect_end, opened, read_exactly
from ..typing import NDArray
from .files import find
from .splits import Splits, held_back

_URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"
_SHA256 = {
    "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}


def mnist(
    data_dir: str | os.PathLike[str] | None = None, valid: int = 5_000, seed: int = 0
) -> Splits:
    """Images float32 (n, 1, 28, 28) in [0, 1], ten classes: 55,000 to learn, 5,000, 10,000 to test.

    `valid` of the 60,000 training images are held back, drawn by `seed`. The four idx files, packed
    or not, are looked for in `data_dir`, $BAREGRAD_DATA and the cache, else downloaded, which needs
    pooch: FileNotFoundError without. ValueError, naming the file, for one that is damaged.

    Source: Y. LeCun, C. Cortes and C. J. C. Burges, THE MNIST DATABASE of handwritten digits.
    """
    layout = [f"{name.removesuffix('.gz')}|{name}" for name in _SHA256]
    train, train_labels, test, test_labels = find("mnist", [layout], data_dir, _URL, _SHA256)
    images, labels = _pair(train, train_labels)
    left, held = held_back("mnist", len(images), valid, seed)
    parts = [(images[left], labels[left]), (images[held], labels[held]), _pair(test, test_labels)]
    arrays = ((x[:, None] / np.float32(255), y.astype(np.int64)) for x, y in parts)
    return Splits.of(arrays, "0123456789", {"image": (1, 28, 28), "ink": 20})


def _pair(images_path: Path, labels_path: Path) -> tuple[NDArray, NDArray]:
    images, labels = read_idx(images_path, 3), read_idx(labels_path, 1)
    if images.shape[1:] != (28, 28):
        raise ValueError(f"[mnist] {images_path} has images {images.shape[1:]}, expected (28, 28)")
    if len(images) != len(labels):
        raise ValueError(
            f"[mnist] {labels_path} has {len(labels)} labels, expected {len(images)} as images"
        )
    if labels.max(initial=0) > 9:
        raise ValueError(f"[mnist] {labels_path} has a label {labels.max()}, expected 0 to 9")
    return images, labels


def read_idx(path: Path, axes: int) -> NDArray:
    """The bytes of an idx file: 0, 0, 8 (for uint8), the number of axes, their lengths, the data."""
    with opened(path) as file:
        magic = read_exactly("mnist", file, 4, path)
        if magic != bytes((0, 0, 8, axes)):
            raise ValueError(
                f"[mnist] {path} begins with {magic.hex(' ')}, expected 00 00 08 {axes:02x}"
            )
        lengths = np.frombuffer(read_exactly("mnist", file, 4 * axes, path), ">u4").tolist()
        content = read_exactly("mnist", file, math.prod(lengths), path)
        expect_end("mnist", file, path)
    if not content:  # perhaps 0 of lengths that no array can have
        raise ValueError(f"[mnist] {path} has lengths {lengths}, expected some data")
    return np.frombuffer(content, np.uint8).reshape(lengths)
