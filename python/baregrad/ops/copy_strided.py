"""Ops that copy: arrays of any strides into new ones, or into parts of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ..autograd import Function
from ..backend import backend_of, is_contiguous, kernels
from ..typing import Array
from .arguments import (
    NUMBERS,
    Dims,
    Operand,
    dimension,
    dimensions,
    integer,
    is_tensor,
    numpy_names,
    operand,
    result_type,
    same_device,
    scalar,
    several,
    sizes,
)

if TYPE_CHECKING:
    from ..tensor import Tensor


def part(x: Array, axis: int, start: int, stop: int) -> Array:
    """x[..., start:stop, ...] along one axis, without a copy."""
    return x[(*(slice(None),) * axis, slice(start, stop), ...)]


class Clone(Function):
    """out = x, in new memory; dx = dout."""

    hands_on = True

    def forward(self, x: Array) -> Array:
        return kernels.moving(x).copy_strided(x)

    def backward(self, dout: Array) -> tuple[Array]:
        return (dout,)


class Cat(Function):
    """out = the inputs behind one another along an axis; each gets its part of dout."""

    hands_on = True

    def forward(self, *arrays: Array, axis: int) -> Array:
        first, self.axis = arrays[0], axis
        length = sum(x.shape[axis] for x in arrays)
        shape = (*first.shape[:axis], length, *first.shape[axis + 1 :])
        out = backend_of(first).empty(shape, first.dtype)
        for x, target in zip(
            arrays, self._parts(out, [x.shape[axis] for x in arrays]), strict=True
        ):
            kernels.moving(x).copy_strided(x, out=target)
        return out

    def backward(self, dout: Array) -> tuple[Array, ...]:
        return tuple(self._parts(dout, [shape[self.axis] for shape in self.shapes]))

    def _parts(self, x: Array, lengths: Sequence[int]) -> Iterator[Array]:
        start = 0
        for length in lengths:
            yield part(x, self.axis, start, start + length)
            start += length


class Pad(Function):
    """out = x with a border of one value, as wide as told for each side; dx = its middle."""

    hands_on = True

    def forward(self, x: Array, widths: Sequence[tuple[int, int]], value: float) -> Array:
        self.inside = tuple(slice(w[0], w[0] + n) for w, n in zip(widths, x.shape, strict=True))
        shape = tuple(n + sum(w) for w, n in zip(widths, x.shape, strict=True))
        out = backend_of(x).full(shape, value, x.dtype)
        kernels.moving(x).copy_strided(x, out=out[(*self.inside, ...)])
        return out

    def backward(self, dout: Array) -> tuple[Array]:
        return (dout[(*self.inside, ...)],)


class Flip(Function):
    """out = x with some axes backwards; dx = dout with the same axes backwards."""

    def forward(self, x: Array, axes: Sequence[int]) -> Array:
        backwards = slice(None, None, -1)
        self.index = (*(backwards if a in axes else slice(None) for a in range(x.ndim)), ...)
        return kernels.moving(x).copy_strided(x[self.index])

    def backward(self, dout: Array) -> tuple[Array]:
        return (kernels.moving(dout).copy_strided(dout[self.index]),)


def clone(x: Tensor) -> Tensor:
    """A copy of the same shape, in memory of its own, through which gradients flow."""
    return Clone.apply(operand("clone", "x", x))


def contiguous(x: Tensor) -> Tensor:
    """x itself if its elements are in order in memory, else a copy in which they are."""
    return x if is_contiguous(x.array) else Clone.apply(x)


def copy_(x: Tensor, other: Operand) -> Tensor:
    """x = other, broadcast and converted, from any device, in place."""
    x[...] = other.to(x.device) if is_tensor(other) else other
    return x


@numpy_names
def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Tensors behind one another along dim; their other lengths are equal."""
    found = _tensors("cat", tensors)
    axis = dimension("cat", dim, found[0].ndim)
    for i, x in enumerate(found):
        rest, first = (t.shape[:axis] + t.shape[axis + 1 :] for t in (x, found[0]))
        if x.ndim == 0:
            raise ValueError(f"[cat] tensors[{i}] has shape (), expected an axis: use bg.stack")
        if x.ndim != found[0].ndim or rest != first:
            like = f"{found[0].shape} but for dimension {axis}"
            raise ValueError(f"[cat] tensors[{i}] has shape {x.shape}, expected {like}")
    return Cat.apply(*found, axis=axis)


