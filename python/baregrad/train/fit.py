"""The training loop."""

from __future__ import annotations

import math
import time
from contextlib import closing

from ..nn import CrossEntropyLoss, Module
from ..optim import Adam, Optimizer
from .evaluate import Batches, Loss, Metrics, Running, device_of, evaluate, pairs
from .history import History
from .progress import Progress


def fit(
    model: Module,
    train_loader: Batches,
    valid_loader: Batches | None = None,
    *,
    epochs: int,
    optimizer: Optimizer | None = None,
    loss: Loss | None = None,
    progress: bool = True,
) -> History:
    """Train `model` on batches (inputs, labels), moved to its device, and return the history.

    By default with Adam (lr 1e-3) and CrossEntropyLoss; a `loss` of your own must be the mean over
    a batch. After each epoch the model is evaluated on `valid_loader`. FloatingPointError at the
    first loss that is not finite, before it reaches the parameters. Ctrl-C goes through as
    KeyboardInterrupt: every parameter is then as it was before or after its last step.
    """
    if not isinstance(epochs, int):
        raise TypeError(f"[fit] epochs is a {type(epochs).__name__}, expected an integer")
    if epochs < 1:
        raise ValueError(f"[fit] epochs is {epochs}, expected at least 1")
    optimizer = Adam(model.parameters()) if optimizer is None else optimizer
    loss = CrossEntropyLoss() if loss is None else loss
    history = History()
    with closing(Progress(epochs, train_loader, progress)) as shown:
        for epoch in range(1, epochs + 1):
            start = time.perf_counter()
            trained = _epoch(epoch, model, train_loader, optimizer, loss, shown)
            seconds = time.perf_counter() - start
            valid = None if valid_loader is None else evaluate(model, valid_loader, loss)
            history.append(trained, valid, seconds)
            shown.epoch(history)
    return history


def _epoch(
    epoch: int, model: Module, loader: Batches, optimizer: Optimizer, loss: Loss, shown: Progress
) -> Metrics:
    model.train()
    device, running = device_of(model), Running()
    for number, (inputs, labels) in enumerate(pairs("fit", loader, device), start=1):
        optimizer.zero_grad()
        logits = model(inputs)
        batch_loss = loss(logits, labels)
        value = float(batch_loss.item())
        if not math.isfinite(value):
            rate = optimizer.param_groups[0]["lr"]
            raise FloatingPointError(
                f"[fit] the loss is {value} in epoch {epoch}, batch {number}, at learning rate "
                f"{rate:g}, expected a finite number; a smaller learning rate may help"
            )
        batch_loss.backward()
        optimizer.step()
        running.add(value, logits, labels)
        shown.batch(epoch, running.metrics())
    if running.samples == 0:
        raise ValueError(f"[fit] train_loader gave no sample in epoch {epoch}, expected some")
    return running.metrics()
