"""grad, gradcheck, hooks, retained gradients, and when operations are recorded."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import baregrad as bg
import numpy as np
import pytest
from baregrad import Tensor
from baregrad.autograd import Function


def leaf(*values: float, device: str = "cpu") -> Tensor:
    return bg.tensor(values, device=device, requires_grad=True)


def test_grad_leaves_every_grad_alone(device: str) -> None:
    x, y = leaf(1.0, 2.0, device=device), leaf(3.0, 4.0, device=device)
    middle = x * y
    out = (middle * middle).sum()
    dx, dmiddle = bg.autograd.grad(out, [x, middle])
    assert dx is not None
    assert dmiddle is not None
    assert dx.tolist() == [18, 64]
    assert dmiddle.tolist() == [6, 16]
    assert x.grad is y.grad is middle.grad is None
    assert dx.device == device


def test_grad_of_several_outputs_is_that_of_their_sum() -> None:
    x = leaf(1.0, 2.0)
    y, z = x * 3, x * x
    (dx,) = bg.autograd.grad([y, z, x], x, [bg.ones(2), bg.tensor([10.0, 1.0]), bg.ones(2)])
    assert dx is not None
    assert dx.tolist() == [24, 8]


def test_grad_keeps_or_frees_the_graph_as_asked() -> None:
    x = leaf(1.0)
    y = x * x
    bg.autograd.grad(y, x, retain_graph=True)
    bg.autograd.grad(y, x)
    with pytest.raises(RuntimeError, match="was freed"):
        bg.autograd.grad(y, x)


def test_two_gradients_share_no_memory() -> None:
    a, b = leaf(1.0), leaf(2.0)
    da, db = bg.autograd.grad(a + b, (a, b), bg.ones(1))
    assert da is not None
    assert db is not None
    assert not np.shares_memory(da.array, db.array)


@pytest.mark.parametrize(
    ("action", "error", "sentence"),
    [
        (lambda x: bg.autograd.grad(x * 2, x), RuntimeError, r"shape \(2,\), expected one element"),
        (lambda x: bg.autograd.grad((x * 2).sum(), leaf(1.0)), RuntimeError, r"no output depends on inputs\[0\]"),
        (lambda x: bg.autograd.grad(x.sum(), bg.ones(2)), RuntimeError, r"inputs\[0\] does not require grad"),
        (lambda x: bg.autograd.grad(x.sum(), x, create_graph=True), NotImplementedError, "no second"),
        (lambda x: bg.autograd.grad(x.sum(), x, [bg.ones(()), bg.ones(())]), ValueError, "there are 2 grad_outputs, expected 1"),
        (lambda x: x.detach().register_hook(print), RuntimeError, "does not require grad"),
        (lambda x: bg.autograd.gradcheck(lambda y: y, x), TypeError, r"inputs\[0\] has dtype float32, expected float64"),
    ],
)  # fmt: skip
def test_refuses_with_a_sentence(
    action: Callable[[Tensor], Any], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        action(leaf(1.0, 2.0))


def test_an_input_that_is_not_used_has_no_gradient_if_that_is_allowed() -> None:
    x = leaf(1.0)
    assert bg.autograd.grad((x * 2).sum(), leaf(1.0), allow_unused=True) == (None,)


class Wrong(Function):
    def forward(self, x: Any) -> Any:
        return bg.kernels.reference.mul(x, x)

    def backward(self, dout: Any) -> tuple[Any]:
        return (dout.reshape(dout.shape),)


def test_gradcheck_tells_right_from_wrong() -> None:
    x = bg.tensor([[1.0, 2.0], [3.0, 4.0]], bg.float64, requires_grad=True)
    w = bg.tensor([2.0, -1.0], bg.float64, requires_grad=True)
    assert bg.autograd.gradcheck(lambda x, w: (x @ w).tanh(), (x, w))
    with pytest.raises(
        AssertionError, match=r"d output\[0\] / d inputs\[0\]\[0, 0\] is 1, expected about 2"
    ):
        bg.autograd.gradcheck(Wrong.apply, x)
    assert x.grad is None


def test_hooks_see_and_replace_the_gradient() -> None:
    x = leaf(1.0, 2.0)
    y = x * 3
    seen: list[Any] = []
    first = y.register_hook(lambda g: seen.append(g.tolist()))
    y.register_hook(lambda g: g * 2)
    x.register_hook(lambda g: seen.append(g.tolist()))
    (y * y).sum().backward(retain_graph=True)
    assert seen == [[6, 12], [36, 72]]
    assert x.grad is not None
    assert x.grad.tolist() == [36, 72]
    first.remove()
    first.remove()
    (y * y).sum().backward()
    assert len(seen) == 3


def test_a_gradient_that_a_hook_kept_is_never_changed() -> None:
    x = leaf(1.0)
    kept: list[Tensor] = []
    y = x * 1
    y.register_hook(kept.append)
    (y + y).backward()
    y2 = x * 1
    y2.register_hook(kept.append)
    (y2 * 5).backward()
    assert [g.item() for g in kept] == [2, 5]


def test_retain_grad_leaves_the_gradient_of_what_an_op_made() -> None:
    x = leaf(1.0, 2.0)
    y = x * 3
    y.retain_grad()
    x.retain_grad()
    (y * y).sum().backward(retain_graph=True)
    assert y.grad is not None
    assert y.grad.tolist() == [6, 12]
    (y * y).sum().backward()
    assert y.grad.tolist() == [12, 24]


def test_a_graph_goes_when_its_result_goes() -> None:
    gc.disable()
    try:
        x = leaf(1.0)
        y = x * 2
        y.retain_grad()
        z = y.exp()
        there = weakref.ref(y), weakref.ref(z)
        z.backward()
        del y, z
        assert [tensor() for tensor in there] == [None, None]
    finally:
        gc.enable()


def test_recording_is_switched_for_good_or_inside_a_with() -> None:
    x = leaf(1.0)
    with bg.set_grad_enabled(False):
        assert not (x * 2).requires_grad
        with bg.enable_grad():
            assert (x * 2).requires_grad
        with bg.set_grad_enabled(True):
            assert (x * 2).requires_grad
        assert not (x * 2).requires_grad
    assert (x * 2).requires_grad
    bg.set_grad_enabled(False)
    assert not bg.is_grad_enabled()
    bg.set_grad_enabled(True)


def test_no_grad_is_a_decorator_too() -> None:
    x = leaf(1.0)

    @bg.no_grad()
    def quiet() -> bool:
        return (x * 2).requires_grad

    assert not quiet()
    assert not quiet()
    assert (x * 2).requires_grad


def test_what_an_op_came_from_can_be_walked() -> None:
    x, y = leaf(1.0), bg.ones(1)
    out = (x * y).exp()
    assert repr(out.grad_fn) == "<Exp>"
    assert out.grad_fn is not None
    (product,) = out.grad_fn.parents
    assert isinstance(product, Function)
    assert product.parents[0] is x
    assert product.parents[1] is None
