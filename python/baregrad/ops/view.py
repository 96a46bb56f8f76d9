"""Other views of the same memory. No kernel runs: only shape and strides change."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..autograd import Function
from ..backend import backend_of, is_contiguous
from ..typing import Array, Shape
from .arguments import dimension, expect_possible, numpy_names, operand, sizes
from .binary import sum_to

if TYPE_CHECKING:
    from ..tensor import Tensor


class Reshape(Function):
    """The same elements in row-major order under another shape."""

    hands_on = True

    def forward(self, x: Array, shape: Shape) -> Array:
        return x.reshape(shape)

    def backward(self, dout: Array) -> tuple[Array]:
        return (dout.reshape(self.shapes[0]),)


class Permute(Function):
    """The axes in another order."""

    hands_on = True

    def forward(self, x: Array, axes: Sequence[int]) -> Array:
        self.back = tuple(axes.index(axis) for axis in range(len(axes)))
        return permuted(x, axes)

    def backward(self, dout: Array) -> tuple[Array]:
        return (permuted(dout, self.back),)


class Expand(Function):
    """What has length 1 is repeated, without a copy; dx = sum of dout over what was repeated."""

    hands_on = True

    def forward(self, x: Array, shape: Shape) -> Array:
        return backend_of(x).broadcast_to(x, shape)

    def backward(self, dout: Array) -> tuple[Array]:
        return (sum_to(dout, self.shapes[0]),)


def permuted(x: Array, axes: Sequence[int]) -> Array:
    """x with its axes in another order."""
    return x.mT if axes == (1, 0) else x.transpose(tuple(axes))


def reshape(x: Tensor, *shape: int | Shape) -> Tensor:
    """The same elements under another shape, without a copy if possible; one length may be -1."""
    return _reshaped("reshape", operand("reshape", "x", x), shape)


def view(x: Tensor, *shape: int | Shape) -> Tensor:
    """As reshape, but never a copy: RuntimeError unless the elements are in order in memory."""
    if not is_contiguous(x.array):
        raise RuntimeError(
            f"[view] the tensor, {x.shape}, is not contiguous, expected x.reshape or x.contiguous()"
        )
    return _reshaped("view", x, shape)


def _reshaped(op: str, x: Tensor, shape: Sequence[int | Shape]) -> Tensor:
    wanted = sizes(op, shape)
    if wanted.count(-1) > 1 or min(wanted, default=0) < -1:
        raise ValueError(f"[{op}] shape is {wanted}, expected lengths, of which one may be -1")
    try:
        return Reshape.apply(x, shape=wanted)._views(x)
    except ValueError:
        raise ValueError(
            f"[{op}] x has shape {x.shape}, whose {x.numel()} elements do not fit {wanted}"
        ) from None


@numpy_names
def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """The dimensions from start_dim to end_dim as one."""
    first = dimension("flatten", start_dim, operand("flatten", "input", input).ndim)
    last = dimension("flatten", end_dim, input.ndim)
    if first > last:
        raise ValueError(f"[flatten] start_dim is {start_dim}, expected one before {end_dim}")
    middle = math.prod(input.shape[first : last + 1])
    return reshape(input, (*input.shape[:first], middle, *input.shape[last + 1 :]))


def permute(x: Tensor, *dims: int | Sequence[int]) -> Tensor:
    """The dimensions in the order given, without a copy."""
    ndim = operand("permute", "x", x).ndim
    axes = tuple(dimension("permute", d, ndim) for d in sizes("permute", dims))
    if sorted(axes) != list(range(ndim)):
        raise ValueError(f"[permute] dims is {axes}, expected each of {ndim} dimensions once")
    return Permute.apply(x, axes=axes)._views(x)


def transpose(x: Tensor, dim0: int, dim1: int) -> Tensor:
    """Two dimensions swapped, without a copy."""
    axes = list(range(operand("transpose", "x", x).ndim))
    a, b = (dimension("transpose", dim, x.ndim) for dim in (dim0, dim1))
    if x.ndim:
        axes[a], axes[b] = axes[b], axes[a]
    return Permute.apply(x, axes=tuple(axes))._views(x)


def swapped(x: Tensor) -> Tensor:
    """x (..., m, n) -> (..., n, m), without a copy."""
    ndim = x.ndim
    return Permute.apply(x, axes=(*range(ndim - 2), ndim - 1, ndim - 2))._views(x)


def t(x: Tensor) -> Tensor:
    """A matrix, transposed without a copy; a vector as it is."""
    if operand("t", "x", x).ndim > 2:
        raise ValueError(f"[t] the tensor has shape {x.shape}, expected at most two dimensions")
    return transpose(x, 0, -1)


def expand(x: Tensor, *shape: int | Shape) -> Tensor:
    """Repeated along what has length 1, without a copy; -1 keeps a length."""
    wanted = sizes("expand", shape)
    new = len(wanted) - x.ndim
    lengths = tuple(
        x.shape[axis - new] if n == -1 and axis >= new else n for axis, n in enumerate(wanted)
    )
    fits = new >= 0 and all(
        n in (1, wanted_n) for n, wanted_n in zip(x.shape, lengths[new:], strict=True)
    )
    if not fits or any(n < 0 for n in lengths):
        raise ValueError(f"[expand] the tensor has shape {x.shape}, which does not fit {wanted}")
    expect_possible("expand", math.prod(lengths))
    return x if lengths == x.shape else Expand.apply(x, shape=lengths)._views(x)


@numpy_names
def squeeze(x: Tensor, dim: int | Sequence[int] | None = None) -> Tensor:
    """Without its dimensions of length 1, or without those of dim that have length 1."""
    ndim = operand("squeeze", "x", x).ndim
    some = range(ndim) if dim is None else dim if isinstance(dim, (tuple, list)) else (dim,)
    axes = {dimension("squeeze", d, ndim) for d in some}
    gone = tuple(0 if axis in axes and n == 1 else slice(None) for axis, n in enumerate(x.shape))
    return x[gone]


@numpy_names
def unsqueeze(x: Tensor, dim: int) -> Tensor:
    """With a new dimension of length 1 at dim."""
    axis = dimension("unsqueeze", dim, operand("unsqueeze", "x", x).ndim + 1)
    return x[(*(slice(None),) * axis, None)]
