"""Elementwise arithmetic of two arguments, which broadcast as NumPy's do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from ..autograd import Function
from ..backend import backend_of, kernels
from ..typing import Array, Shape
from .arguments import NUMBERS, Operand, floating, is_tensor, number, operand, promoted

if TYPE_CHECKING:
    from ..tensor import Tensor


def sum_to(x: Array, shape: Shape) -> Array:
    """x (...) -> (shape): what was repeated to make x is summed. x itself, if nothing was."""
    if tuple(x.shape) == shape:
        return x
    new = x.ndim - len(shape)
    axes = [a for a in range(x.ndim) if a < new or shape[a - new] != x.shape[a]]
    return kernels(x).reduce_sum(x, axes).reshape(shape)


def constant(like: Array, value: float) -> Array:
    """An array () with one value, of the type of `like` and where it is."""
    return backend_of(like).full((), value, like.dtype)


class Binary(Function):
    """out = f(a, b), broadcast. Gradients are summed where an input was repeated."""

    kind: ClassVar[str]

    def forward(self, a: Array, b: Array) -> Array:
        out = getattr(kernels(a), self.kind)(a, b)
        self.keep(a, b, out)
        return out

    def keep(self, a: Array, b: Array, out: Array) -> None:
        """Save what backward needs."""

    def backward(self, dout: Array) -> tuple[Array | None, ...]:
        return tuple(
            sum_to(self.derivative(place, dout), self.shapes[place]) if needed else None
            for place, needed in enumerate(self.needs_grad)
        )

    def derivative(self, place: int, dout: Array) -> Array:
        """The gradient for the input in that place, as if it had the shape of out."""
        raise NotImplementedError


class Add(Binary):
    """out = a + b; da = db = dout."""

    kind = "add"

    def derivative(self, place: int, dout: Array) -> Array:
        return dout


class Sub(Binary):
    """out = a - b; da = dout, db = -dout."""

    kind = "sub"

    def derivative(self, place: int, dout: Array) -> Array:
        return dout if place == 0 else kernels(dout).neg_forward(dout)


class Mul(Binary):
    """out = a b; da = b dout, db = a dout."""

    kind = "mul"

    def keep(self, a: Array, b: Array, out: Array) -> None:
        self.save(b if self.needs_grad[0] else None, a if self.needs_grad[1] else None)

    def derivative(self, place: int, dout: Array) -> Array:
        return kernels(dout).mul(dout, self.saved[place])


class Div(Binary):
    """out = a / b; da = dout / b, db = -out dout / b."""

    kind = "div"

    def keep(self, a: Array, b: Array, out: Array) -> None:
        self.save(b, out)

    def derivative(self, place: int, dout: Array) -> Array:
        b, out = self.saved
        k = kernels(dout)
        da = k.div(dout, b)
        return da if place == 0 else k.neg_forward(k.mul(da, out))


class Pow(Binary):
    """out = a^b; da = b a^(b - 1) dout, db = out log(a) dout: 0 where b or else a is 0."""

    kind = "pow"

    def keep(self, a: Array, b: Array, out: Array) -> None:
        self.save(a, b, out)

    def derivative(self, place: int, dout: Array) -> Array:
        a, b, out = self.saved
        k, zero = kernels(dout), constant(dout, 0)
        if place == 0:
            slope = k.mul(b, k.pow(a, k.sub(b, constant(dout, 1))))
            return k.where(k.eq(b, zero), zero, k.mul(slope, dout))
        flat = k.eq(a, zero)
        flat = kernels(flat).mul(flat, k.ge(b, zero))  # 0^b is 0 around every b > 0
        return k.where(flat, zero, k.mul(k.mul(out, k.log_forward(a)), dout))


class Maximum(Binary):
    """out = max(a, b); dout goes to the larger, half to each of equals."""

    kind, loses = "maximum", "lt"

    def keep(self, a: Array, b: Array, out: Array) -> None:
        self.save(a, b)

    def derivative(self, place: int, dout: Array) -> Array:
        a, b = self.saved if place == 0 else reversed(self.saved)
        k = kernels(dout)
        share = k.where(k.eq(a, b), k.mul(dout, constant(dout, 0.5)), dout)
        return k.where(getattr(k, self.loses)(a, b), constant(dout, 0), share)


class Minimum(Maximum):
    """out = min(a, b); dout goes to the smaller, half to each of equals."""

    kind, loses = "minimum", "gt"


def add(a: Operand, b: Operand, *, alpha: float = 1) -> Tensor:
    """a + alpha b, broadcast."""
    return Add.apply(*promoted("add", a, _scaled("add", b, alpha)))


def sub(a: Operand, b: Operand, *, alpha: float = 1) -> Tensor:
    """a - alpha b, broadcast."""
    return Sub.apply(*promoted("sub", a, _scaled("sub", b, alpha)))


def mul(a: Operand, b: Operand) -> Tensor:
    """a times b, element by element, broadcast."""
    return Mul.apply(*promoted("mul", a, b))


def div(a: Operand, b: Operand) -> Tensor:
    """a / b, broadcast; of integers a float32."""
    return Div.apply(*(floating("div", x) for x in promoted("div", a, b)))


def pow(a: Operand, b: Operand) -> Tensor:
    """a to the power of b, broadcast."""
    if is_tensor(a) and isinstance(b, NUMBERS):
        if b == 2:
            return a * a
        if b == 3:
            return a * a * a
        if a.dtype.kind == "f" and b in (1, -1, 0.5):
            return a * 1 if b == 1 else 1 / a if b == -1 else a.sqrt()
    a, b = promoted("pow", a, b)
    return Pow.apply(a, b)


def maximum(a: Operand, b: Operand) -> Tensor:
    """The larger of a and b, broadcast; NaN if either is. Equals share the gradient."""
    return Maximum.apply(*promoted("maximum", a, b))


def minimum(a: Operand, b: Operand) -> Tensor:
    """The smaller of a and b, broadcast; NaN if either is. Equals share the gradient."""
    return Minimum.apply(*promoted("minimum", a, b))


def add_(x: Tensor, other: Operand, *, alpha: float = 1) -> Tensor:
    """x += alpha other, broadcast, in place."""
    return in_place(x, Add, _scaled("add_", other, alpha))


def sub_(x: Tensor, other: Operand, *, alpha: float = 1) -> Tensor:
    """x -= alpha other, broadcast, in place."""
    return in_place(x, Sub, _scaled("sub_", other, alpha))


def mul_(x: Tensor, other: Operand) -> Tensor:
    """x *= other, broadcast, in place."""
    return in_place(x, Mul, other)


def div_(x: Tensor, other: Operand) -> Tensor:
    """x /= other, broadcast, in place. TypeError if x holds integers."""
    if x.dtype.kind != "f":
        raise TypeError(f"[div_] the tensor has dtype {x.dtype}, expected float32 or float64")
    return in_place(x, Div, other)


def in_place(x: Tensor, function: type[Binary], other: Operand) -> Tensor:
    """x = function(x, other), in the memory of x. Returns x."""
    op = f"{function.kind}_"
    a, b = promoted(op, x, other)
    if a.dtype != x.dtype:
        raise TypeError(
            f"[{op}] the result has dtype {a.dtype}, expected {x.dtype} like the tensor"
        )
    if b._version is x._version and b is not x:
        b = b.clone()  # it may overlap with what is written
    if x._prepare_change(op, b):
        return x._become(function.apply(x, b))
    getattr(kernels(x.array), function.kind)(x.array, b.array, out=x.array)
    return x._changed()


def _scaled(op: str, x: Operand, alpha: float) -> Any:
    if number(op, "alpha", alpha) == 1:
        return x
    return x * alpha if isinstance(x, NUMBERS) else operand(op, "an operand", x) * alpha
