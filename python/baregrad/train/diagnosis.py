"""Where a loss that is not finite came from."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd import Function, no_grad
from ..nn import Module
from ..tensor import Tensor


def first_not_finite(model: Module, loss: Any, inputs: Tensor, labels: Tensor) -> str:
    """Compute the loss again and say what is first not finite: the data, a parameter or an op."""
    names = {id(parameter): f"the parameter {name}" for name, parameter in model.named_parameters()}
    names |= {id(inputs): "the data", id(labels): "the data"}
    found: list[str] = []
    apply: Any = vars(Function)["apply"]

    def watched(cls: Any, /, *tensors: Tensor, **options: Any) -> Tensor:
        out: Tensor = apply.__func__(cls, *tensors, **options)
        if not found and not _finite(out):
            bad = [names.get(id(t), "a value") for t in tensors if not _finite(t)]
            found.append(
                f"{bad[-1]} that went into {cls.__name__} is not finite"
                if bad
                else f"the first op with such an output is {cls.__name__}, {out.shape}"
            )
        return out

    Function.apply = classmethod(watched)  # type: ignore[method-assign,assignment]
    try:
        with no_grad():
            loss(model(inputs), labels)
    finally:
        Function.apply = apply  # type: ignore[method-assign]
    return found[0] if found else "computed again it is finite"


def _finite(tensor: Tensor) -> bool:
    return bool(np.isfinite(tensor._backend.to_numpy(tensor.array)).all())
