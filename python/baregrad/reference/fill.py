"""One value everywhere."""

from __future__ import annotations

import numpy as np

from ..typing import NDArray
from .arguments import array, output


def fill(out: NDArray, value: float) -> NDArray:
    """out (...), any dtype and strides -> out = value, in place; without its fraction if it has to be.

    Raises ValueError for a value that an integer array cannot hold.
    """
    out = array("fill", "out", out)
    output("fill", "out", out, out, out.shape)
    if out.dtype.kind in "iu":
        least, most = np.iinfo(out.dtype).min, np.iinfo(out.dtype).max
        if not least <= int(value) <= most:
            raise ValueError(f"[fill] value is {value}, which {out.dtype} cannot hold")
        value = int(value)
    out[...] = value
    return out
