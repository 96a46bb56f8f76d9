"""Faults to be planted into copies of the sources: lists of them, and what it takes to find them."""

from __future__ import annotations

from pathlib import Path


def plant(file: Path, right: str, wrong: str) -> None:
    """Change a line of `file`, which must have it."""
    text = file.read_text()
    assert right in text, f"{file.name} no longer has {right!r}"
    file.write_text(text.replace(right, wrong, 1))
