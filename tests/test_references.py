"""The definitions themselves: each derivative against finite differences, in float64."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from baregrad import _cpu, reference


def numeric_gradient(
    f: Callable[[np.ndarray], np.ndarray], x: np.ndarray, dout: np.ndarray, step: float = 1e-6
) -> np.ndarray:
    """d sum(f(x) dout) / dx by central differences: exact to about step^2 + 1e-16 / step."""
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        kept = x[index]
        x[index] = kept + step
        above = (f(x) * dout).sum()
        x[index] = kept - step
        below = (f(x) * dout).sum()
        x[index] = kept
        gradient[index] = (above - below) / (2 * step)
    return gradient


@pytest.mark.parametrize("kind", _cpu.UNARY)
def test_unary(kind: str, rng: np.random.Generator) -> None:
    forward, backward = (getattr(reference, f"{kind}_{way}") for way in ("forward", "backward"))
    x, dout = rng.standard_normal((2, 7, 5))
    got = backward(forward(x), dout)
    np.testing.assert_allclose(got, numeric_gradient(forward, x, dout), atol=1e-8)


def test_gemm(rng: np.random.Generator) -> None:
    a, b, dout = (rng.standard_normal(s) for s in ((3, 4), (4, 5), (3, 5)))
    da, db = reference.gemm(dout, b.T), reference.gemm(a.T, dout)
    np.testing.assert_allclose(
        da, numeric_gradient(lambda x: reference.gemm(x, b), a, dout), atol=1e-8
    )
    np.testing.assert_allclose(
        db, numeric_gradient(lambda x: reference.gemm(a, x), b, dout), atol=1e-8
    )


def test_softmax_xent(rng: np.random.Generator) -> None:
    logits, labels = 3 * rng.standard_normal((4, 6)), rng.integers(6, size=4)
    weight, dloss = rng.random(4), rng.standard_normal(4)
    _, saved = reference.softmax_xent_forward(logits, labels, weight)
    want = numeric_gradient(
        lambda x: reference.softmax_xent_forward(x, labels, weight)[0], logits, dloss
    )
    np.testing.assert_allclose(reference.softmax_xent_backward(saved, dloss), want, atol=1e-8)


def test_softmax_xent_is_the_textbook_formula(rng: np.random.Generator) -> None:
    logits, labels = rng.standard_normal((4, 6)), rng.integers(6, size=4)
    softmax = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    loss, _ = reference.softmax_xent_forward(logits, labels)
    np.testing.assert_allclose(loss, -np.log(softmax[np.arange(4), labels]), rtol=1e-12)


def test_adam_step_is_the_algorithm_of_the_paper(rng: np.random.Generator) -> None:
    param, m, v = rng.standard_normal(5), np.zeros(5), np.zeros(5)
    theta, first, second = param.copy(), 0.0, 0.0
    for t in range(1, 8):
        grad = rng.standard_normal(5)
        reference.adam_step([param], [grad], [m], [v], np.array([0.01]), np.array([t]))
        first, second = 0.9 * first + 0.1 * grad, 0.999 * second + 0.001 * grad**2
        theta -= 0.01 * (first / (1 - 0.9**t)) / (np.sqrt(second / (1 - 0.999**t)) + 1e-8)
    np.testing.assert_allclose(param, theta, rtol=1e-12)


def test_adam_step_with_decoupled_decay_is_the_algorithm_of_loshchilov_and_hutter(
    rng: np.random.Generator,
) -> None:
    param, m, v = rng.standard_normal(5), np.zeros(5), np.zeros(5)
    theta, first, second = param.copy(), 0.0, 0.0
    for t in range(1, 8):
        grad = rng.standard_normal(5)
        reference.adam_step(
            [param],
            [grad],
            [m],
            [v],
            np.array([0.01]),
            np.array([t]),
            weight_decay=0.1,
            decoupled=True,
        )
        first, second = 0.9 * first + 0.1 * grad, 0.999 * second + 0.001 * grad**2
        direction = (first / (1 - 0.9**t)) / (np.sqrt(second / (1 - 0.999**t)) + 1e-8)
        theta -= 0.01 * (direction + 0.1 * theta)
    np.testing.assert_allclose(param, theta, rtol=1e-12)


@pytest.mark.parametrize("nesterov", [False, True])
def test_sgd_step_is_the_algorithm_of_the_lecture(nesterov: bool, rng: np.random.Generator) -> None:
    param, velocity = rng.standard_normal(5), np.zeros(5)
    theta, v = param.copy(), 0.0
    for _ in range(7):
        grad = rng.standard_normal(5)
        reference.sgd_step(
            [param],
            [grad],
            [velocity],
            np.array([0.01]),
            momentum=0.9,
            weight_decay=0.1,
            nesterov=nesterov,
        )
        v = 0.9 * v + (grad + 0.1 * theta)
        theta -= 0.01 * (grad + 0.1 * theta + 0.9 * v if nesterov else v)
    np.testing.assert_allclose(param, theta, rtol=1e-12)


def test_gather_rows(rng: np.random.Generator) -> None:
    table, rows, dout = (
        rng.standard_normal((4, 3)),
        np.array([2, 0, 2]),
        rng.standard_normal((3, 3)),
    )
    got = reference.scatter_add_rows(dout, rows, np.zeros((4, 3)))
    want = numeric_gradient(lambda x: reference.gather_rows(x, rows), table, dout)
    np.testing.assert_allclose(got, want, atol=1e-8)


def test_philox_dropout(rng: np.random.Generator) -> None:
    (x, dout), state = rng.standard_normal((2, 7, 5)), np.array([3, 9])
    got = reference.philox_dropout(dout, state, p=0.4)
    want = numeric_gradient(lambda x: reference.philox_dropout(x, state, p=0.4), x, dout)
    assert (got == 0).any()
    np.testing.assert_allclose(got, want, atol=1e-8)
