"""adam_step: a run against float64, the first step, special values."""

from __future__ import annotations

from typing import Any

import baregrad as bg
import numpy as np
import pytest
from compare import assert_same_bits
from guarded import guarded


def state(rng: np.random.Generator, n: int) -> dict[str, Any]:
    return {
        "param": rng.standard_normal(n, np.float32),
        "m": np.zeros(n, np.float32),
        "v": np.zeros(n, np.float32),
        "learning_rate": np.array([1e-3], np.float32),
    }


def test_follows_float64_for_a_hundred_steps(table: Any, rng: np.random.Generator) -> None:
    fast = state(rng, 37)
    exact = {name: value.astype(np.float64) for name, value in fast.items()}
    exact["learning_rate"][0] = fast["learning_rate"][0]
    for step in range(1, 101):
        grad = rng.standard_normal(37, np.float32)
        table.adam_step(grad=grad, step=np.array([step]), **fast)
        bg.kernels.reference.adam_step(grad=grad.astype(np.float64), step=np.array([step]), **exact)
    # Each step adds a rounding of param (u |param|) and of the change (about 12 u of 1e-3).
    bound = 100 * 2.0**-24 * (np.abs(exact["param"]) + 12e-3)
    assert (np.abs(fast["param"] - exact["param"]) <= bound).all()


def test_the_first_step_is_the_learning_rate_against_the_sign(any_table: Any) -> None:
    # m / (1 - beta1) = g and v / (1 - beta2) = g^2 at step 1, so the change is lr g / (|g| + eps).
    param, grad = np.zeros(3, np.float32), np.array([1e-4, -3.0, 1e4], np.float32)
    m, v = np.zeros((2, 3), np.float32)
    rate, step = np.array([0.01], np.float32), np.array([1])
    any_table.adam_step(param, grad, m, v, rate, step, epsilon=1e-8)
    np.testing.assert_allclose(param, [-0.01 * (1e-4 / (1e-4 + 1e-8)), 0.01, -0.01], rtol=1e-6)


def test_nan_in_a_gradient_stays_with_its_parameter(any_table: Any) -> None:
    param, grad = np.ones(20, np.float32), np.ones(20, np.float32)
    grad[3] = np.nan
    m, v = np.zeros((2, 20), np.float32)
    any_table.adam_step(param, grad, m, v, np.array([0.1], np.float32), np.array([1]))
    assert np.flatnonzero(np.isnan(param)).tolist() == [3]


def test_weight_decay_pulls_towards_zero(any_table: Any) -> None:
    param, zero = np.array([2.0, -2.0], np.float32), np.zeros(2, np.float32)
    m, v = np.zeros((2, 2), np.float32)
    rate, step = np.array([0.1], np.float32), np.array([1])
    any_table.adam_step(param, zero, m, v, rate, step, weight_decay=0.5)
    np.testing.assert_allclose(param, [1.9, -1.9], rtol=1e-6)


@pytest.mark.parametrize("n", [1, 7, 15, 16, 17, 100])
def test_touches_nothing_beyond_its_arrays(isa: str, n: int, rng: np.random.Generator) -> None:
    near = {name: guarded(value) for name, value in state(rng, n).items()}
    far = {name: value.copy() for name, value in near.items()}
    grad = guarded(rng.standard_normal(n, np.float32))
    bg.kernels.cpu.adam_step(grad=grad, step=guarded(np.array([1])), **near)
    bg.kernels.cpu.adam_step(grad=grad, step=np.array([1]), **far)
    for name, array in near.items():
        assert_same_bits(array, far[name])


def test_bias_correction_is_exact_after_a_million_steps(isa: str) -> None:
    arrays = [np.array([x], np.float32) for x in (1.0, 1.0, 1.0, 1.0, 0.1)]
    exact = [a.astype(np.float64) for a in arrays]
    bg.kernels.cpu.adam_step(*arrays, np.array([1_000_000]), beta2=0.9999999)
    bg.kernels.reference.adam_step(*exact, np.array([1_000_000]), beta2=0.9999999)
    np.testing.assert_allclose(arrays[0], exact[0], rtol=1e-6)
