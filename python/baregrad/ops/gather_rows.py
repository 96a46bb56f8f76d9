"""Rows by number."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..autograd import Function
from ..backend import backend_of, kernels
from ..typing import Array
from .arguments import operand, same_device

if TYPE_CHECKING:
    from ..tensor import Tensor


class GatherRows(Function):
    """table (v, d), rows (n,): out = table[rows] (n, d); dtable[rows[i]] += dout[i] for every i."""

    def forward(self, table: Array, rows: Array) -> Array:
        self.save(rows)
        return kernels(table).gather_rows(table, rows)

    def backward(self, dout: Array) -> tuple[Array, None]:
        (rows,) = self.saved
        dtable = backend_of(dout).full(self.shapes[0], 0.0, dout.dtype)
        return kernels(dout).scatter_add_rows(dout, rows, dtable), None


def embedding(indices: Tensor, weight: Tensor) -> Tensor:
    """indices (...) int64, weight (v, d) -> weight[indices] (..., d) (lecture 002, embedding).

    IndexError for an index outside [0, v).
    """
    operand("embedding", "indices", indices)
    operand("embedding", "weight", weight)
    same_device("embedding", weight=weight, indices=indices)
    if indices.dtype.kind not in "iu":
        raise TypeError(f"[embedding] indices has dtype {indices.dtype}, expected int64")
    if weight.ndim != 2:
        raise ValueError(f"[embedding] weight has shape {weight.shape}, expected (v, d)")
    rows = GatherRows.apply(weight, indices.reshape(math.prod(indices.shape)))
    return rows.reshape(*indices.shape, weight.shape[1])
