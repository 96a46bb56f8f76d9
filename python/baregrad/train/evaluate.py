"""Loss and accuracy of a model on a data set."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from ..autograd import no_grad
from ..nn import CrossEntropyLoss, Module
from ..tensor import Tensor, as_tensor

Loss: TypeAlias = Callable[[Tensor, Tensor], Tensor]
Batches: TypeAlias = Iterable[Any]  # of pairs (inputs, labels), anew for each epoch


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


def device_of(model: Module) -> str:
    """Where the model's parameters are."""
    return next((parameter.device for parameter in model.parameters()), "cpu")


def pairs(op: str, loader: Batches, device: str) -> Iterator[tuple[Tensor, Tensor]]:
    """Inputs and labels of every batch, tensors or arrays, on `device`; empty ones are left out."""
    for batch in loader:
        if not isinstance(batch, (tuple, list)):
            kind = type(batch).__name__
            raise TypeError(f"[{op}] a batch is a {kind}, expected a pair (inputs, labels)")
        if len(batch) != 2:
            raise ValueError(f"[{op}] a batch has {len(batch)} parts, expected (inputs, labels)")
        inputs, labels = (as_tensor(part).to(device) for part in batch)
        if len(labels):
            yield inputs, labels


def evaluate(model: Module, loader: Batches, loss: Loss | None = None) -> Metrics:
    """The model's loss and accuracy over (inputs, labels) batches: no gradients, `eval` mode.

    `loss` is the mean over a batch, by default CrossEntropyLoss. The modes of the modules are put
    back afterwards. Without any sample both metrics are NaN.
    """
    criterion = CrossEntropyLoss() if loss is None else loss
    device, running = device_of(model), Running()
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with no_grad():
            for inputs, labels in pairs("evaluate", loader, device):
                logits = model(inputs)
                running.add(float(criterion(logits, labels).item()), logits, labels)
    finally:
        for module, mode in modes:
            module.training = mode
    return running.metrics()
