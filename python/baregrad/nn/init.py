"""Values to start from, drawn with the generator of `bg.manual_seed` and written in place.

With gain / sqrt(fan), where fan is the number of products in a sum, the variance of a layer's output
is that of its input (lecture 000, slide 28).
"""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

import numpy as np

from ..backend import backend_of, kernels
from ..blank import is_to_be_loaded
from ..ops.arguments import number, operand
from ..random import generator
from ..tensor import Tensor
from ..typing import NDArray

Fan: TypeAlias = Literal["fan_in", "fan_out"]


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """By what a layer before this nonlinearity makes up for what it takes away.

    `param` is the slope of leaky_relu, 0.01 if not given.
    """
    if nonlinearity in ("linear", "sigmoid", "conv1d", "conv2d", "conv3d"):
        return 1.0
    if nonlinearity == "tanh":
        return 5 / 3
    if nonlinearity == "relu":
        return math.sqrt(2)
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else number("calculate_gain", "param", param)
        return math.sqrt(2 / (1 + slope**2))
    known = "linear, sigmoid, tanh, relu or leaky_relu"
    raise ValueError(f"[calculate_gain] nonlinearity is {nonlinearity!r}, expected {known}")


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0) -> Tensor:
    """Every element uniform in [a, b). Returns the tensor."""
    shape, low = operand("uniform_", "tensor", tensor).shape, number("uniform_", "a", a)
    high = number("uniform_", "b", b, low)
    return tensor if is_to_be_loaded() else _write(tensor, generator().uniform(low, high, shape))


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0) -> Tensor:
    """Every element normal with this mean and standard deviation. Returns the tensor."""
    shape, centre = operand("normal_", "tensor", tensor).shape, number("normal_", "mean", mean)
    width = number("normal_", "std", std, 0)
    return tensor if is_to_be_loaded() else _write(tensor, generator().normal(centre, width, shape))


def constant_(tensor: Tensor, val: float) -> Tensor:
    """`val` everywhere. Returns the tensor."""
    shape = operand("constant_", "tensor", tensor).shape
    return _write(tensor, np.full(shape, number("constant_", "val", val)))


def zeros_(tensor: Tensor) -> Tensor:
    """0 everywhere. Returns the tensor."""
    return constant_(tensor, 0.0)


def ones_(tensor: Tensor) -> Tensor:
    """1 everywhere. Returns the tensor."""
    return constant_(tensor, 1.0)


def xavier_uniform_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """tensor (o, c, ...) uniform, of variance gain^2 / mean fan (Glorot and Bengio, 2010); for tanh."""
    bound = number("init", "gain", gain, 0) * math.sqrt(
        6 / sum(_fans(tensor))
    )  # U(-b, b) has variance b^2 / 3
    return uniform_(tensor, -bound, bound)


def xavier_normal_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """tensor (o, c, ...) normal, of variance gain^2 / mean fan (Glorot and Bengio, 2010); for tanh."""
    return normal_(tensor, 0.0, number("init", "gain", gain, 0) * math.sqrt(2 / sum(_fans(tensor))))


def kaiming_uniform_(
    tensor: Tensor, a: float = 0.0, mode: Fan = "fan_in", nonlinearity: str = "leaky_relu"
) -> Tensor:
    """tensor (o, c, ...) uniform, of variance gain^2 / fan (He et al., 2015); a: slope of leaky_relu."""
    bound = math.sqrt(3) * _kaiming(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound)


def kaiming_normal_(
    tensor: Tensor, a: float = 0.0, mode: Fan = "fan_in", nonlinearity: str = "leaky_relu"
) -> Tensor:
    """tensor (o, c, ...) normal, of variance gain^2 / fan (He et al., 2015); a: slope of leaky_relu."""
    return normal_(tensor, 0.0, _kaiming(tensor, a, mode, nonlinearity))


def _kaiming(tensor: Tensor, a: float, mode: Fan, nonlinearity: str) -> float:
    """The standard deviation that He et al. ask for."""
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"[init] mode is {mode!r}, expected 'fan_in' or 'fan_out'")
    fan = _fans(tensor)[mode == "fan_out"]
    return calculate_gain(nonlinearity, number("init", "a", a)) / math.sqrt(fan)


def _fans(tensor: Tensor) -> tuple[int, int]:
    """weight (o, c, ...) -> how many products a value of the output has, and one of the input."""
    if operand("init", "tensor", tensor).ndim < 2:
        raise ValueError(f"[init] tensor has shape {tensor.shape}, expected (o, c, ...)")
    o, c, *window = tensor.shape
    return c * math.prod(window), o * math.prod(window)


def _write(tensor: Tensor, values: NDArray) -> Tensor:
    data = tensor.array
    made = backend_of(data).from_numpy(np.asarray(values, data.dtype))
    kernels.moving(data).copy_strided(made, out=data)
    tensor._version.number += 1
    return tensor
