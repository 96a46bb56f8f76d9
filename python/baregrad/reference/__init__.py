"""The definition of every kernel, in NumPy and float64. Slow on purpose; read this first.

The names and arguments are those of every other backend, so this is a backend too: the oracle of
every test, and what runs where a fast kernel is missing or the arrays are float64.
"""

from .adam_step import adam_step
from .avgpool2d import avgpool2d_backward, avgpool2d_forward
from .batch_norm import batch_norm_backward, batch_norm_forward
from .bias_activation import bias_activation_backward, bias_activation_forward
from .binary import add, div, maximum, minimum, mul, pow, sub
from .cast import cast
from .compare import eq, ge, gt, le, lt, ne
from .conv2d import conv2d_backward_input, conv2d_backward_weight, conv2d_forward
from .copy_strided import copy_strided
from .fill import fill
from .gather_rows import gather_rows, scatter_add_rows
from .gemm import gemm
from .im2col import col2im, im2col
from .layer_norm import layer_norm_backward, layer_norm_forward
from .maxpool2d import maxpool2d_backward, maxpool2d_forward
from .philox import philox_dropout, philox_normal, philox_uniform
from .reduce import argmax, argmin, reduce_max, reduce_mean, reduce_min, reduce_sum, reduce_var
from .sgd_step import sgd_step
from .softmax import log_softmax_backward, log_softmax_forward, softmax_backward, softmax_forward
from .softmax_xent import softmax_xent_backward, softmax_xent_forward
from .unary import (
    abs_backward,
    abs_forward,
    elu_backward,
    elu_forward,
    exp_backward,
    exp_forward,
    gelu_backward,
    gelu_forward,
    leaky_relu_backward,
    leaky_relu_forward,
    log_backward,
    log_forward,
    neg_backward,
    neg_forward,
    relu_backward,
    relu_forward,
    sigmoid_backward,
    sigmoid_forward,
    sign_backward,
    sign_forward,
    silu_backward,
    silu_forward,
    softplus_backward,
    softplus_forward,
    sqrt_backward,
    sqrt_forward,
    tanh_backward,
    tanh_forward,
)
from .where import where

__all__ = [
    "abs_backward",
    "abs_forward",
    "adam_step",
    "add",
    "argmax",
    "argmin",
    "avgpool2d_backward",
    "avgpool2d_forward",
    "batch_norm_backward",
    "batch_norm_forward",
    "bias_activation_backward",
    "bias_activation_forward",
    "cast",
    "col2im",
    "conv2d_backward_input",
    "conv2d_backward_weight",
    "conv2d_forward",
    "copy_strided",
    "div",
    "elu_backward",
    "elu_forward",
    "eq",
    "exp_backward",
    "exp_forward",
    "fill",
    "gather_rows",
    "ge",
    "gelu_backward",
    "gelu_forward",
    "gemm",
    "gt",
    "im2col",
    "layer_norm_backward",
    "layer_norm_forward",
    "le",
    "leaky_relu_backward",
    "leaky_relu_forward",
    "log_backward",
    "log_forward",
    "log_softmax_backward",
    "log_softmax_forward",
    "lt",
    "maximum",
    "maxpool2d_backward",
    "maxpool2d_forward",
    "minimum",
    "mul",
    "ne",
    "neg_backward",
    "neg_forward",
    "philox_dropout",
    "philox_normal",
    "philox_uniform",
    "pow",
    "reduce_max",
    "reduce_mean",
    "reduce_min",
    "reduce_sum",
    "reduce_var",
    "relu_backward",
    "relu_forward",
    "scatter_add_rows",
    "sgd_step",
    "sigmoid_backward",
    "sigmoid_forward",
    "sign_backward",
    "sign_forward",
    "silu_backward",
    "silu_forward",
    "softmax_backward",
    "softmax_forward",
    "softmax_xent_backward",
    "softmax_xent_forward",
    "softplus_backward",
    "softplus_forward",
    "sqrt_backward",
    "sqrt_forward",
    "sub",
    "tanh_backward",
    "tanh_forward",
    "where",
]
