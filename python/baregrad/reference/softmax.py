"""Softmax and its logarithm over the last axis."""

from __future__ import annotations

import numpy as np

from ..typing import NDArray
from .arguments import apart, floats, output, shaped


def _log_softmax(x: NDArray) -> NDArray:
    z = x.astype(np.float64)
    z -= z.max(axis=1, keepdims=True, initial=-np.inf)  # after this exp cannot overflow
    log_softmax: NDArray = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    return log_softmax


@np.errstate(all="ignore")  # NaN and infinity flow as IEEE 754 says
def softmax_forward(x: NDArray, *, out: NDArray | None = None) -> NDArray:
    """x (n, c) -> out (n, c) = exp(x) / sum of exp(x) over c (lecture 000, slide 22)."""
    shaped("softmax_forward", "x", floats("softmax_forward", "x", x), "n", "c")
    result = output("softmax_forward", "out", out, x, x.shape)
    apart("softmax_forward", "out", result, may_be_same=True, x=x)
    result[...] = np.exp(_log_softmax(x))
    return result


@np.errstate(all="ignore")  # NaN and infinity flow as IEEE 754 says
def softmax_backward(saved: NDArray, dout: NDArray, *, out: NDArray | None = None) -> NDArray:
    """saved (n, c) the output of forward, dout (n, c) -> dx (n, c) = saved (dout - sum saved dout)."""
    result = _checked("softmax_backward", saved, dout, out)
    s, d = saved.astype(np.float64), dout.astype(np.float64)
    result[...] = s * (d - (s * d).sum(axis=1, keepdims=True))
    return result


@np.errstate(all="ignore")  # NaN and infinity flow as IEEE 754 says
def log_softmax_forward(x: NDArray, *, out: NDArray | None = None) -> NDArray:
    """x (n, c) -> out (n, c) = x - log of the sum of exp(x) over c."""
    shaped("log_softmax_forward", "x", floats("log_softmax_forward", "x", x), "n", "c")
    result = output("log_softmax_forward", "out", out, x, x.shape)
    apart("log_softmax_forward", "out", result, may_be_same=True, x=x)
    result[...] = _log_softmax(x)
    return result


@np.errstate(all="ignore")  # NaN and infinity flow as IEEE 754 says
def log_softmax_backward(saved: NDArray, dout: NDArray, *, out: NDArray | None = None) -> NDArray:
    """saved (n, c) the output of forward, dout (n, c) -> dx (n, c) = dout - exp(saved) sum dout."""
    result = _checked("log_softmax_backward", saved, dout, out)
    s, d = saved.astype(np.float64), dout.astype(np.float64)
    result[...] = d - np.exp(s) * d.sum(axis=1, keepdims=True)
    return result


def _checked(op: str, saved: NDArray, dout: NDArray, out: NDArray | None) -> NDArray:
    shaped(op, "saved", floats(op, "saved", saved), "n", "c")
    shaped(op, "dout", floats(op, "dout", dout, saved.dtype), *saved.shape)
    result = output(op, "out", out, saved, saved.shape)
    apart(op, "out", result, may_be_same=True, saved=saved, dout=dout)
    return result
