"""General matrix multiply: out = alpha a b + beta out + bias."""

from __future__ import annotations

import numpy as np

from ..typing import NDArray
from .arguments import apart, floats, output, shaped


@np.errstate(all="ignore")  # NaN and infinity flow as IEEE 754 says
def gemm(
    a: NDArray,
    b: NDArray,
    *,
    bias: NDArray | None = None,
    alpha: float = 1.0,
    beta: float = 0.0,
    out: NDArray | None = None,
) -> NDArray:
    """a (m, k), b (k, n), bias (n,) -> out (m, n) = alpha a b + beta out + bias.

    Or in batches: a (batch, m, k), b (batch, k, n) -> out (batch, m, n). Operands may have any
    strides. With beta 0, out is written without being read.
    """
    a = floats("gemm", "a", a)
    b = floats("gemm", "b", b, a.dtype)
    if a.ndim == 3:
        batch, m, k = a.shape
        n = shaped("gemm", "b", b, batch, k, "n").shape[2]
        shape: tuple[int, ...] = (batch, m, n)
    else:
        m, k = shaped("gemm", "a", a, "m", "k").shape
        n = shaped("gemm", "b", b, k, "n").shape[1]
        shape = (m, n)
    if out is None and beta != 0:
        raise ValueError("[gemm] beta is not 0 but there is no out to scale")
    result = output("gemm", "out", out, a, shape)
    apart("gemm", "out", result, a=a, b=b)
    if bias is not None:
        apart("gemm", "out", result, bias=bias)

    product = alpha * (a.astype(np.float64) @ b.astype(np.float64))
    if beta != 0:
        product += beta * result.astype(np.float64)
    if bias is not None:
        product += shaped("gemm", "bias", floats("gemm", "bias", bias, a.dtype), n)
    result[...] = product
    return result
