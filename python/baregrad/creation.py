"""Tensors from numbers, arrays, shapes and random draws."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from .backend import device as find_device, kernels
from .hints import an
from .ops.arguments import (
    NUMBERS,
    expect_possible,
    integer,
    known_dtype,
    number,
    operand,
    result_type,
    sizes,
)
from .random import generator, philox_state
from .tensor import Tensor, float32, float64, int64, plain_array
from .typing import NDArray, Shape

_DLPACK = {2: "cuda", 12: "sim"}  # by kDLDeviceType
DType: TypeAlias = "np.dtype[Any] | type | None"


def tensor(
    data: Any,
    dtype: DType = None,
    *,
    device: str = "cpu",
    requires_grad: bool = False,
) -> Tensor:
    """A tensor with a copy of `data`: numbers, nested lists or an array.

    Python floats become float32; arrays keep their type unless `dtype` says otherwise.
    """
    if isinstance(data, Tensor):
        data = data.detach().cpu().numpy()
    wanted = None if dtype is None else known_dtype("tensor", dtype)
    array = np.array(plain_array(data, "tensor"), wanted, order="C")
    return Tensor(array).to(device=device).requires_grad_(requires_grad)


def from_numpy(array: NDArray) -> Tensor:
    """A tensor of the shape and memory of a NumPy array: what changes one changes the other."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"[from_numpy] array is {an(array)}, expected a NumPy array")
    return Tensor(array)


def from_dlpack(source: Any) -> Tensor:
    """A tensor of the shape and memory of another library's array or tensor, where that is."""
    if not hasattr(source, "__dlpack__") or not hasattr(source, "__dlpack_device__"):
        raise TypeError(f"[from_dlpack] source is {an(source)}, expected what has __dlpack__")
    name = _DLPACK.get(source.__dlpack_device__()[0])
    if name is None:
        return Tensor(np.from_dlpack(source))
    return Tensor._made(find_device(name).array.from_dlpack(source), None)  # type: ignore[attr-defined]


def as_tensor(data: Any, dtype: DType = None, *, device: str | None = None) -> Tensor:
    """`data` as a tensor, sharing its memory where that is possible.

    What has __cuda_array_interface__ is taken to be on CUDA, unless `device` is "sim".
    """
    if not isinstance(data, Tensor) and hasattr(data, "__cuda_array_interface__"):
        there: Any = find_device("sim" if device == "sim" else "cuda").array
        data = Tensor._made(there.from_interface(data), None)
    elif not isinstance(data, Tensor):
        data = from_numpy(data) if isinstance(data, np.ndarray) else tensor(data)
    return data.to(device=device, dtype=dtype)


def zeros(
    *size: int | Shape, dtype: DType = None, device: str = "cpu", requires_grad: bool = False
) -> Tensor:
    """Zeros of a shape: bg.zeros(2, 3) or bg.zeros((2, 3))."""
    return full(
        _shape("zeros", *size),
        0,
        _dtype("zeros", dtype),
        device=device,
        requires_grad=requires_grad,
    )


def ones(
    *size: int | Shape, dtype: DType = None, device: str = "cpu", requires_grad: bool = False
) -> Tensor:
    """Ones of a shape: bg.ones(2, 3) or bg.ones((2, 3))."""
    return full(
        _shape("ones", *size), 1, _dtype("ones", dtype), device=device, requires_grad=requires_grad
    )


def full(
    size: int | Shape,
    fill_value: float,
    dtype: DType = None,
    *,
    device: str = "cpu",
    requires_grad: bool = False,
) -> Tensor:
    """One value in a shape; by default of the type that the value has: float32, int64 or bool."""
    if not isinstance(fill_value, NUMBERS):
        raise TypeError(f"[full] fill_value is {an(fill_value)}, expected a number")
    shape = _shape("full", size)
    wanted = _dtype("full", dtype, result_type(fill_value))
    array = find_device(device).full(shape, fill_value, wanted)
    return Tensor._made(array, None).requires_grad_(requires_grad)


def zeros_like(x: Tensor, *, dtype: DType = None, device: str | None = None) -> Tensor:
    """Zeros of the shape, type and device of x."""
    return _filled_like("zeros_like", x, 0, dtype, device)


def ones_like(x: Tensor, *, dtype: DType = None, device: str | None = None) -> Tensor:
    """Ones of the shape, type and device of x."""
    return _filled_like("ones_like", x, 1, dtype, device)


