"""Ctrl-C between two batches."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from typing_extensions import Self

T = TypeVar("T")


class Interrupts:
    """Inside, the first Ctrl-C waits for the batch in progress; a second one raises at once.

    Only in the main thread, which alone gets signals, and only in place of Python's own handler:
    who has set another wants it.
    """

    def __init__(self, epochs: int, checkpoint: Any) -> None:
        self.epochs, self.checkpoint = epochs, checkpoint
        self.asked, self.done = False, 0  # epochs complete

    def __enter__(self) -> Self:
        main = threading.current_thread() is threading.main_thread()
        self.installed = main and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if self.installed:
            signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        if self.installed:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _note(self, *_: object) -> None:
        if self.asked:
            raise KeyboardInterrupt(self._sentence())
        self.asked = True

    def check(self) -> None:
        """KeyboardInterrupt, with what to do next, if Ctrl-C was pressed."""
        if self.asked:
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
