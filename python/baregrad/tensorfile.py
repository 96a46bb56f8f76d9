"""Safetensors files: read with care, and written whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .hints import an
from .ops.arguments import instance
from .reading import regular
from .typing import NDArray
from .writing import replacing

_DTYPES = {
    "F32": np.float32,
    "F64": np.float64,
    "I64": np.int64,
    "I32": np.int32,
    "U8": np.uint8,
    "BOOL": np.bool_,
}
_LONGEST_HEADER = 2 << 20  # bytes: some thousands of tensors. As objects it takes 20 times as much
PATHS = (str, os.PathLike)
PICKLES = (".pt", ".pth", ".pkl", ".pickle")


def metadata(path: str | os.PathLike[str]) -> dict[str, str]:
    """The text by name in the header of a safetensors file."""
    return _open("load", Path(path))[1]


def read(op: str, path: str | os.PathLike[str]) -> tuple[dict[str, NDArray], dict[str, str]]:
    """The arrays of a safetensors file and the text of its header. ValueError if it is broken."""
    file, header, start = _open(op, Path(instance(op, "path", path, PATHS, "a path")))
    arrays = {}
    with Path(path).open("rb") as data:  # and not file.get_tensor: that takes the memory twice
        data.seek(start)
        for name in file.offset_keys():
            about = file.get_slice(name)
            dtype, shape = about.get_dtype(), about.get_shape()
            if dtype not in _DTYPES:
                known = ", ".join(_DTYPES)
                raise ValueError(
                    f"[{op}] {path}: {name} has dtype {dtype}, expected one of {known}"
                )
            try:
                content = np.empty(shape, np.uint8 if dtype == "BOOL" else _DTYPES[dtype])
            except ValueError as error:  # no bytes, but an extent beyond any array's
                raise ValueError(f"[{op}] {path}: {name} has shape {shape}: {error}") from None
            if data.readinto(content.reshape(-1).view(np.uint8).data) < content.nbytes:
                raise ValueError(f"[{op}] {path} ends in {name}, expected all of it")
            arrays[name] = np.asarray(content != 0) if dtype == "BOOL" else content
    return {name: arrays[name] for name in sorted(arrays)}, header


def _open(op: str, path: Path) -> tuple[Any, dict[str, str], int]:
    """A safetensors file that safetensors itself has checked, its text, and where its data begins."""
    from safetensors import SafetensorError, safe_open

    with regular(op, path).open("rb") as beginning:  # the OSError of a missing file is Python's own
        start = beginning.read(512)
    length = int.from_bytes(start[:8], "little")
    try:
        if length > _LONGEST_HEADER:
            raise SafetensorError(
                f"its header has {length:,} bytes, expected at most {_LONGEST_HEADER:,}"
            )
        file: Any = safe_open(path, "numpy")
        return file, file.metadata() or {}, 8 + length
    except SafetensorError as error:
        # torch.save writes a zip with data.pkl in it, earlier a bare pickle: 0x80 and a version
        zipped = start.startswith(b"PK") and b"data.pkl" in start
        if path.suffix in PICKLES or zipped or (start[:1] == b"\x80" and start[1:2] <= b"\x05"):
            raise ValueError(_pickle_sentence(op, path)) from None
        raise ValueError(f"[{op}] {path} is not a whole safetensors file: {error}") from error


def _pickle_sentence(op: str, path: Path) -> str:
    return (
        f"[{op}] {path} is a pickle, which can run any code, expected a safetensors file. "
        "Two lines of PyTorch make one:\n"
        "    import torch, safetensors.torch\n"
        f"    safetensors.torch.save_file(torch.load({str(path)!r}, weights_only=True), "
        f"{str(path.with_suffix('.safetensors'))!r})"
    )


def write(
    op: str, path: str | os.PathLike[str], arrays: Mapping[str, NDArray], metadata: dict[str, str]
) -> None:
    """Replace the file `path` by one with these arrays, when all of it is on the disk.

    OSError, in one sentence, if that fails: the file is then as it was. ValueError if the header
    is longer than `read` takes.
    """
    from safetensors.numpy import save as to_bytes

    header, data = _sorted(to_bytes(dict(arrays), {"format": "pt", **metadata}))
    if len(header) > _LONGEST_HEADER:
        raise ValueError(
            f"[{op}] {path} would have a header of {len(header):,} bytes, "
            f"expected at most {_LONGEST_HEADER:,}: fewer tensors, less text"
        )
    with replacing(op, path) as file:
        file.write(header)
        file.write(data)


def _sorted(content: bytes) -> tuple[bytes, memoryview]:
    """Header and data of a file, the metadata in order: safetensors leaves that to chance."""
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # the data begins at a multiple of 8
    return len(text).to_bytes(8, "little") + text, memoryview(content)[start:]


def write_tree(op: str, path: str | os.PathLike[str], tree: Any, key: str) -> None:
    """As `write`, of dicts, lists and tuples in each other: their arrays, the rest as JSON."""
    arrays: dict[str, NDArray] = {}
    text = json.dumps(_packed(op, tree, "", arrays))
    write(op, path, arrays, {key: text})


def read_tree(op: str, path: str | os.PathLike[str], key: str) -> Any:
    """What `write_tree` wrote. ValueError for another file."""
    arrays, header = read(op, path)
    if key not in header:
        raise ValueError(f"[{op}] {path} is no checkpoint, expected a file that {op} wrote")
    try:
        return _unpacked(json.loads(header[key]), arrays)
    except (LookupError, RecursionError, TypeError, ValueError) as error:
        raise ValueError(f"[{op}] {path} is a broken checkpoint: {error}") from error


def _packed(op: str, value: Any, name: str, arrays: dict[str, NDArray]) -> Any:
    """`value` for JSON; its arrays go to `arrays` under the path that led to them."""
    if isinstance(value, np.ndarray):
        arrays[name] = np.require(value, requirements="C")
        return {"tensor": name}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):  # as pairs, since JSON's keys are text only
        items = [
            (key, _packed(op, item, f"{name}.{key}".strip("."), arrays))
            for key, item in value.items()
        ]
        return {"mapping": items}
    if isinstance(value, (list, tuple)):
        items = [_packed(op, item, f"{name}.{index}", arrays) for index, item in enumerate(value)]
        return {"tuple" if isinstance(value, tuple) else "list": items}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"[{op}] {name} is {an(value)}, expected what JSON has or an array")


def _unpacked(value: Any, arrays: Mapping[str, NDArray]) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "tensor":
        return arrays[content]
    if kind == "mapping":
        return {key: _unpacked(item, arrays) for key, item in content}
    items = [_unpacked(item, arrays) for item in content]
    return tuple(items) if kind == "tuple" else items
