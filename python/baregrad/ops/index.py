"""Indexing: x[1, 2:], x[..., None], x[rows], x[mask], x[rows, columns], and assignment to them.

Integers, slices, None and ... give views. An array of integers or bools is read on the host, since
the shape of the result depends on it; the rows that it names are then gathered by a kernel.
"""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..autograd import Function
from ..backend import backend_of, kernels
from ..hints import an
from ..replay import fresh
from ..typing import Array, NDArray, Shape
from .arguments import is_tensor
from .binary import sum_to
from .copy_strided import as_value
from .gather_rows import GatherRows
from .where import where

if TYPE_CHECKING:
    from ..tensor import Tensor

Basic = tuple[Any, ...]  # one integer, slice or None for each axis, and ... at the end
Arrays = dict[int, NDArray]  # arrays of integers, by the axis of the basic view they index


class Index(Function):
    """out = x[index], a view; dx is 0 but for dx[index] = dout."""

    def forward(self, x: Array, index: Basic) -> Array:
        out, self.index = x[index], index
        steps = {part.step for part in index if isinstance(part, slice)}
        self.hands_on = steps <= {1, None} and math.prod(out.shape) == math.prod(x.shape)
        return out

    def backward(self, dout: Array) -> tuple[Array]:
        (shape,) = self.shapes
        if self.hands_on:  # every element is there: the shapes differ in axes of length 1
            return (dout.reshape(shape),)
        dx = backend_of(dout).full(shape, 0.0, dout.dtype)
        kernels.moving(dout).copy_strided(dout, out=dx[self.index])
        return (dx,)


class SetIndex(Function):
    """out = x but for out[index] = value; dx = dout but for 0 there, dvalue = dout[index]."""

    def forward(self, x: Array, value: Array, index: Basic) -> Array:
        self.index = index
        out = kernels.moving(x).copy_strided(x)
        assign(out[index], value)
        return out

    def backward(self, dout: Array) -> tuple[Array | None, ...]:
        moving = kernels.moving(dout)
        dx = dvalue = None
        if self.needs_grad[0]:
            dx = moving.copy_strided(dout)
            moving.fill(dx[self.index], 0)
        if self.needs_grad[1]:
            dvalue = sum_to(moving.copy_strided(dout[self.index]), self.shapes[1])
        return dx, dvalue


def assign(target: Array, value: Array) -> None:
    """target (...) = value, broadcast, in place."""
    value = backend_of(target).broadcast_to(value, tuple(target.shape))
    kernels.moving(target).copy_strided(value, out=target)


def getitem(x: Tensor, index: Any) -> Tensor:
    """x[index]: a view for integers, slices, None and ..., else a copy."""
    basic, arrays = _parse(x, index)
    seen = Index.apply(x, index=basic)._views(x)
    if not arrays:
        return seen
    rows, shape, front, lengths = _rows(seen.shape, arrays)
    table = _table(seen, front, lengths)
    found = GatherRows.apply(table, _there(x, rows))
    rest = tuple(n for axis, n in enumerate(seen.shape) if axis not in arrays)
    return found.reshape(shape + rest).permute(_back(len(shape), arrays, seen.ndim))


def setitem(x: Tensor, index: Any, value: Any) -> None:
    """x[index] = value, broadcast and converted to the type of x, in place."""
    basic, arrays = _parse(x, index)
    value = as_value(x, "setitem", value)
    recorded = x._prepare_change("setitem", value)
    if any(array.size == 0 for array in arrays.values()):
        return
    if arrays:
        seen = Index.apply(x, index=basic)._views(x)
        value = _replaced(seen, arrays, value)
    shape = tuple(x.array[basic].shape)
    try:
        fits = np.broadcast_shapes(value.shape, shape) == shape
    except ValueError:
        fits = False
    more = value.ndim - len(shape)
    if more > 0 and value.shape[:more] == (1,) * more:
        value = value.reshape(value.shape[more:])  # as NumPy drops them
        fits = all(n in (1, m) for n, m in zip(value.shape, shape, strict=True))
    if not fits:
        raise ValueError(f"[setitem] value has shape {value.shape}, expected {shape}")
    if 0 in shape:
        return
    if recorded:
        x._become(SetIndex.apply(x, value, index=basic))
    else:
        assign(x.array[basic], value.array)
        x._changed()


def _replaced(x: Tensor, arrays: Arrays, value: Tensor) -> Tensor:
    """x where x[arrays] is value: of equal rows the last counts, as in NumPy."""
    rows, shape, front, lengths = _rows(x.shape, arrays)
    rest = tuple(n for axis, n in enumerate(x.shape) if axis not in arrays)
    back = _back(len(shape), arrays, x.ndim)
    full = tuple((shape + rest)[axis] for axis in back)
    forth = tuple(back.index(axis) for axis in range(len(back)))
    values = value.expand(full).permute(forth).reshape(rows.size, math.prod(rest))
    count = math.prod(lengths)
    source, hit = np.zeros(count, np.int64), np.zeros((count, 1), np.bool_)
    source[rows], hit[rows] = np.arange(rows.size), True
    table = where(
        _there(x, hit), GatherRows.apply(values, _there(x, source)), _table(x, front, lengths)
    )
    order = tuple(front.index(axis) for axis in range(x.ndim))
    return table.reshape(tuple(x.shape[axis] for axis in front)).permute(order)


