"""Statements that Ctrl-C waits for, because half of them would leave a wrong state."""

from __future__ import annotations

import threading

# As signal's own, but for its enumerations, which look at the handler for 10 us.
from _signal import (  # type: ignore[import-not-found]
    SIGINT,
    default_int_handler,
    getsignal,
    signal,
)
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self


class Noted:
    """Inside, a Ctrl-C is `noted` and interrupts nothing.

    Only in the main thread, which alone gets signals, and only in place of Python's own handler:
    who has set another wants it.
    """

    noted = False

    def __enter__(self) -> Self:
        self.noted = False
        main = threading.current_thread() is threading.main_thread()
        self._installed = main and getsignal(SIGINT) is default_int_handler
        if self._installed:
            signal(SIGINT, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        if self._installed:
            signal(SIGINT, default_int_handler)

    def _note(self, *_: object) -> None:
        self.noted = True


class Uninterrupted(Noted):
    """The KeyboardInterrupt is raised at the end."""

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        if self.noted:
            raise KeyboardInterrupt
