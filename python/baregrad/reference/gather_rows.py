"""Rows by number, as an embedding looks them up, and its gradient (lecture 002, embedding)."""

from __future__ import annotations

import numpy as np

from ..typing import NDArray
from .arguments import apart, array, floats, integers, output, shaped


def gather_rows(table: NDArray, rows: NDArray, *, out: NDArray | None = None) -> NDArray:
    """table (v, d), rows (n,) int64 -> out (n, d) = table[rows]. IndexError outside [0, v)."""
    op = "gather_rows"
    v, d = shaped(op, "table", array(op, "table", table), "v", "d").shape
    (n,) = shaped(op, "rows", array(op, "rows", rows), "n").shape
    chosen = integers(op, "rows", rows, (n,), v)
    result = output(op, "out", out, table, (n, d))
    apart(op, "out", result, table=table)
    result[...] = table[chosen]
    return result


@np.errstate(all="ignore")  # NaN and infinity flow as IEEE 754 says
def scatter_add_rows(dout: NDArray, rows: NDArray, out: NDArray) -> NDArray:
    """dout (n, d), rows (n,) int64 -> out (v, d), in place: out[rows[i]] += dout[i], in order of i."""
    op = "scatter_add_rows"
    n, d = shaped(op, "dout", floats(op, "dout", dout), "n", "d").shape
    v = shaped(op, "out", array(op, "out", out), "v", d).shape[0]
    output(op, "out", out, dout, (v, d))
    apart(op, "out", out, dout=dout)
    total = out.astype(np.float64)
    np.add.at(total, integers(op, "rows", rows, (n,), v), dout)
    out[...] = total
    return out
