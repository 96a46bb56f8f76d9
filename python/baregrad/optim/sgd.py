"""Stochastic gradient descent, with momentum."""

from __future__ import annotations

from typing import Any, ClassVar

from ..backend import kernels
from ..ops.arguments import instance
from .optimizer import Arrays, Group, Optimizer, Params


class SGD(Optimizer):
    """param -= lr v, with v = momentum v + grad + weight_decay param (lecture 000, slide 10).

    With `nesterov`, param -= lr (grad + weight_decay param + momentum v), as PyTorch has it.
    """

    at_least_zero: ClassVar[tuple[str, ...]] = ("lr", "momentum", "weight_decay")
    fixed: ClassVar[dict[str, Any]] = {**Optimizer.fixed, "dampening": 0}

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        options = {"lr": lr, "momentum": momentum}
        super().__init__(params, {**options, "weight_decay": weight_decay, "nesterov": nesterov})

    def _check(self, group: Group) -> None:
        super()._check(group)
        instance("SGD", "nesterov", group["nesterov"], bool, "a bool")
        if group["nesterov"] and not group["momentum"]:
            raise ValueError("[SGD] nesterov is True and momentum 0, expected some momentum")

    def _kept(self, group: Group) -> tuple[str, ...]:
        return ("momentum_buffer",) if group["momentum"] else ()

    def _move(
        self, group: Group, numbers: Arrays, params: Arrays, grads: Arrays, *kept: Arrays
    ) -> None:
        kernels(params[0]).sgd_step(
            params,
            grads,
            kept[0] if kept else None,
            *numbers,
            momentum=group["momentum"],
            weight_decay=group["weight_decay"],
            nesterov=group["nesterov"],
        )
