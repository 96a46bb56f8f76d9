"""adam_step: a run against float64, the first step, lists of tensors, AdamW, special values."""

from __future__ import annotations

import copy
from typing import Any

import baregrad as bg
import numpy as np
import pytest
from compare import assert_same_bits
from guarded import guarded


def state(rng: np.random.Generator, n: int) -> dict[str, Any]:
    return {
        "params": [rng.standard_normal(n, np.float32)],
        "ms": [np.zeros(n, np.float32)],
        "vs": [np.zeros(n, np.float32)],
        "learning_rate": np.array([1e-3], np.float32),
    }


def in_double(arguments: dict[str, Any]) -> dict[str, Any]:
    return {
        name: [a.astype(np.float64) for a in value]
        if isinstance(value, list)
        else value.astype(np.float64)
        for name, value in arguments.items()
    }


@pytest.mark.parametrize("decoupled", [False, True])
def test_follows_float64_for_a_hundred_steps(
    table: Any, decoupled: bool, rng: np.random.Generator
) -> None:
    fast = state(rng, 37)
    exact = in_double(fast)
    for step in range(1, 101):
        grad, same = rng.standard_normal(37, np.float32), {"weight_decay": 0.01}
        table.adam_step(grads=[grad], step=np.array([step]), decoupled=decoupled, **same, **fast)
        bg.kernels.reference.adam_step(
            grads=[grad.astype(np.float64)],
            step=np.array([step]),
            decoupled=decoupled,
            **same,
            **exact,
        )
    # Each step adds a rounding of param (u |param|; if decoupled the one of its product, and that of
    # its factor) and of the change (about 12 u of 1e-3).
    size = np.abs(exact["params"][0]) * (3 if decoupled else 1)
    bound = 100 * 2.0**-24 * (size + 12e-3)
    assert (np.abs(fast["params"][0] - exact["params"][0]) <= bound).all()


def test_the_first_step_is_the_learning_rate_against_the_sign(any_table: Any) -> None:
    # m / (1 - beta1) = g and v / (1 - beta2) = g^2 at step 1, so the change is lr g / (|g| + eps).
    param, grad = np.zeros(3, np.float32), np.array([1e-4, -3.0, 1e4], np.float32)
    m, v = np.zeros((2, 3), np.float32)
    rate, step = np.array([0.01], np.float32), np.array([1])
    any_table.adam_step([param], [grad], [m], [v], rate, step, epsilon=1e-8)
    np.testing.assert_allclose(param, [-0.01 * (1e-4 / (1e-4 + 1e-8)), 0.01, -0.01], rtol=1e-6)


def test_nan_in_a_gradient_stays_with_its_parameter(any_table: Any) -> None:
    param, grad = np.ones(20, np.float32), np.ones(20, np.float32)
    grad[3] = np.nan
    m, v = np.zeros((2, 20), np.float32)
    any_table.adam_step([param], [grad], [m], [v], np.array([0.1], np.float32), np.array([1]))
    assert np.flatnonzero(np.isnan(param)).tolist() == [3]


def test_an_infinite_parameter_stays_so_where_the_decay_is_decoupled(any_table: Any) -> None:
    param, zero = np.array([np.inf, -np.inf], np.float32), np.zeros(2, np.float32)
    m, v = np.zeros((2, 2), np.float32)
    rate, step = np.array([0.1], np.float32), np.array([1])
    for decay in (0.0, 0.5):
        any_table.adam_step(
            [param], [zero], [m], [v], rate, step, weight_decay=decay, decoupled=True
        )
        np.testing.assert_array_equal(param, [np.inf, -np.inf])
    any_table.adam_step([param], [zero], [m], [v], rate, step)
    assert np.isnan(param).all()  # 0 inf joined the gradient


def test_weight_decay_pulls_towards_zero(any_table: Any) -> None:
    param, zero = np.array([2.0, -2.0], np.float32), np.zeros(2, np.float32)
    m, v = np.zeros((2, 2), np.float32)
    rate, step = np.array([0.1], np.float32), np.array([1])
    any_table.adam_step([param], [zero], [m], [v], rate, step, weight_decay=0.5)
    np.testing.assert_allclose(param, [1.9, -1.9], rtol=1e-6)


def test_decoupled_weight_decay_leaves_the_moments_alone(any_table: Any) -> None:
    param, zero = np.array([2.0, -2.0], np.float32), np.zeros(2, np.float32)
    m, v = np.zeros((2, 2), np.float32)
    rate, step = np.array([0.1], np.float32), np.array([1])
    any_table.adam_step([param], [zero], [m], [v], rate, step, weight_decay=0.5, decoupled=True)
    np.testing.assert_allclose(param, [1.9, -1.9], rtol=1e-6)
    assert not m.any()
    assert not v.any()


def test_many_tensors_in_one_call_are_each_in_a_call(table: Any, rng: np.random.Generator) -> None:
    lengths = [17, 0, 1, 5000, 16, *range(40), 33_000]
    lists = [[np.abs(rng.standard_normal(n, np.float32)) for n in lengths] for _ in range(4)]
    apart = copy.deepcopy(lists)
    rate, step = np.array([0.1], np.float32), np.array([3])
    table.adam_step(*lists, rate, step)
    for one in zip(*apart, strict=True):
        table.adam_step(*([a] for a in one), rate, step)
    for together, alone in zip(lists, apart, strict=True):
        for got, want in zip(together, alone, strict=True):
            assert_same_bits(got, want)


def test_reaches_beyond_one_grid_of_the_cuda_kernel(table: Any, rng: np.random.Generator) -> None:
    arrays = list(np.abs(rng.standard_normal((4, (1 << 20) + 300), np.float32)))
    last = [a[1 << 20 :].copy() for a in arrays]
    rate, step = np.array([0.1], np.float32), np.array([3])
    for lists in (arrays, last):
        table.adam_step(*([a] for a in lists), rate, step)
    for got, want in zip(arrays, last, strict=True):
        assert_same_bits(got[1 << 20 :], want)


def test_no_tensors_are_no_work(any_table: Any) -> None:
    any_table.adam_step([], [], [], [], np.array([0.1], np.float32), np.array([1]))


@pytest.mark.parametrize("n", [1, 7, 15, 16, 17, 100])
def test_touches_nothing_beyond_its_arrays(isa: str, n: int, rng: np.random.Generator) -> None:
    far = state(rng, n)
    near = {
        name: [guarded(a) for a in value] if isinstance(value, list) else guarded(value)
        for name, value in far.items()
    }
    grad = guarded(rng.standard_normal(n, np.float32))
    bg.kernels.cpu.adam_step(grads=[grad], step=guarded(np.array([1])), **near)
    bg.kernels.cpu.adam_step(grads=[grad], step=np.array([1]), **far)
    for name in ("params", "ms", "vs"):
        assert_same_bits(near[name][0], far[name][0])


def test_bias_correction_is_exact_after_a_million_steps(isa: str) -> None:
    lists = [[np.array([x], np.float32)] for x in (1.0, 1.0, 1.0, 1.0)]
    exact = [[a.astype(np.float64)] for (a,) in lists]
    rate, step = np.array([0.1], np.float32), np.array([1_000_000])
    bg.kernels.cpu.adam_step(*lists, rate, step, beta2=0.9999999)
    bg.kernels.reference.adam_step(*exact, rate.astype(np.float64), step, beta2=0.9999999)
    np.testing.assert_allclose(lists[0][0], exact[0][0], rtol=1e-6)
