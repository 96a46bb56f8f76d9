"""The same numbers as another type or on another device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..autograd import Function
from ..backend import Backend, backend_of, kernels
from ..typing import Array

if TYPE_CHECKING:
    from ..tensor import Tensor


class Cast(Function):
    """out = x of another type; dx = dout of the type of x."""

    def forward(self, x: Array, dtype: np.dtype[Any]) -> Array:
        self.origin = x.dtype
        return kernels.moving(x).cast(x, dtype)

    def backward(self, dout: Array) -> tuple[Array]:
        return (kernels.moving(dout).cast(dout, self.origin),)


class Move(Function):
    """out = x on another device, by way of NumPy; dx = dout back where x is."""

    def forward(self, x: Array, backend: Backend) -> Array:
        self.origin = backend_of(x)
        return _moved(x, backend)

    def backward(self, dout: Array) -> tuple[Array]:
        return (_moved(dout, self.origin),)


def _moved(x: Array, backend: Backend) -> Any:
    return backend.from_numpy(backend_of(x).to_numpy(x))


def convert(x: Tensor, backend: Backend, dtype: np.dtype[Any]) -> Tensor:
    """x (...) -> (...): on `backend`, of type `dtype`; x itself if it is so."""
    if x.dtype != dtype:
        x = Cast.apply(x if dtype.kind == "f" else x.detach(), dtype=dtype)
    return x if x._backend is backend else Move.apply(x, backend=backend)