def _table(x: Tensor, front: tuple[int, ...], lengths: Shape) -> Tensor:
    """x with the indexed axes in front, as rows."""
    turned = x.permute(front)
    return turned.reshape(math.prod(lengths), math.prod(turned.shape[len(lengths) :]))


def _rows(shape: Shape, arrays: Arrays) -> tuple[NDArray, Shape, tuple[int, ...], Shape]:
    """Row numbers (n,), the shape they came in, the axes with the indexed first, their lengths."""
    lengths = tuple(shape[axis] for axis in arrays)
    try:
        several = np.broadcast_arrays(*arrays.values())
    except ValueError:
        shapes = ", ".join(str(a.shape) for a in arrays.values())
        raise IndexError(f"[index] the arrays have shapes {shapes}, which do not fit") from None
    rows = np.zeros(several[0].shape, np.int64)
    for length, one in zip(lengths, several, strict=True):
        rows = rows * length + one
    front = (*arrays, *(axis for axis in range(len(shape)) if axis not in arrays))
    return rows.ravel(), rows.shape, front, lengths


def _back(indexed: int, arrays: Arrays, ndim: int) -> tuple[int, ...]:
    """The order of axes that brings the `indexed` new ones from the front to where they belong.

    That is where the arrays stood if they stood side by side, else in front, as in NumPy.
    """
    axes = list(arrays)
    start = axes[0] if axes[-1] - axes[0] == len(axes) - 1 else 0
    rest = [indexed + i for i in range(ndim - len(axes))]
    return (*rest[:start], *range(indexed), *rest[start:])


def _there(x: Tensor, array: NDArray) -> Tensor:
    return x._made(fresh(x._backend, array.shape, array.dtype, lambda: array), None)


def _parse(x: Tensor, index: Any) -> tuple[Basic, Arrays]:
    """The index as integers, slices and None alone, and what arrays there are besides."""
    items = [_host(item) for item in (index if isinstance(index, tuple) else (index,))]
    taken = sum(_axes(item) for item in items)
    if taken > x.ndim:
        hint = ": use x.item() for its number" if x.ndim == 0 else ""
        raise IndexError(f"[index] there are {taken} indices, expected at most {x.ndim}{hint}")
    dots = [i for i, item in enumerate(items) if item is Ellipsis]
    if len(dots) > 1:
        raise IndexError("[index] there are two ..., expected at most one")
    at = dots[0] if dots else len(items)
    items[at : at + 1] = [slice(None)] * (x.ndim - taken)
    basic: list[Any] = []
    arrays: Arrays = {}
    axis = seen = 0  # axes of x that were gone through, and those of the view
    for item in items:
        if isinstance(item, np.ndarray):
            for one in _integers(item, x.shape, axis):
                arrays[seen] = one
                basic.append(slice(None))
                seen += 1
        elif item is None:
            basic.append(None)
            seen += 1
        elif isinstance(item, slice):
            start, stop, step = item.indices(x.shape[axis])
            basic.append(slice(start, None if stop < 0 else stop, step))
            seen += 1
        else:
            basic.append(_inside(item, x.shape, axis))
        axis += _axes(item)
    return (*basic, ...), arrays


def _axes(item: Any) -> int:
    if item is None or item is Ellipsis:
        return 0
    return item.ndim if isinstance(item, np.ndarray) and item.dtype == np.bool_ else 1


def _host(item: Any) -> Any:
    """An array for a tensor, an array or a list; an integer for what is one."""
    if item is None or item is Ellipsis or isinstance(item, slice):
        return item
    if is_tensor(item):
        item = item._backend.to_numpy(item.array)
    elif isinstance(item, (list, range)):
        item = np.asarray(item, np.int64 if len(item) == 0 else None)
    if isinstance(item, np.ndarray) and item.ndim:
        if item.dtype.kind not in "iub":
            raise TypeError(f"[index] an index has dtype {item.dtype}, expected int64 or bool")
        return item
    try:
        if not isinstance(item, (bool, np.bool_)):
            return operator.index(item)
    except TypeError:
        pass
    raise TypeError(
        f"[index] an index is {an(item)}, expected integers, slices, None, ... or arrays"
    )


def _inside(number: int, shape: Shape, axis: int) -> int:
    n = shape[axis]
    if not -n <= number < n:
        raise IndexError(f"[index] {number} is outside axis {axis}, which has {n} elements")
    return number % n


def _integers(item: NDArray, shape: Shape, axis: int) -> tuple[NDArray, ...]:
    """The places that an array names, one array for each axis, counted from the front."""
    if item.dtype == np.bool_:
        there = shape[axis : axis + item.ndim]
        if item.shape != there:
            raise IndexError(f"[index] a mask has shape {item.shape}, expected {there}")
        return item.nonzero()
    n = shape[axis]
    outside = item[(item < -n) | (item >= n)]
    if outside.size:
        _inside(int(outside.flat[0]), shape, axis)
    return (np.where(item < 0, item.astype(np.int64) + n, item),)
