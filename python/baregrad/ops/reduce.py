"""Reductions over any axes."""

from __future__ import annotations

import builtins
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, NamedTuple, overload

import numpy as np

from ..autograd import Function
from ..backend import backend_of, kernels
from ..replay import fresh
from ..typing import Array, Shape
from .arguments import INT64, Dims, dimension, dimensions, number, numpy_names, operand
from .binary import constant
from .where import where

if TYPE_CHECKING:
    from ..tensor import Tensor

_EXACT = 2**24  # integers up to here are exact in float32


class Extremum(NamedTuple):
    """What max and min along one dimension return."""

    values: Tensor
    indices: Tensor


def ones_for(axes: Sequence[int], shape: Shape) -> Shape:
    """The shape with length 1 along the axes."""
    return tuple(1 if axis in axes else n for axis, n in enumerate(shape))


def spread(x: Array, axes: Sequence[int], shape: Shape) -> Array:
    """x (... without axes) -> (shape): repeated along the axes, without a copy."""
    return backend_of(x).broadcast_to(x.reshape(ones_for(axes, shape)), shape)


def count(axes: Sequence[int], shape: Shape) -> int:
    """How many elements each sum has."""
    return math.prod(shape[axis] for axis in axes)


class Sum(Function):
    """out = sum of x over the axes; dx = dout, repeated."""

    hands_on = True

    def forward(self, x: Array, axes: Sequence[int]) -> Array:
        self.axes = axes
        return kernels(x).reduce_sum(x, axes)

    def backward(self, dout: Array) -> tuple[Array]:
        return (spread(dout, self.axes, self.shapes[0]),)


class Mean(Function):
    """out = mean of x over the axes, n elements; dx = dout / n, repeated."""

    hands_on = True

    def forward(self, x: Array, axes: Sequence[int]) -> Array:
        self.axes = axes
        return kernels(x).reduce_mean(x, axes)

    def backward(self, dout: Array) -> tuple[Array]:
        (shape,) = self.shapes
        n = count(self.axes, shape)
        share = kernels(dout).mul(dout, constant(dout, 1 / n if n else math.nan))
        return (spread(share, self.axes, shape),)


class Var(Function):
    """out = sum of (x - mean)^2 / N; dx = 2 (x - mean) dout / N, N = max(n - correction, 0)."""

    def forward(self, x: Array, axes: Sequence[int], correction: float) -> Array:
        self.save(x)
        self.axes, self.correction = axes, correction
        return kernels(x).reduce_var(x, axes, correction=correction)

    def backward(self, dout: Array) -> tuple[Array]:
        (x,) = self.saved
        k, axes, shape = kernels(dout), self.axes, self.shapes[0]
        over = builtins.max(count(axes, shape) - self.correction, 0)
        scale = k.mul(dout, constant(dout, 2 / over if over else math.nan))
        away = k.sub(x, k.reduce_mean(x, axes).reshape(ones_for(axes, shape)))
        return (k.mul(away, scale.reshape(ones_for(axes, shape))),)


class Largest(Function):
    """out = the largest of x over the axes; dout is shared by all that are equal to it."""

    kind: ClassVar[str] = "reduce_max"

    def forward(self, x: Array, axes: Sequence[int]) -> Array:
        out = getattr(kernels(x), self.kind)(x, axes)
        self.axes = axes
        self.save(x, out)
        return out

    def backward(self, dout: Array) -> tuple[Array]:
        x, out = self.saved
        k, kept = kernels(dout), ones_for(self.axes, self.shapes[0])
        is_largest, zero = k.eq(x, out.reshape(kept)), constant(dout, 0)
        equals = k.reduce_sum(k.where(is_largest, constant(dout, 1), zero), self.axes)
        return (k.where(is_largest, k.div(dout, equals).reshape(kept), zero),)


class Smallest(Largest):
    """out = the smallest of x over the axes; dout is shared by all that are equal to it."""

    kind = "reduce_min"


class LargestAlong(Function):
    """out = the largest of x along an axis, and its first place; dout goes to that place."""

    kinds: ClassVar[tuple[str, str]] = ("reduce_max", "argmax")

    def forward(self, x: Array, axis: int) -> tuple[Array, Array]:
        reduction, place = (getattr(kernels(x), kind) for kind in self.kinds)
        places = place(x, axis)
        self.axis = axis
        self.save(places)
        return reduction(x, (axis,)), places

    def backward(self, dout: Array) -> tuple[Array]:
        (places,) = self.saved
        shape, backend, k = self.shapes[0], backend_of(dout), kernels(dout)
        n, kept = shape[self.axis], ones_for((self.axis,), shape)
        dtype = dout.dtype if n <= _EXACT else np.dtype(np.float64)
        row = fresh(backend, (n,), dtype, lambda: np.arange(n, dtype=dtype))
        row = row.reshape(tuple(n if axis == self.axis else 1 for axis in range(len(shape))))
        there = kernels(row).eq(row, kernels.moving(places).cast(places, dtype).reshape(kept))
        return (k.where(there, dout.reshape(kept), constant(dout, 0)),)


class SmallestAlong(LargestAlong):
    """out = the smallest of x along an axis, and its first place; dout goes to that place."""

    kinds = ("reduce_min", "argmin")


