"""Cross-entropy of softmax(logits) against class labels, and its gradient, in one pass."""

from __future__ import annotations

import numpy as np

from ..typing import NDArray
from .arguments import apart, floats, integers, output, shaped


@np.errstate(all="ignore")  # NaN and infinity flow as IEEE 754 says
def softmax_xent_forward(
    logits: NDArray, labels: NDArray, weight: NDArray | None = None
) -> tuple[NDArray, NDArray]:
    """logits (n, c), labels (n,), weight (n,) -> loss (n,), dlogits (n, c).

    loss = -weight log softmax(logits)[label]; dlogits = weight (softmax(logits) - onehot(label)),
    the gradient of the sum of loss, is what backward needs.
    """
    op = "softmax_xent_forward"
    n, c = shaped(op, "logits", floats(op, "logits", logits), "n", "c").shape
    label = integers(op, "labels", labels, (n,), c)
    if weight is None:
        weight = np.ones(n, logits.dtype)
    weight = shaped(op, "weight", floats(op, "weight", weight, logits.dtype), n)

    z = logits.astype(np.float64)
    # Softmax does not change when a row is shifted; after this exp cannot overflow.
    z -= z.max(axis=1, keepdims=True, initial=-np.inf)
    log_softmax = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    rows = np.arange(n)
    loss = -weight * log_softmax[rows, label]
    dlogits = np.exp(log_softmax)
    dlogits[rows, label] -= 1
    dlogits *= weight[:, None]
    return loss.astype(logits.dtype), dlogits.astype(logits.dtype)


@np.errstate(all="ignore")  # NaN and infinity flow as IEEE 754 says
def softmax_xent_backward(saved: NDArray, dloss: NDArray, *, out: NDArray | None = None) -> NDArray:
    """saved (n, c) the dlogits of forward, dloss (n,) -> dlogits (n, c) = saved dloss."""
    op = "softmax_xent_backward"
    n, _ = shaped(op, "saved", floats(op, "saved", saved), "n", "c").shape
    dloss = shaped(op, "dloss", floats(op, "dloss", dloss, saved.dtype), n)
    result = output(op, "out", out, saved, saved.shape)
    apart(op, "out", result, may_be_same=True, saved=saved)
    apart(op, "out", result, dloss=dloss)
    result[...] = saved * dloss[:, None]
    return result
