"""Reductions over any axes: what is left keeps its order, and the reduced axes are gone."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..typing import NDArray
from .arguments import apart, array, output

_INT64 = np.empty(0, np.int64)


def _axes(op: str, x: NDArray, axes: Sequence[int]) -> tuple[int, ...]:
    found = tuple(int(axis) for axis in axes)
    if len(set(found)) < len(found) or any(not 0 <= axis < x.ndim for axis in found):
        raise ValueError(
            f"[{op}] axes is {found}, expected different axes of x, 0 <= axis < {x.ndim}"
        )
    return found


def _kept(x: NDArray, axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(n for axis, n in enumerate(x.shape) if axis not in axes)


def _not_empty(op: str, x: NDArray, axes: tuple[int, ...]) -> None:
    for axis in axes:
        if x.shape[axis] == 0 and 0 not in _kept(x, axes):
            raise ValueError(f"[{op}] x has no element along axis {axis}, expected at least one")


@np.errstate(all="ignore")  # NaN and infinity flow as IEEE 754 says
def reduce_sum(x: NDArray, axes: Sequence[int], *, out: NDArray | None = None) -> NDArray:
    """x (...), axes -> out (... without axes) = the sum; 0 of no elements."""
    x = array("reduce_sum", "x", x)
    axes = _axes("reduce_sum", x, axes)
    result = output("reduce_sum", "out", out, x, _kept(x, axes))
    apart("reduce_sum", "out", result, x=x)
    result[...] = x.sum(axis=axes, dtype=np.float64 if x.dtype.kind == "f" else x.dtype)
    return result


@np.errstate(all="ignore")  # NaN and infinity flow as IEEE 754 says
def reduce_mean(x: NDArray, axes: Sequence[int], *, out: NDArray | None = None) -> NDArray:
    """x (...), axes -> out (... without axes) = sum / n; NaN of no elements."""
    x = array("reduce_mean", "x", x)
    axes = _axes("reduce_mean", x, axes)
    result = output("reduce_mean", "out", out, x, _kept(x, axes))
    apart("reduce_mean", "out", result, x=x)
    n = np.float64(np.prod([x.shape[axis] for axis in axes], dtype=np.int64))
    result[...] = x.sum(axis=axes, dtype=np.float64) / n
    return result


@np.errstate(all="ignore")  # NaN and infinity flow as IEEE 754 says
def reduce_var(
    x: NDArray, axes: Sequence[int], *, correction: float = 1.0, out: NDArray | None = None
) -> NDArray:
    """x (...), axes -> out (... without axes) = sum of (x - mean)^2 / max(n - correction, 0)."""
    x = array("reduce_var", "x", x)
    axes = _axes("reduce_var", x, axes)
    result = output("reduce_var", "out", out, x, _kept(x, axes))
    apart("reduce_var", "out", result, x=x)
    n = np.float64(np.prod([x.shape[axis] for axis in axes], dtype=np.int64))
    away = x - x.sum(axis=axes, keepdims=True, dtype=np.float64) / n
    result[...] = (away * away).sum(axis=axes) / max(n - correction, 0.0)
    return result


def reduce_max(x: NDArray, axes: Sequence[int], *, out: NDArray | None = None) -> NDArray:
    """x (...), axes -> out (... without axes) = the largest; NaN if any is NaN."""
    x = array("reduce_max", "x", x)
    axes = _axes("reduce_max", x, axes)
    _not_empty("reduce_max", x, axes)
    result = output("reduce_max", "out", out, x, _kept(x, axes))
    apart("reduce_max", "out", result, x=x)
    result[...] = x.max(axis=axes) if x.size else result
    return result


def reduce_min(x: NDArray, axes: Sequence[int], *, out: NDArray | None = None) -> NDArray:
    """x (...), axes -> out (... without axes) = the smallest; NaN if any is NaN."""
    x = array("reduce_min", "x", x)
    axes = _axes("reduce_min", x, axes)
    _not_empty("reduce_min", x, axes)
    result = output("reduce_min", "out", out, x, _kept(x, axes))
    apart("reduce_min", "out", result, x=x)
    result[...] = x.min(axis=axes) if x.size else result
    return result


def argmax(x: NDArray, axis: int, *, out: NDArray | None = None) -> NDArray:
    """x (...), axis -> out (... without axis) int64: the first place of the largest, or of NaN."""
    return _place("argmax", np.argmax, x, axis, out)


def argmin(x: NDArray, axis: int, *, out: NDArray | None = None) -> NDArray:
    """x (...), axis -> out (... without axis) int64: the first place of the smallest, or of NaN."""
    return _place("argmin", np.argmin, x, axis, out)


def _place(
    op: str, find: Callable[..., NDArray], x: NDArray, axis: int, out: NDArray | None
) -> NDArray:
    x = array(op, "x", x)
    axes = _axes(op, x, (axis,))
    _not_empty(op, x, axes)
    result = output(op, "out", out, _INT64, _kept(x, axes))
    apart(op, "out", result, x=x)
    if result.size:
        result[...] = find(x, axis=axes[0])
    return result
