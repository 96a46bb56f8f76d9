"""Types shared by the package: what a backend's array is, and what may become one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias, Union

import numpy as np
import numpy.typing as npt

NDArray: TypeAlias = npt.NDArray[Any]
ArrayLike: TypeAlias = npt.ArrayLike
Shape: TypeAlias = tuple[int, ...]


class Array(Protocol):
    """What autograd and ops/ may ask of an array: metadata and views, never its contents."""

    @property
    def shape(self) -> Shape: ...
    @property
    def ndim(self) -> int: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    @property
    def mT(self) -> Array: ...  # noqa: N802
    def reshape(self, shape: Sequence[int], /) -> Array: ...


Number: TypeAlias = Union[int, float]
