"""What the reference asks of its arguments, in the words of the compiled bindings."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable

import numpy as np

from ..typing import NDArray

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def shape_text(shape: tuple[int | str, ...]) -> str:
    """(2, "n") -> "(2, n)", (3,) -> "(3,)"."""
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


def array(op: str, name: str, value: object) -> NDArray:
    """`value`, if it is an array."""
    if not isinstance(value, np.ndarray):
        raise TypeError(f"[{op}] {name} is a {type(value).__name__}, expected a NumPy array")
    return value


def floats(op: str, name: str, value: object, dtype: np.dtype | None = None) -> NDArray:
    """`value`, if it is an array of `dtype`; without one, of float32 or float64."""
    found = array(op, name, value)
    if found.dtype not in FLOATS if dtype is None else found.dtype != dtype:
        expected = "float32" if dtype is None else dtype
        raise TypeError(f"[{op}] {name} has dtype {found.dtype}, expected {expected}")
    return found


def shaped(op: str, name: str, value: NDArray, *expected: int | str) -> NDArray:
    """`value`, if its shape is `expected`, where a letter stands for any length."""
    matches = len(value.shape) == len(expected) and all(
        isinstance(e, str) or e == n for n, e in zip(value.shape, expected, strict=True)
    )
    if not matches:
        raise ValueError(
            f"[{op}] {name} has shape {shape_text(value.shape)}, expected {shape_text(expected)}"
        )
    return value


def labels(op: str, value: object, n: int, c: int) -> NDArray:
    """`value` as int64 class numbers, one for each of `n` rows, each in [0, c)."""
    found = shaped(op, "labels", array(op, "labels", value), n)
    if found.dtype.kind not in "iu":
        raise TypeError(f"[{op}] labels has dtype {found.dtype}, expected int64")
    outside = np.flatnonzero((found < 0) | (found >= c))
    if len(outside):
        row = outside[0]
        raise IndexError(f"[{op}] labels[{row}] is {found[row]}, expected 0 <= label < {c}")
    return found.astype(np.int64)


def output(op: str, name: str, value: object, like: NDArray, shape: tuple[int, ...]) -> NDArray:
    """The array to write to: `value`, checked, or a new one."""
    if value is None:
        return np.empty(shape, like.dtype)
    found = shaped(op, name, floats(op, name, value, like.dtype), *shape)
    if not found.flags.writeable:
        raise ValueError(f"[{op}] {name} is read-only")
    return found


def apart(op: str, name: str, out: NDArray, may_be_same: bool = False, **inputs: NDArray) -> None:
    """An output shares no memory with an input, though elementwise ops may write over it."""
    for other, array_ in inputs.items():
        same = (
            may_be_same and out.ctypes.data == array_.ctypes.data and out.strides == array_.strides
        )
        if np.may_share_memory(out, array_) and not same:
            or_itself = f", or {other} itself" if may_be_same else ""
            raise ValueError(
                f"[{op}] {name} shares memory with {other}, expected separate memory{or_itself}"
            )


def elementwise(formula: Callable[..., NDArray]) -> Callable[..., NDArray]:
    """A kernel from a formula of arrays of one shape: checked, in float64, written to `out`.

    The formula's name is the kernel's, and its arguments are named in errors.
    """
    op, signature = formula.__name__, inspect.signature(formula)

    @functools.wraps(formula)
    @np.errstate(all="ignore")  # NaN and infinity flow as IEEE 754 says
    def kernel(*args: NDArray, out: NDArray | None = None, **kwargs: NDArray) -> NDArray:
        arrays = signature.bind(*args, **kwargs).arguments
        name, first = next(iter(arrays.items()))
        first = floats(op, name, first)
        for other, value in arrays.items():
            shaped(op, other, floats(op, other, value, first.dtype), *first.shape)
        result = output(op, "out", out, first, first.shape)
        apart(op, "out", result, may_be_same=True, **arrays)
        result[...] = formula(*(array.astype(np.float64) for array in arrays.values()))
        return result

    return kernel
