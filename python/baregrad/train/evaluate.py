"""Loss and accuracy of a model on a data set."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from ..autograd import no_grad
from ..nn import CrossEntropyLoss, Module, functional as F  # noqa: N812
from ..ops.arguments import function
from ..tensor import Tensor
from ..typing import NDArray
from .batches import Batches, Pairs

Loss: TypeAlias = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Metrics:
    """Mean loss of a sample, and fraction of samples whose class was found: NaN without classes."""

    loss: float
    accuracy: float


# Above which an output speaks for the second of two classes
_THRESHOLDS: dict[Any, float] = {
    F.binary_cross_entropy: 0.5,
    F.binary_cross_entropy_with_logits: 0.0,
}


class Running:
    """Metrics of the batches so far, each weighted by its number of samples."""

    def __init__(self, loss: Loss) -> None:
        self.samples, self.loss, self.correct = 0, 0.0, 0.0
        self.threshold = _THRESHOLDS.get(getattr(loss, "function", loss))

    def add(self, loss: float, outputs: Tensor, labels: Tensor) -> None:
        """loss, the mean over a batch of outputs (n, ...) and labels (n, ...)."""
        self.samples += len(labels)
        self.loss += loss * len(labels)
        self.correct += self._found(outputs.detach().cpu().numpy(), labels.cpu().numpy())

    def _found(self, outputs: NDArray, labels: NDArray) -> float:
        """Samples whose class was found. Labels are class numbers, rows with one 1, or 0 and 1."""
        if labels.dtype.kind in "iu":
            return float((outputs.argmax(axis=1) == labels).sum())
        if self.threshold is not None and outputs.size == len(labels):
            return float(((outputs > self.threshold) == (labels > 0.5)).sum())
        if (
            labels.ndim == 2
            and ((labels == labels.astype(bool)).all(1) & (labels.sum(1) == 1)).all()
        ):
            return float((outputs.argmax(axis=1) == labels.argmax(axis=1)).sum())
        return math.nan

    def metrics(self) -> Metrics:
        """Both NaN where there was no sample."""
        if self.samples == 0:
            return Metrics(math.nan, math.nan)
        return Metrics(self.loss / self.samples, self.correct / self.samples)


def checked_loss(op: str, loss: Loss | None) -> Loss:
    """The loss, by default CrossEntropyLoss."""
    return CrossEntropyLoss() if loss is None else function(op, "loss", loss)


def evaluate(model: Module, loader: Batches, loss: Loss | None = None) -> Metrics:
    """The model's loss and accuracy over (inputs, labels) batches: no gradients, `eval` mode.

    `loss` is the mean over a batch, by default CrossEntropyLoss. The modes of the modules are put
    back afterwards. Without any sample both metrics are NaN.
    """
    pairs, criterion = Pairs("evaluate", loader, model), checked_loss("evaluate", loss)
    running = Running(criterion)
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with no_grad():
            for inputs, labels in pairs:
                logits = model(inputs)
                running.add(float(criterion(logits, labels).item()), logits, labels)
    finally:
        for module, mode in modes:
            module.training = mode
    return running.metrics()
