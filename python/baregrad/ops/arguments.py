"""What the ops ask of their arguments: dimensions, shapes, operands and their common type."""

from __future__ import annotations

import contextlib
import functools
import math
import operator
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, ParamSpec, TypeAlias, TypeGuard, TypeVar

import numpy as np

from ..hints import an
from ..typing import Shape

if TYPE_CHECKING:
    from ..tensor import Tensor

Operand: TypeAlias = "Tensor | float | int | bool"
Dims: TypeAlias = "int | Sequence[int] | None"
DType: TypeAlias = "np.dtype[Any]"

NUMBERS = (bool, int, float, np.number, np.bool_)
FLOAT32, INT64, BOOL = np.dtype(np.float32), np.dtype(np.int64), np.dtype(np.bool_)
_DTYPES = (FLOAT32, *map(np.dtype, (np.float64, np.int64, np.int32, np.uint8)), BOOL)
_RANK = {"b": 0, "u": 1, "i": 1, "f": 2}  # a bool gives way to an integer, both to a float
_FLOATS_AS_CALLS = {"float32": "float()", "float64": "double()"}

P = ParamSpec("P")
R = TypeVar("R")


def is_tensor(value: object) -> TypeGuard[Tensor]:
    """Whether value is a Tensor; ops do not import the class, which is made of them."""
    return hasattr(value, "grad_fn")


def numpy_names(function: Callable[P, R]) -> Callable[P, R]:
    """Let a function of dim and keepdim be called with NumPy's axis and keepdims, too."""

    @functools.wraps(function)
    def either(*args: P.args, **kwargs: P.kwargs) -> R:
        for name, numpy_name in (("dim", "axis"), ("keepdim", "keepdims")):
            if numpy_name in kwargs:
                if name in kwargs:
                    raise TypeError(f"[{function.__name__}] there are both {name} and {numpy_name}")
                kwargs[name] = kwargs.pop(numpy_name)
        return function(*args, **kwargs)

    return either


def dimension(op: str, dim: int, ndim: int) -> int:
    """dim counted from the front; a scalar counts as one axis. IndexError outside."""
    try:
        axis = operator.index(dim)
    except TypeError:
        raise TypeError(f"[{op}] dim is {an(dim)}, expected an integer") from None
    reach = ndim or 1
    if not -reach <= axis < reach:
        raise IndexError(f"[{op}] dim is {axis}, expected {-reach} <= dim < {reach}")
    return axis % reach


def dimensions(op: str, dim: Dims, ndim: int) -> tuple[int, ...]:
    """The axes that dim names, in order; None and () name all."""
    if dim is None or (isinstance(dim, (tuple, list)) and not dim):
        return tuple(range(ndim))
    some = dim if isinstance(dim, (tuple, list)) else (dim,)
    axes = sorted(dimension(op, d, ndim) for d in some)
    if len(set(axes)) < len(axes):
        raise ValueError(f"[{op}] dim is {dim}, expected different dimensions")
    return tuple(axes) if ndim else ()


def sizes(op: str, shape: Sequence[Any]) -> Shape:
    """f(2, 3) and f((2, 3)) alike: the lengths."""
    lengths = shape[0] if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape
    try:
        return tuple(operator.index(n) for n in lengths)
    except TypeError:
        raise TypeError(f"[{op}] size is {tuple(lengths)}, expected integers") from None


def expect_possible(op: str, elements: float) -> None:
    """ValueError for more elements than an array can have."""
    # NumPy counts them in an int64, and where that wraps makes an array of none.
    if elements >= 2**60:
        raise ValueError(f"[{op}] would have {elements} elements, expected fewer than 2^60")


def instance(op: str, name: str, value: Any, kind: Any, expected: str) -> Any:
    """value, if it is of that kind, a class or a tuple of classes."""
    if not isinstance(value, kind):
        raise TypeError(f"[{op}] {name} is {an(value)}, expected {expected}")
    return value


def number(op: str, name: str, value: Any, low: float = -math.inf, high: float = math.inf) -> float:
    """value, if it is a number, and between low and high where these are given."""
    instance(op, name, value, NUMBERS, "a number")
    if (low, high) != (-math.inf, math.inf) and not low <= value <= high:
        most = f" <= {high:g}" if high < math.inf else ""
        raise ValueError(f"[{op}] {name} is {value}, expected {low:g} <= {name}{most}")
    return value


def integer(op: str, name: str, value: Any, least: int | None = None) -> int:
    """value, if it is an integer, and at least `least` where that is given."""
    try:
        found = operator.index(None if isinstance(value, bool) else value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"[{op}] {name} is {an(value)}, expected an integer") from None
    if least is not None and found < least:
        raise ValueError(f"[{op}] {name} is {found}, expected at least {least}")
    return found


