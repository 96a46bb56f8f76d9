"""Tensors from numbers, arrays, shapes and random draws."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import baregrad as bg
import numpy as np
import pytest

MADE: dict[str, tuple[Callable[[str], bg.Tensor], Any, np.dtype]] = {
    "zeros": (lambda d: bg.zeros(2, 3, device=d), np.zeros((2, 3)), bg.float32),
    "zeros of a shape": (lambda d: bg.zeros((2,), dtype=bg.int64, device=d), [0, 0], bg.int64),
    "a scalar": (lambda d: bg.ones((), device=d), 1, bg.float32),
    "ones": (lambda d: bg.ones(2, 0, device=d), np.ones((2, 0)), bg.float32),
    "full": (lambda d: bg.full((2,), 2.5, device=d), [2.5, 2.5], bg.float32),
    "full of integers": (lambda d: bg.full(2, 7, device=d), [7, 7], bg.int64),
    "full of bools": (lambda d: bg.full((2,), True, device=d), [True, True], bg.bool),
    "full, typed": (lambda d: bg.full((2,), 7, bg.float64, device=d), [7, 7], bg.float64),
    "arange": (lambda d: bg.arange(4, device=d), [0, 1, 2, 3], bg.int64),
    "arange between": (lambda d: bg.arange(1, 2, 0.5, device=d), [1, 1.5], bg.float32),
    "arange down": (lambda d: bg.arange(3, 0, -1, device=d), [3, 2, 1], bg.int64),
    "linspace": (lambda d: bg.linspace(0, 1, 3, device=d), [0, 0.5, 1], bg.float32),
    "eye": (lambda d: bg.eye(2, 3, device=d), np.eye(2, 3), bg.float32),
    "zeros_like": (lambda d: bg.zeros_like(bg.tensor([1, 2], device=d)), [0, 0], bg.int64),
    "ones_like": (lambda d: bg.ones_like(bg.arange(2, device=d), dtype=bg.float32), [1, 1], bg.float32),
}  # fmt: skip


@pytest.mark.parametrize("name", MADE)
def test_makes_what_it_says_where_it_is_told(name: str, device: str) -> None:
    make, values, dtype = MADE[name]
    x = make(device)
    assert (x.device, x.dtype) == (device, dtype)
    np.testing.assert_array_equal(x.cpu().numpy(), values)


def test_random_numbers_follow_the_seed_and_not_the_device(device: str) -> None:
    for draw in (bg.rand, bg.randn):
        bg.manual_seed(3)
        here, more = draw(3, 5), draw(3, 5)
        bg.manual_seed(3)
        there = draw(3, 5, device=device)
        np.testing.assert_allclose(there.cpu().numpy(), here.numpy(), rtol=1e-5, atol=1e-6)
        assert not np.array_equal(more.numpy(), here.numpy())
        assert draw(2, requires_grad=True).requires_grad
    like = bg.rand_like(bg.zeros(2, 3, dtype=bg.float64))
    assert (like.shape, like.dtype, bg.randn_like(like).dtype) == ((2, 3), bg.float64, bg.float64)


def test_random_numbers_have_the_mean_and_variance_of_their_kind() -> None:
    # 40,000 draws: 5 standard deviations of the mean, and of the variance.
    n = 40_000
    u, g = bg.rand(n, dtype=bg.float64).numpy(), bg.randn(n, dtype=bg.float64).numpy()
    assert u.min() >= 0
    assert u.max() < 1
    assert abs(u.mean() - 0.5) < 5 * (1 / 12 / n) ** 0.5
    assert abs(g.mean()) < 5 / n**0.5
    assert abs(g.var() - 1) < 5 * (2 / n) ** 0.5


def test_random_integers_are_in_their_range() -> None:
    bg.manual_seed(0)
    drawn = bg.randint(10, (1000,))
    assert drawn.dtype == bg.int64
    assert set(drawn.tolist()) == set(range(10))
    assert set(bg.randint(-2, 1, (100,)).tolist()) == {-2, -1, 0}
    assert sorted(bg.randperm(20).tolist()) == list(range(20))
    bg.manual_seed(0)
    assert bg.randint(10, (1000,)).tolist() == drawn.tolist()


def test_shares_memory_where_that_is_possible() -> None:
    array = np.zeros(3, np.float32)
    assert np.shares_memory(bg.as_tensor(array).array, array)
    assert np.shares_memory(bg.from_dlpack(array).array, array)
    assert not np.shares_memory(bg.tensor(array).array, array)
    assert bg.as_tensor(array, bg.int64).dtype == bg.int64
    strided = np.zeros((4, 4), np.float32)[::2, 1]
    assert np.shares_memory(bg.from_numpy(strided).array, strided)


WRONG: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: bg.tensor(np.ma.masked_array([1.0, 2.0], [False, True])), TypeError, "a masked array, expected data.filled"),
    (lambda: bg.from_numpy(np.ma.masked_array([1.0])), TypeError, "a masked array"),
    (lambda: bg.tensor([[1, 2], [3]]), ValueError, r"\[tensor\] data is no array, expected rows that are alike"),
    (lambda: bg.zeros(2, -1), ValueError, r"\[zeros\] size is \(2, -1\), expected lengths of at least 0"),
    (lambda: bg.rand(-1), ValueError, "expected lengths of at least 0"),
    (lambda: bg.ones(2**40, 2**40), ValueError, r"\[ones\] would have \d+ elements, expected fewer than"),
    (lambda: bg.zeros(2.5), TypeError, "size is \\(2.5,\\), expected integers"),  # type: ignore[arg-type]
    (lambda: bg.full((2,), "a"), TypeError, "fill_value is a str, expected a number"),  # type: ignore[arg-type]
    (lambda: bg.randint(10, 20), TypeError, r"there is no size, expected a shape such as \(3,\)"),
    (lambda: bg.zeros(2, device="tpu"), ValueError, "device is 'tpu', expected one of"),
    (lambda: bg.zeros(2, dtype=bg.int64, requires_grad=True), TypeError, "dtype is int64"),
    (lambda: bg.device("gpu"), ValueError, "device is 'gpu', expected one of cpu, cuda"),
]  # fmt: skip


@pytest.mark.parametrize(("action", "error", "sentence"), WRONG)
def test_refuses_with_a_sentence(
    action: Callable[[], Any], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        action()
