"""`bg.device`: the name of a place where arrays live. It is text, and prints and compares as such."""

from __future__ import annotations

from . import backend


class Device(str):
    """The device called `name`: "cpu", "sim", ... ValueError for a name that is none."""

    __slots__ = ()

    def __new__(cls, name: str) -> Device:  # noqa: D102, PYI034
        return super().__new__(cls, backend.checked_name(name))

    @property
    def type(self) -> str:
        """The name, as plain text."""
        return str(self)

    def __str__(self) -> str:
        return str.__str__(self)