def several(op: str, name: str, value: Any) -> list[Any]:
    """What is in value, if it is iterable."""
    return list(instance(op, name, value, Iterable, "a list"))


def function(op: str, name: str, value: Any) -> Any:
    """value, if it can be called."""
    return instance(op, name, value, Callable, "a function")


def known_dtype(op: str, dtype: Any, what: str = "dtype is") -> DType:
    """dtype as NumPy's. TypeError for one that no tensor has."""
    found = None
    if dtype is not None:  # which NumPy takes for float64
        with contextlib.suppress(TypeError, ValueError):
            found = np.dtype(dtype)
    if found is None or found not in _DTYPES:
        names = ", ".join(map(str, _DTYPES[:-1])) + f" or {_DTYPES[-1]}"
        raise TypeError(f"[{op}] {what} {found or repr(dtype)}, expected {names}")
    return found


def operand(op: str, name: str, value: Any) -> Tensor:
    """value, if it is a Tensor."""
    if not is_tensor(value):
        raise TypeError(f"[{op}] {name} is {an(value)}, expected a Tensor: use bg.tensor")
    return value


def same_device(op: str, **tensors: Tensor) -> None:
    """All are where the first is."""
    first, *others = tensors
    for name in others:
        here, there = tensors[first], tensors[name]
        if type(here.array) is not type(there.array):
            raise ValueError(
                f"[{op}] {name} is on {there.device}, expected {here.device} like {first}: "
                f"use {name}.to({str(here.device)!r})"
            )


def same_floats(op: str, **tensors: Tensor) -> None:
    """All have the dtype of the first: products are never promoted silently."""
    first, *others = tensors
    expected = tensors[first].dtype
    for name in others:
        if tensors[name].dtype != expected:
            call = _FLOATS_AS_CALLS.get(str(expected))
            advice = f": use {name}.{call}" if call else ""
            raise TypeError(
                f"[{op}] {name} has dtype {tensors[name].dtype}, expected {expected}{advice}"
            )


def alike(op: str, **tensors: Tensor) -> None:
    """All are Tensors, where the first is and of its dtype."""
    like = None
    for name, x in tensors.items():
        array = (x if is_tensor(x) else operand(op, name, x)).array
        if like is None:
            like, dtype = type(array), array.dtype
        elif type(array) is not like or array.dtype != dtype:
            same_device(op, **tensors)
            same_floats(op, **tensors)


def scalar(like: Tensor, value: Any, dtype: DType) -> Tensor:
    """A constant () where `like` is."""
    return like._made(like._backend.full((), value, dtype), None)


def result_type(*operands: Operand) -> DType:
    """The type of a result, as PyTorch has it.

    A Python number gives way to a scalar tensor, that to one with axes, unless it is of a higher
    kind (bool, integer, float). Two kinds give the higher one's type; an integer and a float32
    stay float32.
    """
    found: list[list[DType]] = [[], [], []]  # of tensors with axes, scalar tensors, numbers
    for value in operands:
        if is_tensor(value):
            found[value.ndim == 0].append(value.dtype)
        else:
            kind = np.asarray(value).dtype.kind
            found[2].append({"b": BOOL, "f": FLOAT32}.get(kind, INT64))
    dtypes = [functools.reduce(_wider, group) for group in found if group]
    return functools.reduce(lambda a, b: b if _rank(b) > _rank(a) else a, dtypes)


def _rank(dtype: DType) -> int:
    return _RANK[dtype.kind]


def _wider(a: DType, b: DType) -> DType:
    if _rank(a) != _rank(b):
        return a if _rank(a) > _rank(b) else b
    return a if a == b else INT64 if a.kind in "iu" else np.promote_types(a, b)


def promoted(op: str, a: Operand, b: Operand) -> tuple[Tensor, ...]:
    """a and b as tensors of one type on one device; a number becomes a constant."""
    if is_tensor(a):  # most often there is little to do
        dtype = a.array.dtype
        if is_tensor(b):
            if type(a.array) is type(b.array) and dtype == b.array.dtype:
                return a, b
        elif dtype.kind == "f" and isinstance(b, NUMBERS):
            return a, scalar(a, b, dtype)
    tensors = {name: value for name, value in (("a", a), ("b", b)) if is_tensor(value)}
    for name, value in (("a", a), ("b", b)):
        if name not in tensors and not (tensors and isinstance(value, NUMBERS)):
            operand(op, name, value)
    same_device(op, **tensors)
    like, dtype = next(iter(tensors.values())), result_type(a, b)
    return tuple(
        value.to(dtype) if is_tensor(value) else scalar(like, value, dtype) for value in (a, b)
    )


def floating(op: str, x: Tensor, name: str = "x") -> Tensor:
    """x, if it is a Tensor: as float32 if it holds integers or bools."""
    return x if operand(op, name, x).dtype.kind == "f" else x.to(FLOAT32)
