"""Statements that Ctrl-C waits for, because half of them would leave a wrong state."""

from __future__ import annotations

import signal
import threading
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
        self._installed = main and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if self._installed:
            signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        if self._installed:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _note(self, *_: object) -> None:
        self.noted = True


class Uninterrupted(Noted):
    """The KeyboardInterrupt is raised at the end."""

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        if self.noted:
            raise KeyboardInterrupt
