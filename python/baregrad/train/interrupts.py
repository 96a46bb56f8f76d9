"""Ctrl-C between two batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from ..uninterrupted import Noted

T = TypeVar("T")


class Interrupts(Noted):
    """Inside, the first Ctrl-C waits for the batch in progress; a second one raises at once."""

    def __init__(self, epochs: int, checkpoint: Any) -> None:
        self.epochs, self.checkpoint = epochs, checkpoint
        self.done = 0  # epochs complete

    def _note(self, *_: object) -> None:
        self.check()
        self.noted = True

    def check(self) -> None:
        """KeyboardInterrupt, with what to do next, if Ctrl-C was pressed."""
        if self.noted:
            raise KeyboardInterrupt(self._sentence())

    def between(self, batches: Iterable[T]) -> Iterator[T]:
        """The batches, with a check after each."""
        for batch in batches:
            yield batch
            self.check()

    def _sentence(self) -> str:
        text = f"[fit] interrupted after epoch {self.done} of {self.epochs}"
        if self.checkpoint is None:
            return f"{text}; with checkpoint= a later call could go on from there"
        if self.done == 0:
            return f"{text}: there is no checkpoint yet"
        return f"{text}; resume=True goes on from {str(self.checkpoint)!r}"
