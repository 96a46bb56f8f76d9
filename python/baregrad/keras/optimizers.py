"""Optimizers to be: each meets the parameters of its model in the first `fit`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .. import optim
from .words import words


@dataclass(frozen=True)
class Optimizer:
    """An optimizer to be: it meets the parameters in the first `fit`."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def make(self, parameters: Any) -> optim.Optimizer:
        """The optimizer of baregrad.optim."""
        kind: type[optim.Optimizer] = {"sgd": optim.SGD, "adam": optim.Adam}[self.name]
        return kind(parameters, **self.options)


@words(lr="learning_rate")
def SGD(  # noqa: N802
    learning_rate: float = 0.01, momentum: float = 0.0, nesterov: bool = False
) -> Optimizer:
    """Stochastic gradient descent with Keras's defaults."""
    return Optimizer("sgd", {"lr": learning_rate, "momentum": momentum, "nesterov": nesterov})


@words(lr="learning_rate")
def Adam(  # noqa: N802
    learning_rate: float = 0.001, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-7
) -> Optimizer:
    """Adam with Keras's defaults."""
    return Optimizer("adam", {"lr": learning_rate, "betas": (beta_1, beta_2), "eps": epsilon})
