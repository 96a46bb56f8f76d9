"""Kernels on arrays of more than 2^31 elements: cd tests; python -m deep.extents.

Nearly all of such an array is one block of memory, seen again and again. Memory of its own have
only its two ends and what is around element 2^31, and there the results have to be right.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import sys
import time
from collections.abc import Callable, Iterator

import baregrad as bg
import numpy as np
from deep.prove import CANNOT_RUN

N = 2**31 + 4099
BLOCK = 1 << 26  # bytes
WINDOW = 1 << 16  # bytes
MAP_FIXED, MAP_NORESERVE = 0x10, 0x4000  # of Linux

k = bg.kernels.cpu


class Long:
    """An array (N,) of zeros but for windows of its own, of which the bytes are random."""

    def __init__(self, dtype: type, n: int = N) -> None:
        item = np.dtype(dtype).itemsize
        size = -(-n * item // WINDOW) * WINDOW
        libc = ctypes.CDLL(None, use_errno=True)
        libc.mmap.restype = ctypes.c_void_p
        libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
        writable = mmap.PROT_READ | mmap.PROT_WRITE

        def place(at: int | None, length: int, flags: int, file: int) -> int:
            address = libc.mmap(at, length, writable, flags, file, 0)
            if address == 2**64 - 1:
                raise OSError(ctypes.get_errno(), "mmap")
            return int(address)

        alone = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        start = place(None, size, alone | MAP_NORESERVE, -1)
        block = os.memfd_create("block")
        os.ftruncate(block, BLOCK)
        for at in range(0, size, BLOCK):
            place(start + at, min(BLOCK, size - at), mmap.MAP_SHARED | MAP_FIXED, block)
        os.close(block)
        middle = 2**31 * item // WINDOW * WINDOW
        for at in (0, middle - WINDOW, middle, size - 2 * WINDOW, size - WINDOW):
            place(start + at, WINDOW, alone | MAP_FIXED, -1)
        self.array = np.frombuffer((ctypes.c_byte * size).from_address(start), dtype)[:n]
        around, ends = WINDOW // item // 2, min(WINDOW // item // 2, n)
        self.windows = [
            slice(0, ends), slice(2**31 - around, min(2**31 + around, n)), slice(n - ends, n)
        ]  # fmt: skip

    def random(self, rng: np.random.Generator) -> np.ndarray:
        """The array, with small integers in its windows."""
        for window in self.windows:
            part = self.array[window]
            part[:] = rng.integers(0, 9, part.shape) - (4 if part.dtype == np.float32 else 0)
        return self.array


def agrees(out: Long, formula: Callable[[slice], np.ndarray]) -> bool:
    """Whether each window of the output is what the formula says."""
    return all(np.array_equal(out.array[window], formula(window)) for window in out.windows)


def checks(rng: np.random.Generator) -> Iterator[tuple[str, bool]]:
    """Each kernel, and whether it is right."""
    x, out = Long(np.float32), Long(np.float32)
    a, y = x.random(rng), out.array
    column = a.reshape(N, 1)
    total = np.unique(np.concatenate([np.r_[window] for window in x.windows]))

    k.relu_forward(a, out=y)
    yield "relu", agrees(out, lambda w: np.maximum(a[w], 0))
    k.add(a, a, out=y)
    yield "add", agrees(out, lambda w: a[w] + a[w])
    k.copy_strided(a, out=y)
    yield "copy_strided", agrees(out, lambda w: a[w])
    k.fill(y, 3.0)
    yield "fill", agrees(out, lambda w: np.full(y[w].shape, 3))
    yield "reduce_sum", k.reduce_sum(a, (0,)) == a[total].sum()
    a[N - 2] = 99
    yield "argmax", k.argmax(a, 0) == N - 2
    rows = np.array([0, 2**31 - 1, 2**31, N - 1])
    yield "gather_rows", np.array_equal(k.gather_rows(column, rows)[:, 0], a[rows])
    k.scatter_add_rows(np.ones((4, 1), np.float32), rows, y.reshape(N, 1))
    yield "scatter_add_rows", y[rows].tolist() == [4] * 4  # 3, as filled, and 1

    state = np.array([7, 0])
    k.philox_uniform(state, out=y)

    def drawn(w: slice) -> np.ndarray:
        first = w.start // 4 * 4
        part = np.empty(w.stop - first, np.float32)
        return k.philox_uniform(np.array([7, first // 4]), out=part)[w.start - first :]

    yield "philox_uniform", agrees(out, drawn)
    k.philox_dropout(a, state, p=0.5, out=y)
    yield "philox_dropout", agrees(out, lambda w: np.where(drawn(w) >= 0.5, 2 * a[w], 0))

    m, n = 2**16 + 1, 2**15 + 1
    product = Long(np.float32, m * n)
    left, right = (rng.integers(1, 9, size).astype(np.float32) for size in ((m, 1), (1, n)))
    k.gemm(left, right, out=product.array.reshape(m, n))

    def outer(w: slice) -> np.ndarray:
        places = np.arange(w.start, w.stop)
        return left[places // n, 0] * right[0, places % n]

    yield "gemm", agrees(product, outer)

    small = Long(np.uint8)
    small.random(rng)
    narrow = k.cast(small.array, "bool")
    yield "cast", all(np.array_equal(narrow[w], small.array[w] != 0) for w in small.windows)


def main() -> int:
    """0 if all are right."""
    if not hasattr(os, "memfd_create"):
        print("needs memfd_create, of Linux")
        return CANNOT_RUN
    wrong, right = [], 0
    start = time.monotonic()
    for kernel, holds in checks(np.random.default_rng(0)):
        print(
            f"{kernel}: {'right' if holds else 'wrong'} ({time.monotonic() - start:.0f} s)",
            flush=True,
        )
        right += holds
        wrong += [] if holds else [kernel]
    print(
        f"{right} of {right + len(wrong)} kernels right at both ends and around 2^31 of arrays of "
        f"{N:,} elements" + (f"; wrong: {', '.join(wrong)}" if wrong else "")
    )
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
