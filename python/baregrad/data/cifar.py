"""CIFAR-100: 60,000 colour photographs of 32x32 pixels."""

from __future__ import annotations

import io
import itertools
import os
import zlib
from pathlib import Path

import numpy as np

from ..reading import InPieces, decoded, expect_end, most, opened, read_exactly
from ..typing import NDArray
from .files import find
from .splits import Splits, held_back

_URL = "https://www.cs.toronto.edu/~kriz/"
_ARCHIVE = "cifar-100-binary.tar.gz"
_SHA256 = {_ARCHIVE: "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec"}
_NAMES, _PART = "fine_label_names.txt", 10_000
_RECORD = 2 + 3 * 32 * 32  # coarse label, fine label, pixels
_MOST_MEMBERS = 100  # of an archive that has six; each costs a kilobyte
_MOST_TEXT = 10_000  # bytes of the names of 100 classes


def cifar100(
    data_dir: str | os.PathLike[str] | None = None, valid: int = 5_000, seed: int = 0
) -> Splits:
    """Images float32 (n, 3, 32, 32) in [0, 1], 100 fine classes: 45,000, 5,000, 10,000 to test.

    `valid` of the 50,000 training images are held back, drawn by `seed`. Looked for where `mnist`
    looks, as cifar-100-binary.tar.gz, as its train.bin and test.bin, or as train-1.bin.xz to
    train-5.bin.xz and test.bin.xz, whose pixels run (row, channel, column). Errors as there.

    Source: A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009.
    """
    packed = [*(f"train-{part}.bin.xz" for part in range(1, 6)), "test.bin.xz", _NAMES]
    layouts = [["train.bin", "test.bin", _NAMES], packed, [_ARCHIVE]]
    layouts += [[f"cifar-100-binary/{name}" for name in layouts[0]]]
    found = find("cifar100", layouts, data_dir, _URL, _SHA256)
    if found[0].name == _ARCHIVE:
        train, test, names = _from_archive(found[0])
    else:
        per_file = _PART if len(found) == len(packed) else 5 * _PART
        train = np.concatenate([_records(path, per_file) for path in found[:-2]])
        with opened(found[-1]) as file:
            names = decoded("cifar100", file.read(_MOST_TEXT), found[-1])
        test = _records(found[-2], _PART)
    left, held = held_back("cifar100", len(train), valid, seed)
    classes = tuple(names.split())
    if len(classes) != 100 or max(train[:, 1].max(), test[:, 1].max()) > 99:
        raise ValueError(f"[cifar100] {found[0].parent} has other labels, expected 0 to 99")
    parts = ((_images(r), r[:, 1].astype(np.int64)) for r in (train[left], train[held], test))
    return Splits.of(parts, classes, {"image": (3, 32, 32)})


def _images(records: NDArray) -> NDArray:
    return records[:, 2:].reshape(-1, 3, 32, 32) / np.float32(255)


def _records(path: Path, count: int) -> NDArray:
    """uint8 (count, 3074): two labels, then the pixels as (channel, row, column)."""
    with opened(path) as file:
        content = read_exactly("cifar100", file, count * _RECORD, path)
        expect_end("cifar100", file, path)
    records = np.frombuffer(content, np.uint8).reshape(count, _RECORD)
    if path.suffix != ".xz":
        return records
    pixels = records[:, 2:].reshape(count, 32, 3, 32).transpose(0, 2, 1, 3).reshape(count, -1)
    return np.concatenate([records[:, :2], pixels], axis=1)


def _from_archive(path: Path) -> tuple[NDArray, NDArray, str]:
    """Reads three members and unpacks nothing to the disk."""
    import gzip
    import tarfile  # here and not above, so that the package starts sooner

    content = []
    try:
        with (
            InPieces(gzip.open(path), most(path)) as unpacked,
            tarfile.open(fileobj=unpacked, mode="r:") as archive,
        ):
            members = {m.name: m for m in itertools.islice(archive, _MOST_MEMBERS)}
            for name, size in (("train.bin", 5 * _PART), ("test.bin", _PART), (_NAMES, 0)):
                member = members[f"cifar-100-binary/{name}"]
                file = archive.extractfile(member) or io.BytesIO()
                length = size * _RECORD or min(member.size, _MOST_TEXT)
                content.append(read_exactly("cifar100", file, length, name))
    except (
        tarfile.TarError, AttributeError, KeyError, EOFError, OSError, OverflowError, RecursionError, ValueError, zlib.error
    ) as error:  # fmt: skip
        raise ValueError(f"[cifar100] {path} is damaged: {error}") from error
    train, test = (np.frombuffer(c, np.uint8).reshape(-1, _RECORD) for c in content[:2])
    return train, test, decoded("cifar100", content[2], path)
