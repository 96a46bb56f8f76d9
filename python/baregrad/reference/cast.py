"""The same numbers as another type."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..typing import NDArray
from .arguments import array

TYPES = tuple(np.dtype(t) for t in (np.float32, np.float64, np.int64, np.uint8, np.bool_))


@np.errstate(all="ignore")  # what overflows a float32 is infinity
def cast(x: NDArray, dtype: npt.DTypeLike) -> NDArray:
    """x (...) -> out (...) of type dtype. Floats to integers drop the fraction; bool is x != 0.

    A float that no integer of the type can hold becomes the nearest one, and NaN 0. Of an integer
    that no uint8 can hold, what is left modulo 256.
    """
    wanted = np.dtype(dtype)
    if wanted not in TYPES:
        expected = ", ".join(map(str, TYPES))
        raise TypeError(f"[cast] dtype is {wanted}, expected one of {expected}")
    x = array("cast", "x", x)
    if x.dtype.kind != "f" or wanted.kind not in "iu":
        return x.astype(wanted, order="C")
    least, most = np.iinfo(wanted).min, np.iinfo(wanted).max
    # most as a float may be the first that is too large
    inside = np.where((x > least) & (x < most), x, 0).astype(wanted)
    result = np.where(x <= least, np.array(least, wanted), inside)
    return np.where(x >= most, np.array(most, wanted), result).astype(wanted, order="C")
