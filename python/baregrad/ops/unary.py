"""Elementwise ops of one argument."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from ..autograd import Function
from ..backend import kernels
from ..typing import Array
from .arguments import floating, number, operand

if TYPE_CHECKING:
    from ..tensor import Tensor


class Unary(Function):
    """out = f(x); dx = f'(x) dout, which each kind works out from its output."""

    kind: ClassVar[str]

    def forward(self, x: Array, **options: Any) -> Array:
        out = getattr(kernels(x), self.kind + "_forward")(x, **options)
        self.options, self.saved = options, (out,)
        return out

    def backward(self, dout: Array) -> tuple[Array]:
        (saved,) = self.saved
        backward = getattr(kernels(dout), f"{self.kind}_backward")
        return (backward(saved, dout, **self.options, out=self.room(dout)),)


class UnaryOfInput(Unary):
    """Its derivative is worked out from its input."""

    def forward(self, x: Array, **options: Any) -> Array:
        out = super().forward(x, **options)
        self.save(x)
        return out


class LinearUnary(Unary):
    """Its derivative does not depend on x, so nothing is saved."""

    def forward(self, x: Array, **options: Any) -> Array:
        out = super().forward(x, **options)
        self.save()
        return out

    def backward(self, dout: Array) -> tuple[Array]:
        backward = getattr(kernels(dout), f"{self.kind}_backward")
        return (backward(dout, dout, out=self.room(dout)),)


class Relu(Unary):
    """out = max(x, 0); dx = dout where out > 0, so the derivative at 0 is 0."""

    kind = "relu"


class Sigmoid(Unary):
    """out = 1 / (1 + exp(-x)); dx = out (1 - out) dout."""

    kind = "sigmoid"


class Tanh(Unary):
    """out = tanh(x); dx = (1 - out^2) dout."""

    kind = "tanh"


class Exp(Unary):
    """out = e^x; dx = out dout."""

    kind = "exp"


class Sqrt(Unary):
    """out = sqrt(x); dx = dout / (2 out)."""

    kind = "sqrt"


class LeakyRelu(UnaryOfInput):
    """out = x where it is above 0, else alpha x; dx = dout or alpha dout."""

    kind = "leaky_relu"


class Elu(UnaryOfInput):
    """out = x where it is above 0, else alpha (e^x - 1); dx = dout or alpha e^x dout."""

    kind = "elu"


class Gelu(UnaryOfInput):
    """out = x P(normal < x); dx = (P(normal < x) + x p(x)) dout."""

    kind = "gelu"


class Silu(UnaryOfInput):
    """out = x s with s = sigmoid(x); dx = s (1 + x (1 - s)) dout."""

    kind = "silu"


class Softplus(UnaryOfInput):
    """out = log(1 + e^x); dx = sigmoid(x) dout."""

    kind = "softplus"


class Log(UnaryOfInput):
    """out = log x; dx = dout / x."""

    kind = "log"


class Abs(UnaryOfInput):
    """out = |x|; dx = sign(x) dout, 0 at 0."""

    kind = "abs"


class Neg(LinearUnary):
    """out = -x; dx = -dout."""

    kind = "neg"


class Sign(LinearUnary):
    """out = -1, 0 or 1; dx = 0."""

    kind = "sign"


def relu(input: Tensor) -> Tensor:
    """max(input, 0) of every element (lecture 000, slide 24)."""
    return (
        Relu.apply(input) if operand("relu", "input", input).dtype.kind == "f" else input.maximum(0)
    )


def leaky_relu(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """input (...) -> input where it is above 0, else negative_slope input (lecture 004)."""
    return LeakyRelu.apply(
        floating("leaky_relu", input, "input"),
        alpha=number("leaky_relu", "negative_slope", negative_slope),
    )


def elu(input: Tensor, alpha: float = 1.0) -> Tensor:
    """input (...) -> input where it is above 0, else alpha (e^input - 1) (Clevert et al., 2016)."""
    return Elu.apply(floating("elu", input, "input"), alpha=number("elu", "alpha", alpha))


def gelu(input: Tensor) -> Tensor:
    """input (...) -> input P(normal < input) (Hendrycks and Gimpel, 2016)."""
    return Gelu.apply(floating("gelu", input, "input"))


def silu(input: Tensor) -> Tensor:
    """input (...) -> input sigmoid(input), also called swish (Elfwing et al., 2018)."""
    return Silu.apply(floating("silu", input, "input"))


def softplus(input: Tensor) -> Tensor:
    """input (...) -> log(1 + e^input)."""
    return Softplus.apply(floating("softplus", input, "input"))


def sigmoid(input: Tensor) -> Tensor:
    """1 / (1 + e^-input) of every element (lecture 000, slide 24)."""
    return Sigmoid.apply(floating("sigmoid", input, "input"))


def tanh(input: Tensor) -> Tensor:
    """The hyperbolic tangent of every element (lecture 000, slide 24)."""
    return Tanh.apply(floating("tanh", input, "input"))


def exp(x: Tensor) -> Tensor:
    """e to the power of every element."""
    return Exp.apply(floating("exp", x))


def log(x: Tensor) -> Tensor:
    """The natural logarithm of every element: -infinity of 0, NaN below."""
    return Log.apply(floating("log", x))


def sqrt(x: Tensor) -> Tensor:
    """The square root of every element: NaN below 0."""
    return Sqrt.apply(floating("sqrt", x))


def abs(x: Tensor) -> Tensor:
    """The absolute value of every element; its derivative at 0 is 0."""
    return Abs.apply(x) if operand("abs", "x", x).dtype.kind == "f" else x.maximum(-x)


def neg(x: Tensor) -> Tensor:
    """Every element with the other sign."""
    return Neg.apply(x) if operand("neg", "x", x).dtype.kind == "f" else 0 - x


def sign(x: Tensor) -> Tensor:
    """-1, 0 or 1 for every element, with derivative 0."""
    return Sign.apply(floating("sign", x)).to(x.dtype)
