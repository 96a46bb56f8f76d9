"""What the reference asks of its arguments, in the words of the compiled bindings."""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Callable, Sequence
from operator import index
from typing import Any

import numpy as np

from ..hints import an
from ..typing import NDArray

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def shape_text(shape: tuple[int | str, ...]) -> str:
    """(2, "n") -> "(2, n)", (3,) -> "(3,)"."""
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


def array(op: str, name: str, value: object) -> NDArray:
    """`value`, if it is an array."""
    if not isinstance(value, np.ndarray):
        raise TypeError(f"[{op}] {name} is {an(value)}, expected a NumPy array")
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


def integers(op: str, name: str, value: object, shape: tuple[int, ...], below: int) -> NDArray:
    """`value` as int64 numbers of this shape, each in [0, below)."""
    found = shaped(op, name, array(op, name, value), *shape)
    if found.dtype.kind not in "iu":
        raise TypeError(f"[{op}] {name} has dtype {found.dtype}, expected int64")
    outside = np.flatnonzero((found < 0) | (found >= below))
    if len(outside):
        i = outside[0]
        number = "label" if name == "labels" else name
        raise IndexError(f"[{op}] {name}[{i}] is {found[i]}, expected 0 <= {number} < {below}")
    return found.astype(np.int64)


def counts(
    op: str, name: str, value: Sequence[int], least: int, length: int = 2
) -> tuple[int, ...]:
    """`value`, if it is `length` integers of at least `least`."""
    expected = f"{length} integers of at least {least}"
    try:
        found = tuple(index(v) for v in value)
    except TypeError:
        raise TypeError(f"[{op}] {name} is {value!r}, expected {expected}") from None
    if len(found) != length or min(found) < least:
        raise ValueError(f"[{op}] {name} is {shape_text(found)}, expected {expected}")
    return found


def fits(op: str, *arrays: NDArray) -> tuple[int, ...]:
    """The shape to which the arrays broadcast."""
    try:
        return np.broadcast_shapes(*(array.shape for array in arrays))
    except ValueError:
        shapes = " and ".join(shape_text(array.shape) for array in arrays)
        raise ValueError(f"[{op}] shapes {shapes} do not broadcast together") from None


def output(op: str, name: str, value: object, like: NDArray, shape: tuple[int, ...]) -> NDArray:
    """The array to write to: `value`, checked, or a new one of the dtype of `like`."""
    if value is None:
        return np.empty(shape, like.dtype)
    found = shaped(op, name, array(op, name, value), *shape)
    if found.dtype != like.dtype:
        raise TypeError(f"[{op}] {name} has dtype {found.dtype}, expected {like.dtype}")
    if not found.flags.writeable:
        raise ValueError(f"[{op}] {name} is read-only")
    return found


def apart(op: str, name: str, out: NDArray, may_be_same: bool = False, **inputs: NDArray) -> None:
    """An output shares no memory with an input, though elementwise ops may write over it."""
    for other, array_ in inputs.items():
        layouts = ((a.ctypes.data, a.shape, a.strides) for a in (out, array_))
        if np.may_share_memory(out, array_) and not (may_be_same and len({*layouts}) == 1):
            or_itself = f", or {other} itself" if may_be_same else ""
            raise ValueError(
                f"[{op}] {name} shares memory with {other}, expected separate memory{or_itself}"
            )


def elementwise(formula: Callable[..., NDArray]) -> Callable[..., NDArray]:
    """A kernel from a formula of arrays of one shape: checked, in float64, written to `out`.

    The formula's name is the kernel's, and its arguments are named in errors; what it takes by
    keyword, such as alpha, is a number.
    """
    op, signature = formula.__name__, inspect.signature(formula)
    by_position = inspect.Parameter.POSITIONAL_OR_KEYWORD
    names = [name for name, p in signature.parameters.items() if p.kind is by_position]

    @functools.wraps(formula)
    @np.errstate(all="ignore")  # NaN and infinity flow as IEEE 754 says
    def kernel(*args: NDArray, out: NDArray | None = None, **kwargs: Any) -> NDArray:
        bound = signature.bind(*args, **kwargs).arguments
        arrays = {name: bound[name] for name in names}
        numbers = {name: value for name, value in bound.items() if name not in names}
        name, first = next(iter(arrays.items()))
        first = floats(op, name, first)
        for other, value in arrays.items():
            shaped(op, other, floats(op, other, value, first.dtype), *first.shape)
        result = output(op, "out", out, first, first.shape)
        apart(op, "out", result, may_be_same=True, **arrays)
        result[...] = formula(*(array.astype(np.float64) for array in arrays.values()), **numbers)
        return result

    return kernel


def in_step(
    op: str,
    params: Sequence[NDArray],
    grads: Sequence[NDArray],
    learning_rate: NDArray,
    **states: Sequence[NDArray],
) -> float:
    """The learning rate of an optimizer's step whose lists fit each other, element by element."""
    lists = {"params": params, "grads": grads, **states}
    for name, arrays in lists.items():
        if not isinstance(arrays, (list, tuple)):
            raise TypeError(f"[{op}] {name} is {an(arrays)}, expected a list of arrays")
        if len(arrays) != len(params):
            raise ValueError(f"[{op}] {name} has {len(arrays)} arrays, expected {len(params)}")
    for i in range(len(params)):
        param = floats(op, f"params[{i}]", params[i])
        rows = {f"{name}[{i}]": arrays[i] for name, arrays in lists.items()}
        for name, value in rows.items():
            shaped(op, name, floats(op, name, value, param.dtype), *param.shape)
            if name != f"grads[{i}]":
                output(op, name, value, param, param.shape)
    like = params[0].dtype if len(params) else None
    rate = shaped(op, "learning_rate", floats(op, "learning_rate", learning_rate, like), 1)

    # Parameters are taken in any order: what is written is nothing else that the step touches.
    named = {f"{name}[{i}]": a for name, arrays in lists.items() for i, a in enumerate(arrays)}
    written = {name: a for name, a in named.items() if not name.startswith("grads")}
    read = {name: a for name, a in named.items() if name not in written}
    for name, out in written.items():
        apart(op, name, out, False, learning_rate=rate, **read)
    for first, second in itertools.combinations(written, 2):
        apart(op, first, written[first], False, **{second: written[second]})
    return float(rate[0])
