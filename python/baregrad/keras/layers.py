"""Layers to be: each makes its modules when the shape of its input is known."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from .. import nn
from ..ops.arguments import instance, integer, number, several
from ..ops.conv2d import pair
from ..reference.im2col import output_size
from ..typing import Shape
from .words import words

Pair: TypeAlias = int | tuple[int, int]

_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "linear": nn.Identity,
    "relu": nn.ReLU,
    "sigmoid": nn.Sigmoid,
    "silu": nn.SiLU,
    "softmax": functools.partial(nn.Softmax, -1),
    "softplus": nn.Softplus,
    "tanh": nn.Tanh,
}


class Layer:
    """A layer to be: its modules are made when the shape of its input is known."""

    input_shape: Shape | None = None  # of one sample, where the layer is told

    def build(self, shape: Shape) -> tuple[list[nn.Module], Shape]:
        """Its modules for samples of `shape`, and the shape of what they give."""
        raise NotImplementedError

    def config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return dict(vars(self))


class Dense(Layer):
    """x (n, k) -> activation(x w + bias), (n, units). Weights start as Glorot's uniform."""

    @words(output_dim="units", bias="use_bias")
    def __init__(
        self,
        units: int,
        activation: str | None = None,
        use_bias: bool = True,
        *,
        input_dim: int | None = None,
        input_shape: Shape | None = None,
    ) -> None:
        self.units, self.activation = integer("Dense", "units", units, 1), _known(activation)
        self.use_bias, given = use_bias, input_shape if input_dim is None else (input_dim,)
        self.input_shape = _lengths("Dense", given)

    def build(self, shape: Shape) -> tuple[list[nn.Module], Shape]:
        """ValueError unless a sample is a vector."""
        if len(shape) != 1:
            raise ValueError(f"[Dense] a sample has shape {shape}, expected (k,): add a Flatten()")
        linear = nn.Linear(shape[0], self.units, bias=self.use_bias)
        return [_glorot(linear), *_activation(self.activation)], (self.units,)


class Activation(Layer):
    """An activation by name: relu, sigmoid, softmax, tanh, ..."""

    def __init__(self, activation: str) -> None:
        self.activation = _known(activation)

    def build(self, shape: Shape) -> tuple[list[nn.Module], Shape]:
        """The shape stays."""
        return _activation(self.activation), shape


class Dropout(Layer):
    """In training, zeroes a fraction `rate` of the input and scales the rest by 1 / (1 - rate)."""

    @words(p="rate")
    def __init__(self, rate: float) -> None:
        self.rate = number("Dropout", "rate", rate, 0, 1)

    def build(self, shape: Shape) -> tuple[list[nn.Module], Shape]:
        """The shape stays."""
        return [nn.Dropout(self.rate)], shape


class Flatten(Layer):
    """A sample of any shape as a vector."""

    def __init__(self, *, input_shape: Shape | None = None) -> None:
        self.input_shape = _lengths("Flatten", input_shape)

    def build(self, shape: Shape) -> tuple[list[nn.Module], Shape]:
        """(h, w, c) -> (h w c,)."""
        return [nn.Flatten()], (int(np.prod(shape)),)


class Conv2D(Layer):
    """x (n, h, w, c) -> (n, oh, ow, filters). `padding` is "valid" or "same"."""

    @words(border_mode="padding", subsample="strides", bias="use_bias", nb_filter="filters")
    def __init__(
        self,
        filters: int,
        kernel_size: Pair,
        strides: Pair = 1,
        padding: str = "valid",
        activation: str | None = None,
        use_bias: bool = True,
        *,
        input_shape: Shape | None = None,
    ) -> None:
        self.filters = integer("Conv2D", "filters", filters, 1)
        self.kernel_size, self.strides = kernel_size, strides
        pair("Conv2D", "kernel_size", kernel_size)
        pair("Conv2D", "strides", strides)
        if padding not in ("valid", "same"):
            raise ValueError(f"[Conv2D] padding is {padding!r}, expected 'valid' or 'same'")
        self.padding, self.activation, self.use_bias = padding, _known(activation), use_bias
        self.input_shape = _lengths("Conv2D", input_shape)

    def build(self, shape: Shape) -> tuple[list[nn.Module], Shape]:
        """ValueError unless a sample is an image (h, w, c)."""
        h, w, c = _image("Conv2D", shape)
        conv = nn.Conv2d(
            c, self.filters, self.kernel_size, self.strides, self.padding, bias=self.use_bias
        )
        if self.padding != "same":  # that keeps the size
            h, w = _windows("Conv2D", (h, w), self.kernel_size, self.strides)
        return [_glorot(conv), *_activation(self.activation)], (h, w, self.filters)


@words(nb_filter="filters", nb_row="rows", nb_col="columns")
def Convolution2D(filters: int, rows: int, columns: int, **options: Any) -> Conv2D:  # noqa: N802
    """Conv2D in Keras 1's words: Convolution2D(nb_filter, nb_row, nb_col)."""
    return Conv2D(filters, (rows, columns), **options)


class MaxPooling2D(Layer):
    """x (n, h, w, c) -> (n, oh, ow, c): the largest of each window."""

    def __init__(self, pool_size: Pair = 2, strides: Pair | None = None) -> None:
        self.pool_size, self.strides = pool_size, strides
        pair("MaxPooling2D", "pool_size", pool_size)
        pair("MaxPooling2D", "strides", pool_size if strides is None else strides)

    def build(self, shape: Shape) -> tuple[list[nn.Module], Shape]:
        """ValueError unless a sample is an image (h, w, c)."""
        h, w, c = _image("MaxPooling2D", shape)
        pool = nn.MaxPool2d(self.pool_size, self.strides)
        return [pool], (*_windows("MaxPooling2D", (h, w), pool.kernel_size, pool.stride), c)


LAYERS: dict[str, type[Layer]] = {
    layer.__name__: layer for layer in (Activation, Conv2D, Dense, Dropout, Flatten, MaxPooling2D)
}


def _known(activation: str | None) -> str | None:
    instance("Activation", "activation", activation, (str, type(None)), "a name")
    if activation is not None and activation not in _ACTIVATIONS:
        names = ", ".join(_ACTIVATIONS)
        raise ValueError(f"[Activation] activation is {activation!r}, expected one of {names}")
    return activation


def _activation(name: str | None) -> list[nn.Module]:
    return [] if name is None else [_ACTIVATIONS[name]()]


def _glorot(layer: nn.Linear | nn.Conv2d) -> nn.Module:
    nn.init.xavier_uniform_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def _lengths(layer: str, shape: Sequence[int] | None) -> Shape | None:
    """The shape that a layer is told its samples have."""
    if shape is None:
        return None
    some = several(layer, "input_shape", shape)
    return tuple(integer(layer, "input_shape", length, 1) for length in some)


def _windows(layer: str, image: Shape, size: Pair, strides: Pair) -> Shape:
    """(h, w) -> (oh, ow), without a pixel of padding."""
    kernel, step = pair(layer, "kernel_size", size), pair(layer, "strides", strides)
    return output_size(layer, image, kernel, step, (0, 0), (1, 1))


def _image(layer: str, shape: Shape) -> tuple[int, int, int]:
    if len(shape) != 3:
        raise ValueError(
            f"[{layer}] a sample has shape {shape}, expected (height, width, channels)"
        )
    return shape[0], shape[1], shape[2]
