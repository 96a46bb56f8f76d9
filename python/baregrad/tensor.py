"""Tensor: an array, a gradient, and the Function that made it."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import autograd
from .backend import Backend, backend_of, device as find_device
from .typing import ArrayLike, NDArray, Shape

float32, float64 = np.dtype(np.float32), np.dtype(np.float64)
int64, uint8, bool_ = np.dtype(np.int64), np.dtype(np.uint8), np.dtype(np.bool_)
_DTYPES = (float32, float64, int64, np.dtype(np.int32), uint8, bool_)
_FLOATS = (float32, float64)


class Tensor:
    """An array on a device that autograd can follow. Make one with `bg.tensor` or `bg.from_numpy`.

    `data` is the raw array: on the CPU a NumPy array, elsewhere the backend's own Array.
    """

    __slots__ = ("__weakref__", "_version", "data", "grad", "grad_fn", "requires_grad")
    __array_ufunc__ = None  # else `ndarray @ tensor` would be NumPy's, and lose the gradient

    data: Any
    grad: Tensor | None
    grad_fn: autograd.Function | None
    _version: autograd.Version
    requires_grad: bool

    def __init__(self, data: ArrayLike | Tensor, *, requires_grad: bool = False) -> None:
        self.data = data.data if isinstance(data, Tensor) else _array(data, "Tensor")
        self.grad = self.grad_fn = None
        self._version = data._version if isinstance(data, Tensor) else autograd.Version()
        self.requires_grad = False
        self.requires_grad_(requires_grad)

    @staticmethod
    def _made(array: Any, function: autograd.Function | None) -> Tensor:
        """The result of an op: nothing is checked again."""
        out = object.__new__(Tensor)
        out.data, out.grad_fn, out.grad = array, function, None
        out.requires_grad = function is not None
        out._version = autograd.Version()
        return out

    def _views(self, base: Tensor) -> Tensor:
        """Say that this is a view of `base`, so that a change of one is seen by both."""
        self._version = base._version
        return self

    # What it is

    @property
    def shape(self) -> Shape:
        """The length of each axis, as a tuple."""
        return tuple(self.data.shape)

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.data.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of an element: bg.float32, bg.float64, bg.int64, bg.uint8 or bg.bool."""
        dtype: np.dtype[Any] = self.data.dtype
        return dtype

    @property
    def device(self) -> str:
        """Where the array is: "cpu", "sim", ..."""
        return self._backend.name

    @property
    def is_leaf(self) -> bool:
        """Whether no op made it: then backward leaves its gradient in `.grad`."""
        return self.grad_fn is None

    @property
    def _backend(self) -> Backend:
        return backend_of(self.data)

    def numel(self) -> int:
        """The number of elements."""
        return int(np.prod(self.shape, dtype=np.int64))

    # Getting values out

    def numpy(self) -> NDArray:
        """The values as a NumPy array: on the CPU the very memory, from a device a copy.

        RuntimeError for a tensor that requires grad: changes of the array would go unseen.
        """
        if self.requires_grad:
            raise RuntimeError("[numpy] the tensor requires grad, expected x.detach().numpy()")
        return self._backend.to_numpy(self.data)

    def item(self) -> float | int | bool:
        """The only element, as a Python number. ValueError if there is not exactly one."""
        if self.numel() != 1:
            raise ValueError(f"[item] the tensor has shape {self.shape}, expected one element")
        value: float | int | bool = self._backend.to_numpy(self.data).item()
        return value

    def tolist(self) -> Any:
        """The values as nested lists of Python numbers."""
        return self._backend.to_numpy(self.data).tolist()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray:
        return np.array(self.numpy(), dtype, copy=copy)

    def __float__(self) -> float:
        return float(self.item())

    def __bool__(self) -> bool:
        return bool(self.item())

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else str(self)

    def __len__(self) -> int:
        if self.ndim == 0:
            raise TypeError("len() of a tensor of shape ()")
        return self.shape[0]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (Tensor, np.ndarray)) and other is not self:
            raise TypeError("[==] tensors are not compared here, expected x.numpy() == y.numpy()")
        return other is self

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        text = np.array2string(self._backend.to_numpy(self.data), separator=", ", prefix="tensor(")
        notes = [text]
        if self.device != "cpu":
            notes.append(f"device='{self.device}'")
        if self.dtype not in (float32, int64, bool_):
            notes.append(f"dtype={self.dtype}")
        if self.grad_fn is not None:
            notes.append(f"grad_fn={type(self.grad_fn).__name__}")
        elif self.requires_grad:
            notes.append("requires_grad=True")
        return f"tensor({', '.join(notes)})"

    # Gradients

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Ask for a gradient of this leaf, or no longer. TypeError unless it holds floats."""
        if requires_grad and self.dtype not in _FLOATS:
            raise TypeError(f"[requires_grad_] dtype is {self.dtype}, expected float32 or float64")
        if not requires_grad and self.grad_fn is not None:
            raise RuntimeError("[requires_grad_] an op made this tensor, expected x.detach()")
        self.requires_grad = requires_grad
        return self

    def detach(self) -> Tensor:
        """The same memory, outside the graph."""
        return Tensor._made(self.data, None)._views(self)

    def backward(
        self,
        gradient: Tensor | None = None,
        *,
        retain_graph: bool = False,
        create_graph: bool = False,
    ) -> None:
        """Add the derivative of this tensor, times `gradient`, to `.grad` of every leaf below it.

        `gradient` has the shape of this tensor and may be left out if that is one element. The
        graph is freed unless `retain_graph`. Second derivatives are not offered.
        """
        if create_graph:
            raise NotImplementedError("[backward] create_graph=True: no second derivatives here")
        if not self.requires_grad:
            raise RuntimeError("[backward] no input of this tensor requires grad, expected one")
        if gradient is None:
            if self.numel() != 1:
                raise RuntimeError(
                    f"[backward] the tensor has shape {self.shape}, expected one element or gradient="
                )
            dout = self._backend.full(self.shape, 1.0, self.dtype)
        else:
            if gradient.shape != self.shape or gradient.dtype != self.dtype:
                raise ValueError(
                    f"[backward] gradient is {gradient.dtype} {gradient.shape}, "
                    f"expected {self.dtype} {self.shape}"
                )
            dout = gradient.to(self.device).data
        autograd.backward(self, dout, retain_graph=retain_graph, borrowed=gradient is not None)

    # Ops, in ops/

    def __matmul__(self, other: Tensor) -> Tensor:
        return ops.matmul(self, _operand(other))

    def __rmatmul__(self, other: Any) -> Tensor:
        return ops.matmul(_operand(other), self)

    def matmul(self, other: Tensor) -> Tensor:
        """The matrix product, as `self @ other`."""
        return ops.matmul(self, other)

    def relu(self) -> Tensor:
        """max(x, 0) of every element."""
        return ops.relu(self)

    def tanh(self) -> Tensor:
        """The hyperbolic tangent of every element."""
        return ops.tanh(self)

    def reshape(self, *shape: int | Shape) -> Tensor:
        """The same elements under another shape: x.reshape(2, -1) or x.reshape((2, -1))."""
        lengths = shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape
        return ops.reshape(self, tuple(lengths))  # type: ignore[arg-type]

    @property
    def mT(self) -> Tensor:  # noqa: N802
        """The last two axes swapped, without a copy."""
        return ops.transpose(self)

    @property
    def T(self) -> Tensor:  # noqa: N802
        """A matrix (m, n) seen as (n, m), without a copy."""
        if self.ndim != 2:
            raise ValueError(f"[T] the tensor has shape {self.shape}, expected (m, n); or use .mT")
        return ops.transpose(self)

    def to(self, target: str | np.dtype[Any] | type) -> Tensor:
        """This tensor on a device ("cpu", "sim", ...) or of another dtype; itself if it is so."""
        if isinstance(target, str):
            where, dtype = find_device(target), self.dtype
        else:
            where, dtype = self._backend, np.dtype(target)
        if where is self._backend and dtype == self.dtype:
            return self
        if dtype not in _DTYPES:
            raise TypeError(f"[to] dtype is {dtype}, expected {_dtype_names()}")
        return ops.convert(self, where, dtype)

    def cpu(self) -> Tensor:
        """This tensor on the CPU."""
        return self.to("cpu")

    def float(self) -> Tensor:
        """This tensor as float32."""
        return self.to(float32)

    def double(self) -> Tensor:
        """This tensor as float64."""
        return self.to(float64)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise AttributeError(
            f"Tensor has no {name!r}; docs/api.md lists what it has, and x.numpy() is the way to "
            "everything else outside the graph"
        )


def tensor(
    data: Any,
    dtype: np.dtype[Any] | type | None = None,
    *,
    device: str = "cpu",
    requires_grad: bool = False,
) -> Tensor:
    """A tensor with a copy of `data`: numbers, nested lists or an array.

    Python floats become float32; arrays keep their type unless `dtype` says otherwise.
    """
    if isinstance(data, Tensor):
        data = data.detach().numpy()
    array = np.array(_array(data, "tensor"), dtype, order="C")
    return Tensor(_array(array, "tensor")).to(device).requires_grad_(requires_grad)


def from_numpy(array: NDArray) -> Tensor:
    """A tensor that shares the memory of a NumPy array: what changes one changes the other."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"[from_numpy] array is a {type(array).__name__}, expected a NumPy array")
    return Tensor(array)


def as_tensor(data: Any) -> Tensor:
    """`data` as a tensor, sharing its memory where that is possible."""
    if isinstance(data, Tensor):
        return data
    return from_numpy(data) if isinstance(data, np.ndarray) else tensor(data)


def _array(data: Any, op: str) -> NDArray:
    """`data` as a plain ndarray in native byte order; Python's floats as float32."""
    array = np.asarray(data)
    dtype = array.dtype.newbyteorder("=")
    if dtype not in _DTYPES:
        raise TypeError(f"[{op}] data has dtype {dtype}, expected {_dtype_names()}")
    if dtype == float64 and not hasattr(data, "dtype"):
        dtype = float32
    return array.astype(dtype, copy=False)


def _operand(value: Any) -> Tensor:
    if not isinstance(value, Tensor):
        kind = type(value).__name__
        raise TypeError(f"[matmul] an operand is a {kind}, expected a Tensor: use bg.tensor")
    return value


def _dtype_names() -> str:
    return ", ".join(map(str, _DTYPES[:-1])) + f" or {_DTYPES[-1]}"


from . import ops
