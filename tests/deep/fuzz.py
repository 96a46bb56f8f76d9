"""Fuzzing of every kind of file, a minute each: cd tests; python -m deep.fuzz [kind [-runs=N ...]].

Without arguments all kinds, two at a time, and the figure. With one, that kind, with libFuzzer's own
options. A harness writes what it is given to memory and reads it; whatever is raised that is not
declared is a crash, and so are 10 s or 600 MB. Where raw bytes would not get past a sum or a length,
the mutator changes what is inside and makes the outside fit.
"""

from __future__ import annotations

import gc
import gzip
import importlib
import io
import json
import lzma
import os
import random
import re
import struct
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FunctionType

SECONDS = 60
CANNOT_RUN = 77
_LONGEST = 4096
_TRACED = [
    "PIL.PngImagePlugin", "baregrad.arrayfile", "baregrad.cli.models", "baregrad.cli.pictures",
    "baregrad.cli.predict", "baregrad.data.cifar", "baregrad.data.mnist", "baregrad.data.tables",
    "baregrad.keras.layers", "baregrad.keras.models", "baregrad.keras.words", "baregrad.nn.state",
    "baregrad.optim.adam", "baregrad.optim.optimizer", "baregrad.random", "baregrad.reading",
    "baregrad.saving", "baregrad.tablefile", "baregrad.tensorfile", "baregrad.train.checkpoint",
    "gzip", "tarfile", "zipfile",
]  # fmt: skip

_NO_SUCH_FILE = (
    ArithmeticError, AttributeError, EOFError, LookupError, NotImplementedError, OSError, RuntimeError,
    TypeError, ValueError, lzma.LZMAError, struct.error, zipfile.BadZipFile, zlib.error,
)  # fmt: skip

Mutate = Callable[[bytes, int], bytes]


def of_gzip(data: bytes, mutate: Mutate) -> bytes:
    if not data.startswith(b"\x1f\x8b"):
        return mutate(data, _LONGEST)
    content = zlib.decompressobj(31).decompress(data, 1 << 16)
    return gzip.compress(mutate(content, 1 << 16), 1, mtime=0)


