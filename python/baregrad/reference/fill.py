"""One value everywhere."""

from __future__ import annotations

from ..typing import NDArray
from .arguments import array, output


def fill(out: NDArray, value: float) -> NDArray:
    """out (...), any dtype and strides -> out = value, in place."""
    out = array("fill", "out", out)
    output("fill", "out", out, out, out.shape)
    out[...] = value
    return out
