"""Cross-entropy of probabilities against targets between 0 and 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..autograd import Function
from ..backend import kernels
from ..typing import Array
from .binary import constant

if TYPE_CHECKING:
    from ..tensor import Tensor

LEAST_LOG, LEAST_SLOPE = -100.0, 1e-12  # PyTorch's: the loss and its gradient are finite at 0 and 1


class BinaryXent(Function):
    """out = -t log p - (1 - t) log(1 - p), logarithms at least -100; dp = dout (p - t) / (p (1 - p))."""

    def forward(self, p: Array, t: Array) -> Array:
        self.save(p, t)
        k, one, least = kernels(p), constant(p, 1), constant(p, LEAST_LOG)
        hit = k.mul(t, k.maximum(k.log_forward(p), least))
        miss = k.mul(k.sub(one, t), k.maximum(k.log_forward(k.sub(one, p)), least))
        return k.neg_forward(k.add(hit, miss))

    def backward(self, dout: Array) -> tuple[Array, None]:
        p, t = self.saved
        k = kernels(dout)
        slope = k.maximum(k.mul(p, k.sub(constant(p, 1), p)), constant(p, LEAST_SLOPE))
        return k.mul(dout, k.div(k.sub(p, t), slope)), None


def binary_xent(p: Tensor, target: Tensor) -> Tensor:
    """p (...), target (...) -> -target log p - (1 - target) log(1 - p), (...).

    Source: lecture 000, slide 3. The target is data: it gets no gradient.
    """
    if p.device == "cpu" and p.array.size:  # elsewhere it would mean to wait for the device
        k, axes = kernels(p.array), tuple(range(p.ndim))
        low, high = (float(end(p.array, axes)) for end in (k.reduce_min, k.reduce_max))
        if low < 0 or high > 1:
            raise ValueError(
                f"[binary_cross_entropy] input has values from {low:g} to {high:g}, expected 0 to 1: "
                "binary_cross_entropy_with_logits takes any"
            )
    return BinaryXent.apply(p, target.detach())
