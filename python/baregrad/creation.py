"""Tensors from numbers, arrays, shapes and random draws."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from .backend import device as find_device, kernels
from .ops.arguments import NUMBERS, result_type, sizes
from .random import generator, philox_state
from .tensor import Tensor, float32, int64, plain_array
from .typing import NDArray, Shape

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
    array = np.array(plain_array(data, "tensor"), dtype, order="C")
    return Tensor(plain_array(array, "tensor")).to(device).requires_grad_(requires_grad)


def from_numpy(array: NDArray) -> Tensor:
    """A tensor that shares the memory of a NumPy array: what changes one changes the other."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"[from_numpy] array is a {type(array).__name__}, expected a NumPy array")
    return Tensor(array)


def from_dlpack(source: Any) -> Tensor:
    """A tensor that shares the memory of another library's array or tensor, on the CPU."""
    return Tensor(np.from_dlpack(source))


def as_tensor(data: Any, dtype: DType = None, *, device: str | None = None) -> Tensor:
    """`data` as a tensor, sharing its memory where that is possible."""
    if not isinstance(data, Tensor):
        data = from_numpy(data) if isinstance(data, np.ndarray) else tensor(data)
    return data.to(device=device, dtype=dtype)


def zeros(
    *size: int | Shape, dtype: DType = None, device: str = "cpu", requires_grad: bool = False
) -> Tensor:
    """Zeros of a shape: bg.zeros(2, 3) or bg.zeros((2, 3))."""
    return full(
        sizes("zeros", size), 0, dtype or float32, device=device, requires_grad=requires_grad
    )


def ones(
    *size: int | Shape, dtype: DType = None, device: str = "cpu", requires_grad: bool = False
) -> Tensor:
    """Ones of a shape: bg.ones(2, 3) or bg.ones((2, 3))."""
    return full(
        sizes("ones", size), 1, dtype or float32, device=device, requires_grad=requires_grad
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
        raise TypeError(f"[full] fill_value is a {type(fill_value).__name__}, expected a number")
    shape = _shape("full", size)
    wanted = result_type(fill_value) if dtype is None else np.dtype(dtype)
    array = find_device(device).full(shape, fill_value, wanted)
    return Tensor._made(array, None).requires_grad_(requires_grad)


def zeros_like(x: Tensor, *, dtype: DType = None, device: str | None = None) -> Tensor:
    """Zeros of the shape, type and device of x."""
    return full(x.shape, 0, dtype or x.dtype, device=device or x.device)


def ones_like(x: Tensor, *, dtype: DType = None, device: str | None = None) -> Tensor:
    """Ones of the shape, type and device of x."""
    return full(x.shape, 1, dtype or x.dtype, device=device or x.device)


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
    if step:
        _expect_possible("arange", (last - first) // step)
    numbers = np.arange(first, last, step)
    wanted = result_type(*(n for n in (first, last, step))) if dtype is None else dtype
    return tensor(numbers.astype(wanted), device=device)


def linspace(
    start: float, end: float, steps: int, *, dtype: DType = None, device: str = "cpu"
) -> Tensor:
    """`steps` numbers from start to end, both included, equally far apart."""
    _expect_possible("linspace", steps)
    return tensor(np.linspace(start, end, steps).astype(dtype or float32), device=device)


def eye(n: int, m: int | None = None, *, dtype: DType = None, device: str = "cpu") -> Tensor:
    """The matrix (n, m), by default square, with ones on its diagonal and zeros elsewhere."""
    return tensor(np.eye(n, m, dtype=dtype or float32), device=device)


def rand(
    *size: int | Shape, dtype: DType = None, device: str = "cpu", requires_grad: bool = False
) -> Tensor:
    """Random numbers, uniform in [0, 1), the same on every device for a `manual_seed`."""
    return _drawn("philox_uniform", sizes("rand", size), dtype, device, requires_grad)


def randn(
    *size: int | Shape, dtype: DType = None, device: str = "cpu", requires_grad: bool = False
) -> Tensor:
    """Random numbers, normal with mean 0 and variance 1, as reproducible as those of `rand`."""
    return _drawn("philox_normal", sizes("randn", size), dtype, device, requires_grad)


def rand_like(x: Tensor) -> Tensor:
    """As `rand`, with the shape, type and device of x."""
    return rand(x.shape, dtype=x.dtype, device=x.device)


def randn_like(x: Tensor) -> Tensor:
    """As `randn`, with the shape, type and device of x."""
    return randn(x.shape, dtype=x.dtype, device=x.device)


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
    drawn = generator().integers(low, high, _shape("randint", size))
    return tensor(drawn, dtype or int64, device=device)


def randperm(n: int, *, device: str = "cpu") -> Tensor:
    """0, 1, ..., n - 1 in a random order."""
    _expect_possible("randperm", n)
    return tensor(generator().permutation(n), int64, device=device)


def _shape(op: str, size: int | Sequence[int]) -> Shape:
    shape = sizes(op, (size,))
    if shape and min(shape) < 0:
        raise ValueError(f"[{op}] size is {shape}, expected lengths of at least 0")
    return shape


def _expect_possible(op: str, elements: float) -> None:
    # NumPy counts them in an int64, and where that wraps makes an array of none.
    if elements >= 2**60:
        raise ValueError(f"[{op}] would have {elements} elements, expected fewer than 2^60")


def _drawn(kernel: str, shape: Shape, dtype: DType, device: str, requires_grad: bool) -> Tensor:
    backend = find_device(device)
    out = backend.empty(_shape(kernel, shape), np.dtype(dtype or float32))
    state = backend.from_numpy(philox_state(math.prod(shape)))
    getattr(kernels(out), kernel)(state, out=out)
    return Tensor._made(out, None).requires_grad_(requires_grad)
