"""Layers with weights. They start uniform in +-1 / sqrt(fan in), as in PyTorch."""

from __future__ import annotations

import math

from ..blank import numbers
from ..ops.arguments import integer
from ..ops.conv2d import Pair, pair, width
from ..tensor import Tensor
from . import (
    functional as F,  # noqa: N812
    init,
)
from .module import Module
from .parameter import Parameter


class Linear(Module):
    """input (..., in_features) -> input weight' + bias, (..., out_features).

    weight (out_features, in_features) and bias (out_features,) start uniform in
    +-1 / sqrt(in_features), as in PyTorch, drawn from the generator of `bg.manual_seed`.
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        self.in_features = integer("Linear", "in_features", in_features, 1)
        self.out_features = integer("Linear", "out_features", out_features, 1)
        self.weight = _uniform(in_features, out_features, in_features)
        self.bias = _uniform(in_features, out_features) if bias else None

    def forward(self, input: Tensor, *, activation: str | None = None) -> Tensor:
        """ValueError unless the last axis of input is in_features long."""
        return F.linear(input, self.weight, self.bias, activation=activation)


class Conv2d(Module):
    """input (n, in_channels, h, w) -> (n, out_channels, oh, ow): weight on every window, plus bias.

    weight (out_channels, in_channels / groups, kh, kw). Sizes are integers or pairs for rows and
    columns; padding may be "valid", none, or with stride 1 "same" (lecture 002, convolution).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Pair,
        stride: Pair = 1,
        padding: Pair | str = 0,
        dilation: Pair = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        self.in_channels = integer("Conv2d", "in_channels", in_channels, 1)
        self.out_channels = integer("Conv2d", "out_channels", out_channels, 1)
        self.kernel_size, self.stride = kernel_size, stride
        self.padding, self.dilation = padding, dilation
        self.groups = integer("Conv2d", "groups", groups, 1)
        for name, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
            if channels % groups:
                raise ValueError(
                    f"[Conv2d] groups is {groups}, expected a divisor of {name}, {channels}"
                )
        window = pair("Conv2d", "kernel_size", kernel_size)
        pair("Conv2d", "dilation", dilation)
        width("Conv2d", padding, pair("Conv2d", "stride", stride))
        fan_in = in_channels // groups * math.prod(window)
        self.weight = _uniform(fan_in, out_channels, in_channels // groups, *window)
        self.bias = _uniform(fan_in, out_channels) if bias else None

    def forward(self, input: Tensor, *, activation: str | None = None) -> Tensor:
        """ValueError unless input has in_channels channels."""
        window = (self.stride, self.padding, self.dilation, self.groups)
        return F.conv2d(input, self.weight, self.bias, *window, activation=activation)


class Embedding(Module):
    """input (...) int64 -> rows of weight (num_embeddings, embedding_dim), (..., embedding_dim).

    weight starts normal, but row padding_idx is 0 and learns nothing (lecture 002, embedding).
    """

    def __init__(
        self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None
    ) -> None:
        self.num_embeddings = integer("Embedding", "num_embeddings", num_embeddings, 1)
        self.embedding_dim = integer("Embedding", "embedding_dim", embedding_dim, 1)
        self.weight = Parameter(numbers(num_embeddings, embedding_dim))
        init.normal_(self.weight)
        if padding_idx is not None:
            row = integer("Embedding", "padding_idx", padding_idx)
            if not -num_embeddings <= row < num_embeddings:
                raise ValueError(
                    f"[Embedding] padding_idx is {padding_idx}, expected one of {num_embeddings} rows"
                )
            padding_idx %= num_embeddings
            init.zeros_(self.weight.detach()[padding_idx])
        self.padding_idx = padding_idx

    def forward(self, input: Tensor) -> Tensor:
        """IndexError for a number outside [0, num_embeddings)."""
        return F.embedding(input, self.weight, self.padding_idx)


def _uniform(fan_in: int, *shape: int) -> Parameter:
    bound = 1 / math.sqrt(fan_in)
    parameter = Parameter(numbers(*shape))
    init.uniform_(parameter, -bound, bound)
    return parameter
