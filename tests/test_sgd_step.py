"""sgd_step: momentum, Nesterov's momentum, lists of tensors, special values."""

from __future__ import annotations

import copy
from typing import Any

import baregrad as bg
import numpy as np
import pytest
from compare import assert_same_bits
from guarded import guarded

RATE = np.array([0.1], np.float32)


def f(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def test_without_momentum_it_goes_against_the_gradient(any_table: Any) -> None:
    param = f(1, 2, 3)
    any_table.sgd_step([param], [f(1, -2, 0)], None, RATE)
    np.testing.assert_allclose(param, [0.9, 2.2, 3], rtol=1e-6)


def test_momentum_gathers_speed(any_table: Any) -> None:
    param, velocity = f(0), f(0)
    for _ in range(3):  # velocities 1, 1.5, 1.75
        any_table.sgd_step([param], [f(1)], [velocity], RATE, momentum=0.5)
    np.testing.assert_allclose(velocity, [1.75], rtol=1e-6)
    np.testing.assert_allclose(param, [-0.425], rtol=1e-6)


def test_nesterov_looks_one_step_ahead(any_table: Any) -> None:
    param, velocity = f(0), f(0)
    for _ in range(2):  # changes 1 + 0.5, 1 + 0.75
        any_table.sgd_step([param], [f(1)], [velocity], RATE, momentum=0.5, nesterov=True)
    np.testing.assert_allclose(velocity, [1.5], rtol=1e-6)
    np.testing.assert_allclose(param, [-0.325], rtol=1e-6)


def test_weight_decay_pulls_towards_zero(any_table: Any) -> None:
    param = f(2, -2)
    any_table.sgd_step([param], [f(0, 0)], None, RATE, weight_decay=0.5)
    np.testing.assert_allclose(param, [1.9, -1.9], rtol=1e-6)


def test_nan_in_a_gradient_stays_with_its_parameter(any_table: Any) -> None:
    params = [np.ones(20, np.float32) for _ in "ab"]
    velocities = [np.zeros(20, np.float32) for _ in "ab"]
    grads = [np.ones(20, np.float32) for _ in "ab"]
    grads[1][3] = np.nan
    any_table.sgd_step(params, grads, velocities, RATE, momentum=0.9)
    assert np.isfinite(params[0]).all()
    assert np.flatnonzero(np.isnan(params[1])).tolist() == [3]
    assert np.flatnonzero(np.isnan(velocities[1])).tolist() == [3]


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_many_tensors_in_one_call_are_each_in_a_call(
    table: Any, momentum: float, rng: np.random.Generator
) -> None:
    lengths = [17, 0, 1, 5000, 16, *range(40), 33_000]
    lists = [[rng.standard_normal(n, np.float32) for n in lengths] for _ in range(3)]
    apart = copy.deepcopy(lists)
    table.sgd_step(*lists, RATE, momentum=momentum)
    for one in zip(*apart, strict=True):
        table.sgd_step(*([a] for a in one), RATE, momentum=momentum)
    for together, alone in zip(lists, apart, strict=True):
        for got, want in zip(together, alone, strict=True):
            assert_same_bits(got, want)


def test_reaches_beyond_one_grid_of_the_cuda_kernel(table: Any, rng: np.random.Generator) -> None:
    param, grad, velocity = rng.standard_normal((3, (1 << 20) + 300), np.float32)
    last = [a[1 << 20 :].copy() for a in (param, grad, velocity)]
    table.sgd_step([param], [grad], [velocity], RATE, momentum=0.9)
    table.sgd_step(*([a] for a in last), RATE, momentum=0.9)
    assert_same_bits(param[1 << 20 :], last[0])
    assert_same_bits(velocity[1 << 20 :], last[2])


def test_takes_tuples_views_and_gradients_of_any_strides(isa: str) -> None:
    memory, grad = np.ones(12, np.float32), np.arange(8, dtype=np.float32).reshape(2, 4)
    params = (memory[:8].reshape(4, 2), memory[8:])
    bg.kernels.cpu.sgd_step(params, (grad.T, grad[1]), None, np.array([1], np.float32))
    np.testing.assert_array_equal(params[0], 1 - grad.T)
    np.testing.assert_array_equal(params[1], 1 - grad[1])


def test_a_gradient_may_be_that_of_two_parameters(any_table: Any) -> None:
    params, grad = [f(1, 2), f(3, 4)], f(1, 1)
    any_table.sgd_step(params, [grad, grad], None, np.array([1], np.float32))
    np.testing.assert_array_equal(params, [[0, 1], [2, 3]])


@pytest.mark.parametrize("n", [1, 7, 15, 16, 17, 100])
def test_touches_nothing_beyond_its_arrays(isa: str, n: int, rng: np.random.Generator) -> None:
    far = list(rng.standard_normal((3, n), np.float32))
    near = [guarded(a) for a in far]
    for arrays in (near, far):
        bg.kernels.cpu.sgd_step(*([a] for a in arrays), guarded(RATE), momentum=0.9)
    for got, want in zip(near, far, strict=True):
        assert_same_bits(got, want)
