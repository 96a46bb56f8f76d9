"""The largest of every window of an image (lecture 002, pooling)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..typing import NDArray
from .arguments import apart, array, counts, floats, output, shaped
from .im2col import output_size, windows

MOST_CELLS = 256  # of a window: a place in it is a byte


def maxpool2d_forward(
    x: NDArray,
    kernel: Sequence[int],
    *,
    stride: Sequence[int],
    padding: Sequence[int] = (0, 0),
    out: NDArray | None = None,
) -> tuple[NDArray, NDArray]:
    """x (n, c, h, w), kernel (kh, kw) -> out (n, c, oh, ow), places (n, c, oh, ow) uint8.

    places[...] = i kw + j is where in the window the largest stood: the first of equals in
    row-major order, the first NaN if there is one. Padding, at most half a window, never wins.
    """
    op = "maxpool2d_forward"
    x = shaped(op, "x", floats(op, "x", x), "n", "c", "h", "w")
    kernel, stride, padding = pooling(op, kernel, stride, padding)
    if kernel[0] * kernel[1] > MOST_CELLS:
        raise ValueError(
            f"[{op}] kernel is {kernel}, expected at most {MOST_CELLS} cells in a window"
        )
    oh, ow = output_size(op, x.shape[2:], kernel, stride, padding, (1, 1))
    result = output(op, "out", out, x, (*x.shape[:2], oh, ow))
    apart(op, "out", result, x=x)
    cells = (*result.shape, kernel[0] * kernel[1])
    view = windows(x, kernel, stride, padding, (1, 1), fill=-np.inf).reshape(cells)
    inside = windows(np.ones(x.shape, np.bool_), kernel, stride, padding, (1, 1), fill=False)
    inside = inside.reshape(cells)
    # Of the pixels inside: the first NaN, else the first that is the largest.
    largest = np.where(inside, view, -np.inf).max(axis=-1, keepdims=True)
    places = (inside & ((view == largest) | np.isnan(view))).argmax(axis=-1)
    nan = inside & np.isnan(view)
    places = np.where(nan.any(axis=-1), nan.argmax(axis=-1), places)
    result[...] = np.take_along_axis(view, places[..., None], axis=-1)[..., 0]
    return result, places.astype(np.uint8)


@np.errstate(all="ignore")  # NaN and infinity flow as IEEE 754 says
def maxpool2d_backward(
    places: NDArray,
    dout: NDArray,
    shape: Sequence[int],
    kernel: Sequence[int],
    *,
    stride: Sequence[int],
    padding: Sequence[int] = (0, 0),
) -> NDArray:
    """places (n, c, oh, ow) uint8, dout (n, c, oh, ow) -> dx of `shape` (n, c, h, w).

    Each dout goes to the pixel that was the largest of its window; where windows overlap they add.
    """
    op = "maxpool2d_backward"
    n, c, h, w = counts(op, "shape", shape, 0, 4)
    kernel, stride, padding = pooling(op, kernel, stride, padding)
    oh, ow = output_size(op, (h, w), kernel, stride, padding, (1, 1))
    dout = shaped(op, "dout", floats(op, "dout", dout), n, c, oh, ow)
    places = shaped(op, "places", array(op, "places", places), n, c, oh, ow)
    if places.dtype != np.uint8:
        raise TypeError(f"[{op}] places has dtype {places.dtype}, expected uint8")
    i, j = places // kernel[1], places % kernel[1]
    y = np.arange(oh)[:, None] * stride[0] - padding[0] + i
    x = np.arange(ow) * stride[1] - padding[1] + j
    dx = np.zeros((n, c, h, w))
    planes = np.ix_(range(n), range(c), range(oh), range(ow))[:2]
    np.add.at(dx, (*planes, y, x), dout)
    return dx.astype(dout.dtype)


def pooling(
    op: str, kernel: Sequence[int], stride: Sequence[int], padding: Sequence[int]
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """kernel, stride and padding, if they are those of a pooling."""
    kernel, stride = counts(op, "kernel", kernel, 1), counts(op, "stride", stride, 1)
    padding = counts(op, "padding", padding, 0)
    if any(2 * p > k for p, k in zip(padding, kernel, strict=True)):
        raise ValueError(f"[{op}] padding is {padding}, expected at most half of kernel {kernel}")
    return kernel, stride, padding
