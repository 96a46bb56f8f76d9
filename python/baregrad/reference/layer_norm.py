"""Layer normalisation (Ba, Kiros and Hinton, 2016): each row by its own mean and variance."""

from __future__ import annotations

import numpy as np

from ..typing import NDArray
from .arguments import floats, shaped


@np.errstate(all="ignore")  # NaN and infinity flow as IEEE 754 says
def layer_norm_forward(
    x: NDArray, weight: NDArray, bias: NDArray, *, epsilon: float = 1e-5
) -> tuple[NDArray, NDArray, NDArray]:
    """x (n, d), weight (d,), bias (d,) -> out (n, d), mean (n,), r (n,) = 1 / sqrt(var + epsilon).

    out = weight (x - mean) r + bias, with mean and var of each row; var divides by d.
    """
    op = "layer_norm_forward"
    _, d = shaped(op, "x", floats(op, "x", x), "n", "d").shape
    for name, value in (("weight", weight), ("bias", bias)):
        shaped(op, name, floats(op, name, value, x.dtype), d)
    z = x.astype(np.float64)
    mean = z.mean(axis=1) if d else np.full(len(z), np.nan)
    r = 1 / np.sqrt(((z - mean[:, None]) ** 2).sum(axis=1) / np.float64(d) + epsilon)
    out = weight * ((z - mean[:, None]) * r[:, None]) + bias
    return out.astype(x.dtype), mean.astype(x.dtype), r.astype(x.dtype)


@np.errstate(all="ignore")  # NaN and infinity flow as IEEE 754 says
def layer_norm_backward(
    x: NDArray, dout: NDArray, weight: NDArray, mean: NDArray, r: NDArray
) -> tuple[NDArray, NDArray, NDArray]:
    """x, dout (n, d), weight (d,), mean, r (n,) of forward -> dx (n, d), dweight, dbias (d,).

    With h = (x - mean) r and g = weight dout, means over the row:
    dx = r (g - mean g - h mean(g h)), dweight = sum of dout h and dbias = sum of dout over n
    """
    op = "layer_norm_backward"
    n, d = shaped(op, "x", floats(op, "x", x), "n", "d").shape
    shaped(op, "dout", floats(op, "dout", dout, x.dtype), n, d)
    shaped(op, "weight", floats(op, "weight", weight, x.dtype), d)
    for name, value in (("mean", mean), ("r", r)):
        shaped(op, name, floats(op, name, value, x.dtype), n)
    up = dout.astype(np.float64)
    h = (x.astype(np.float64) - mean[:, None]) * r[:, None].astype(np.float64)
    g = weight * up
    over = np.float64(d)
    dx = r[:, None] * (
        g - g.sum(axis=1, keepdims=True) / over - h * (g * h).sum(axis=1, keepdims=True) / over
    )
    return dx.astype(x.dtype), (up * h).sum(axis=0).astype(x.dtype), up.sum(axis=0).astype(x.dtype)