@numpy_names
def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Tensors of one shape along a new dimension."""
    found = _tensors("stack", tensors)
    for i, x in enumerate(found):
        if x.shape != found[0].shape:
            raise ValueError(f"[stack] tensors[{i}] has shape {x.shape}, expected {found[0].shape}")
    axis = dimension("stack", dim, found[0].ndim + 1)
    return Cat.apply(*(x.unsqueeze(axis) for x in found), axis=axis)


@numpy_names
def split(x: Tensor, split_size: int | Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Views of x along dim: of split_size each, the last perhaps less, or of the sizes listed."""
    length, axis = _length("split", x, dim), dimension("split", dim, x.ndim)
    if isinstance(split_size, (tuple, list)):
        parts = sizes("split", split_size)
    else:
        step = integer("split", "split_size", split_size, 1)
        parts = tuple(min(step, length - start) for start in range(0, length, step)) or (0,)
    if sum(parts) != length or min(parts) < 0:
        raise ValueError(f"[split] the sizes are {parts}, expected a sum of {length}")
    ends = [sum(parts[: i + 1]) for i in range(len(parts))]
    return tuple(
        x[(*(slice(None),) * axis, slice(end - n, end))] for n, end in zip(parts, ends, strict=True)
    )


@numpy_names
def chunk(x: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """At most `chunks` views of x along dim, of equal length but for the last."""
    count = integer("chunk", "chunks", chunks, 1)
    length = _length("chunk", x, dim)
    return split(x, max(-(-length // count), 1), dim)


@numpy_names
def flip(x: Tensor, dim: Dims) -> Tensor:
    """A copy with the elements along dim, one or several dimensions, in reverse order."""
    return Flip.apply(x, axes=dimensions("flip", dim, operand("flip", "x", x).ndim))


def pad(x: Tensor, pad: Sequence[int], value: float = 0.0) -> Tensor:
    """A border of `value`: pad is (left, right) of the last dimension, then of the one before, ...

    A negative width cuts off.
    """
    widths = sizes("pad", pad)
    if len(widths) % 2 or len(widths) > 2 * x.ndim:
        raise ValueError(
            f"[pad] pad is {widths}, expected pairs for at most {x.ndim} dimensions, the last first"
        )
    pairs = [(0, 0)] * (x.ndim - len(widths) // 2)
    pairs += reversed(list(zip(widths[::2], widths[1::2], strict=True)))
    if min(widths, default=0) < 0:
        for (before, after), n in zip(pairs, x.shape, strict=True):
            if n + before + after < 0:
                raise ValueError(f"[pad] pad is {widths}, which cuts more off than {x.shape} has")
        cut = zip(pairs, x.shape, strict=True)
        x = x[tuple(slice(max(-b, 0), n + min(a, 0)) for (b, a), n in cut)]
    added = [(max(before, 0), max(after, 0)) for before, after in pairs]
    return Pad.apply(x, widths=added, value=value) if any(map(any, added)) else x


def _length(op: str, x: Tensor, dim: int) -> int:
    axis = dimension(op, dim, operand(op, "x", x).ndim)
    if x.ndim == 0:
        raise ValueError(f"[{op}] x has shape (), expected at least one axis")
    return x.shape[axis]


def _tensors(op: str, tensors: Sequence[Any]) -> tuple[Tensor, ...]:
    """All as tensors of one type, on one device."""
    found = [operand(op, f"tensors[{i}]", x) for i, x in enumerate(several(op, "tensors", tensors))]
    if not found:
        raise ValueError(f"[{op}] there are no tensors, expected at least one")
    same_device(op, **{f"tensors[{i}]": x for i, x in enumerate(found)})
    dtype = result_type(*found)
    return tuple(x.to(dtype) for x in found)


def as_value(x: Tensor, op: str, value: Any) -> Tensor:
    """What is assigned to x, where x is and of its type."""
    if isinstance(value, NUMBERS):
        return scalar(x, value, x.dtype)
    operand(op, "value", value)
    same_device(op, x=x, value=value)
    found: Tensor = value.to(x.dtype)
    return found.clone() if found._version is x._version else found
