"""Cases: for every kernel its sizes, inputs, cost and the error it may make.

One list serves the tests (`tests`), the benchmarks (`benchmarks`) and `baregrad show`.
"""

from . import (
    adam_step,
    avgpool2d,
    conv2d,
    gemm,
    im2col,
    maxpool2d,
    softmax_xent,
    unary,
)
from .case import Arguments, Case, unit_roundoff

OPS = {
    "gemm": gemm,
    "unary": unary,
    "softmax_xent": softmax_xent,
    "adam_step": adam_step,
    "conv2d": conv2d,
    "im2col": im2col,
    "maxpool2d": maxpool2d,
    "avgpool2d": avgpool2d,
}

__all__ = ["OPS", "Arguments", "Case", "unit_roundoff"]
