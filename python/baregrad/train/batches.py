"""Batches as a model takes them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

import numpy as np

from ..nn import Module
from ..ops.arguments import instance
from ..tensor import Tensor, as_tensor, float32, int64
from ..utils.data import DataLoader, TensorDataset

Batches: TypeAlias = Iterable[Any]  # of pairs (inputs, labels), anew for each epoch
_BATCH_SIZE = 32  # of a pair of arrays, as in Keras


class Pairs:
    """Iterating gives the pairs (inputs, labels) of an epoch, tensors where the model is.

    `loader` gives batches, tensors or arrays, or is itself a tuple of two arrays, which are cut
    into batches of 32. Floats of another type than the model's become that, with one warning;
    integer labels become int64. Empty batches are left out.
    """

    def __init__(self, op: str, loader: Batches, model: Module, shuffle: bool = False) -> None:
        parameters = list(instance(op, "model", model, Module, "a Module").parameters())
        self.op, self.warned = op, False
        self.device = parameters[0].device if parameters else "cpu"
        self.dtype = parameters[0].dtype if parameters else float32
        whole = isinstance(loader, tuple) and len(loader) == 2
        if whole and all(isinstance(part, (np.ndarray, Tensor)) for part in loader):
            data = TensorDataset(*(self._floats(as_tensor(part).cpu()) for part in loader))
            loader = DataLoader(data, _BATCH_SIZE, shuffle)
        self.loader = instance(op, "a loader", loader, Iterable, "batches (inputs, labels)")

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for batch in self.loader:
            instance(self.op, "a batch", batch, (tuple, list), "a pair (inputs, labels)")
            if len(batch) != 2:
                raise ValueError(
                    f"[{self.op}] a batch has {len(batch)} parts, expected (inputs, labels)"
                )
            inputs, labels = (self._floats(as_tensor(part)).to(self.device) for part in batch)
            if len(labels):
                yield inputs, labels.to(int64) if labels.dtype.kind in "iu" else labels

    def _floats(self, tensor: Tensor) -> Tensor:
        if tensor.dtype.kind != "f" or tensor.dtype == self.dtype:
            return tensor
        if not self.warned:
            self.warned = True
            warnings.warn(
                f"[{self.op}] the data is {tensor.dtype} and becomes {self.dtype}, like the model",
                stacklevel=2,
            )
        return tensor.to(self.dtype)
