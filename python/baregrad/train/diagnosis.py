"""Where a loss that is not finite came from."""

from __future__ import annotations

import numpy as np

from ..nn import Module
from ..tensor import Tensor


def first_not_finite(loss: Tensor, model: Module) -> str:
    """The earliest value in the graph of `loss` that is not finite: data, a parameter or an op."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    tensor, last = loss, "the loss"
    while tensor.grad_fn is not None:
        op = type(tensor.grad_fn).__name__
        bad = [input for input in tensor.grad_fn.inputs if not _finite(input)]
        if not bad:
            return f"the first op with such an output is {op}, {tensor.shape}"
        tensor, last = bad[0], op
    if id(tensor) in names:
        return f"the parameter {names[id(tensor)]} is not finite"
    return f"the data that went into {last} is not finite"


def _finite(tensor: Tensor) -> bool:
    return bool(np.isfinite(tensor.detach().cpu().numpy()).all())
