"""Cases: for every kernel its sizes, inputs, cost and the error it may make.

One list serves the tests (`tests`), the benchmarks (`benchmarks`) and `baregrad show`.
"""

from . import adam_step, gather_rows, gemm, philox, sgd_step, softmax_xent, unary
from .case import Arguments, Case, unit_roundoff

OPS = {
    "gemm": gemm,
    "unary": unary,
    "softmax_xent": softmax_xent,
    "gather_rows": gather_rows,
    "philox": philox,
    "sgd_step": sgd_step,
    "adam_step": adam_step,
}

__all__ = ["OPS", "Arguments", "Case", "unit_roundoff"]
