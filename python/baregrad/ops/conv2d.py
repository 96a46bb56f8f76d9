"""Convolution of images."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from ..backend import kernels
from ..typing import Array
from .arguments import alike, integer, sizes
from .bias_activation import Product, activated, fused
from .copy_strided import pad

if TYPE_CHECKING:
    from ..tensor import Tensor

Pair: TypeAlias = "int | tuple[int, int]"


class Conv2d(Product):
    """out = f(x * w + bias); dx, dw = the products of dproduct with w and with x.

    x (n, c, h, w), w (o, c / groups, kh, kw), bias (o,) -> out (n, o, oh, ow)
    """

    def forward(
        self,
        x: Array,
        w: Array,
        bias: Array | None = None,
        *,
        stride: tuple[int, ...],
        padding: tuple[int, ...],
        dilation: tuple[int, ...],
        groups: int,
        activation: str | None = None,
    ) -> Array:
        self.save(x if self.needs_grad[1] else None, w if self.needs_grad[0] else None)
        options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        self.options = options
        product = kernels(x).conv2d_forward(x, w, None if activation else bias, **options)
        return self.activate(product, bias, activation)

    def backward(self, dout: Array) -> tuple[Array | None, ...]:
        x, w, *_ = self.saved
        dproduct, dbias = self.deactivate(dout)
        k, (x_shape, w_shape, *_) = kernels(dout), self.shapes
        dx = dw = None
        if self.needs_grad[0]:
            dx = k.conv2d_backward_input(dproduct, w, x_shape, **self.options)
        if self.needs_grad[1]:
            dw = k.conv2d_backward_weight(x, dproduct, w_shape[2:], **self.options)
        return (dx, dw, dbias)[: len(self.needs_grad)]


def pair(op: str, name: str, value: Pair, least: int = 1) -> tuple[int, ...]:
    """An integer for both directions, or one for each. ValueError for one below `least`."""
    try:
        found = sizes(op, value) if isinstance(value, (tuple, list)) else sizes(op, (value,)) * 2
    except TypeError:
        raise TypeError(f"[{op}] {name} is {value!r}, expected an integer or two") from None
    if len(found) != 2:
        raise ValueError(f"[{op}] {name} is {found}, expected an integer or two")
    if min(found) < least:
        raise ValueError(f"[{op}] {name} is {found}, expected 2 integers of at least {least}")
    return found


def width(op: str, padding: Pair | str, stride: tuple[int, ...]) -> str | tuple[int, ...]:
    """padding, if it is 'valid' or, with stride 1, 'same', else as a pair of widths."""
    if not isinstance(padding, str):
        return pair(op, "padding", padding, 0)
    if padding not in ("same", "valid"):
        raise ValueError(
            f"[{op}] padding is {padding!r}, expected an integer or two, 'same' or 'valid'"
        )
    if padding == "same" and stride != (1, 1):
        raise ValueError(f"[{op}] stride is {stride}, expected 1 with padding 'same'")
    return padding


def conv2d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Pair = 1,
    padding: Pair | str = 0,
    dilation: Pair = 1,
    groups: int = 1,
    *,
    activation: str | None = None,
) -> Tensor:
    """x (n, c, h, w), weight (o, c / groups, kh, kw), bias (o,) -> (n, o, oh, ow).

    padding is a width or "valid" or, with stride 1, "same". activation, the name of an elementwise
    op such as "relu", follows in the same pass where it can. Source: lecture 002, convolution.
    """
    given = {"weight": weight, "x": x, **({} if bias is None else {"bias": bias})}
    alike("conv2d", **given)
    integer("conv2d", "groups", groups, 1)
    if x.ndim == weight.ndim == 4 and x.shape[1] != weight.shape[1] * groups:
        raise ValueError(
            f"[conv2d] x has shape {x.shape}, expected (n, {weight.shape[1] * groups}, h, w) for "
            f"a weight of shape {weight.shape}"
        )
    step, apart = pair("conv2d", "stride", stride), pair("conv2d", "dilation", dilation)
    border = width("conv2d", padding, step)
    if isinstance(border, str):
        x, border = _named_padding(x, weight, border, apart)
    options = {"stride": step, "padding": border, "dilation": apart, "groups": groups}
    within, biases = fused(activation, bias), [] if bias is None else [bias]
    out = Conv2d.apply(x, weight, *biases, **options, activation=within)
    return activated(out, None if within else activation)


def _named_padding(
    x: Tensor, weight: Tensor, padding: str, dilation: tuple[int, ...]
) -> tuple[Tensor, tuple[int, ...]]:
    """x, and the width around it: an even window needs one row more below than above."""
    if padding == "valid":
        return x, (0, 0)
    high, wide = (d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=True))
    return pad(x, (0, wide % 2, 0, high % 2)), (high // 2, wide // 2)
