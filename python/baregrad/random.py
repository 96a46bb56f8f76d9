"""The sources of randomness: initial weights and shuffles draw from one, kernels from the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .typing import NDArray

_generator = np.random.Generator(np.random.Philox(0))


@dataclass
class Counter:
    """Where random kernels stand: the next block of Philox numbers, and the key."""

    seed: int = 0
    offset: int = 0


counter = Counter()


def manual_seed(seed: int) -> None:
    """Start the package's random numbers over: the same seed gives the same run."""
    global _generator
    _generator = np.random.Generator(np.random.Philox(seed))
    counter.seed, counter.offset = int(seed), 0


def generator() -> np.random.Generator:
    """The generator in use. A new process starts with seed 0."""
    return _generator


def philox_state(n: int) -> NDArray:
    """n numbers -> state (2,) int64 for one call of a random kernel: no later call draws the same."""
    state = np.array([counter.seed % 2**64, counter.offset % 2**64], np.uint64).view(np.int64)
    counter.offset += -(-n // 4)  # a block is four numbers
    return state
