"""What layers and losses compute, as functions of tensors: `from baregrad.nn import functional`."""

from __future__ import annotations

import math
import warnings

from .. import ops
from ..backend import _outside
from ..ops.arguments import integer, number, operand
from ..recording import no_grad
from ..tensor import Tensor
from .losses import *

relu, leaky_relu, elu = ops.relu, ops.leaky_relu, ops.elu
gelu, silu, softplus = ops.gelu, ops.silu, ops.softplus
linear, conv2d, layer_norm = ops.linear, ops.conv2d, ops.layer_norm
max_pool2d, avg_pool2d = ops.maxpool2d, ops.avgpool2d
sigmoid, tanh, flatten = ops.sigmoid, ops.tanh, ops.flatten


def softmax(input: Tensor, dim: int | None = None) -> Tensor:
    """exp(input) / sum of exp(input) along dim, which should be given (lecture 000, slide 22)."""
    return ops.softmax(input, _dim("softmax", input, dim))


def log_softmax(input: Tensor, dim: int | None = None) -> Tensor:
    """The logarithm of softmax along dim, which should be given, without overflow."""
    return ops.log_softmax(input, _dim("log_softmax", input, dim))


def _dim(op: str, input: Tensor, dim: int | None) -> int:
    """dim, or what PyTorch takes for it, with a warning."""
    guess = 0 if operand(op, "input", input).ndim in (0, 1, 3) else 1
    if dim is not None:
        return dim
    warnings.warn(
        f"[{op}] there is no dim, taken as {guess}: say dim={guess}", stacklevel=_outside()
    )
    return guess


def dropout(input: Tensor, p: float = 0.5, training: bool = True) -> Tensor:
    """Every element / (1 - p) with probability 1 - p, else 0 (lecture 000, slide 32); or all as is."""
    return ops.dropout(input, p) if training else operand("dropout", "input", input)


def embedding(input: Tensor, weight: Tensor, padding_idx: int | None = None) -> Tensor:
    """input (...) int64, weight (v, d) -> weight[input], (..., d); row padding_idx gets no gradient.

    IndexError for a number outside [0, v).
    """
    rows = ops.embedding(input, weight)
    if padding_idx is None:
        return rows
    integer("embedding", "padding_idx", padding_idx)
    return ops.where((input == padding_idx).unsqueeze(-1), rows.detach(), rows)


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """input (n, c, ...) -> weight (input - mean) / sqrt(var + eps) + bias, by channel.

    In training mean and var are those of the batch, and running += momentum (batch - running) in
    place, with the unbiased variance; else they are the running ones (lecture 000, slide 28).
    """
    operand("batch_norm", "input", input), number("batch_norm", "eps", eps, 0)
    if not training:
        if running_mean is None or running_var is None:
            raise ValueError("[batch_norm] training is False, expected running_mean, running_var")
        return ops.batch_norm_by(input, running_mean, running_var, weight, bias, epsilon=eps)
    number("batch_norm", "momentum", momentum, 0, 1)
    n = math.prod(input.shape) // max(input.shape[1], 1) if input.ndim > 1 else 2
    if n < 2:
        raise ValueError(
            f"[batch_norm] input has shape {input.shape}, expected more than one value a channel"
        )
    out, mean, var = ops.batch_norm(input, weight, bias, epsilon=eps)
    with no_grad():
        for running, batch in ((running_mean, mean), (running_var, var * (n / (n - 1)))):
            if running is not None:
                operand("batch_norm", "a running one", running)
                running.mul_(1 - momentum).add_(batch, alpha=momentum)
    return out
