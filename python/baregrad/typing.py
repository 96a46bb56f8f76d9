"""Types shared by the package: what a backend's array is, and what may become one."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy.typing as npt

NDArray: TypeAlias = npt.NDArray[Any]
ArrayLike: TypeAlias = npt.ArrayLike
Shape: TypeAlias = tuple[int, ...]

# An array of some backend. What is not a kernel may use its shape, ndim, dtype, reshape and mT, and
# never touches its contents: then the same code runs on every device.
Array: TypeAlias = Any
