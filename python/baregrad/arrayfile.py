"""NumPy's .npy and .npz: arrays of numbers and text, and nothing that a header only claims."""

from __future__ import annotations

import math
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Iterable
from typing import IO, Any

import numpy as np

from .reading import PIECE, InPieces, most, regular
from .typing import NDArray

_MAGIC = b"\x93NUMPY"
_LONGEST = 10_000  # bytes of a header, as in NumPy
_HEADER = re.compile(
    r"{'descr': '([<>|=]?[biufSU][0-9]{1,9})', 'fortran_order': (True|False), "
    r"'shape': \(([0-9, ]*)\),? *}\s*"
)
_PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # what NumPy writes
_LAST_CHARACTER = 0x10FFFF
# What zipfile and NumPy say to bytes that are no archive, no array
_FAULTS = (
    EOFError,
    MemoryError,
    NotImplementedError,  # a way of packing that zipfile does not know
    OSError,
    OverflowError,
    RuntimeError,  # a password
    TypeError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)


def read_npy(op: str, path: str | os.PathLike[str]) -> NDArray:
    """The array of an .npy file. ValueError, naming the file, if it is not a whole one."""
    with regular(op, path).open("rb") as file:
        try:
            return _array(file, os.path.getsize(path))
        except _FAULTS as error:
            raise ValueError(f"[{op}] {path} is not a whole .npy: {_why(error)}") from error


def read_npz(
    op: str, path: str | os.PathLike[str], wanted: Iterable[str]
) -> tuple[dict[str, NDArray], list[str]]:
    """Those of the arrays `wanted` that an .npz file has, and the names of all of them.

    ValueError, naming the file, for one that is broken or has a name twice.
    """
    with regular(op, path).open("rb") as file:
        try:
            with zipfile.ZipFile(InPieces(file, os.path.getsize(path))) as archive:
                names = [info.filename.removesuffix(".npy") for info in archive.infolist()]
                if len(set(names)) < len(names):
                    raise ValueError("it has a name twice")
                members = dict(zip(names, archive.infolist(), strict=True))
                found = {name: members[name] for name in wanted if name in members}
                if any(info.compress_type not in _PACKED for info in found.values()):
                    raise ValueError("it is packed otherwise than NumPy packs, by deflate")
                unpacked = sum(info.file_size for info in found.values())
                if unpacked > most(path):
                    raise ValueError(
                        f"it unpacks to {unpacked:,} bytes, too many for its size: save it unpacked"
                    )
                arrays = {}
                for name, info in found.items():
                    with archive.open(info) as member:
                        arrays[name] = _array(member, info.file_size)
        except _FAULTS as error:
            why = _why(error)
            raise ValueError(f"[{op}] {path} is not a whole .npz of arrays: {why}") from error
    return arrays, names


def _array(file: IO[bytes], size: int) -> NDArray:
    """The array of a file of `size` bytes: nothing is allocated before header and size agree."""
    start = file.read(8)
    if start[:6] != _MAGIC or start[6:] not in (b"\1\0", b"\2\0", b"\3\0"):
        raise ValueError(f"it begins with {start.hex(' ')}, expected {_MAGIC.hex(' ')}")
    width = 2 if start[6] == 1 else 4
    length = int.from_bytes(file.read(width), "little")
    if length > _LONGEST:
        raise ValueError(f"its header has {length:,} bytes, expected at most {_LONGEST:,}")
    said = _HEADER.fullmatch(file.read(length).decode("latin-1"))
    if not said:
        raise ValueError("its header is not one of numbers or text")
    dtype = np.dtype(said[1])
    shape = tuple(int(n) for n in said[3].split(",") if n.strip())
    count = math.prod(shape) * dtype.itemsize
    there = size - 8 - width - length
    if count != there or not dtype.itemsize:
        raise ValueError(f"it declares {shape} of {dtype}, {count:,} bytes, and has {there:,}")
    content = np.empty(count, np.uint8)
    filled = 0
    while piece := file.read(min(count - filled, PIECE)):
        content[filled : filled + len(piece)] = np.frombuffer(piece, np.uint8)
        filled += len(piece)
    if filled < count:
        raise ValueError(f"it ends after {filled:,} of {count:,} bytes")
    if dtype.kind == "U":
        codes = content.view(np.dtype("u4").newbyteorder(dtype.byteorder))
        if (codes > _LAST_CHARACTER).any() or ((codes >= 0xD800) & (codes < 0xE000)).any():
            raise ValueError("its text has numbers that are no characters")
    array = content != 0 if dtype.kind == "b" else content.view(dtype)
    return array.reshape(shape, order="F" if said[2] == "True" else "C")


def _why(error: Exception) -> Any:
    return str(error).partition("\n")[0] or type(error).__name__
