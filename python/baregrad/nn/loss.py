"""Losses as Modules. `reduction` is "mean", "sum", or "none", which leaves them all."""

from __future__ import annotations

from ..ops.arguments import integer, number
from ..tensor import Tensor
from . import functional as F  # noqa: N812
from .activation import FunctionModule
from .losses import Reduction, checked_reduction


class _Loss(FunctionModule):
    def __init__(self, *, reduction: Reduction = "mean") -> None:
        self.reduction = checked_reduction(type(self).__name__, reduction)


class MSELoss(_Loss):
    """(input - target)^2 of two tensors of one shape (lecture 000, slide 3)."""

    function = staticmethod(F.mse_loss)


class L1Loss(_Loss):
    """|input - target| of two tensors of one shape."""

    function = staticmethod(F.l1_loss)


class HuberLoss(_Loss):
    """A square up to delta, straight beyond: its derivative is at most delta (Huber, 1964)."""

    function = staticmethod(F.huber_loss)

    def __init__(self, *, reduction: Reduction = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction=reduction)
        self.delta = number("HuberLoss", "delta", delta, 0)


class SmoothL1Loss(_Loss):
    """HuberLoss with delta = beta, over beta: its derivative is at most 1 (Girshick, 2015)."""

    function = staticmethod(F.smooth_l1_loss)

    def __init__(self, *, reduction: Reduction = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction=reduction)
        self.beta = number("SmoothL1Loss", "beta", beta, 0)


class BCELoss(_Loss):
    """-t log p - (1 - t) log(1 - p), of probabilities; finite at 0 and 1 (lecture 000, slide 3)."""

    function = staticmethod(F.binary_cross_entropy)


class BCEWithLogitsLoss(_Loss):
    """BCELoss of sigmoid(input), without overflow; pos_weight multiplies what target 1 costs."""

    function = staticmethod(F.binary_cross_entropy_with_logits)

    def __init__(self, *, reduction: Reduction = "mean", pos_weight: Tensor | None = None) -> None:
        super().__init__(reduction=reduction)
        self.register_buffer("pos_weight", pos_weight)


class NLLLoss(_Loss):
    """input (n, c), log probabilities, target (n,) int64 -> -weight[target] input[target]."""

    function = staticmethod(F.nll_loss)

    def __init__(
        self,
        weight: Tensor | None = None,
        *,
        ignore_index: int = -100,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(reduction=reduction)
        self.register_buffer("weight", weight)
        self.ignore_index = integer(type(self).__name__, "ignore_index", ignore_index)


class CrossEntropyLoss(NLLLoss):
    """input (n, c), target (n,) int64 or (n, c) probabilities -> -log softmax(input)[target].

    `weight` (c,) multiplies the loss of each class; ignore_index costs nothing (lecture 002, loss).
    """

    function = staticmethod(F.cross_entropy)

    def __init__(
        self,
        weight: Tensor | None = None,
        *,
        ignore_index: int = -100,
        reduction: Reduction = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(weight, ignore_index=ignore_index, reduction=reduction)
        self.label_smoothing = number("CrossEntropyLoss", "label_smoothing", label_smoothing, 0, 1)
