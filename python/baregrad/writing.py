"""Files written whole or not at all, and lines added whole or not at all."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:  # where there is none, no temporary file is known to be stale
    fcntl = None  # type: ignore[assignment]


@contextmanager
def replacing(op: str, path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """A file that takes the place of `path` when all of it is on the disk.

    OSError, in one sentence, if that fails: the file that was there is as it was.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not (target.is_file() or target.is_dir()):
        raise OSError(f"[{op}] {path} is a device or a pipe, expected a file")
    try:
        with _beside(target) as file:
            yield file
    except OSError as error:
        why = error.strerror or str(error)
        kept = "the file that was there is as it was" if target.is_file() else "no file was left"
        raise type(error)(f"[{op}] {path} was not written: {why}; {kept}") from error


def add_line(op: str, path: str | os.PathLike[str], line: str) -> None:
    """Add a line to a file. OSError, in one sentence, if that fails: none of it is there then."""
    with open(path, "ab", buffering=0) as file:
        before, content = file.tell(), f"{line}\n".encode()
        try:
            if (written := file.write(content)) < len(content):  # the disk may be full: it says so
                file.write(content[written:])
        except OSError as error:
            with suppress(OSError):
                file.truncate(before)
            raise type(error)(
                f"[{op}] {path} did not get its next line: {error.strerror}; those before are there"
            ) from error


@contextmanager
def _beside(target: Path) -> Iterator[IO[bytes]]:
    """A file beside `target` that takes its place at the end, or disappears."""
    beside = f".{target.name}."
    for stale in target.parent.glob(f"{glob.escape(beside)}*.tmp"):
        _sweep(stale)
    temporary = target.parent / f"{beside}{os.urandom(4).hex()}.tmp"
    try:
        with temporary.open("xb") as file:
            if fcntl:
                with suppress(OSError):  # a file system without locks
                    fcntl.flock(file, fcntl.LOCK_EX)  # says that its process lives: see _sweep
            yield file
            file.flush()
            os.fsync(file.fileno())
            os.replace(temporary, target)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    if os.name == "posix":  # the new name is on the disk only when the folder is
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _sweep(stale: Path) -> None:
    """Remove a temporary file that a killed process left: no one holds its lock."""
    with suppress(OSError), stale.open("rb") as file:
        if fcntl:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            stale.unlink()
