"""The one source of randomness: initial weights and shuffles all draw from here."""

from __future__ import annotations

import numpy as np

_generator = np.random.Generator(np.random.Philox(0))


def manual_seed(seed: int) -> None:
    """Start the package's random numbers over: the same seed gives the same run."""
    global _generator
    _generator = np.random.Generator(np.random.Philox(seed))


def generator() -> np.random.Generator:
    """The generator in use. A new process starts with seed 0."""
    return _generator
