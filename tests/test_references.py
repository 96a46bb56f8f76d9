"""The definitions themselves: each derivative against finite differences, in float64."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from baregrad import _cpu, reference
from baregrad.cases.unary import SAVES_ITS_OUTPUT


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
    alpha = {"alpha": 0.3} if kind in ("leaky_relu", "elu") else {}
    forward, backward = (
        partial(getattr(reference, f"{kind}_{way}"), **alpha) for way in ("forward", "backward")
    )
    x, dout = rng.standard_normal((2, 7, 5))
    x += 0.01 * np.sign(x)  # no difference reaches over a corner at 0
    if kind in ("log", "sqrt"):
        x = np.abs(x)
    saved = forward(x) if kind in SAVES_ITS_OUTPUT else x
    got = backward(saved, dout)
    np.testing.assert_allclose(got, numeric_gradient(forward, x, dout), atol=1e-8, rtol=1e-6)


def test_gelu_and_silu_are_the_formulas_of_their_papers(rng: np.random.Generator) -> None:
    x = rng.standard_normal(9)
    erf = np.array([math.erf(v / math.sqrt(2)) for v in x])
    np.testing.assert_allclose(reference.gelu_forward(x), x * (1 + erf) / 2, rtol=1e-12)
    np.testing.assert_allclose(reference.silu_forward(x), x / (1 + np.exp(-x)), rtol=1e-12)


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


@pytest.mark.parametrize("kind", ["softmax", "log_softmax"])
def test_softmax(kind: str, rng: np.random.Generator) -> None:
    forward, backward = (getattr(reference, f"{kind}_{way}") for way in ("forward", "backward"))
    x, dout = rng.standard_normal((2, 4, 6))
    want = numeric_gradient(forward, x, dout)
    np.testing.assert_allclose(backward(forward(x), dout), want, atol=1e-8)
    softmax = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
    textbook = softmax if kind == "softmax" else np.log(softmax)
    np.testing.assert_allclose(forward(x), textbook, rtol=1e-12)


@pytest.mark.parametrize("s", [1, 3])
def test_batch_norm(s: int, rng: np.random.Generator) -> None:
    x, dout = rng.standard_normal((2, 5, 4, s))
    weight, bias = rng.standard_normal((2, 4))
    forward = reference.batch_norm_forward
    _, mean, var = forward(x, weight, bias, epsilon=0.1)
    np.testing.assert_allclose(mean, x.mean(axis=(0, 2)), rtol=1e-12)
    np.testing.assert_allclose(var, x.var(axis=(0, 2)), rtol=1e-12)
    dx, dweight, dbias = reference.batch_norm_backward(x, dout, weight, mean, var, epsilon=0.1)
    for got, function, at in (
        (dx, lambda v: forward(v, weight, bias, epsilon=0.1)[0], x),
        (dweight, lambda v: forward(x, v, bias, epsilon=0.1)[0], weight),
        (dbias, lambda v: forward(x, weight, v, epsilon=0.1)[0], bias),
    ):
        np.testing.assert_allclose(got, numeric_gradient(function, at, dout), atol=1e-7)


def test_layer_norm(rng: np.random.Generator) -> None:
    x, dout = rng.standard_normal((2, 5, 4))
    weight, bias = rng.standard_normal((2, 4))
    forward = reference.layer_norm_forward
    _, mean, r = forward(x, weight, bias, epsilon=0.1)
    np.testing.assert_allclose(mean, x.mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(r, 1 / np.sqrt(x.var(axis=1) + 0.1), rtol=1e-12)
    dx, dweight, dbias = reference.layer_norm_backward(x, dout, weight, mean, r)
    for got, function, at in (
        (dx, lambda v: forward(v, weight, bias, epsilon=0.1)[0], x),
        (dweight, lambda v: forward(x, v, bias, epsilon=0.1)[0], weight),
        (dbias, lambda v: forward(x, weight, v, epsilon=0.1)[0], bias),
    ):
        np.testing.assert_allclose(got, numeric_gradient(function, at, dout), atol=1e-7)


@pytest.mark.parametrize("activation", ["relu", "sigmoid", "tanh"])
def test_bias_activation(activation: str, rng: np.random.Generator) -> None:
    x, dout = rng.standard_normal((2, 3, 4, 2))
    bias = rng.standard_normal(4)

    def forward(x: np.ndarray, bias: np.ndarray) -> np.ndarray:
        return reference.bias_activation_forward(x, bias, activation=activation)

    dx, dbias = reference.bias_activation_backward(forward(x, bias), dout, activation=activation)
    want = numeric_gradient(lambda v: forward(v, bias), x, dout)
    np.testing.assert_allclose(dx, want, atol=1e-8)
    want = numeric_gradient(lambda v: forward(x, v), bias, dout)
    np.testing.assert_allclose(dbias, want, atol=1e-8)


@pytest.mark.parametrize("axes", [(0,), (1, 2), (2, 0, 1), ()])
def test_reductions_are_those_of_numpy(axes: tuple[int, ...], rng: np.random.Generator) -> None:
    x = rng.standard_normal((3, 4, 5))
    for kind in ("sum", "mean", "max", "min"):
        want = getattr(np, kind)(x, axis=axes)
        got = getattr(reference, f"reduce_{kind}")(x, axes)
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-15)
    got = reference.reduce_var(x, axes, correction=0)
    np.testing.assert_allclose(got, x.var(axis=axes), rtol=1e-12, atol=1e-15)
    if len(axes) == 1:
        np.testing.assert_array_equal(reference.argmax(x, axes[0]), x.argmax(axis=axes[0]))
        np.testing.assert_array_equal(reference.argmin(x, axes[0]), x.argmin(axis=axes[0]))


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


WINDOWS: list[dict[str, tuple[int, int]]] = [
    {},
    {"stride": (2, 1), "padding": (1, 2)},
    {"stride": (2, 3), "padding": (2, 1), "dilation": (1, 2)},
]


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("options", WINDOWS, ids=str)
def test_conv2d(groups: int, options: dict[str, tuple[int, int]], rng: np.random.Generator) -> None:
    x, bias = rng.standard_normal((2, 4, 5, 6)), rng.standard_normal(2)
    w = rng.standard_normal((2, 4 // groups, 3, 2))

    def forward(x: np.ndarray, w: np.ndarray) -> np.ndarray:
        return reference.conv2d_forward(x, w, bias, groups=groups, **options)

    dout = rng.standard_normal(forward(x, w).shape)
    dx = reference.conv2d_backward_input(dout, w, x.shape, groups=groups, **options)
    dw = reference.conv2d_backward_weight(x, dout, (3, 2), groups=groups, **options)
    want = numeric_gradient(lambda x: forward(x, w), x, dout)
    np.testing.assert_allclose(dx, want, atol=1e-7)
    want = numeric_gradient(lambda w: forward(x, w), w, dout)
    np.testing.assert_allclose(dw, want, atol=1e-7)


def test_conv2d_is_the_sum_of_its_docstring(rng: np.random.Generator) -> None:
    x, w = rng.standard_normal((1, 2, 4, 5)), rng.standard_normal((4, 1, 2, 3))
    out = reference.conv2d_forward(x, w, stride=(2, 1), padding=(1, 0), dilation=(1, 2), groups=2)
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (0, 0)))
    for o, oy, ox in np.ndindex(out.shape[1:]):
        window = padded[0, o // 2, 2 * oy : 2 * oy + 2, ox : ox + 5 : 2]
        np.testing.assert_allclose(out[0, o, oy, ox], (window * w[o, 0]).sum(), rtol=1e-12)


@pytest.mark.parametrize("options", WINDOWS, ids=str)
def test_col2im_is_the_derivative_of_im2col(
    options: dict[str, tuple[int, int]], rng: np.random.Generator
) -> None:
    x = rng.standard_normal((2, 2, 5, 6))
    dout = rng.standard_normal(reference.im2col(x, (3, 2), **options).shape)
    want = numeric_gradient(lambda x: reference.im2col(x, (3, 2), **options), x, dout)
    np.testing.assert_allclose(reference.col2im(dout, x.shape, (3, 2), **options), want, atol=1e-8)


@pytest.mark.parametrize("padding", [(0, 0), (1, 1)])
@pytest.mark.parametrize("stride", [(1, 1), (2, 3)])
def test_pooling(
    stride: tuple[int, int], padding: tuple[int, int], rng: np.random.Generator
) -> None:
    x = rng.permutation(2 * 2 * 5 * 6).reshape(2, 2, 5, 6) / 10  # no two are near each other
    options = {"kernel": (3, 2), "stride": stride, "padding": padding}
    out, places = reference.maxpool2d_forward(x, **options)
    dout = rng.standard_normal(out.shape)
    want = numeric_gradient(lambda x: reference.maxpool2d_forward(x, **options)[0], x, dout)
    got = reference.maxpool2d_backward(places, dout, x.shape, **options)
    np.testing.assert_allclose(got, want, atol=1e-8)
    want = numeric_gradient(lambda x: reference.avgpool2d_forward(x, **options), x, dout)
    got = reference.avgpool2d_backward(dout, x.shape, **options)
    np.testing.assert_allclose(got, want, atol=1e-8)
