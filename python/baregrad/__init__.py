"""baregrad: hand-written CPU and CUDA kernels under a thin autograd.

    import baregrad as bg
    from baregrad import nn

    model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))

A backend is a table of kernels with one vocabulary: `bg.kernels.reference`, `bg.kernels.cpu`,
`bg.kernels.sim`. `bg.use(...)` picks an entry of a table.
"""

from . import data, nn, optim, train, utils
from ._version import __version__
from .autograd import is_grad_enabled, no_grad
from .backend import kernels
from .choice import use, use_environment
from .profiling import profile
from .random import manual_seed
from .saving import load, save
from .tensor import (
    Tensor,
    as_tensor,
    bool_ as bool,
    float32,
    float64,
    from_numpy,
    int64,
    tensor,
    uint8,
)
from .threads import get_num_threads, set_num_threads

__all__ = [
    "Tensor",
    "__version__",
    "as_tensor",
    "bool",
    "data",
    "float32",
    "float64",
    "from_numpy",
    "get_num_threads",
    "int64",
    "is_grad_enabled",
    "kernels",
    "load",
    "manual_seed",
    "nn",
    "no_grad",
    "optim",
    "profile",
    "save",
    "set_num_threads",
    "tensor",
    "train",
    "uint8",
    "use",
    "utils",
]

use_environment()
del use_environment
