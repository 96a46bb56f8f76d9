"""The sources of randomness: initial weights and shuffles draw from one, kernels from the other."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from .hints import an
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
    _generator = seeded("manual_seed", seed)
    counter.seed, counter.offset = int(seed), 0


def seeded(op: str, seed: int) -> np.random.Generator:
    """A generator of its own, by a number of at least 0."""
    if not isinstance(seed, (int, np.integer)):
        raise TypeError(f"[{op}] seed is {an(seed)}, expected an integer")
    if seed < 0:
        raise ValueError(f"[{op}] seed is {seed}, expected at least 0")
    return np.random.Generator(np.random.Philox(seed))


def generator() -> np.random.Generator:
    """The generator in use. A new process starts with seed 0."""
    return _generator


def philox_state(n: int) -> NDArray:
    """n numbers -> state (2,) int64 for one call of a random kernel: no later call draws the same."""
    state = np.array([counter.seed % 2**64, counter.offset % 2**64], np.uint64).view(np.int64)
    counter.offset += -(-n // 4)  # a block is four numbers
    return state


def state() -> dict[str, Any]:
    """All that decides the random numbers to come, as JSON has it: one entry for each source."""
    return {"generator": state_of(_generator), "kernels": [counter.seed, counter.offset]}


def set_state(state: dict[str, Any]) -> None:
    """Go on from what `state` returned. ValueError for something else."""
    fresh = np.random.Generator(np.random.Philox(0))
    set_state_of(fresh, state.get("generator"))
    try:
        seed, offset = map(int, state["kernels"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"[set_state] kernels is not a seed and an offset: {error}") from error
    global _generator
    _generator = fresh
    counter.seed, counter.offset = seed, offset


def state_of(generator: np.random.Generator) -> dict[str, Any]:
    """Where a generator of NumPy's stands, its arrays as lists."""
    text = json.dumps(generator.bit_generator.state, default=lambda array: array.tolist())
    state: dict[str, Any] = json.loads(text)
    return state


def set_state_of(generator: np.random.Generator, state: Any) -> None:
    """Put a generator where `state_of` one of its kind stood. ValueError for another kind."""
    try:
        generator.bit_generator.state = state
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        kind = type(generator.bit_generator).__name__
        raise ValueError(f"[set_state] the state is not one of a {kind}: {error}") from error
