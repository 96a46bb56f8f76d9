"""A bias and an activation after a product, in its node and in its memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..autograd import Function
from ..backend import kernels
from ..typing import Array
from . import unary

if TYPE_CHECKING:
    from ..tensor import Tensor

FUSED = ("relu", "sigmoid", "tanh")  # those whose derivative needs only their output
_KNOWN = (*FUSED, "leaky_relu", "elu", "gelu", "silu", "softplus")


class Product(Function):
    """out = f(product + bias), f one of FUSED or none; dproduct = f' dout, dbias = sum of dproduct.

    product (n, c, ...), bias (c,) -> out (n, c, ...). Inputs are two factors and perhaps a bias.
    """

    activation: str | None = None

    def activate(self, product: Array, bias: Array | None, activation: str | None) -> Array:
        """f(product + bias), written over the product; without f the product, which has its bias."""
        if activation is None:
            return product
        self.activation, forward = activation, kernels(product).bias_activation_forward
        out = forward(product, bias, activation=activation, out=product)
        self.save(*self.saved, out)
        return out

    def deactivate(self, dout: Array) -> tuple[Array, Array | None]:
        """dproduct, and dbias if there is one that needs it."""
        if self.activation is None:
            if self.needs_grad[2:] != (True,):
                return dout, None
            return dout, kernels(dout).reduce_sum(dout, (0, *range(2, len(dout.shape))))
        backward, out = kernels(dout).bias_activation_backward, self.saved[-1]
        dproduct, dbias = backward(out, dout, activation=self.activation, out=self.room(dout))
        return dproduct, dbias


def fused(activation: str | None, bias: Tensor | None) -> str | None:
    """The activation, if it can be that of a Product with this bias. ValueError for an unknown one."""
    if activation is not None and activation not in _KNOWN:
        known = ", ".join(_KNOWN)
        raise ValueError(f"[activation] activation is {activation!r}, expected one of {known}")
    return None if bias is None or activation not in FUSED else activation


def activated(out: Tensor, activation: str | None) -> Tensor:
    """activation(out), in a node of its own."""
    return out if activation is None else getattr(unary, activation)(out)
