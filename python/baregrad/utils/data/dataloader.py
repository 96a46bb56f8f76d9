"""Batches of a dataset, in order or shuffled anew for every epoch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ...hints import an
from ...ops.arguments import instance, integer
from ...random import generator as default_generator
from ...tensor import Tensor, as_tensor, from_numpy
from .dataset import Dataset, TensorDataset


class DataLoader:
    """Iterating gives one epoch of batches, each a tuple of Tensors on the CPU.

    The last batch may be smaller; `drop_last` leaves it out. `generator` shuffles, or else the one
    of `bg.manual_seed`. A TensorDataset is read by the batch, other datasets sample by sample.
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int = 1,
        shuffle: bool = False,
        *,
        drop_last: bool = False,
        generator: np.random.Generator | None = None,
    ) -> None:
        if not (hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__")):
            raise TypeError(
                f"[DataLoader] dataset is {an(dataset)}, expected something with a length and items"
            )
        kinds = (np.random.Generator, type(None))
        instance("DataLoader", "generator", generator, kinds, "a numpy.random.Generator")
        self.batch_size = integer("DataLoader", "batch_size", batch_size, 1)
        self.dataset, self.shuffle = dataset, shuffle
        self.drop_last, self.generator = drop_last, generator

    def __len__(self) -> int:
        samples = len(self.dataset) + (0 if self.drop_last else self.batch_size - 1)
        return samples // self.batch_size

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        order = np.arange(len(self.dataset))
        if self.shuffle:
            order = (self.generator or default_generator()).permutation(order)
        for number in range(len(self)):
            chosen = order[number * self.batch_size : (number + 1) * self.batch_size]
            if isinstance(self.dataset, TensorDataset):
                yield self.dataset[chosen]
            else:
                yield _stack([self.dataset[int(index)] for index in chosen])


def _stack(samples: list[Any]) -> tuple[Tensor, ...]:
    """Samples, tuples of equal length or single values, to one tensor for each place."""
    rows = [sample if isinstance(sample, (tuple, list)) else (sample,) for sample in samples]
    if len({len(row) for row in rows}) > 1:
        raise ValueError(
            f"[DataLoader] a sample has {len(rows[0])} parts and another has "
            f"{next(len(row) for row in rows if len(row) != len(rows[0]))}, expected equally many"
        )
    return tuple(_stack_part(place, part) for place, part in enumerate(zip(*rows, strict=True)))


def _stack_part(place: int, values: tuple[Any, ...]) -> Tensor:
    arrays = [as_tensor(value).detach().cpu().numpy() for value in values]
    for array in arrays:
        if array.shape != arrays[0].shape:
            raise ValueError(
                f"[DataLoader] part {place} of a sample has shape {array.shape}, "
                f"expected {arrays[0].shape} as the first of its batch"
            )
    return from_numpy(np.stack(arrays))
