"""Losses as Modules."""

from __future__ import annotations

from ..tensor import Tensor
from . import functional as F  # noqa: N812
from .module import Module


class CrossEntropyLoss(Module):
    """logits (n, c), labels (n,) int64 -> -log softmax(logits)[label], reduced over the batch.

    `reduction` is "mean", "sum" or "none", which leaves the loss of each sample, (n,).
    """

    def __init__(self, reduction: F.Reduction = "mean") -> None:
        self.reduction = F.checked_reduction("CrossEntropyLoss", reduction)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """IndexError for a label outside [0, c)."""
        return F.cross_entropy(logits, labels, reduction=self.reduction)

    def extra_repr(self) -> str:
        """The arguments it was made with."""
        return f"reduction={self.reduction!r}"
