"""Batch normalisation (Ioffe and Szegedy, 2015; lecture 000, slide 28), as in training."""

from __future__ import annotations

import numpy as np

from ..typing import NDArray
from .arguments import floats, shaped


@np.errstate(all="ignore")  # NaN and infinity flow as IEEE 754 says
def batch_norm_forward(
    x: NDArray, weight: NDArray, bias: NDArray, *, epsilon: float = 1e-5
) -> tuple[NDArray, NDArray, NDArray]:
    """x (n, c, s), weight (c,), bias (c,) -> out (n, c, s), mean (c,), var (c,).

    mean and var, of x over n and s; var divides by n s. s is the pixels of an image, or 1.
    out = weight (x - mean) / sqrt(var + epsilon) + bias
    """
    op = "batch_norm_forward"
    n, c, s = shaped(op, "x", floats(op, "x", x), "n", "c", "s").shape
    for name, value in (("weight", weight), ("bias", bias)):
        shaped(op, name, floats(op, name, value, x.dtype), c)
    if n * s == 0:
        raise ValueError(f"[{op}] x has shape {x.shape}, expected at least one value a channel")
    z = x.astype(np.float64)
    mean, var = z.mean(axis=(0, 2)), z.var(axis=(0, 2))
    scale = weight / np.sqrt(var + epsilon)
    out = scale[:, None] * (z - mean[:, None]) + bias[:, None]
    return out.astype(x.dtype), mean.astype(x.dtype), var.astype(x.dtype)


@np.errstate(all="ignore")  # NaN and infinity flow as IEEE 754 says
def batch_norm_backward(
    x: NDArray,
    dout: NDArray,
    weight: NDArray,
    mean: NDArray,
    var: NDArray,
    *,
    epsilon: float = 1e-5,
) -> tuple[NDArray, NDArray, NDArray]:
    """x, dout (n, c, s), weight (c,), mean, var (c,) of forward -> dx (n, c, s), dweight, dbias (c,).

    With r = 1 / sqrt(var + epsilon), h = (x - mean) r and N = n s:
    dbias = sum dout, dweight = sum dout h, dx = weight r (dout - dbias / N - h dweight / N)
    """
    op = "batch_norm_backward"
    n, c, s = shaped(op, "x", floats(op, "x", x), "n", "c", "s").shape
    shaped(op, "dout", floats(op, "dout", dout, x.dtype), n, c, s)
    for name, value in (("weight", weight), ("mean", mean), ("var", var)):
        shaped(op, name, floats(op, name, value, x.dtype), c)
    d = dout.astype(np.float64)
    r = 1 / np.sqrt(var.astype(np.float64) + epsilon)
    h = (x.astype(np.float64) - mean[:, None]) * r[:, None]
    dbias, dweight = d.sum(axis=(0, 2)), (d * h).sum(axis=(0, 2))
    dx = (weight * r)[:, None] * (d - (dbias[:, None] + h * dweight[:, None]) / (n * s))
    return dx.astype(x.dtype), dweight.astype(x.dtype), dbias.astype(x.dtype)
