"""Files read with suspicion: memory follows what is in them, not what they declare.

Whatever a file declares, reading it takes no more memory than its size and 64 MB. One that is
packed and whole counts as what it unpacks to: at most 48 MB, or 20 times its size if that is more.
"""

from __future__ import annotations

import lzma
import os
import stat
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self

PIECE = 1 << 18  # bytes read at a time
_ROOM = 48 << 20  # bytes that any file may unpack to: with what unpacks it, less than 64 MB
_RATIO = 20  # and beyond it how many times its size: MNIST unpacks to 5 times its own


def most(path: str | os.PathLike[str]) -> int:
    """How many bytes a file may unpack to: what would be more is refused before it is."""
    return max(_ROOM, _RATIO * os.path.getsize(path))


def regular(op: str, path: str | os.PathLike[str]) -> Path:
    """The path. ValueError for a pipe or a device, where reading may wait for ever."""
    mode = os.stat(path).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # a folder has Python's own OSError
        raise ValueError(f"[{op}] {path} is a device or a pipe, expected a file")
    return Path(path)


class InPieces:
    """A file for a library that believes headers: ValueError if it asks for much at once, or in all."""

    def __init__(self, file: Any, most: int) -> None:
        self.file, self.most = file, most

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def read(self, count: int = -1) -> bytes:
        """At most `count` bytes, or the few that are left."""
        found: bytes = self.file.read(PIECE + 1 if count < 0 else min(count, PIECE + 1))
        if len(found) > PIECE:
            raise ValueError(f"one of its headers is longer than {PIECE:,} bytes")
        self._check(self.file.tell())
        return found

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """As a file; forward only as far as it may unpack."""
        self._check(offset)
        place: int = self.file.seek(offset, whence)
        return place

    def _check(self, offset: int) -> None:
        if offset > self.most:
            raise ValueError(f"it unpacks to more than {self.most:,} bytes, too many for its size")


def opened(path: Path) -> Any:
    """The file, unpacked as its name says, as far as `most` allows."""
    import gzip

    openers: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".xz": lzma.open}
    if path.suffix not in openers:
        return path.open("rb")
    return InPieces(openers[path.suffix](path, "rb"), most(path))


def read_exactly(op: str, file: Any, count: int, name: object) -> bytearray:
    """The next `count` bytes. ValueError, with the name of the file, if they are not all there."""
    content = bytearray()
    try:
        while piece := file.read(min(count - len(content), PIECE)):
            content += piece
    except (EOFError, MemoryError, OSError, ValueError, lzma.LZMAError, zlib.error) as error:
        why = str(error) or type(error).__name__
        raise ValueError(f"[{op}] {name} is damaged: {why}") from error
    if len(content) < count:
        raise ValueError(f"[{op}] {name} ends after {len(content)} of {count} bytes, expected all")
    return content


def expect_end(op: str, file: Any, name: object) -> None:
    """ValueError if there are more bytes."""
    try:
        read_exactly(op, file, 1, name)
    except ValueError as error:
        if "ends after" in str(error):
            return
        raise
    raise ValueError(f"[{op}] {name} goes on after its last record, expected its end")


def decoded(op: str, content: bytes | bytearray, name: object) -> str:
    """Bytes as text. ValueError, with the name of the file, if they are no UTF-8."""
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"[{op}] {name} is damaged: {error}") from error