@numpy_names
def sum(x: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """The sum over dim, one or several dimensions, or all; of integers and bools an int64."""
    axes = dimensions("sum", dim, operand("sum", "x", x).ndim)
    out = Sum.apply(x if x.dtype.kind == "f" else x.to(INT64), axes=axes)
    return _kept(x, out, axes, keepdim)


@numpy_names
def mean(x: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """The mean over dim, or of all elements; NaN of none."""
    axes = dimensions("mean", dim, _floats("mean", x).ndim)
    return _kept(x, Mean.apply(x, axes=axes), axes, keepdim)


@numpy_names
def var(x: Tensor, dim: Dims = None, keepdim: bool = False, *, correction: float = 1) -> Tensor:
    """The sum of (x - mean)^2 over dim, divided by n - correction: by n - 1, as in PyTorch.

    NumPy's default is correction=0.
    """
    axes = dimensions("var", dim, _floats("var", x).ndim)
    out = Var.apply(x, axes=axes, correction=number("var", "correction", correction))
    return _kept(x, out, axes, keepdim)


@numpy_names
def std(x: Tensor, dim: Dims = None, keepdim: bool = False, *, correction: float = 1) -> Tensor:
    """The square root of var over dim, with n - 1, as in PyTorch; NumPy's default is correction=0.

    Where it is 0 its derivative is taken as 0.
    """
    axes = dimensions("std", dim, _floats("std", x).ndim)
    v = var(x, axes, keepdim, correction=number("std", "correction", correction))
    zero = v == 0
    return where(zero, 0, where(zero, 1, v).sqrt())


@numpy_names
def amax(x: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """The largest over dim, NaN if there is one. Equals share the gradient."""
    return _extreme(Largest, "amax", x, dim, keepdim)


@numpy_names
def amin(x: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """The smallest over dim, NaN if there is one. Equals share the gradient."""
    return _extreme(Smallest, "amin", x, dim, keepdim)


@overload
def max(x: Tensor, dim: None = None, keepdim: bool = False) -> Tensor: ...
@overload
def max(x: Tensor, dim: int, keepdim: bool = False) -> Extremum: ...
@numpy_names
def max(x: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor | Extremum:
    """The largest of all elements; along dim a pair, (values, indices), as in PyTorch.

    The gradient goes to the index found; without dim, equals share it. `amax` has no indices.
    """
    if dim is None:
        return _extreme(Largest, "max", x, None, keepdim)
    return _along(LargestAlong, "max", x, dim, keepdim)


@overload
def min(x: Tensor, dim: None = None, keepdim: bool = False) -> Tensor: ...
@overload
def min(x: Tensor, dim: int, keepdim: bool = False) -> Extremum: ...
@numpy_names
def min(x: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor | Extremum:
    """The smallest of all elements; along dim a pair, (values, indices), as in PyTorch.

    The gradient goes to the index found; without dim, equals share it. `amin` has no indices.
    """
    if dim is None:
        return _extreme(Smallest, "min", x, None, keepdim)
    return _along(SmallestAlong, "min", x, dim, keepdim)


@numpy_names
def argmax(x: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The first place of the largest along dim, or among all elements in row-major order."""
    return _place("argmax", x, dim, keepdim)


@numpy_names
def argmin(x: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The first place of the smallest along dim, or among all elements in row-major order."""
    return _place("argmin", x, dim, keepdim)


@numpy_names
def all(x: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """Whether every element over dim is other than 0; of none, True."""
    return sum(operand("all", "x", x) == 0, dim, keepdim) == 0


@numpy_names
def any(x: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """Whether some element over dim is other than 0; of none, False."""
    return sum(operand("any", "x", x) != 0, dim, keepdim) != 0


def _floats(op: str, x: Tensor) -> Tensor:
    if operand(op, "x", x).dtype.kind != "f":
        raise TypeError(f"[{op}] x has dtype {x.dtype}, expected float32: use x.float()")
    return x


def _kept(x: Tensor, out: Tensor, axes: Sequence[int], keepdim: bool) -> Tensor:
    return out.reshape(ones_for(axes, x.shape)) if keepdim else out


def _extreme(function: type[Function], op: str, x: Tensor, dim: Dims, keepdim: bool) -> Tensor:
    axes = dimensions(op, dim, operand(op, "x", x).ndim)
    return _kept(x, function.apply(x, axes=axes), axes, keepdim)


def _along(function: type[Function], op: str, x: Tensor, dim: int, keepdim: bool) -> Extremum:
    axis = dimension(op, dim, operand(op, "x", x).ndim)
    if x.ndim == 0:
        pair = _along(function, op, x.reshape(1), 0, False)
        return Extremum(pair.values, pair.indices)
    values, indices = function.apply_all(x, axis=axis)
    return Extremum(_kept(x, values, (axis,), keepdim), _kept(x, indices, (axis,), keepdim))


def _place(op: str, x: Tensor, dim: int | None, keepdim: bool) -> Tensor:
    operand(op, "x", x)
    flat = x.detach() if dim is not None and x.ndim else x.detach().reshape(-1)
    axis = 0 if dim is None else dimension(op, dim, x.ndim)
    out = x._made(getattr(kernels(x.array), op)(flat.array, axis), None)
    return _kept(x, out, (axis,) if dim is not None else range(x.ndim), keepdim)
