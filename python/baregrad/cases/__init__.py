"""Cases: for every kernel its sizes, inputs, cost and the error it may make.

One list serves the tests (`tests`), the benchmarks (`benchmarks`) and `baregrad show`.
"""

from . import (
    adam_step,
    batch_norm,
    bias_activation,
    binary,
    cast,
    compare,
    copy_strided,
    fill,
    gemm,
    layer_norm,
    reduce,
    softmax,
    softmax_xent,
    unary,
    where,
)
from .case import Arguments, Case, unit_roundoff

OPS = {
    "gemm": gemm,
    "unary": unary,
    "binary": binary,
    "compare": compare,
    "where": where,
    "fill": fill,
    "cast": cast,
    "copy_strided": copy_strided,
    "softmax_xent": softmax_xent,
    "adam_step": adam_step,
    "softmax": softmax,
    "batch_norm": batch_norm,
    "layer_norm": layer_norm,
    "reduce": reduce,
    "bias_activation": bias_activation,
}

__all__ = ["OPS", "Arguments", "Case", "unit_roundoff"]
