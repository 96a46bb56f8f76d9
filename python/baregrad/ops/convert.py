"""From one device or dtype to another, by way of NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd import Function
from ..backend import Backend, backend_of
from ..tensor import Tensor
from ..typing import Array


class Convert(Function):
    """The same values elsewhere; the gradient travels back."""

    def forward(self, x: Array, backend: Backend, dtype: np.dtype[Any]) -> Any:
        self.origin = backend_of(x), x.dtype
        return _convert(x, backend, dtype)

    def backward(self, dout: Array) -> tuple[Any]:
        return (_convert(dout, *self.origin),)


def _convert(x: Array, backend: Backend, dtype: np.dtype[Any]) -> Any:
    return backend.from_numpy(backend_of(x).to_numpy(x).astype(dtype))


def convert(x: Tensor, backend: Backend, dtype: np.dtype[Any]) -> Tensor:
    """x (...) -> (...): a copy on `backend`, of type `dtype`."""
    return Convert.apply(x, backend=backend, dtype=dtype)
