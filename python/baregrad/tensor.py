"""Tensor: an array, a gradient, and the Function that made it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any
from weakref import ref

import numpy as np

from . import autograd, ops
from .backend import Backend, backend_of, device as find_device, kernels
from .devices import Device
from .hints import INSTEAD, Missing
from .methods import Methods
from .ops.arguments import dimension, function, known_dtype, operand
from .protocols import Protocols
from .typing import Array, ArrayLike, NDArray, Shape

__all__ = [
    "Tensor",
    "as_tensor",
    "bool_",
    "float32",
    "float64",
    "from_numpy",
    "int64",
    "plain_array",
    "tensor",
    "uint8",
]

float32, float64 = np.dtype(np.float32), np.dtype(np.float64)
int64, uint8, bool_ = np.dtype(np.int64), np.dtype(np.uint8), np.dtype(np.bool_)
_ANY_HISTORY = -1  # of a detached tensor: what a graph does to its memory is not its business


class Tensor(Methods, Protocols):
    """An array on a device that autograd can follow. Make one with `bg.tensor` or `bg.from_numpy`.

    Of any shape, () included. `array` is the raw array: on the CPU a NumPy array, elsewhere the backend's own Array.
    """

    __slots__ = (
        "__weakref__",
        "_history",
        "_hooks",
        "_version",
        "array",
        "grad",
        "grad_fn",
        "requires_grad",
    )
    __array_ufunc__ = None  # else `ndarray @ tensor` would be NumPy's, and lose the gradient

    array: Array
    grad: Tensor | None
    grad_fn: autograd.Function | None
    requires_grad: bool
    _version: autograd.Version
    _history: int  # how many recorded changes of its memory its graph knows
    _hooks: list[Callable[[Array], Array]] | None
    _number = 0  # as a leaf, behind all that was made of it

    def __init__(self, data: ArrayLike | Tensor, *, requires_grad: bool = False) -> None:
        if isinstance(data, Tensor):
            self._set(data.array, None)
            self._views(data)._history = _ANY_HISTORY
        else:
            self._set(plain_array(data, "Tensor"), None)
        self.requires_grad_(requires_grad)

    def _set(self, array: Array, function: autograd.Function | None) -> Tensor:
        self.array, self.grad_fn, self.grad = array, function, None
        self.requires_grad = function is not None
        self._version, self._history, self._hooks = autograd.Version(), 0, None
        return self

    @staticmethod
    def _made(array: Array, function: autograd.Function | None) -> Tensor:
        """The result of an op: nothing is checked again."""
        return object.__new__(Tensor)._set(array, function)

    def _views(self, base: Tensor) -> Tensor:
        """Say that this is a view of `base`, so that a change of one is seen by both."""
        self._version, self._history = base._version, base._history
        if base.requires_grad and base.grad_fn is None:
            base._version.leaf = True
        return self

    # What it is

    @property
    def shape(self) -> Shape:
        """The length of each axis, as a tuple."""
        return tuple(self.array.shape)

    def size(self, dim: int | None = None) -> Any:
        """The shape, or the length of one dimension."""
        return self.shape if dim is None else self.shape[dimension("size", dim, self.ndim)]

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.array.shape)

    def dim(self) -> int:
        """The number of axes."""
        return self.ndim

    def numel(self) -> int:
        """The number of elements."""
        return math.prod(self.array.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of an element: bg.float32, bg.float64, bg.int64, bg.uint8 or bg.bool."""
        dtype: np.dtype[Any] = self.array.dtype
        return dtype

    @property
    def device(self) -> Device:
        """Where the array is: "cpu", "sim", ..."""
        return Device(self._backend.name)

    @property
    def is_leaf(self) -> bool:
        """Whether no op made it: then backward leaves its gradient in `.grad`."""
        return self.grad_fn is None

    @property
    def _backend(self) -> Backend:
        return backend_of(self.array)

    # Getting values out

    def numpy(self) -> NDArray:
        """The values as a NumPy array: on the CPU the very memory, from a device a copy.

        RuntimeError for a tensor that requires grad: changes of the array would go unseen.
        """
        if self.requires_grad:
            raise RuntimeError("[numpy] the tensor requires grad, expected x.detach().numpy()")
        return self._backend.to_numpy(self.array)

    def item(self) -> float | int | bool:
        """The only element, as a Python number. ValueError if there is not exactly one."""
        if self.numel() != 1:
            raise ValueError(f"[item] the tensor has shape {self.shape}, expected one element")
        value: float | int | bool = self._backend.to_numpy(self.array).item()
        return value

    def tolist(self) -> Any:
        """The values as nested lists of Python numbers."""
        return self._backend.to_numpy(self.array).tolist()

    # Gradients

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Ask for a gradient of this leaf, or no longer. TypeError unless it holds floats."""
        if requires_grad and self.dtype.kind != "f":
            raise TypeError(f"[requires_grad_] dtype is {self.dtype}, expected float32 or float64")
        if not requires_grad and self.grad_fn is not None:
            raise RuntimeError("[requires_grad_] an op made this tensor, expected x.detach()")
        if self.grad_fn is None and requires_grad != self.requires_grad:
            self._version.leaf = requires_grad
        self.requires_grad = requires_grad
        return self

    def detach(self) -> Tensor:
        """The same memory, outside the graph."""
        out = Tensor._made(self.array, None)._views(self)
        out._history = _ANY_HISTORY
        return out

    @property
    def data(self) -> Tensor:
        """The same memory, outside the graph; autograd does not see what is done to it."""
        return Tensor._made(self.array, None)

    @data.setter
    def data(self, data: ArrayLike | Tensor) -> None:
        self.array = Tensor(data).to(self.dtype).array

    def backward(
        self,
        gradient: Tensor | None = None,
        *,
        retain_graph: bool = False,
        create_graph: bool = False,
    ) -> None:
        """Add the derivative of this tensor, times `gradient`, to `.grad` of every leaf below it.

        `gradient` has the shape of this tensor and may be left out if that is one element. The
        graph is freed unless `retain_graph`: RuntimeError for a second pass, or where nothing asks
        for gradients. NotImplementedError for create_graph: there are no second derivatives.
        """
        if create_graph:
            raise NotImplementedError("[backward] create_graph=True: no second derivatives here")
        if not self.requires_grad:
            raise RuntimeError("[backward] no input of this tensor requires grad, expected one")
        autograd.backward([(self, self._upstream("backward", gradient))], retain_graph=retain_graph)

    def _upstream(self, op: str, gradient: Tensor | None) -> Array:
        """The array with which a backward pass starts: `gradient`, checked, or 1."""
        if gradient is None:
            if self.numel() != 1:
                raise RuntimeError(
                    f"[{op}] the tensor has shape {self.shape}, expected one element or gradient="
                )
            return self._backend.full(self.shape, 1.0, self.dtype)
        if operand(op, "gradient", gradient).shape != self.shape or gradient.dtype != self.dtype:
            raise ValueError(
                f"[{op}] gradient is {gradient.dtype} {gradient.shape}, "
                f"expected {self.dtype} {self.shape}"
            )
        return gradient.detach().to(self.device).array

    def _accumulate(self, dout: Array, ours: bool) -> None:
        """grad += dout. If dout is not ours, it is copied rather than kept."""
        if self.grad is not None:
            total = self.grad.array
            kernels(total).add(total, dout, out=total)
            self.grad._changed()
        else:
            self.grad = Tensor._made(
                dout if ours else kernels.moving(dout).copy_strided(dout), None
            )

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> Hook:
        """Call hook(gradient) when backward gets here; what it returns replaces the gradient."""
        if not self.requires_grad:
            raise RuntimeError("[register_hook] the tensor does not require grad, expected one")
        function("register_hook", "hook", hook)

        def on_arrays(dout: Array) -> Array:
            changed = hook(Tensor._made(dout, None))
            return dout if changed is None else operand("register_hook", "a result", changed).array

        node = self.grad_fn or self
        node._hooks = [*(node._hooks or ()), on_arrays]
        return Hook(node, on_arrays)

    def retain_grad(self) -> None:
        """Have backward leave the gradient in `.grad` though an op made this tensor."""
        if self.is_leaf:
            return
        weak = ref(self)  # the graph must not keep its own result alive

        def keep(gradient: Tensor) -> None:
            if (tensor := weak()) is not None:
                tensor._accumulate(gradient.array, False)

        self.register_hook(keep)

    # Changes in place

    def _prepare_change(self, op: str, *others: Tensor) -> bool:
        """Whether a change in place must be recorded. RuntimeError if it must not be."""
        if not autograd.is_grad_enabled():
            return False
        if not any(tensor.requires_grad for tensor in (self, *others)):
            return False
        if self._version.leaf or (self.requires_grad and self.grad_fn is None):
            raise RuntimeError(
                f"[{op}] a leaf that requires grad, or a view of one, cannot be changed in place, "
                "expected to be inside `with bg.no_grad():`"
            )
        return True

    def _become(self, result: Tensor) -> Tensor:
        """Take on the values of `result`, and its place in the graph."""
        if result.shape != self.shape:
            raise ValueError(
                f"[in place] the result has shape {result.shape}, expected {self.shape}"
            )
        copy, function = kernels.moving(self.array).copy_strided, result.grad_fn
        if function is not None and any(array is self.array for array in function.saved):
            old = copy(self.array)
            function.saved = tuple(old if a is self.array else a for a in function.saved)
            function._versions = tuple(v for v in function._versions if v[0] is not self._version)
        copy(result.array, out=self.array)
        if function is not None:
            self.grad_fn, self.requires_grad = function, True
            self._version.recorded += 1
            self._history = self._version.recorded
        return self._changed()

    def _changed(self) -> Tensor:
        self._version.number += 1
        return self

    def _check_history(self, op: str) -> None:
        if self._history != _ANY_HISTORY:
            raise RuntimeError(
                f"[{op}] another view of this tensor's memory was changed in place while gradients "
                "were recorded, expected x[i] = x[i] + y rather than x[i] += y, or to clone first"
            )

    # Where it is, and as what

    @property
    def T(self) -> Tensor:  # noqa: N802
        """A matrix (m, n) seen as (n, m), without a copy."""
        if self.ndim != 2:
            raise ValueError(f"[T] the tensor has shape {self.shape}, expected (m, n); or use .mT")
        return ops.swapped(self)

    @property
    def mT(self) -> Tensor:  # noqa: N802
        """(..., m, n) seen as (..., n, m), without a copy."""
        if self.ndim < 2:
            raise ValueError(f"[mT] the tensor has shape {self.shape}, expected (..., m, n)")
        return ops.swapped(self)

    def to(
        self,
        target: str | np.dtype[Any] | type | Tensor | None = None,
        dtype: np.dtype[Any] | type | None = None,
        *,
        device: str | None = None,
    ) -> Tensor:
        """This tensor on a device ("cpu", "sim", ...), of a dtype, or as another; itself if it is.

        x.to("sim"), x.to(bg.float64), x.to("sim", bg.int64), x.to(other)
        """
        if isinstance(target, Tensor):
            device, dtype = target.device, target.dtype
        elif isinstance(target, str):
            device = target
        elif target is not None:
            dtype = target
        where = self._backend if device is None else find_device(device)
        wanted = self.dtype if dtype is None else known_dtype("to", dtype)
        if where is self._backend and wanted == self.dtype:
            return self
        return ops.convert(self, where, wanted)

    def cpu(self) -> Tensor:
        """This tensor on the CPU."""
        return self.to("cpu")

    def float(self) -> Tensor:
        """This tensor as float32."""
        return self.to(float32)

    def double(self) -> Tensor:
        """This tensor as float64."""
        return self.to(float64)

    def long(self) -> Tensor:
        """This tensor as int64; fractions are dropped."""
        return self.to(int64)

    def bool(self) -> Tensor:
        """Whether each element is other than 0."""
        return self.to(bool_)

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if name not in INSTEAD]


for _name in INSTEAD:  # no __getattr__, with which Python finds every other name more slowly
    setattr(Tensor, _name, Missing(_name, INSTEAD[_name]))


class Hook:
    """What register_hook returns: `remove()` undoes it."""

    def __init__(self, node: autograd.Node, hook: Callable[[Array], Array]) -> None:
        self._node, self._hook = node, hook

    def remove(self) -> None:
        """Call the hook no more."""
        self._node._hooks = [h for h in self._node._hooks or () if h is not self._hook]


def plain_array(data: Any, op: str) -> NDArray:
    """`data` as a plain ndarray in native byte order; Python's floats as float32."""
    if hasattr(data, "mask") and hasattr(data, "filled"):
        raise TypeError(
            f"[{op}] data is a masked array, expected data.filled(value): its mask is lost"
        )
    try:
        array = np.asarray(data)
    except ValueError as error:
        raise ValueError(
            f"[{op}] data is no array, expected rows that are alike: {error}"
        ) from None
    dtype = known_dtype(op, array.dtype.newbyteorder("="), "data has dtype")
    if dtype == float64 and not hasattr(data, "dtype"):
        dtype = float32
    return array.astype(dtype, copy=False)


from .creation import as_tensor, from_numpy, tensor
