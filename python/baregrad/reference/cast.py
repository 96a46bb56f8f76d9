"""The same numbers as another type."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..typing import NDArray
from .arguments import array

TYPES = tuple(np.dtype(t) for t in (np.float32, np.float64, np.int64, np.uint8, np.bool_))


@np.errstate(all="ignore")  # a float that no integer can hold is the C compiler's choice
def cast(x: NDArray, dtype: npt.DTypeLike) -> NDArray:
    """x (...) -> out (...) of type dtype. Floats to integers drop the fraction; bool is x != 0."""
    wanted = np.dtype(dtype)
    if wanted not in TYPES:
        expected = ", ".join(map(str, TYPES))
        raise TypeError(f"[cast] dtype is {wanted}, expected one of {expected}")
    return array("cast", "x", x).astype(wanted, order="C")
