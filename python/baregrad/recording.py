"""Whether operations are being recorded for backward."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from .hints import an


class _Mode(threading.local):
    grad = True


_mode = _Mode()


def is_grad_enabled() -> bool:
    """Whether operations are being recorded for backward, in this thread."""
    return _mode.grad


@contextmanager
def no_grad() -> Iterator[None]:
    """Record nothing for backward inside: `with bg.no_grad():`, or as a decorator."""
    with set_grad_enabled(False):
        yield


@contextmanager
def enable_grad() -> Iterator[None]:
    """Record for backward inside, also within `no_grad`."""
    with set_grad_enabled(True):
        yield


class _Restored:
    def __init__(self, before: bool) -> None:
        self._before = before

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        _mode.grad = self._before


def set_grad_enabled(mode: bool) -> _Restored:
    """Record or not, from now on in this thread, or only inside a `with`."""
    if not isinstance(mode, (bool, np.bool_)):
        raise TypeError(f"[set_grad_enabled] mode is {an(mode)}, expected a bool")
    before, _mode.grad = _mode.grad, bool(mode)
    return _Restored(before)
