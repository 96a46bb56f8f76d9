"""Adam (Kingma and Ba, 2015), one kernel call for all parameters that have made as many steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..backend import backend_of, kernels
from ..tensor import Tensor
from ..typing import NDArray


@dataclass
class _Moments:
    """What Adam remembers of one parameter: m and v are arrays beside it, from step 1 on."""

    step: int = 0
    m: Any = None
    v: Any = None


class Adam:
    """Adam with PyTorch's arguments; `weight_decay` is the L2 term added to the gradient.

    ValueError for arguments out of range, TypeError for what is no tensor.
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        self.params = _checked_params(params)
        self.lr = lr
        self.betas, self.eps, self.weight_decay = betas, eps, weight_decay
        for name, beta in zip(("betas[0]", "betas[1]"), betas, strict=True):
            if not 0 <= beta < 1:
                raise ValueError(f"[Adam] {name} is {beta}, expected 0 <= {name} < 1")
        _at_least_zero("eps", eps)
        _at_least_zero("weight_decay", weight_decay)
        self._moments = [_Moments() for _ in self.params]

    @property
    def lr(self) -> float:
        """The learning rate. Set it at any time: the next step uses it."""
        return self._lr

    @lr.setter
    def lr(self, lr: float) -> None:
        self._lr = _at_least_zero("lr", lr)

    def zero_grad(self) -> None:
        """Forget the gradients: every `.grad` becomes None."""
        for param in self.params:
            param.grad = None

    def step(self) -> None:
        """Change every parameter that has a gradient. Each counts its own steps, as in PyTorch."""
        beta1, beta2 = self.betas
        together: dict[Any, list[tuple[Tensor, _Moments]]] = {}  # what one call of a kernel takes
        for param, moments in zip(self.params, self._moments, strict=True):
            if param.grad is not None:
                _settle(moments, param.data)
                key = (type(param.data), param.data.dtype, moments.step)
                together.setdefault(key, []).append((param, moments))
        for (_, dtype, step), group in together.items():
            datas = [param.data for param, _ in group]
            full = backend_of(datas[0]).full
            kernels(datas[0]).adam_step(
                datas,
                [param.grad.data for param, _ in group if param.grad is not None],
                [moments.m for _, moments in group],
                [moments.v for _, moments in group],
                full((1,), self._lr, dtype),
                full((1,), step + 1, np.int64),
                beta1=beta1,
                beta2=beta2,
                epsilon=self.eps,
                weight_decay=self.weight_decay,
            )
            for param, moments in group:
                moments.step += 1
                param._version.number += 1

    def state_dict(self) -> dict[str, Any]:
        """A copy of what it remembers, laid out as PyTorch's, with NumPy arrays."""
        state = {
            index: {"step": s.step, "exp_avg": _numpy(s.m), "exp_avg_sq": _numpy(s.v)}
            for index, s in enumerate(self._moments)
            if s.step
        }
        group = {
            "lr": self.lr,
            "betas": self.betas,
            "eps": self.eps,
            "weight_decay": self.weight_decay,
            "params": list(range(len(self.params))),
        }
        return {"state": state, "param_groups": [group]}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` of an Adam over the same parameters returned.

        ValueError, and nothing is loaded, if the parameters differ in number or shape.
        """
        (group,) = state_dict["param_groups"]
        if len(group["params"]) != len(self.params):
            raise ValueError(
                f"[load_state_dict] the state is of {len(group['params'])} parameters, "
                f"expected {len(self.params)}"
            )
        loaded = [_Moments() for _ in self.params]
        for index, saved in state_dict["state"].items():
            m, v = (np.array(saved[name], order="C") for name in ("exp_avg", "exp_avg_sq"))
            if not m.shape == v.shape == self.params[index].shape:
                raise ValueError(
                    f"[load_state_dict] the state of parameter {index} has shape {m.shape}, "
                    f"expected {self.params[index].shape}"
                )
            loaded[index] = _Moments(int(saved["step"]), m, v)
        self.lr, self.betas = group["lr"], tuple(group["betas"])
        self.eps, self.weight_decay = group["eps"], group["weight_decay"]
        self._moments = loaded


def _settle(moments: _Moments, data: Any) -> None:
    """Have m and v where the parameter is and of its dtype: it may have moved since."""
    backend = backend_of(data)
    if moments.m is None:
        moments.m, moments.v = (backend.full(data.shape, 0.0, data.dtype) for _ in "mv")
    elif type(moments.m) is not type(data) or moments.m.dtype != data.dtype:
        moments.m, moments.v = (
            backend.from_numpy(_numpy(moment).astype(data.dtype))
            for moment in (moments.m, moments.v)
        )


def _numpy(array: Any) -> NDArray:
    return np.array(backend_of(array).to_numpy(array))


def _checked_params(params: Iterable[Tensor]) -> list[Tensor]:
    if isinstance(params, Tensor):
        raise TypeError("[Adam] params is a Tensor, expected an iterable of Tensors")
    found = list(params)
    if not found:
        raise ValueError("[Adam] params is empty, expected at least one parameter")
    for index, param in enumerate(found):
        if not isinstance(param, Tensor):
            raise TypeError(
                f"[Adam] params[{index}] is a {type(param).__name__}, expected a Tensor"
            )
        if not param.is_leaf:
            raise ValueError(f"[Adam] an op made params[{index}], expected a leaf")
    if len({id(param) for param in found}) < len(found):
        raise ValueError("[Adam] params has the same parameter twice, expected each once")
    return found


def _at_least_zero(name: str, value: float) -> float:
    if not 0 <= value < float("inf"):
        raise ValueError(f"[Adam] {name} is {value}, expected a finite number of at least 0")
    return float(value)
