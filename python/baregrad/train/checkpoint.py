"""All of a training after an epoch in one safetensors file: tensors as tensors, the rest JSON."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .. import random, tensorfile
from ..hints import an
from ..nn import Module
from ..optim.lr_scheduler import LRScheduler
from ..typing import NDArray
from .history import History

_KEY = "baregrad.fit"


@dataclass
class Course:
    """What a training carries from epoch to epoch, beside model and optimizer."""

    history: History = field(default_factory=History)
    best: dict[str, NDArray] = field(default_factory=dict)  # the state of the best model so far
    best_loss: float = math.inf  # its validation loss
    waited: int = 0  # epochs since


def save_checkpoint(
    path: Any, model: Module, optimizer: Any, scheduler: Any, loader: Any, course: Course
) -> None:
    """Replace `path` when all is on the disk. OSError if that fails: the last one is then kept."""
    generator = _generator(loader)
    history = {name: np.array(column, np.float64) for name, column in vars(course.history).items()}
    tree = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "optimizer_class": type(optimizer).__name__,
        "scheduler": scheduler.state_dict() if hasattr(scheduler, "state_dict") else None,
        "batches": len(loader) if hasattr(loader, "__len__") else None,
        "random": random.state(),
        "shuffles": random.state_of(generator) if generator else None,
        "course": {**vars(course), "history": history},
    }
    tensorfile.write_tree("fit", path, tree, _KEY)


def load_checkpoint(
    path: Any, model: Module, optimizer: Any, scheduler: Any, loader: Any
) -> Course:
    """Put all back as `save_checkpoint` found it. ValueError if it is not of such a training."""
    if not Path(path).exists():
        raise FileNotFoundError(f"[fit] checkpoint {path} is not there, expected one to resume")
    tree = tensorfile.read_tree("fit", path, _KEY)
    try:
        return _put_back(path, tree, model, optimizer, scheduler, loader)
    except (AttributeError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        if str(error).startswith("[fit]"):
            raise
        raise ValueError(f"[fit] {path} is a broken checkpoint: {error}") from error


def _put_back(
    path: Any, tree: Any, model: Module, optimizer: Any, scheduler: Any, loader: Any
) -> Course:
    course = Course(**tree["course"])
    columns = {name: column.tolist() for name, column in vars(course)["history"].items()}
    course.history = History(**columns)
    course.best_loss, course.waited = float(course.best_loss), int(course.waited)
    best = course.best or tree["model"]
    shapes = [{name: a.shape for name, a in state.items()} for state in (best, tree["model"])]
    if shapes[0] != shapes[1]:
        raise ValueError("its best model is of another network")
    if tree["optimizer_class"] != type(optimizer).__name__:
        raise ValueError(
            f"[fit] optimizer is {an(optimizer)}, expected a "
            f"{tree['optimizer_class']} like the one of {path}"
        )
    stateful = tree["scheduler"] is not None and hasattr(scheduler, "load_state_dict")
    if scheduler is not None and not stateful:
        raise ValueError(
            f"[fit] {path} has no state for the scheduler, {an(scheduler)}, "
            "expected one with state_dict and load_state_dict to resume"
        )
    try:
        model.load_state_dict(tree["model"])
    except RuntimeError as error:
        raise ValueError(f"[fit] {path} is of another network: {error}") from error
    for name, here, there in _options(tree, optimizer, scheduler, loader):
        if here != there:
            raise ValueError(f"[fit] {name} is {here}, expected {there} as in {path}")
    if scheduler is not None:
        scheduler.load_state_dict(tree["scheduler"])
    optimizer.load_state_dict(tree["optimizer"])
    generator = _generator(loader)
    if generator and tree["shuffles"]:
        random.set_state_of(generator, tree["shuffles"])
    random.set_state(tree["random"])
    return course


def _options(
    tree: Any, optimizer: Any, scheduler: Any, loader: Any
) -> Iterator[tuple[str, Any, Any]]:
    """What a training keeps from its first epoch on: its name, as it is here, as it was there."""
    if hasattr(loader, "__len__"):
        yield "the number of batches in an epoch", len(loader), tree["batches"]
    for own, saved in zip(optimizer.param_groups, tree["optimizer"]["param_groups"], strict=False):
        if scheduler is None or {"initial_lr"} <= {*own} & {*saved}:
            rates = (group.get("initial_lr", group["lr"]) for group in (own, saved))
            yield ("the learning rate at the start", *rates)
    if isinstance(scheduler, LRScheduler):  # of others it is not known what changes as they go
        for name, value in scheduler.state_dict().items():
            if name not in ("last_epoch", "_last_lr"):
                here = list(value) if isinstance(value, tuple) else value  # as JSON has it
                yield f"{name} of {type(scheduler).__name__}", here, tree["scheduler"].get(name)


def _generator(loader: Any) -> np.random.Generator | None:
    """The loader's own source of shuffles, if it has one beside that of the package."""
    generator = getattr(loader, "generator", None)
    return generator if isinstance(generator, np.random.Generator) else None
