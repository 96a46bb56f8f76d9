"""Matrix products. Transposes are strides, so no operand is ever copied."""

from __future__ import annotations

from ..autograd import Function
from ..backend import kernels
from ..sums import sum_rows
from ..tensor import Tensor
from ..typing import Array


class Gemm(Function):
    """out = a b; da = dout b', db = a' dout.  a (m, k), b (k, n), or both with a batch in front."""

    def forward(self, a: Array, b: Array) -> Array:
        self.save(a, b)
        return kernels(a).gemm(a, b)

    def backward(self, dout: Array) -> tuple[Array | None, Array | None]:
        a, b = self.saved
        gemm = kernels(dout).gemm
        return (
            gemm(dout, b.mT) if self.needs_grad[0] else None,
            gemm(a.mT, dout) if self.needs_grad[1] else None,
        )


class Linear(Function):
    """out = x w' + bias; dx = dout w, dw = dout' x, dbias = sum of dout over the rows.

    x (n, k), w (o, k), bias (o,) -> out (n, o)
    """

    def forward(self, x: Array, w: Array, bias: Array | None = None) -> Array:
        self.save(x, w)
        return kernels(x).gemm(x, w.mT, bias=bias)

    def backward(self, dout: Array) -> tuple[Array | None, ...]:
        x, w = self.saved
        gemm = kernels(dout).gemm
        dx = gemm(dout, w) if self.needs_grad[0] else None
        dw = gemm(dout.mT, x) if self.needs_grad[1] else None
        if len(self.needs_grad) == 2:
            return dx, dw
        return dx, dw, sum_rows(dout) if self.needs_grad[2] else None


def matmul(a: Tensor, b: Tensor) -> Tensor:
    """a (m, k), b (k, n) -> (m, n); (batch, m, k), (batch, k, n) -> (batch, m, n).

    A vector (k,) is a row on the left, a column on the right, and its axis is dropped again.
    """
    if a.ndim == 0 or b.ndim == 0:
        raise ValueError(f"[matmul] operands have shapes {a.shape} and {b.shape}, expected no ()")
    rows = a.reshape(1, -1) if a.ndim == 1 else a
    columns = b.reshape(-1, 1) if b.ndim == 1 else b
    out = Gemm.apply(rows, columns)
    if a.ndim > 1 and b.ndim > 1:
        return out
    shape = () if a.ndim == b.ndim else (out.shape[-1],) if a.ndim == 1 else out.shape[:-1]
    return out.reshape(shape)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x (n, k) or (k,), weight (o, k), bias (o,) -> x weight' + bias, (n, o) or (o,)."""
    if x.ndim != 2:
        rows = x.reshape(-1, x.shape[-1] if x.ndim else 1)
        return linear(rows, weight, bias).reshape((*x.shape[:-1], weight.shape[0]))
    return Linear.apply(x, weight) if bias is None else Linear.apply(x, weight, bias)
