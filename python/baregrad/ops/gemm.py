"""Matrix products. Transposes are strides, so no operand is ever copied."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ..autograd import Function
from ..backend import kernels
from ..typing import Array
from .arguments import alike, operand, same_device, same_floats
from .bias_activation import Product, activated, fused

if TYPE_CHECKING:
    from ..tensor import Tensor


class Gemm(Function):
    """out = a b; da = dout b', db = a' dout.  a (m, k), b (k, n), or both with a batch in front."""

    def forward(self, a: Array, b: Array) -> Array:
        self.save(a if self.needs_grad[1] else None, b if self.needs_grad[0] else None)
        return kernels(a).gemm(a, b)

    def backward(self, dout: Array) -> tuple[Array | None, Array | None]:
        a, b = self.saved
        gemm = kernels(dout).gemm
        return (
            gemm(dout, b.mT) if self.needs_grad[0] else None,
            gemm(a.mT, dout) if self.needs_grad[1] else None,
        )


class Linear(Product):
    """out = f(x w' + bias); of the product, dx = dproduct w, dw = dproduct' x.

    x (n, k), w (o, k), bias (o,) -> out (n, o)
    """

    def forward(
        self, x: Array, w: Array, bias: Array | None = None, *, activation: str | None = None
    ) -> Array:
        self.save(x if self.needs_grad[1] else None, w if self.needs_grad[0] else None)
        product = kernels(x).gemm(x, w.mT, bias=None if activation else bias)
        return self.activate(product, bias, activation)

    def backward(self, dout: Array) -> tuple[Array | None, ...]:
        x, w, *_ = self.saved
        dproduct, dbias = self.deactivate(dout)
        gemm = kernels(dout).gemm
        dx = gemm(dproduct, w) if self.needs_grad[0] else None
        dw = gemm(dproduct.mT, x) if self.needs_grad[1] else None
        return (dx, dw, dbias)[: len(self.needs_grad)]


def matmul(a: Tensor, b: Tensor) -> Tensor:
    """a (..., m, k), b (..., k, n) -> (..., m, n), where the axes in front broadcast.

    A vector (k,) is a row on the left, a column on the right, and its axis is dropped again.
    """
    for value in (a, b):
        operand("matmul", "an operand", value)
    same_device("matmul", a=a, b=b)
    if a.ndim == 0 or b.ndim == 0:
        raise ValueError(f"[matmul] operands have shapes {a.shape} and {b.shape}, expected no ()")
    if a.dtype != b.dtype and a.dtype.kind == "f":
        same_floats("matmul", a=a, b=b)
    k = a.shape[-1]
    if b.shape[-2:][0] != k:
        expected = f"({k},)" if b.ndim == 1 else f"({k}, n)" if b.ndim == 2 else f"(..., {k}, n)"
        raise ValueError(f"[matmul] b has shape {b.shape}, expected {expected}")
    if a.ndim == 1:
        out = matmul(a.reshape(1, -1), b)
        return out.reshape(out.shape[:-1] if b.ndim == 1 else (*out.shape[:-2], out.shape[-1]))
    if b.ndim == 1:
        out = matmul(a, b.reshape(-1, 1))
        return out.reshape(out.shape[:-1])
    if a.ndim == b.ndim == 2:
        return Gemm.apply(a, b)
    if b.ndim == 2:  # the rows of all batches in one product
        rows = a.reshape(math.prod(a.shape[:-1]), a.shape[-1])
        return Gemm.apply(rows, b).reshape((*a.shape[:-1], b.shape[-1]))
    return _batched(a, b)


def _batched(a: Tensor, b: Tensor) -> Tensor:
    try:
        batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    except ValueError:
        raise ValueError(
            f"[matmul] operands have shapes {a.shape} and {b.shape}, whose batches do not broadcast"
        ) from None
    one = a.ndim == b.ndim == 3  # then a repeated batch is a stride of 0, else it is copied
    a, b = (
        x.expand(*batch, *x.shape[-2:])
        if one
        else x.expand(*batch, *x.shape[-2:]).reshape(math.prod(batch), *x.shape[-2:])
        for x in (a, b)
    )
    out = Gemm.apply(a, b)
    return out if one else out.reshape((*batch, *out.shape[-2:]))


def mm(a: Tensor, b: Tensor) -> Tensor:
    """The product of two matrices, (m, k) and (k, n)."""
    return _product("mm", a, b, (2,))


def dot(a: Tensor, b: Tensor) -> Tensor:
    """The inner product of two vectors; of matrices, as in NumPy, the matrix product."""
    return _product("dot", a, b, (1, 2))


def _product(op: str, a: Tensor, b: Tensor, ranks: tuple[int, ...]) -> Tensor:
    operand(op, "an operand", a)
    operand(op, "an operand", b)
    if a.ndim != b.ndim or a.ndim not in ranks:
        kinds = " or ".join({1: "two vectors", 2: "two matrices"}[rank] for rank in ranks)
        raise ValueError(f"[{op}] operands have shapes {a.shape} and {b.shape}, expected {kinds}")
    return matmul(a, b)


def linear(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, *, activation: str | None = None
) -> Tensor:
    """input (..., k), weight (o, k), bias (o,) -> activation(input weight' + bias), (..., o).

    activation, the name of an elementwise op such as "relu", follows in the same pass if it can.
    """
    given = {"weight": weight, "input": input, **({} if bias is None else {"bias": bias})}
    alike("linear", **given)
    if weight.ndim != 2:
        raise ValueError(f"[linear] weight has shape {weight.shape}, expected (o, k)")
    if input.shape[-1:] != weight.shape[1:]:
        expected = f"(..., {weight.shape[1]})"
        raise ValueError(f"[linear] input has shape {input.shape}, expected {expected}")
    rows = input if input.ndim == 2 else input.reshape(math.prod(input.shape[:-1]), weight.shape[1])
    within = fused(activation, bias)
    out = Linear.apply(rows, weight, *([] if bias is None else [bias]), activation=within)
    out = activated(out, None if within else activation)
    return out if rows is input else out.reshape((*input.shape[:-1], weight.shape[0]))
