"""Arrays that end at an unreadable page: a kernel that touches one byte too many crashes the test."""

from __future__ import annotations

import ctypes
import mmap

import numpy as np

_libc = ctypes.CDLL(None, use_errno=True)


def guarded(values: np.ndarray) -> np.ndarray:
    """A copy of values whose last byte is the last one of readable memory."""
    values = np.ascontiguousarray(values)
    page = mmap.PAGESIZE
    body = -(-max(values.nbytes, 1) // page) * page
    memory = mmap.mmap(-1, body + page)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    if _libc.mprotect(ctypes.c_void_p(start + body), ctypes.c_size_t(page), 0):
        raise OSError(ctypes.get_errno(), "mprotect")
    array = np.frombuffer(memory, values.dtype, values.size, offset=body - values.nbytes)
    array = array.reshape(values.shape)
    array[...] = values
    return array
