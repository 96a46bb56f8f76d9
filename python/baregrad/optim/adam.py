"""Adam (Kingma and Ba, 2015) and AdamW (Loshchilov and Hutter, 2019)."""

from __future__ import annotations

from typing import Any, ClassVar

from ..backend import kernels
from ..ops.arguments import number, several
from .optimizer import Arrays, Group, Optimizer, Params


class Adam(Optimizer):
    """param -= lr m' / (sqrt(v') + eps), m', v' corrected means of g, g^2 (Kingma and Ba, 2015).

    g = grad + weight_decay param. eps stands outside the root, as in the paper, lecture 004 and
    PyTorch; lecture 000, slide 12, has it inside. An lr of 0.1, as lecture 004 prints, diverges on
    its own network: 1e-3 is the paper's.
    """

    counts_steps: ClassVar[bool] = True
    at_least_zero: ClassVar[tuple[str, ...]] = ("lr", "eps", "weight_decay")
    fixed: ClassVar[dict[str, Any]] = {
        **Optimizer.fixed,
        "amsgrad": False,
        "decoupled_weight_decay": False,
    }

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        both = tuple(several(type(self).__name__, "betas", betas))
        options = {"lr": lr, "betas": both, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, options)

    def _check(self, group: Group) -> None:
        super()._check(group)
        if len(group["betas"]) != 2:
            raise ValueError(f"{self._tag} betas is {group['betas']}, expected two numbers")
        for name, beta in zip(("betas[0]", "betas[1]"), group["betas"], strict=True):
            if not 0 <= number(self._name, name, beta) < 1:
                raise ValueError(f"{self._tag} {name} is {beta}, expected 0 <= {name} < 1")

    def _kept(self, group: Group) -> tuple[str, ...]:
        return "exp_avg", "exp_avg_sq"

    def _move(
        self, group: Group, numbers: Arrays, params: Arrays, grads: Arrays, *kept: Arrays
    ) -> None:
        kernels(params[0]).adam_step(
            params,
            grads,
            *kept,
            *numbers,
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            epsilon=group["eps"],
            weight_decay=group["weight_decay"],
            decoupled=self.fixed["decoupled_weight_decay"],
        )


class AdamW(Adam):
    """Adam, but param *= 1 - lr weight_decay beside the step (Loshchilov and Hutter, 2019)."""

    fixed: ClassVar[dict[str, Any]] = {**Adam.fixed, "decoupled_weight_decay": True}

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay)
