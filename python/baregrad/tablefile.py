"""Tables of text, .csv."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

from .reading import regular

Column = Sequence[str]
_LONGEST_LINE = 1_000_000  # characters: no table of a person's has longer ones


def read_csv(path: str | os.PathLike[str]) -> dict[str, Column]:
    """The columns of a table by the names in its first line."""
    regular("from_csv", path)
    try:
        with Path(path).open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(_lines(file), strict=True)
            lines = ([cell.strip() for cell in row] for row in reader)
            names, *rows = [line for line in lines if line] or [[]]
    except (csv.Error, ValueError) as error:
        raise ValueError(f"[from_csv] {path} is not a table of text: {error}") from error
    for number, row in enumerate(rows, start=1):
        if len(row) != len(names):
            raise ValueError(
                f"[from_csv] {path}: row {number} has {len(row)} cells, expected {len(names)}"
            )
    if not rows:
        raise ValueError(f"[from_csv] {path} has no rows, expected a line of names, then rows")
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(
            f"[from_csv] {path} has two columns {twice[0]!r}, expected different names"
        )
    return dict(zip(names, zip(*rows, strict=True), strict=True))


def _lines(file: TextIO) -> Iterator[str]:
    while line := file.readline(_LONGEST_LINE):
        if len(line) == _LONGEST_LINE:
            raise ValueError(f"a line has {_LONGEST_LINE:,} characters or more")
        yield line
