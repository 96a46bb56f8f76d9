"""baregrad: hand-written CPU and CUDA kernels under a thin autograd.

    import baregrad as bg
    from baregrad import nn

    model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))

A backend is a table of kernels with one vocabulary: `bg.kernels.reference`, `bg.kernels.cpu`,
`bg.kernels.sim`. `bg.use(...)` picks an entry of a table.
"""

import importlib
from typing import TYPE_CHECKING, Any

from . import autograd, cuda, data, nn, optim, sim, train, utils
from .autograd import enable_grad, is_grad_enabled, no_grad, set_grad_enabled
from .backend import kernels
from .choice import autocast, use, use_environment
from .creation import (
    arange,
    as_tensor,
    eye,
    from_dlpack,
    from_numpy,
    full,
    linspace,
    ones,
    ones_like,
    rand,
    rand_like,
    randint,
    randn,
    randn_like,
    randperm,
    tensor,
    zeros,
    zeros_like,
)
from .devices import Device as device  # noqa: N813  as PyTorch calls it
from .hints import INSTEAD
from .ops import (
    abs,
    add,
    all,
    amax,
    amin,
    any,
    argmax,
    argmin,
    cat,
    cat as concatenate,
    chunk,
    clamp,
    clamp as clip,
    clone,
    div,
    dot,
    eq,
    exp,
    flatten,
    flip,
    log,
    log_softmax,
    matmul,
    max,
    maximum,
    mean,
    min,
    minimum,
    mm,
    mul,
    neg,
    permute,
    pow,
    relu,
    reshape,
    sigmoid,
    sign,
    softmax,
    split,
    sqrt,
    squeeze,
    stack,
    std,
    sub,
    sum,
    t,
    tanh,
    transpose,
    unsqueeze,
    var,
    where,
)
from .profiling import profile
from .random import manual_seed
from .saving import load, save
from .tensor import Tensor, bool_ as bool, float32, float64, int64, uint8
from .threads import get_num_threads, set_num_threads

__all__ = [
    "Tensor",
    "__version__",
    "abs",
    "add",
    "all",
    "amax",
    "amin",
    "any",
    "arange",
    "argmax",
    "argmin",
    "as_tensor",
    "autocast",
    "autograd",
    "bool",
    "cat",
    "chunk",
    "clamp",
    "clip",
    "clone",
    "concatenate",
    "cuda",
    "data",
    "device",
    "div",
    "dot",
    "enable_grad",
    "eq",
    "exp",
    "eye",
    "flatten",
    "flip",
    "float32",
    "float64",
    "from_dlpack",
    "from_numpy",
    "full",
    "get_num_threads",
    "int64",
    "is_grad_enabled",
    "kernels",
    "linspace",
    "load",
    "log",
    "log_softmax",
    "manual_seed",
    "matmul",
    "max",
    "maximum",
    "mean",
    "min",
    "minimum",
    "mm",
    "mul",
    "neg",
    "nn",
    "no_grad",
    "ones",
    "ones_like",
    "optim",
    "permute",
    "pow",
    "profile",
    "rand",
    "rand_like",
    "randint",
    "randn",
    "randn_like",
    "randperm",
    "relu",
    "reshape",
    "save",
    "set_grad_enabled",
    "set_num_threads",
    "sigmoid",
    "sign",
    "sim",
    "softmax",
    "split",
    "sqrt",
    "squeeze",
    "stack",
    "std",
    "sub",
    "sum",
    "t",
    "tanh",
    "tensor",
    "train",
    "transpose",
    "uint8",
    "unsqueeze",
    "use",
    "utils",
    "var",
    "where",
    "zeros",
    "zeros_like",
]

if TYPE_CHECKING:
    from ._version import __version__
else:

    def __getattr__(name: str) -> Any:
        if name == "keras":  # loaded when it is asked for, as is what knows the version
            return importlib.import_module(f"{__name__}.keras")
        if name == "__version__":
            return importlib.import_module(f"{__name__}._version").__version__
        hint = f"write {INSTEAD[name]}" if name in INSTEAD else "docs/api.md lists what there is"
        raise AttributeError(f"baregrad has no {name!r}: {hint}")


use_environment()
del use_environment
