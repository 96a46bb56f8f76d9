"""Where a loss that is not finite came from."""

from __future__ import annotations

import numpy as np

from ..autograd import _parents_first
from ..nn import Module
from ..tensor import Tensor


def first_not_finite(loss: Tensor, model: Module) -> str:
    """The earliest value in the graph of `loss` that is not finite: data, a parameter or an op."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    for tensor in _parents_first(loss):
        if _finite(tensor):
            continue
        if tensor.grad_fn is None:
            return f"the parameter {names.get(id(tensor), tensor.shape)} is not finite"
        op = type(tensor.grad_fn).__name__
        if all(map(_finite, tensor.grad_fn.inputs)):
            return f"the first op with such an output is {op}, {tensor.shape}"
        return f"the data that went into {op} is not finite"
    return "no op was recorded"


def _finite(tensor: Tensor) -> bool:
    return bool(np.isfinite(tensor.detach().cpu().numpy()).all())
