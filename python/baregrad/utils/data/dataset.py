"""What a DataLoader can read."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from ...tensor import Tensor, as_tensor, from_numpy
from ...typing import ArrayLike


class Dataset(Protocol):
    """Samples by index: anything with a length whose items are samples, such as tuples."""

    def __getitem__(self, index: int, /) -> Any: ...
    def __len__(self) -> int: ...


class TensorDataset:
    """Tensors or arrays of equal length on the CPU: sample i is `(a[i], b[i], ...)`."""

    tensors: tuple[Tensor, ...]

    def __init__(self, *tensors: Tensor | ArrayLike) -> None:
        if not tensors:
            raise ValueError("[TensorDataset] there are no tensors, expected at least one")
        self.tensors = tuple(as_tensor(tensor).detach() for tensor in tensors)
        for index, tensor in enumerate(self.tensors):
            if tensor.device != "cpu":
                raise ValueError(
                    f"[TensorDataset] tensors[{index}] is on {tensor.device}, expected cpu: "
                    "it is batches that move, batch.to(device)"
                )
            if tensor.shape[:1] != self.tensors[0].shape[:1] or tensor.ndim == 0:
                raise ValueError(
                    f"[TensorDataset] tensors[{index}] has shape {tensor.shape}, "
                    f"expected ({(*self.tensors[0].shape, 'n')[0]}, ...)"
                )

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        """One sample for an integer; a batch for a slice or an array of integers."""
        try:
            return tuple(from_numpy(np.asarray(t.numpy()[index])) for t in self.tensors)
        except IndexError as error:
            raise IndexError(f"[TensorDataset] index is {index!r}: {error}") from None

    def __len__(self) -> int:
        return len(self.tensors[0])
