"""Windows of images as columns of a matrix, and back: convolution as a product (lecture 002)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ..typing import NDArray
from .arguments import array, counts, floats, shaped


def output_size(
    op: str,
    image: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
) -> tuple[int, int]:
    """(h, w) -> (oh, ow): oh = (h + 2 padding - dilation (kh - 1) - 1) // stride + 1."""
    out = []
    for n, k, s, p, d in zip(image, kernel, stride, padding, dilation, strict=True):
        reach = d * (k - 1) + 1
        if reach > n + 2 * p:
            raise ValueError(
                f"[{op}] the window reaches over {reach} pixels of {n + 2 * p}, padding included, "
                "expected at most all"
            )
        out.append((n + 2 * p - reach) // s + 1)
    return out[0], out[1]


def windows(
    x: NDArray,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    fill: float = 0.0,
) -> NDArray:
    """x (n, c, h, w) -> a view (n, c, oh, ow, kh, kw) of x with a border of `fill`."""
    (ph, pw), (sh, sw), (dh, dw) = padding, stride, dilation
    padded = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)), constant_values=fill)
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    view = sliding_window_view(padded, reach, axis=(2, 3))
    return view[:, :, ::sh, ::sw, ::dh, ::dw]


def im2col(
    x: NDArray,
    kernel: Sequence[int],
    *,
    stride: Sequence[int] = (1, 1),
    padding: Sequence[int] = (0, 0),
    dilation: Sequence[int] = (1, 1),
) -> NDArray:
    """x (n, c, h, w), kernel (kh, kw) -> columns (n, c kh kw, oh ow); outside the image is 0."""
    op = "im2col"
    x = shaped(op, "x", floats(op, "x", x), "n", "c", "h", "w")
    kernel, stride = counts(op, "kernel", kernel, 1), counts(op, "stride", stride, 1)
    padding, dilation = counts(op, "padding", padding, 0), counts(op, "dilation", dilation, 1)
    oh, ow = output_size(op, x.shape[2:], kernel, stride, padding, dilation)
    n, c = x.shape[:2]
    view = windows(x, kernel, stride, padding, dilation)
    return np.ascontiguousarray(view.transpose(0, 1, 4, 5, 2, 3)).reshape(
        n, c * kernel[0] * kernel[1], oh * ow
    )


@np.errstate(all="ignore")  # NaN and infinity flow as IEEE 754 says
def col2im(
    columns: NDArray,
    shape: Sequence[int],
    kernel: Sequence[int],
    *,
    stride: Sequence[int] = (1, 1),
    padding: Sequence[int] = (0, 0),
    dilation: Sequence[int] = (1, 1),
) -> NDArray:
    """columns (n, c kh kw, oh ow) -> x of `shape` (n, c, h, w): what overlaps is summed."""
    op = "col2im"
    n, c, h, w = counts(op, "shape", shape, 0, 4)
    kernel, stride = counts(op, "kernel", kernel, 1), counts(op, "stride", stride, 1)
    padding, dilation = counts(op, "padding", padding, 0), counts(op, "dilation", dilation, 1)
    oh, ow = output_size(op, (h, w), kernel, stride, padding, dilation)
    columns = floats(op, "columns", array(op, "columns", columns))
    shaped(op, "columns", columns, n, c * kernel[0] * kernel[1], oh * ow)
    image = np.zeros((n, c, h + 2 * padding[0], w + 2 * padding[1]))
    parts = columns.reshape(n, c, *kernel, oh, ow)
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            top, left = i * dilation[0], j * dilation[1]
            image[
                :,
                :,
                top : top + oh * stride[0] : stride[0],
                left : left + ow * stride[1] : stride[1],
            ] += parts[:, :, i, j]
    inside = image[:, :, padding[0] : padding[0] + h, padding[1] : padding[1] + w]
    return inside.astype(columns.dtype, order="C")
