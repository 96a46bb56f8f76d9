"""What Python, NumPy and other libraries ask of an object: len, iter, int, repr, pickle, DLPack."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from .backend import device as find_device
from .typing import NDArray

if TYPE_CHECKING:
    from .tensor import Tensor

_USUAL = tuple(np.dtype(t) for t in (np.float32, np.int64, np.bool_))  # their values show them


class Protocols:
    """The methods between double underscores that are no operators."""

    __slots__ = ()

    def __array__(self: Any, dtype: Any = None, copy: bool | None = None) -> NDArray:
        return np.array(self.numpy(), dtype, copy=copy)

    def __dlpack__(self: Any, **options: Any) -> Any:
        # NumPy asks without a stream; and what is on the simulator only looks like the host's.
        if self.device == "sim" and options.get("stream") is None:
            raise BufferError("[dlpack] the tensor is on sim, expected x.cpu()")
        return self._shared("__dlpack__").__dlpack__(**options)

    def __dlpack_device__(self: Any) -> tuple[Any, Any]:
        return self._shared("__dlpack_device__").__dlpack_device__()

    @property
    def __cuda_array_interface__(self: Any) -> dict[str, Any]:
        """Shape, type and address for other libraries of CUDA; on the CPU there is none."""
        op = "__cuda_array_interface__"
        if not hasattr(self.array, op):
            raise AttributeError(f"a tensor on {self.device} has no {op}")
        return self._shared(op).__cuda_array_interface__

    def _shared(self: Any, op: str) -> Any:
        if isinstance(self.array, np.ndarray):
            return self.numpy()
        if self.requires_grad:
            raise BufferError(f"[{op}] the tensor requires grad, expected x.detach()")
        if not hasattr(self.array, op):
            raise BufferError(f"[{op}] the tensor is on {self.device}, expected x.cpu()")
        return self.array

    def __float__(self: Any) -> float:
        return float(self.item())

    def __int__(self: Any) -> int:
        return int(self.item())

    def __index__(self: Any) -> int:
        if self.dtype.kind not in "iu":
            raise TypeError(f"[index] the tensor has dtype {self.dtype}, expected int64")
        return int(self.item())

    def __bool__(self: Any) -> bool:
        return bool(self.item())

    def __format__(self: Any, spec: str) -> str:
        return format(self.item(), spec) if spec else str(self)

    def __len__(self: Any) -> int:
        if self.ndim == 0:
            raise TypeError("len() of a tensor of shape ()")
        return self.shape[0]

    def __iter__(self: Any) -> Iterator[Tensor]:
        if self.ndim == 0:
            raise TypeError("iteration over a tensor of shape ()")
        return (self[i] for i in range(len(self)))

    def __contains__(self: Any, value: float | Tensor) -> bool:
        return bool((self == value).any())

    def __repr__(self: Any) -> str:
        text = np.array2string(self._backend.to_numpy(self.array), separator=", ", prefix="tensor(")
        notes = [text]
        if self.numel() == 0 and self.shape != (0,):
            notes.append(f"size={self.shape}")
        if self.device != "cpu":
            notes.append(f"device='{self.device}'")
        if self.dtype not in _USUAL:
            notes.append(f"dtype={self.dtype}")
        if self.grad_fn is not None:
            notes.append(f"grad_fn={self.grad_fn!r}")
        elif self.requires_grad:
            notes.append("requires_grad=True")
        return f"tensor({', '.join(notes)})"

    def __reduce_ex__(self: Any, _: Any) -> tuple[Any, ...]:
        if self.grad_fn is not None:
            raise RuntimeError("[pickle] an op made this tensor, expected x.detach()")
        values = self._backend.to_numpy(self.array)
        state = getattr(self, "__dict__", None)
        return _rebuilt, (type(self), values, str(self.device), self.requires_grad), state

    def __deepcopy__(self: Any, memo: dict[int, Any]) -> Tensor:
        rebuild, (kind, values, *rest), state = self.__reduce_ex__(4)
        twin: Tensor = rebuild(kind, values.copy(), *rest)
        memo[id(self)] = twin
        twin.grad = None if self.grad is None else self.grad.clone()
        for name, value in (state or {}).items():
            setattr(twin, name, value)
        return twin


def _rebuilt(kind: type[Any], values: NDArray, device: str, requires_grad: bool) -> Any:
    out = object.__new__(kind)
    out._set(find_device(device).from_numpy(values), None)
    return out.requires_grad_(requires_grad)
