"""What every data set comes as."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..ops.arguments import integer
from ..random import seeded
from ..typing import NDArray
from ..utils.data import TensorDataset


@dataclass(frozen=True)
class Splits:
    """Inputs float32 (n, ...) and targets: to learn, to choose by, to judge by.

    Targets are int64 (n,) with the names of the `classes`, or float32 (n, 1) without. `encoding`
    is what JSON can hold of how the inputs were made: what a saved model needs to take new ones.
    """

    train: TensorDataset
    valid: TensorDataset
    test: TensorDataset
    classes: tuple[str, ...] = ()
    encoding: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        parts: Iterable[tuple[NDArray, NDArray]],
        classes: Iterable[str] = (),
        encoding: Mapping[str, Any] | None = None,
    ) -> Splits:
        """From the arrays (inputs, targets) of train, valid and test."""
        train, valid, test = (TensorDataset(*part) for part in parts)
        return cls(train, valid, test, tuple(classes), encoding or {})


def held_back(op: str, n: int, count: int, seed: int) -> tuple[NDArray, NDArray]:
    """Of n indices those left and `count` held back at random, each in order."""
    if not 0 < integer(op, "valid", count) < n:
        raise ValueError(f"[{op}] valid is {count}, expected 0 < valid < {n}")
    order = seeded(op, seed).permutation(n)
    return np.sort(order[count:]), np.sort(order[:count])
