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
    "unary": unary,
    "binary": binary,
    "compare": compare,
    "where": where,
    "fill": fill,
    "cast": cast,
    "copy_strided": copy_strided,
    "softmax_xent": softmax_xent,
    "gather_rows": gather_rows,
    "philox": philox,
    "sgd_step": sgd_step,
    "adam_step": adam_step,
    "softmax": softmax,
    "batch_norm": batch_norm,
    "layer_norm": layer_norm,
    "reduce": reduce,
    "bias_activation": bias_activation,
    "conv2d": conv2d,
    "im2col": im2col,
    "maxpool2d": maxpool2d,
    "avgpool2d": avgpool2d,
}

__all__ = ["OPS", "Arguments", "Case", "unit_roundoff"]
