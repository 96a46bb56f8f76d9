"""Convolution of images, as deep learning says it: a product with every window (lecture 002)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..typing import NDArray
from .arguments import apart, counts, floats, output, shaped
from .im2col import col2im, im2col, output_size


@np.errstate(all="ignore")  # NaN and infinity flow as IEEE 754 says
def conv2d_forward(
    x: NDArray,
    w: NDArray,
    bias: NDArray | None = None,
    *,
    stride: Sequence[int] = (1, 1),
    padding: Sequence[int] = (0, 0),
    dilation: Sequence[int] = (1, 1),
    groups: int = 1,
    out: NDArray | None = None,
) -> NDArray:
    """x (n, c, h, w), w (o, c / groups, kh, kw), bias (o,) -> out (n, o, oh, ow).

    out[n, o, y, x] = bias[o] + sum over c, i, j of
    w[o, c, i, j] x[n, c, y stride + i dilation - padding, x stride + j dilation - padding],
    where x is 0 outside the image. Group g of the outputs sees group g of the channels.
    """
    op = "conv2d_forward"
    x = shaped(op, "x", floats(op, "x", x), "n", "c", "h", "w")
    o, cg, kh, kw = _weight(op, w, x, groups)
    kernel, options = (kh, kw), _options(op, stride, padding, dilation)
    oh, ow = output_size(op, x.shape[2:], kernel, *options.values())
    result = output(op, "out", out, x, (len(x), o, oh, ow))
    apart(op, "out", result, x=x, w=w)
    columns = im2col(x.astype(np.float64), kernel, **options)
    columns = columns.reshape(len(x), groups, cg * kh * kw, oh * ow)
    product = w.astype(np.float64).reshape(groups, o // groups, cg * kh * kw) @ columns
    if bias is not None:
        product += shaped(op, "bias", floats(op, "bias", bias, x.dtype), o).reshape(groups, -1, 1)
        apart(op, "out", result, bias=bias)
    result[...] = product.reshape(result.shape)
    return result


@np.errstate(all="ignore")  # NaN and infinity flow as IEEE 754 says
def conv2d_backward_input(
    dout: NDArray,
    w: NDArray,
    shape: Sequence[int],
    *,
    stride: Sequence[int] = (1, 1),
    padding: Sequence[int] = (0, 0),
    dilation: Sequence[int] = (1, 1),
    groups: int = 1,
) -> NDArray:
    """dout (n, o, oh, ow), w (o, c / groups, kh, kw), shape (n, c, h, w) -> dx (n, c, h, w)."""
    op = "conv2d_backward_input"
    dout = shaped(op, "dout", floats(op, "dout", dout), "n", "o", "oh", "ow")
    n, c, h, width = counts(op, "shape", shape, 0, 4)
    like = np.broadcast_to(np.zeros((), dout.dtype), (n, c, h, width))
    o, cg, kh, kw = _weight(op, w, like, groups)
    kernel, options = (kh, kw), _options(op, stride, padding, dilation)
    oh, ow = output_size(op, (h, width), kernel, *options.values())
    shaped(op, "dout", dout, n, o, oh, ow)
    matrix = w.astype(np.float64).reshape(groups, o // groups, cg * kh * kw)
    columns = matrix.mT @ dout.astype(np.float64).reshape(n, groups, o // groups, oh * ow)
    columns = columns.reshape(n, c * kh * kw, oh * ow)
    return col2im(columns, (n, c, h, width), kernel, **options).astype(dout.dtype)


@np.errstate(all="ignore")  # NaN and infinity flow as IEEE 754 says
def conv2d_backward_weight(
    x: NDArray,
    dout: NDArray,
    kernel: Sequence[int],
    *,
    stride: Sequence[int] = (1, 1),
    padding: Sequence[int] = (0, 0),
    dilation: Sequence[int] = (1, 1),
    groups: int = 1,
) -> NDArray:
    """x (n, c, h, w), dout (n, o, oh, ow), kernel (kh, kw) -> dw (o, c / groups, kh, kw)."""
    op = "conv2d_backward_weight"
    x = shaped(op, "x", floats(op, "x", x), "n", "c", "h", "w")
    dout = shaped(op, "dout", floats(op, "dout", dout, x.dtype), "n", "o", "oh", "ow")
    n, c, o = len(x), x.shape[1], dout.shape[1]
    kh, kw = kernel = counts(op, "kernel", kernel, 1)
    options = _options(op, stride, padding, dilation)
    oh, ow = output_size(op, x.shape[2:], kernel, *options.values())
    shaped(op, "dout", dout, n, "o", oh, ow)
    _divides(op, groups, c=c, o=o)
    columns = im2col(x.astype(np.float64), kernel, **options)
    columns = columns.reshape(n, groups, c // groups * kh * kw, oh * ow)
    dw = dout.astype(np.float64).reshape(n, groups, o // groups, oh * ow) @ columns.mT
    return dw.sum(axis=0).reshape(o, c // groups, kh, kw).astype(x.dtype)


def _options(
    op: str, stride: Sequence[int], padding: Sequence[int], dilation: Sequence[int]
) -> dict[str, tuple[int, ...]]:
    return {
        "stride": counts(op, "stride", stride, 1),
        "padding": counts(op, "padding", padding, 0),
        "dilation": counts(op, "dilation", dilation, 1),
    }


def _weight(op: str, w: NDArray, x: NDArray, groups: int) -> tuple[int, int, int, int]:
    """The shape of w (o, c / groups, kh, kw), if it fits x (n, c, h, w)."""
    w = shaped(op, "w", floats(op, "w", w, x.dtype), "o", "c", "kh", "kw")
    o, _, kh, kw = w.shape
    _divides(op, groups, c=x.shape[1], o=o)
    shaped(op, "w", w, "o", x.shape[1] // groups, "kh", "kw")
    counts(op, "kernel", (kh, kw), 1)
    return o, x.shape[1] // groups, kh, kw


def _divides(op: str, groups: int, **channels: int) -> None:
    if not hasattr(groups, "__index__"):
        raise TypeError(f"[{op}] groups is {groups!r}, expected an integer")
    for name, n in channels.items():
        if groups < 1 or n % groups:
            raise ValueError(f"[{op}] groups is {groups}, expected a divisor of {name}, {n}")
