"""Gradients written over dout: where nobody else needs it, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import baregrad as bg
import numpy as np
import pytest
from baregrad.autograd import Function
from baregrad.backend import kernels
from baregrad.nn import functional as F  # noqa: N812  as everybody calls it

X = np.array([[-1.0, 2.0], [3.0, -4.0]], np.float32)
OPS: dict[str, Callable[[bg.Tensor], bg.Tensor]] = {
    "relu": bg.relu,
    "neg": bg.neg,
    "bias and relu": lambda x: F.linear(x, *identity(x), activation="relu"),
}


def identity(x: bg.Tensor) -> tuple[bg.Tensor, bg.Tensor]:
    """Weight and bias that change nothing."""
    like: dict[str, Any] = {"device": x.device, "dtype": x.dtype}
    return bg.eye(2, **like), bg.zeros(2, **like).requires_grad_()


EACH_OP = pytest.mark.parametrize("op", OPS)


class Doubled(Function):
    """out = 2 x; what it gives as the gradient is its test's business."""

    def forward(self, x: Any, gives: Callable[[Any], Any]) -> Any:
        self.gives = gives
        return kernels(x).add(x, x)

    def backward(self, dout: Any) -> tuple[Any]:
        return (self.gives(kernels(dout).add(dout, dout)),)


def derivative(op: str) -> np.ndarray:
    return np.full_like(X, -1) if op == "neg" else (X > 0).astype(np.float32)


def leaf(device: str = "cpu", dtype: Any = bg.float32) -> bg.Tensor:
    return bg.tensor(X, device=device, dtype=dtype).requires_grad_()


@EACH_OP
def test_a_gradient_is_written_where_that_above_it_was(op: str) -> None:
    made: list[np.ndarray] = []

    def gives(gradient: np.ndarray) -> np.ndarray:
        made.append(gradient)
        return gradient

    x = leaf()
    Doubled.apply(OPS[op](x), gives=gives).sum().backward()
    assert x.grad is not None
    np.testing.assert_array_equal(x.grad.numpy(), 2 * derivative(op))
    np.testing.assert_array_equal(made[0], 2 * derivative(op))


@EACH_OP
@pytest.mark.parametrize("dtype", [bg.float32, bg.float64], ids=str)
def test_it_is_the_same_gradient_everywhere(op: str, dtype: Any, device: str) -> None:
    x = leaf(device, dtype)
    Doubled.apply(OPS[op](x), gives=lambda gradient: gradient).sum().backward()
    assert x.grad is not None
    np.testing.assert_array_equal(x.grad.numpy(), 2 * derivative(op))


@EACH_OP
@pytest.mark.parametrize("how", ["retain_grad", "a hook", "autograd.grad"])
def test_a_gradient_that_somebody_keeps_stays(op: str, how: str) -> None:
    x, seen = leaf(), []
    y = OPS[op](x)
    out = Doubled.apply(y, gives=lambda gradient: gradient).sum()
    if how == "autograd.grad":
        dy, dx = bg.autograd.grad(out, [y, x])
    else:
        y.retain_grad() if how == "retain_grad" else y.register_hook(seen.append)
        out.backward()
        dy, dx = seen[0] if seen else y.grad, x.grad
    np.testing.assert_array_equal(dy.numpy(), np.full_like(X, 2))
    np.testing.assert_array_equal(dx.numpy(), 2 * derivative(op))


@EACH_OP
def test_a_gradient_given_by_the_caller_stays(op: str) -> None:
    x, given = leaf(), bg.ones(2, 2)
    OPS[op](x).backward(given)
    assert x.grad is not None
    np.testing.assert_array_equal(given.numpy(), np.ones_like(X))
    np.testing.assert_array_equal(x.grad.numpy(), derivative(op))


@EACH_OP
def test_a_gradient_of_several_inputs_stays_for_the_next(op: str) -> None:
    x, z = leaf(), leaf()
    both = OPS[op](x) + OPS[op](z)  # dout goes on to both as it is
    Doubled.apply(both, gives=lambda gradient: gradient).sum().backward()
    for tensor in (x, z):
        assert tensor.grad is not None
        np.testing.assert_array_equal(tensor.grad.numpy(), 2 * derivative(op))


@EACH_OP
def test_a_gradient_that_cannot_be_written_to_is_read(op: str) -> None:
    x = leaf()
    repeated = np.broadcast_to(np.float32(7), (2, 2))  # which NumPy makes read-only
    Doubled.apply(OPS[op](x), gives=lambda _: repeated).sum().backward()
    assert x.grad is not None
    np.testing.assert_array_equal(x.grad.numpy(), 7 * derivative(op))


@EACH_OP
def test_a_graph_that_is_kept_gives_the_same_again(op: str) -> None:
    x = leaf()
    out = Doubled.apply(OPS[op](x), gives=lambda gradient: gradient).sum()
    for times in (1, 2):
        out.backward(retain_graph=True)
        assert x.grad is not None
        np.testing.assert_array_equal(x.grad.numpy(), times * 2 * derivative(op))
