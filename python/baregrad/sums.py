"""Sums and copies, each said as the matrix product that it is.

gemm computes out = alpha a b + beta out + bias. With a = 1 that copies b, or adds it to out; with a
row of ones it sums the rows of b. Kernels for broadcasting and reductions will take this over; until
then the engine needs nothing but the four ops.
"""

from __future__ import annotations

from .backend import backend_of, kernels
from .typing import Array

_ROW = (1, -1)


def copy(x: Array) -> Array:
    """x (...) -> a new contiguous array (...): 1 x."""
    return kernels(x).gemm(_ones(1, x), x.reshape(_ROW)).reshape(x.shape)


def add_into(total: Array, x: Array) -> Array:
    """total (...) += x (...), in place: 1 x + 1 total. Returns total, which is contiguous."""
    kernels(total).gemm(_ones(1, x), x.reshape(_ROW), beta=1.0, out=total.reshape(_ROW))
    return total


def sum_rows(x: Array) -> Array:
    """x (n, c) -> (c,): a row of n ones times x."""
    n, c = x.shape
    return kernels(x).gemm(_ones(n, x), x).reshape((c,))


def _ones(n: int, like: Array) -> Array:
    return backend_of(like).full((1, n), 1.0, like.dtype)
