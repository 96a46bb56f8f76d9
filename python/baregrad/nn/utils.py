"""What is done to gradients between backward and the step."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from ..ops.arguments import number, operand, several
from ..recording import no_grad
from ..tensor import Tensor, tensor


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
) -> Tensor:
    """Scale all gradients, of any shapes, in place, so that their norm together is at most max_norm.

    Returns the norm before: the root of the sum of squares over all parameters, or for another
    norm_type p the p-th root of the sum of |g|^p; RuntimeError if it must be finite and is not.
    """
    op, one = "clip_grad_norm_", isinstance(parameters, Tensor)
    some: list[Any] = [parameters] if one else several(op, "parameters", parameters)
    number(op, "max_norm", max_norm, 0)
    if not number(op, "norm_type", norm_type) > 0:
        raise ValueError(f"[{op}] norm_type is {norm_type}, expected more than 0")
    grads = [p.grad for p in some if operand(op, "a parameter", p).grad is not None]
    if not grads:
        return tensor(0.0)
    with no_grad():
        if norm_type == math.inf:
            sizes = [g.abs().amax() for g in grads]
        else:
            sizes = [(g * g if norm_type == 2 else g.abs() ** norm_type).sum() for g in grads]
        norm = sizes[0]
        for size in sizes[1:]:
            size = size.to(norm.device)
            norm = norm.maximum(size) if norm_type == math.inf else norm + size
        norm = norm if norm_type == math.inf else norm ** (1 / norm_type)
        if error_if_nonfinite and not math.isfinite(norm.item()):
            raise RuntimeError(f"[{op}] the norm is {norm.item()}, expected a finite one")
        share = (max_norm / (norm + 1e-6)).clamp(max=1.0)  # 1e-6, as PyTorch
        for g in grads:
            g.mul_(share.to(g.device))
    return norm
