"""Networks: Modules, their Parameters, layers and losses, in PyTorch's spelling."""

from . import functional
from .layers import Linear, ReLU, Sequential, Tanh
from .loss import CrossEntropyLoss
from .module import Module, Parameter

__all__ = [
    "CrossEntropyLoss",
    "Linear",
    "Module",
    "Parameter",
    "ReLU",
    "Sequential",
    "Tanh",
    "functional",
]
