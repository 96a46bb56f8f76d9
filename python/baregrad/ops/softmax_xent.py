"""Cross-entropy of softmax(logits) against class labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..autograd import Function
from ..backend import kernels
from ..typing import Array

if TYPE_CHECKING:
    from ..tensor import Tensor


class SoftmaxXent(Function):
    """Forward finds the gradient on its way to the loss and keeps it: backward only scales it."""

    def forward(self, logits: Array, labels: Array, weight: Array | None = None) -> Array:
        loss, dlogits = kernels(logits).softmax_xent_forward(logits, labels, weight)
        self.save(dlogits)
        return loss

    def backward(self, dloss: Array) -> tuple[Array | None, ...]:
        (dlogits,) = self.saved
        scaled = kernels(dloss).softmax_xent_backward(dlogits, dloss)
        return (scaled, *[None] * (len(self.needs_grad) - 1))  # labels and weight are data


def softmax_xent(logits: Tensor, labels: Tensor, weight: Tensor | None = None) -> Tensor:
    """logits (n, c), labels (n,) int64, weight (n,) -> loss (n,).

    loss = -weight log softmax(logits)[label]. IndexError for a label outside [0, c).
    """
    data = (labels,) if weight is None else (labels, weight)
    return SoftmaxXent.apply(logits, *data)
