"""Cases: for every kernel its sizes, inputs, cost and the error it may make.

One list serves the tests (`tests`), the benchmarks (`benchmarks`) and `baregrad show`.
"""

from . import (
    adam_step,
    batch_norm,
    bias_activation,
    gemm,
    layer_norm,
    reduce,
    softmax,
    softmax_xent,
    unary,
)
from .case import Arguments, Case, unit_roundoff

OPS = {
    "gemm": gemm,
    "unary": unary,
    "softmax_xent": softmax_xent,
    "adam_step": adam_step,
    "softmax": softmax,
    "batch_norm": batch_norm,
    "layer_norm": layer_norm,
    "reduce": reduce,
    "bias_activation": bias_activation,
}

__all__ = ["OPS", "Arguments", "Case", "unit_roundoff"]
