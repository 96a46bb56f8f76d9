"""Arrays beside an unreadable page: a kernel that touches one byte too many crashes the test."""

from __future__ import annotations

import ctypes
import mmap

import numpy as np

_libc = ctypes.CDLL(None, use_errno=True)


def guarded(values: np.ndarray, *, first: bool = False) -> np.ndarray:
    """A copy of values whose last byte, or first, is that of readable memory."""
    values = np.ascontiguousarray(values)
    page = mmap.PAGESIZE
    body = -(-max(values.nbytes, 1) // page) * page
    memory = mmap.mmap(-1, body + 2 * page)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    for guard in (start, start + page + body):
        if _libc.mprotect(ctypes.c_void_p(guard), ctypes.c_size_t(page), 0):
            raise OSError(ctypes.get_errno(), "mprotect")
    offset = page if first else page + body - values.nbytes
    array = np.frombuffer(memory, values.dtype, values.size, offset=offset)
    array = array.reshape(values.shape)
    array[...] = values
    return array