def arange(
    start: float,
    end: float | None = None,
    step: float = 1,
    *,
    dtype: DType = None,
    device: str = "cpu",
) -> Tensor:
    """start, start + step, ... below end, or 0, 1, ... below start: int64, or float32 of floats."""
    first, last = (0, start) if end is None else (start, end)
    for name, value in (("start", first), ("end", last), ("step", step)):
        if not math.isfinite(number("arange", name, value)):
            raise ValueError(f"[arange] {name} is {value}, expected a finite number")
    if step == 0:
        raise ValueError("[arange] step is 0, expected another number")
    expect_possible("arange", (last - first) // step)
    wanted = _dtype("arange", dtype, result_type(first, last, step))
    return tensor(np.arange(first, last, step).astype(wanted), device=device)


def linspace(
    start: float, end: float, steps: int, *, dtype: DType = None, device: str = "cpu"
) -> Tensor:
    """`steps` numbers from start to end, both included, equally far apart."""
    first, last = number("linspace", "start", start), number("linspace", "end", end)
    expect_possible("linspace", integer("linspace", "steps", steps, 0))
    numbers = np.linspace(first, last, steps)
    return tensor(numbers.astype(_dtype("linspace", dtype)), device=device)


def eye(n: int, m: int | None = None, *, dtype: DType = None, device: str = "cpu") -> Tensor:
    """The matrix (n, m), by default square, with ones on its diagonal and zeros elsewhere."""
    rows = integer("eye", "n", n, 0)
    columns = rows if m is None else integer("eye", "m", m, 0)
    expect_possible("eye", rows * columns)
    return tensor(np.eye(rows, columns, dtype=_dtype("eye", dtype)), device=device)


def rand(
    *size: int | Shape, dtype: DType = None, device: str = "cpu", requires_grad: bool = False
) -> Tensor:
    """Random numbers, uniform in [0, 1), the same on every device for a `manual_seed`."""
    return _drawn("rand", "philox_uniform", size, dtype, device, requires_grad)


def randn(
    *size: int | Shape, dtype: DType = None, device: str = "cpu", requires_grad: bool = False
) -> Tensor:
    """Random numbers, normal with mean 0 and variance 1, as reproducible as those of `rand`."""
    return _drawn("randn", "philox_normal", size, dtype, device, requires_grad)


def rand_like(x: Tensor) -> Tensor:
    """As `rand`, with the shape, type and device of x."""
    shape = operand("rand_like", "x", x).shape
    return rand(shape, dtype=x.dtype, device=x.device)


def randn_like(x: Tensor) -> Tensor:
    """As `randn`, with the shape, type and device of x."""
    shape = operand("randn_like", "x", x).shape
    return randn(shape, dtype=x.dtype, device=x.device)


def randint(
    low: int,
    high: int | Shape,
    size: Shape | None = None,
    *,
    dtype: DType = None,
    device: str = "cpu",
) -> Tensor:
    """Random integers, low <= n < high, or 0 <= n < low: bg.randint(10, (3,))."""
    if size is None:
        if isinstance(high, int):
            raise TypeError("[randint] there is no size, expected a shape such as (3,)")
        return randint(0, low, high, dtype=dtype, device=device)
    first, end = integer("randint", "low", low), integer("randint", "high", high)
    if first >= end:
        raise ValueError(f"[randint] low is {first} and high {end}, expected low < high")
    drawn = generator().integers(first, end, _shape("randint", size))
    return tensor(drawn, _dtype("randint", dtype, int64), device=device)


def randperm(n: int, *, device: str = "cpu") -> Tensor:
    """0, 1, ..., n - 1 in a random order."""
    expect_possible("randperm", integer("randperm", "n", n, 0))
    return tensor(generator().permutation(n), int64, device=device)


def _shape(op: str, *size: int | Sequence[int]) -> Shape:
    shape = sizes(op, size)
    if shape and min(shape) < 0:
        raise ValueError(f"[{op}] size is {shape}, expected lengths of at least 0")
    expect_possible(op, math.prod(shape))
    return shape


def _dtype(op: str, dtype: DType, usual: np.dtype[Any] = float32) -> np.dtype[Any]:
    return usual if dtype is None else known_dtype(op, dtype)


def _filled_like(op: str, x: Tensor, value: float, dtype: DType, device: str | None) -> Tensor:
    shape, wanted = operand(op, "x", x).shape, _dtype(op, dtype, x.dtype)
    return full(shape, value, wanted, device=x.device if device is None else device)


def _drawn(
    op: str, kernel: str, size: Any, dtype: DType, device: str, requires_grad: bool
) -> Tensor:
    shape, wanted, backend = sizes(op, size), _dtype(op, dtype), find_device(device)
    if wanted not in (float32, float64):
        raise TypeError(f"[{op}] dtype is {wanted}, expected float32 or float64")
    out = backend.empty(_shape(op, shape), wanted)
    state = backend.from_numpy(philox_state(math.prod(shape)))
    getattr(kernels(out), kernel)(state, out=out)
    return Tensor._made(out, None).requires_grad_(requires_grad)
