"""Cross-entropy of softmax(logits) against class labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..autograd import Function
from ..backend import kernels
from ..typing import Array
from .binary import constant

if TYPE_CHECKING:
    from ..tensor import Tensor


class SoftmaxXent(Function):
    """Forward finds the gradient on its way to the loss and keeps it: backward only scales it."""

    def forward(
        self, logits: Array, labels: Array, weight: Array | None = None, *, mean: bool
    ) -> Array:
        loss, dlogits = kernels(logits).softmax_xent_forward(logits, labels, weight)
        self.mean = mean
        self.save(dlogits)
        return kernels(loss).reduce_mean(loss, (0,)) if mean else loss

    def backward(self, dloss: Array) -> tuple[Array | None, ...]:
        (dlogits,), k = self.saved, kernels(dloss)
        if self.mean:
            each = k.mul(dloss, constant(dloss, 1 / max(dlogits.shape[0], 1)))
            scaled = k.mul(dlogits, each)
        else:
            scaled = k.softmax_xent_backward(dlogits, dloss)
        return (scaled, *[None] * (len(self.needs_grad) - 1))  # labels and weight are data


def softmax_xent(
    logits: Tensor, labels: Tensor, weight: Tensor | None = None, *, mean: bool = False
) -> Tensor:
    """logits (n, c), labels (n,) int64, weight (n,) -> loss (n,), or its mean ().

    loss = -weight log softmax(logits)[label]. IndexError for a label outside [0, c).
    """
    data = (labels,) if weight is None else (labels, weight)
    return SoftmaxXent.apply(logits, *data, mean=mean)
