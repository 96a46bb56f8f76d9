"""The mean of every window of an image (lecture 002, pooling)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..typing import NDArray
from .arguments import apart, counts, floats, output, shaped
from .im2col import col2im, output_size, windows
from .maxpool2d import pooling


@np.errstate(all="ignore")  # NaN and infinity flow as IEEE 754 says
def avgpool2d_forward(
    x: NDArray,
    kernel: Sequence[int],
    *,
    stride: Sequence[int],
    padding: Sequence[int] = (0, 0),
    out: NDArray | None = None,
) -> NDArray:
    """x (n, c, h, w), kernel (kh, kw) -> out (n, c, oh, ow): sum / (kh kw), padding counts as 0."""
    op = "avgpool2d_forward"
    x = shaped(op, "x", floats(op, "x", x), "n", "c", "h", "w")
    kernel, stride, padding = pooling(op, kernel, stride, padding)
    oh, ow = output_size(op, x.shape[2:], kernel, stride, padding, (1, 1))
    result = output(op, "out", out, x, (*x.shape[:2], oh, ow))
    apart(op, "out", result, x=x)
    view = windows(x.astype(np.float64), kernel, stride, padding, (1, 1))
    result[...] = view.sum(axis=(-2, -1)) / (kernel[0] * kernel[1])
    return result


def avgpool2d_backward(
    dout: NDArray,
    shape: Sequence[int],
    kernel: Sequence[int],
    *,
    stride: Sequence[int],
    padding: Sequence[int] = (0, 0),
) -> NDArray:
    """dout (n, c, oh, ow) -> dx of `shape` (n, c, h, w): each dout / (kh kw) to all its window."""
    op = "avgpool2d_backward"
    n, c, h, w = shape = counts(op, "shape", shape, 0, 4)
    kernel, stride, padding = pooling(op, kernel, stride, padding)
    oh, ow = output_size(op, (h, w), kernel, stride, padding, (1, 1))
    dout = shaped(op, "dout", floats(op, "dout", dout), n, c, oh, ow)
    cells = kernel[0] * kernel[1]
    share = dout.astype(np.float64).reshape(n, c, 1, oh * ow) / cells
    columns = np.broadcast_to(share, (n, c, cells, oh * ow)).reshape(n, c * cells, oh * ow)
    return col2im(columns, shape, kernel, stride=stride, padding=padding).astype(dout.dtype)
