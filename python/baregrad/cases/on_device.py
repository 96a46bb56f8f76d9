"""The kernels of a device, called with NumPy arrays and answering with NumPy arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backend import Backend
from ..typing import NDArray


class OnDevice:
    """A table whose arguments travel to the device and whose results travel back.

    What a kernel changes in place is copied back into the NumPy array that was given.
    """

    def __init__(self, device: Backend) -> None:
        self.device = device

    def __getattr__(self, kernel: str) -> Any:
        function = getattr(self.device.table, kernel)

        def call(*args: Any, **kwargs: Any) -> Any:
            there: dict[int, tuple[NDArray, Any]] = {}
            result = function(
                *(self._send(a, there) for a in args),
                **{name: self._send(a, there) for name, a in kwargs.items()},
            )
            for array, sent in there.values():
                if array.flags.writeable:
                    array[...] = self.device.to_numpy(sent)
            if isinstance(result, tuple):
                return tuple(map(self.device.to_numpy, result))
            return result if result is None else self.device.to_numpy(result)

        return call

    def sent(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """The arguments on the device, for a kernel of its own table."""
        there: dict[int, tuple[NDArray, Any]] = {}
        return {name: self._send(value, there) for name, value in arguments.items()}

    def _send(self, value: Any, there: dict[int, tuple[NDArray, Any]]) -> Any:
        if isinstance(value, (list, tuple)):
            return [self._send(item, there) for item in value]
        if not isinstance(value, np.ndarray):
            return value
        if id(value) not in there:
            there[id(value)] = (value, on_device(self.device, value))
        return there[id(value)][1]


def on_device(device: Backend, array: NDArray) -> Any:
    """A copy on the device, a view there that is transposed, reversed and repeats as here."""
    order = sorted(range(array.ndim), key=lambda axis: -abs(array.strides[axis]))
    ordered = array.transpose(order)
    ways = [-1 if stride < 0 else 1 for stride in ordered.strides]
    way = tuple(slice(None, None, way) for way in ways)
    one = tuple(slice(0, 1 if stride == 0 else None) for stride in ordered.strides)
    there = device.from_numpy(np.asarray(ordered[way][one]))
    return there[way].broadcast_to(ordered.shape).transpose(np.argsort(order).tolist())
