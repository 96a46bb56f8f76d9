"""The definition of every kernel, in NumPy and float64. Slow on purpose; read this first.

The names and arguments are those of every other backend, so this is a backend too: the oracle of
every test, and what runs where a fast kernel is missing or the arrays are float64.
"""

from .adam_step import adam_step
from .gemm import gemm
from .softmax_xent import softmax_xent_backward, softmax_xent_forward
from .unary import relu_backward, relu_forward, tanh_backward, tanh_forward

__all__ = [
    "adam_step",
    "gemm",
    "relu_backward",
    "relu_forward",
    "softmax_xent_backward",
    "softmax_xent_forward",
    "tanh_backward",
    "tanh_forward",
]
