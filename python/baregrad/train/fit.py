"""The training loop."""

from __future__ import annotations

import json
import math
import time
from contextlib import closing
from os import PathLike
from pathlib import Path
from typing import Any

from ..hints import an
from ..nn import Module
from ..ops.arguments import instance, integer, number
from ..optim import Adam, Optimizer
from ..replay import ReplayedStep, Step
from ..writing import add_line
from .batches import Batches, Pairs
from .checkpoint import Course, load_checkpoint, save_checkpoint
from .diagnosis import first_not_finite
from .evaluate import Loss, Metrics, Running, checked_loss, evaluate
from .history import History
from .interrupts import Interrupts
from .progress import Progress


def fit(
    model: Module,
    train_loader: Batches,
    valid_loader: Batches | None = None,
    *,
    epochs: int,
    optimizer: Optimizer | None = None,
    loss: Loss | None = None,
    scheduler: Any = None,
    patience: int | None = None,
    clip_grad_norm: float | None = None,
    log: str | PathLike[str] | None = None,
    checkpoint: str | PathLike[str] | None = None,
    resume: bool = False,
    progress: bool = True,
    graph: bool = False,
) -> History:
    """Train `model` on batches (inputs, labels), moved to its device, and return the history.

    By default with Adam (lr 1e-3) and CrossEntropyLoss; a `loss` of your own must be the mean over
    a batch. A loader may be a tuple of two arrays, which are cut into batches of 32, shuffled for
    training. After each epoch the model is evaluated on `valid_loader`, and `scheduler.step()`.
    To resume, a scheduler needs state_dict and load_state_dict, which the optimizer has too.

    patience        stop after so many epochs without a lower validation loss; the model is at the
                    end the best of all epochs (lecture 002)
    clip_grad_norm  the largest norm of all gradients together that a step may see
    log             a file that gets a line of JSON per epoch
    checkpoint      a file that holds the whole state after each epoch; `resume` goes on from it,
                    up to `epochs` in all, with the bits of a training that was never interrupted
    graph           record a step once per shape of batches and replay it (CUDA graphs), the same bits
                    with less work for the host; what the model does on the host happens once

    FloatingPointError at the first loss that is not finite, before it reaches the parameters. The
    first Ctrl-C lets the batch in progress end and goes through as KeyboardInterrupt.
    """
    _check(epochs, patience, valid_loader, clip_grad_norm, checkpoint, resume)
    train = Pairs("fit", train_loader, model, shuffle=True)
    optimizer = Adam(model.parameters()) if optimizer is None else optimizer
    loss = checked_loss("fit", loss)
    _check_parts(model, optimizer, scheduler)
    instance("fit", "graph", graph, bool, "a bool")
    step = (ReplayedStep if graph else Step)(model, loss, optimizer, clip_grad_norm)
    valid = None if valid_loader is None else Pairs("fit", valid_loader, model)
    course = Course()
    if checkpoint is not None and not resume and Path(checkpoint).exists():
        raise FileExistsError(
            f"[fit] checkpoint {str(checkpoint)!r} is there already, expected resume=True to go on "
            "from it, or another file"
        )
    if resume:
        course = load_checkpoint(checkpoint, model, optimizer, scheduler, train.loader)
    if log is not None:
        Path(log).open("a").close()  # better now than after an epoch
    history = course.history
    with (
        closing(Progress(epochs, train.loader, progress, len(history.seconds))) as shown,
        Interrupts(epochs, checkpoint) as interrupts,
    ):
        for epoch in range(len(history.seconds) + 1, epochs + 1):
            interrupts.done = epoch - 1
            if patience is not None and course.waited >= patience:
                break
            start, rate = time.perf_counter(), optimizer.param_groups[0]["lr"]
            batches = interrupts.between(train)
            trained = _epoch(epoch, step, batches, shown)
            seconds = time.perf_counter() - start
            validated = None
            if valid is not None:
                validated = evaluate(model, interrupts.between(valid), loss)
            history.append(trained, validated, seconds)
            if patience is not None and validated is not None:
                _compare(course, validated.loss, model)
            if scheduler is not None:
                scheduler.step()
            if checkpoint is not None:
                save_checkpoint(checkpoint, model, optimizer, scheduler, train.loader, course)
            if log is not None:
                _write_line(log, history, rate)
            shown.epoch(history)
            interrupts.done = epoch
            interrupts.check()
    if patience is not None and course.best:
        model.load_state_dict(course.best)
    return history


def _epoch(epoch: int, step: Step, batches: Any, shown: Progress) -> Metrics:
    step.model.train()
    running = Running(step.loss)
    for place, (inputs, labels) in enumerate(batches, start=1):
        outputs, batch_loss = step.forward(inputs, labels)
        value = float(batch_loss.item())
        if not math.isfinite(value):
            raise FloatingPointError(
                f"[fit] the loss is {value} in epoch {epoch}, batch {place}, at learning rate "
                f"{step.optimizer.param_groups[0]['lr']:g}, expected a finite number: "
                f"{first_not_finite(step.model, step.loss, inputs, labels)}"
            )
        step.backward()
        running.add(value, outputs, labels)
        shown.batch(epoch, running.metrics())
    if running.samples == 0:
        raise ValueError(f"[fit] train_loader gave no sample in epoch {epoch}, expected some")
    return running.metrics()


def _check_parts(model: Module, optimizer: Optimizer, scheduler: Any) -> None:
    instance("fit", "optimizer", optimizer, Optimizer, "one of baregrad.optim")
    if scheduler is not None and not hasattr(scheduler, "step"):
        raise TypeError(f"[fit] scheduler is {an(scheduler)}, expected one with step()")
    own = {id(parameter) for parameter in model.parameters()}
    if not any(id(p) in own for group in optimizer.param_groups for p in group["params"]):
        raise ValueError("[fit] optimizer has no parameter of the model, expected some")


def _compare(course: Course, valid_loss: float, model: Module) -> None:
    """Keep the model if it is the best so far."""
    course.waited += 1
    if valid_loss < course.best_loss:
        course.best, course.best_loss, course.waited = model.state_dict(), valid_loss, 0


def _write_line(log: str | PathLike[str], history: History, rate: float) -> None:
    last = {name: numbers[-1] for name, numbers in vars(history).items() if numbers}
    finite = {name: x if math.isfinite(x) else None for name, x in last.items()}  # JSON has no NaN
    add_line("fit", log, json.dumps({"epoch": len(history.seconds), **finite, "lr": rate}))


def _check(
    epochs: int, patience: int | None, valid: Any, clip: float | None, path: Any, resume: bool
) -> None:
    integer("fit", "epochs", epochs, 1)
    integer("fit", "patience", 1 if patience is None else patience, 1)
    if patience is not None and valid is None:
        raise ValueError(f"[fit] patience is {patience} without valid_loader, expected both")
    if clip is not None and not number("fit", "clip_grad_norm", clip) > 0:
        raise ValueError(f"[fit] clip_grad_norm is {clip}, expected more than 0")
    if resume and path is None:
        raise ValueError("[fit] resume is True without checkpoint, expected the path of one")
