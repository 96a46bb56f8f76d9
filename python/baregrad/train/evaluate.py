"""Loss and accuracy of a model on a data set."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from ..autograd import no_grad
from ..nn import CrossEntropyLoss, Module
from ..tensor import Tensor
from .batches import Batches, Pairs

Loss: TypeAlias = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Metrics:
    """Mean loss of a sample, and fraction of samples whose class was found: NaN without classes."""

    loss: float
    accuracy: float


class Running:
    """Metrics of the batches so far, each weighted by its number of samples."""

    def __init__(self) -> None:
        self.samples, self.loss, self.correct = 0, 0.0, 0.0

    def add(self, loss: float, logits: Tensor, labels: Tensor) -> None:
        """loss, the mean over a batch; logits (n, c), labels (n,)."""
        self.samples += len(labels)
        self.loss += loss * len(labels)
        if labels.dtype.kind in "iu":
            classes = logits.detach().cpu().numpy().argmax(axis=1)
            self.correct += int((classes == labels.cpu().numpy()).sum())
        else:
            self.correct = math.nan

    def metrics(self) -> Metrics:
        """Both NaN where there was no sample."""
        if self.samples == 0:
            return Metrics(math.nan, math.nan)
        return Metrics(self.loss / self.samples, self.correct / self.samples)


def evaluate(model: Module, loader: Batches, loss: Loss | None = None) -> Metrics:
    """The model's loss and accuracy over (inputs, labels) batches: no gradients, `eval` mode.

    `loss` is the mean over a batch, by default CrossEntropyLoss. The modes of the modules are put
    back afterwards. Without any sample both metrics are NaN.
    """
    criterion = CrossEntropyLoss() if loss is None else loss
    running = Running()
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with no_grad():
            for inputs, labels in Pairs("evaluate", loader, model):
                logits = model(inputs)
                running.add(float(criterion(logits, labels).item()), logits, labels)
    finally:
        for module, mode in modes:
            module.training = mode
    return running.metrics()
