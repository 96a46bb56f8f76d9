"""Cases: for every kernel its sizes, inputs, cost and the error it may make.

One list serves the tests (`tests`), the benchmarks (`benchmarks`) and `baregrad show`.
"""

from . import (
    adam_step,
    avgpool2d,
    batch_norm,
    bias_activation,
    binary,
    cast,
    compare,
    conv2d,
    copy_strided,
    fill,
    gather_rows,
    gemm,
    im2col,
    layer_norm,
    maxpool2d,
    philox,
    reduce,
    sgd_step,
    softmax,
    softmax_xent,
    unary,
    where,
)
from .case import Arguments, Case, unit_roundoff

OPS = {
    "gemm": gemm,
    "conv2d": conv2d,
    "im2col": im2col,
    "maxpool2d": maxpool2d,
    "avgpool2d": avgpool2d,
    "unary": unary,
    "binary": binary,
    "compare": compare,
    "where": where,
    "fill": fill,
    "cast": cast,
    "copy_strided": copy_strided,
    "bias_activation": bias_activation,
    "philox": philox,
    "gather_rows": gather_rows,
    "reduce": reduce,
    "softmax": softmax,
    "softmax_xent": softmax_xent,
    "batch_norm": batch_norm,
    "layer_norm": layer_norm,
    "sgd_step": sgd_step,
    "adam_step": adam_step,
}

__all__ = ["OPS", "Arguments", "Case", "unit_roundoff"]
