"""Layers, and the Sequential that chains them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, overload

import numpy as np

from ..random import generator
from ..tensor import Tensor
from ..typing import NDArray
from . import functional as F  # noqa: N812  as every user of PyTorch knows it
from .module import Module, Parameter


class Linear(Module):
    """input (..., in_features) -> input weight' + bias, (..., out_features).

    weight (out_features, in_features) and bias (out_features,) start uniform in
    +-1 / sqrt(in_features), as in PyTorch, drawn from the generator of `bg.manual_seed`.
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        self.in_features = _count("in_features", in_features)
        self.out_features = _count("out_features", out_features)
        bound = 1 / math.sqrt(in_features)
        self.weight = Parameter(_uniform(bound, (out_features, in_features)))
        self.bias = Parameter(_uniform(bound, (out_features,))) if bias else None

    def forward(self, input: Tensor) -> Tensor:
        """ValueError unless the last axis of input is in_features long."""
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        """The arguments it was made with."""
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )


class ReLU(Module):
    """input (...) -> max(input, 0) of every element."""

    def forward(self, input: Tensor) -> Tensor:
        """The derivative at 0 is 0."""
        return F.relu(input)


class Tanh(Module):
    """input (...) -> the hyperbolic tangent of every element."""

    def forward(self, input: Tensor) -> Tensor:
        """Between -1 and 1."""
        return F.tanh(input)


class Sequential(Module):
    """Modules one after another: `Sequential(Linear(64, 32), ReLU(), Linear(32, 10))`."""

    def __init__(self, *modules: Module) -> None:
        for index, module in enumerate(modules):
            if not isinstance(module, Module):
                raise TypeError(
                    f"[Sequential] modules[{index}] is a {type(module).__name__}, expected a Module"
                )
            setattr(self, str(index), module)

    def forward(self, input: Any) -> Any:
        """The output of each module is the input of the next."""
        for module in self:
            input = module(input)
        return input

    def __len__(self) -> int:
        return sum(1 for _ in self.children())

    def __iter__(self) -> Iterator[Module]:
        return self.children()

    @overload
    def __getitem__(self, index: int) -> Module: ...
    @overload
    def __getitem__(self, index: slice) -> Sequential: ...
    def __getitem__(self, index: int | slice) -> Module:
        found = list(self)[index]
        return found if isinstance(found, Module) else Sequential(*found)


def _count(name: str, value: int) -> int:
    if not isinstance(value, (int, np.integer)):
        raise TypeError(f"[Linear] {name} is a {type(value).__name__}, expected an integer")
    if value < 1:
        raise ValueError(f"[Linear] {name} is {value}, expected at least 1")
    return int(value)


def _uniform(bound: float, shape: tuple[int, ...]) -> NDArray:
    return generator().uniform(-bound, bound, shape).astype(np.float32)