def of_zip(data: bytes, mutate: Mutate) -> bytes:
    """One member changed; the sums are made anew."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    chosen = random.choice(list(members))
    members[chosen] = mutate(members[chosen], _LONGEST)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", random.choice([0, 0, zipfile.ZIP_DEFLATED])) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def of_png(data: bytes, mutate: Mutate) -> bytes:
    """The content of one chunk changed, packed again where it was; its sum is made anew."""
    chunks, place = [], 8
    while place + 12 <= len(data):
        length = struct.unpack(">I", data[place : place + 4])[0]
        chunks.append((data[place + 4 : place + 8], data[place + 8 : place + 8 + length]))
        place += 12 + length
    chosen = random.randrange(len(chunks))
    kind, content = chunks[chosen]
    if kind == b"IDAT" and random.random() < 0.5:
        pixels = zlib.decompressobj().decompress(content, 1 << 16)
        content = zlib.compress(mutate(pixels, 1 << 16), 1)
    else:
        content = mutate(content, _LONGEST)
    chunks[chosen] = kind, content
    parts = [
        struct.pack(">I", len(c)) + k + c + struct.pack(">I", zlib.crc32(k + c)) for k, c in chunks
    ]
    return data[:8] + b"".join(parts)


def of_header(data: bytes, mutate: Mutate) -> bytes:
    """The header of a safetensors file changed, or one text within it; its length is made anew."""
    length = min(struct.unpack("<Q", data[:8])[0], len(data))
    header, content = data[8 : 8 + length], data[8 + length :]
    said = json.loads(header)
    texts = said.get("__metadata__", {})
    if texts and random.random() < 0.8:
        name = random.choice(list(texts))
        texts[name] = mutate(texts[name].encode(), _LONGEST).decode("utf-8", "replace")
        header = json.dumps(said).encode()
    else:
        header = mutate(header, _LONGEST)
    return struct.pack("<Q", len(header)) + header + content


MUTATORS: dict[str, Callable[[bytes, Mutate], bytes]] = {
    "checkpoint": of_header,
    "cifar": of_gzip,
    "idx": of_gzip,
    "npz": of_zip,
    "png": of_png,
    "safetensors": of_header,
}


def functions(modules: list[str]) -> list[FunctionType]:
    """All functions and methods of modules, to be instrumented.

    Not by atheris.instrument_imports: where the package is editable that sees nothing at all, and
    elsewhere nothing of what is imported late, as tarfile and PIL are.
    """
    for name in modules:
        importlib.import_module(name)
    living = [thing for thing in gc.get_objects() if isinstance(thing, FunctionType)]
    return [function for function in living if function.__module__ in modules]


def lessen() -> None:
    """The bounds of bombs: they are refused after kilobytes, not megabytes, and sooner."""
    from baregrad import reading
    from baregrad.cli import pictures
    from baregrad.data import cifar
    from PIL import PngImagePlugin

    reading._ROOM, reading.PIECE, cifar._MOST_MEMBERS = 1 << 16, 1 << 14, 10
    pictures._MOST_TEXT, PngImagePlugin.MAX_TEXT_CHUNK = 1 << 14, 1 << 12


def fuzz(kind: str, options: list[str]) -> None:
    """One kind, until libFuzzer's own options say stop. Never returns."""
    import atheris
    import formats

    for function in functions(_TRACED):
        atheris.instrument_func(function)
    read = formats.READERS[kind]
    lessen()
    ending = {"cifar": ".tar.gz", "npz": ".npz", "csv": ".csv"}.get(kind, f".{kind}")
    folder = Path(tempfile.mkdtemp())
    plain, packed = folder / f"f{ending}", folder / f"f{ending}.gz"
    array = folder / "f.npy"
    files = {path: os.open(path, os.O_RDWR | os.O_CREAT) for path in (plain, packed, array)}

    def one(data: bytes) -> None:
        path = packed if kind == "idx" and data.startswith(b"\x1f\x8b") else plain
        path = array if kind == "npz" and data.startswith(b"\x93NUMPY") else path
        os.ftruncate(files[path], os.pwrite(files[path], data, 0))
        try:
            read(path)
        except formats.DECLARED as error:
            if not str(error).startswith("["):
                raise RuntimeError(f"not a sentence: {error!r}") from error

    def mutated(data: bytes, most: int, seed: int) -> bytes:
        random.seed(seed)
        if kind in MUTATORS and random.random() < 0.8:
            try:
                return MUTATORS[kind](data, atheris.Mutate)[:most]
            except _NO_SUCH_FILE:  # what is no longer such a file is changed as bytes
                return atheris.Mutate(data, most)
        return atheris.Mutate(data, most)

    atheris.Setup([sys.argv[0], *options], one, custom_mutator=mutated)
    atheris.Fuzz()


def run(kind: str) -> tuple[str, int, list[str]]:
    """A minute of one kind in a process of its own: its name, its runs, what crashed it."""
    import formats

    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        found = Path(folder, "found")
        found.mkdir()
        words = [
            sys.executable, "-W", "ignore", "-m", "deep.fuzz", kind, str(found), str(formats.CORPUS / kind),
            f"-max_total_time={SECONDS}", f"-max_len={_LONGEST}", "-timeout=10", "-rss_limit_mb=600",
            "-print_final_stats=1", f"-artifact_prefix={tempfile.gettempdir()}/{kind}-",
        ]  # fmt: skip
        done = subprocess.run(
            words, env={**os.environ, "TMPDIR": folder}, capture_output=True, text=True,
            errors="replace", check=False,
        )  # fmt: skip
    runs = re.findall(r"^stat::number_of_executed_units: +(\d+)", done.stderr, re.MULTILINE)
    written = re.findall(r"Test unit written to (\S+)", done.stderr)
    if "Is the code instrumented" in done.stderr:
        written.append(f"{kind} was fuzzed blindly")
    if done.returncode and not written:
        written = [f"{kind} left with {done.returncode}"]
        print(done.stderr[-2000:])
    return kind, int(runs[-1]) if runs else 0, written


def main() -> int:
    """All kinds, and the figure."""
    try:
        import atheris  # noqa: F401
    except ImportError:
        print("atheris is not installed, expected pip install atheris")
        return CANNOT_RUN
    import formats

    with ThreadPoolExecutor(2) as two:
        results = list(two.map(run, formats.READERS))
    crashes = [path for _, _, written in results for path in written]
    for path in crashes:
        print(f"crash: {path}")
    counts = ", ".join(f"{kind} {runs:,}" for kind, runs, _ in results)
    print(f"{len(crashes)} crashes in a minute each, of so many runs: {counts}")
    return int(bool(crashes) or not all(runs for _, runs, _ in results))


if __name__ == "__main__":
    if sys.argv[1:]:
        fuzz(sys.argv[1], sys.argv[2:])
    sys.exit(main())
