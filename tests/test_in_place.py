"""Changes in place: what they change, what they record, and what backward notices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import baregrad as bg
import numpy as np
import pytest
from baregrad import Tensor

CHANGES: dict[str, Callable[[Tensor], Any]] = {
    "add_": lambda x: x.add_(2),
    "add_ with alpha": lambda x: x.add_(bg.ones(3, device=x.device), alpha=2),
    "+=": lambda x: x.__iadd__(2),
    "sub_": lambda x: x.sub_(1.5),
    "-=": lambda x: x.__isub__(bg.ones(2, 1, device=x.device)),
    "mul_": lambda x: x.mul_(x),
    "*=": lambda x: x.__imul__(3),
    "div_": lambda x: x.div_(4),
    "/=": lambda x: x.__itruediv__(4),
    "clamp_": lambda x: x.clamp_(-0.5, 0.5),
    "fill_": lambda x: x.fill_(3),
    "fill_ with a tensor": lambda x: x.fill_(bg.tensor(3.0, device=x.device)),
    "zero_": lambda x: x.zero_(),
    "copy_": lambda x: x.copy_(bg.ones(3, device=x.device)),
    "x[...] =": lambda x: x.__setitem__(0, 1.0),
    "x[rows] =": lambda x: x.__setitem__([1], 1.0),
}


@pytest.mark.parametrize("name", CHANGES)
def test_changes_the_very_memory(name: str, device: str) -> None:
    x = bg.tensor([[1.0, -2.0, 3.0], [0.5, 0.0, -1.0]], device=device)
    seen, before = x.T, x.clone()
    result = CHANGES[name](x)
    assert result is x or result is None
    fresh = before.clone()
    CHANGES[name](fresh)
    assert not bool((x == before).all())
    assert x.tolist() == fresh.tolist()
    assert seen.T.tolist() == x.tolist()


@pytest.mark.parametrize("name", CHANGES)
def test_a_leaf_that_requires_grad_changes_only_unrecorded(name: str) -> None:
    x = bg.tensor([[1.0, -2.0, 3.0], [0.5, 0.0, -1.0]], requires_grad=True)
    kept = x.tolist()
    with pytest.raises(RuntimeError, match="a leaf that requires grad, or a view of one"):
        CHANGES[name](x)
    with pytest.raises(RuntimeError, match="a leaf that requires grad, or a view of one"):
        CHANGES[name](x[:])
    assert x.tolist() == kept
    with bg.no_grad():
        CHANGES[name](x)
    assert x.tolist() != kept
    assert x.is_leaf
    assert x.requires_grad


@pytest.mark.parametrize("name", CHANGES)
def test_is_noticed_where_the_value_was_saved(name: str) -> None:
    w = bg.tensor([[1.0, -2.0, 3.0], [0.5, 0.0, -1.0]], requires_grad=True)
    for at in (w * 2, (w * 2).T.T, (w * 2).detach()):
        y = (at * w).sum()
        CHANGES[name](at)
        with pytest.raises(RuntimeError, match="Mul saved was changed in place"):
            y.backward()


def test_is_not_complained_of_where_backward_needs_no_value() -> None:
    w = bg.tensor([1.0, 2.0], requires_grad=True)
    y = w * 2
    z = y + 1
    y.add_(5)
    z.sum().backward()
    assert w.grad is not None
    assert w.grad.tolist() == [2, 2]


def test_becomes_part_of_the_graph() -> None:
    w = bg.tensor([1.0, 2.0], requires_grad=True)
    total = bg.zeros(2)
    for step in range(3):
        total += w * step
    total *= w
    assert not total.is_leaf
    total.sum().backward()
    assert w.grad is not None
    assert w.grad.tolist() == [6, 12]  # of 3 w^2


def test_what_was_made_before_keeps_its_own_history() -> None:
    w = bg.tensor([3.0], requires_grad=True)
    y = w * 2
    before = y + 0
    y.mul_(y)
    (before + y).sum().backward()
    assert w.grad is not None
    assert w.grad.item() == 2 + 8 * 3


def test_a_view_from_before_a_recorded_change_is_refused() -> None:
    w = bg.tensor([1.0, 2.0], requires_grad=True)
    base = w * 1
    first = base[0]
    base += w
    with pytest.raises(
        RuntimeError, match=r"\[Mul\] another view .* expected x\[i\] = x\[i\] \+ y"
    ):
        first * 2
    base[0] * 2  # a new view knows
    with pytest.raises(RuntimeError, match="another view"):
        base[0] += w[0]
    fresh = w * 1
    fresh[0] = fresh[0] + w[0]
    fresh.sum().backward()
    assert w.grad is not None
    assert w.grad.tolist() == [2, 1]


def test_a_detached_tensor_sees_the_change_and_no_history() -> None:
    w = bg.tensor([1.0], requires_grad=True)
    y = w * 1
    there = y.detach()
    y += w
    assert (there * 2).item() == 4
    assert not (there * 2).requires_grad


def test_numbers_of_versions_are_shared_by_views_only() -> None:
    x = bg.zeros(2, 3)
    views = [x.T, x[0], x.reshape(6), x.detach(), x.expand(4, 2, 3), x.unsqueeze(0), bg.Tensor(x)]
    x.add_(1)
    assert {v._version.number for v in views} == {1}
    copies = [x.clone(), x.to(bg.float64), x[[0]], bg.tensor(x)]
    x.add_(1)
    assert {c._version.number for c in copies} == {0}


@pytest.mark.parametrize(
    ("action", "error", "sentence"),
    [
        (lambda: bg.arange(3).add_(0.5), TypeError, r"\[add_\] the result has dtype float32, expected int64"),
        (lambda: bg.arange(3).div_(2), TypeError, r"\[div_\] the tensor has dtype int64"),
        (lambda: bg.zeros(3).add_(bg.zeros(2, 3)), ValueError, "out has shape"),
        (lambda: bg.zeros(1).expand(3).add_(1), ValueError, "read-only"),
        (lambda: bg.zeros(3).mul_("a"), TypeError, "b is a str, expected a Tensor"),
    ],
)  # fmt: skip
def test_refuses_with_a_sentence(
    action: Callable[[], Any], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        action()


def test_an_optimizer_in_three_lines() -> None:
    w = bg.tensor([5.0], requires_grad=True)
    for _ in range(100):
        ((w - 2) ** 2).sum().backward()
        with bg.no_grad():
            assert w.grad is not None
            w -= 0.1 * w.grad
            w.grad.zero_()
    np.testing.assert_allclose(w.detach().numpy(), [2], atol=1e-6)
