"""The differentiable ops: each derivative, written once, above raw arrays and kernels."""

from .avgpool2d import avgpool2d
from .batch_norm import batch_norm, batch_norm_by
from .binary import (
    add,
    add_,
    div,
    div_,
    maximum,
    minimum,
    mul,
    mul_,
    pow,
    sub,
    sub_,
)
from .cast import convert
from .compare import eq, ge, gt, le, lt, ne
from .conv2d import conv2d
from .copy_strided import cat, chunk, clone, contiguous, copy_, flip, pad, split, stack
from .fill import fill_, zero_
from .gather_rows import embedding
from .gemm import dot, linear, matmul, mm
from .index import getitem, setitem
from .layer_norm import layer_norm
from .maxpool2d import maxpool2d
from .philox import dropout
from .reduce import all, amax, amin, any, argmax, argmin, max, mean, min, std, sum, var
from .softmax import log_softmax, softmax
from .softmax_xent import softmax_xent
from .unary import (
    abs,
    elu,
    exp,
    gelu,
    leaky_relu,
    log,
    neg,
    relu,
    sigmoid,
    sign,
    silu,
    softplus,
    sqrt,
    tanh,
)
from .view import expand, flatten, permute, reshape, squeeze, swapped, t, transpose, unsqueeze, view
from .where import clamp, clamp_, where

__all__ = [
    "abs",
    "add",
    "add_",
    "all",
    "amax",
    "amin",
    "any",
    "argmax",
    "argmin",
    "avgpool2d",
    "batch_norm",
    "batch_norm_by",
    "cat",
    "chunk",
    "clamp",
    "clamp_",
    "clone",
    "contiguous",
    "conv2d",
    "convert",
    "copy_",
    "div",
    "div_",
    "dot",
    "dropout",
    "elu",
    "embedding",
    "eq",
    "exp",
    "expand",
    "fill_",
    "flatten",
    "flip",
    "ge",
    "gelu",
    "getitem",
    "gt",
    "layer_norm",
    "le",
    "leaky_relu",
    "linear",
    "log",
    "log_softmax",
    "lt",
    "matmul",
    "max",
    "maximum",
    "maxpool2d",
    "mean",
    "min",
    "minimum",
    "mm",
    "mul",
    "mul_",
    "ne",
    "neg",
    "pad",
    "permute",
    "pow",
    "relu",
    "reshape",
    "setitem",
    "sigmoid",
    "sign",
    "silu",
    "softmax",
    "softmax_xent",
    "softplus",
    "split",
    "sqrt",
    "squeeze",
    "stack",
    "std",
    "sub",
    "sub_",
    "sum",
    "swapped",
    "t",
    "tanh",
    "transpose",
    "unsqueeze",
    "var",
    "view",
    "where",
    "zero_",
]
