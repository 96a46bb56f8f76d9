"""Statements that Ctrl-C waits for, because half of them would leave a wrong state."""

from __future__ import annotations

import signal
import threading


class Uninterrupted:
    """Inside, a Ctrl-C is noted; the KeyboardInterrupt is raised at the end.

    Only in the main thread, which alone gets signals, and only in place of Python's own handler:
    who has set another wants it.
    """

    def __enter__(self) -> None:
        self._noted = False
        main = threading.current_thread() is threading.main_thread()
        self._installed = main and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if self._installed:
            signal.signal(signal.SIGINT, self._note)

    def __exit__(self, *_: object) -> None:
        if self._installed:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        if self._noted:
            raise KeyboardInterrupt

    def _note(self, *_: object) -> None:
        self._noted = True
