"""Learning rates that follow a schedule: call `step()` once an epoch, or as often as it should move.

Each is a closed formula of base, the rate that the optimizer began with, and t, the number of
steps of the schedule. So the last of two schedules on one optimizer is the one that counts.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..ops.arguments import function, instance, integer, number, several
from .optimizer import Optimizer


class LRScheduler:
    """Base: sets the rate of every group to `_rate(base, t, its number)`, at once for t = 0, then at each step."""

    def __init__(self, optimizer: Optimizer) -> None:
        op = type(self).__name__
        self.optimizer = instance(op, "optimizer", optimizer, Optimizer, "an Optimizer")
        for group in optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])
        self.base_lrs: list[float] = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = -1
        self.step()

    def _rate(self, base: float, t: int, group: int) -> float:
        raise NotImplementedError

    def step(self) -> None:
        """Go on to the next learning rate."""
        self.last_epoch += 1
        self._set()

    def _set(self) -> None:
        for group, rate in zip(self.optimizer.param_groups, self.get_last_lr(), strict=False):
            group["lr"] = rate

    def get_last_lr(self) -> list[float]:
        """The rate of every group that was there at the start."""
        return [self._rate(base, self.last_epoch, i) for i, base in enumerate(self.base_lrs)]

    def state_dict(self) -> dict[str, Any]:
        """Where it is and its numbers; functions stay out."""
        out = ("optimizer", "lr_lambdas")
        kept = {name: value for name, value in vars(self).items() if name not in out}
        return {**kept, "_last_lr": self.get_last_lr()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from there, at once."""
        instance("load_state_dict", "state_dict", state_dict, Mapping, "a mapping")
        own = set(self.state_dict()) - {"_last_lr"}
        vars(self).update({name: state_dict[name] for name in own if name in state_dict})
        self._set()


class LambdaLR(LRScheduler):
    """base lr_lambda(t): `lr_lambda` is a function of t, or a list of one for each group."""

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
    ) -> None:
        checked = instance("LambdaLR", "optimizer", optimizer, Optimizer, "an Optimizer")
        one, groups = callable(lr_lambda), len(checked.param_groups)
        every = [lr_lambda] * groups if one else several("LambdaLR", "lr_lambda", lr_lambda)
        self.lr_lambdas = [function("LambdaLR", "lr_lambda", each) for each in every]
        if len(every) != groups:
            raise ValueError(f"[LambdaLR] lr_lambda has {len(every)} functions, expected {groups}")
        super().__init__(optimizer)

    def _rate(self, base: float, t: int, group: int) -> float:
        return base * self.lr_lambdas[group](t)


class StepLR(LRScheduler):
    """base gamma^(t // step_size): lower by a factor every few epochs (lecture 004)."""

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        self.step_size = integer("StepLR", "step_size", step_size, 1)
        self.gamma = number("StepLR", "gamma", gamma)
        super().__init__(optimizer)

    def _rate(self, base: float, t: int, group: int) -> float:
        return base * self.gamma ** (t // self.step_size)


class MultiStepLR(LRScheduler):
    """base gamma^k, where k of the `milestones` are at most t."""

    def __init__(self, optimizer: Optimizer, milestones: Sequence[int], gamma: float = 0.1) -> None:
        op, some = "MultiStepLR", several("MultiStepLR", "milestones", milestones)
        self.milestones = sorted(integer(op, "a milestone", epoch) for epoch in some)
        self.gamma = number(op, "gamma", gamma)
        super().__init__(optimizer)

    def _rate(self, base: float, t: int, group: int) -> float:
        return base * self.gamma ** bisect_right(sorted(self.milestones), t)


class ExponentialLR(LRScheduler):
    """base gamma^t."""

    def __init__(self, optimizer: Optimizer, gamma: float) -> None:
        self.gamma = number("ExponentialLR", "gamma", gamma)
        super().__init__(optimizer)

    def _rate(self, base: float, t: int, group: int) -> float:
        return base * self.gamma**t


class CosineAnnealingLR(LRScheduler):
    """eta_min + (base - eta_min) (1 + cos(pi t / T_max)) / 2 (Loshchilov and Hutter, 2017)."""

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0) -> None:  # noqa: N803
        self.T_max = integer("CosineAnnealingLR", "T_max", T_max, 1)
        self.eta_min = number("CosineAnnealingLR", "eta_min", eta_min)
        super().__init__(optimizer)

    def _rate(self, base: float, t: int, group: int) -> float:
        return self.eta_min + (base - self.eta_min) * (1 + math.cos(math.pi * t / self.T_max)) / 2


class InverseTimeLR(LRScheduler):
    """base / (1 + gamma t): what 1/t decay usually means."""

    def __init__(self, optimizer: Optimizer, gamma: float = 1.0) -> None:
        self.gamma = number("InverseTimeLR", "gamma", gamma)
        super().__init__(optimizer)

    def _rate(self, base: float, t: int, group: int) -> float:
        return base / (1 + self.gamma * t)


class InverseSqrtLR(LRScheduler):
    """base / sqrt(t + 1): what lecture 004 calls 1/t decay."""

    def _rate(self, base: float, t: int, group: int) -> float:
        return base / math.sqrt(t + 1)
