"""Losses: against the formula in NumPy, on every device, and what they refuse."""

from __future__ import annotations

import math

import baregrad as bg
import numpy as np
import pytest
from baregrad import nn
from baregrad.nn import functional as F  # noqa: N812


def softmax_cross_entropy(logits, labels):
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_softmax = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -log_softmax[np.arange(len(labels)), labels]


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_cross_entropy_and_its_gradient_agree_with_the_formula(reduction, device, rng):
    logits = rng.normal(size=(7, 5)).astype(np.float32)
    labels = rng.integers(0, 5, 7)
    upstream = rng.normal(size=7 if reduction == "none" else ()).astype(np.float32)
    x = bg.tensor(logits, device=device, requires_grad=True)
    out = nn.CrossEntropyLoss(reduction=reduction)(x, bg.tensor(labels, device=device))
    out.backward(bg.tensor(upstream, device=device))

    exact = logits.astype(np.float64)
    each = softmax_cross_entropy(exact, labels)
    expected = {"mean": each.mean(), "sum": each.sum(), "none": each}[reduction]
    softmax = np.exp(exact) / np.exp(exact).sum(axis=1, keepdims=True)
    share = np.broadcast_to(upstream / (7 if reduction == "mean" else 1), 7)[:, None]
    gradient = share * (softmax - np.eye(5)[labels])
    # sums of at most 7 losses below 8 and some ten roundings each
    got, got_gradient = out.detach().cpu().numpy(), x.grad.cpu().numpy()
    np.testing.assert_allclose(got, expected, atol=7 * 8 * 10 * 2**-24, rtol=0)
    np.testing.assert_allclose(got_gradient, gradient, atol=4 * 10 * 2**-24, rtol=0)


def test_the_losses_of_an_empty_batch_are_those_of_torch():
    logits = bg.tensor(np.zeros((0, 3), np.float32), requires_grad=True)
    labels = bg.tensor(np.zeros(0, np.int64))
    mean = F.cross_entropy(logits, labels)
    assert mean.shape == ()
    assert math.isnan(mean.item())
    mean.backward()
    assert logits.grad.shape == (0, 3)
    assert F.cross_entropy(logits, labels, reduction="sum").item() == 0
    assert F.cross_entropy(logits, labels, reduction="none").shape == (0,)


def test_an_unknown_reduction_is_refused():
    message = "reduction is 'avg', expected 'mean', 'sum' or 'none'"
    with pytest.raises(ValueError, match=rf"\[CrossEntropyLoss\] {message}"):
        nn.CrossEntropyLoss(reduction="avg")
    with pytest.raises(ValueError, match=rf"\[cross_entropy\] {message}"):
        F.cross_entropy(bg.tensor([[1.0]]), bg.tensor([0]), reduction="avg")


def test_cross_entropy_refuses_wrong_labels():
    logits = bg.tensor(np.zeros((2, 3), np.float32))
    with pytest.raises(IndexError, match=r"labels\[1\] is 3, expected 0 <= label < 3"):
        F.cross_entropy(logits, bg.tensor([0, 3]))
    with pytest.raises(ValueError, match=r"labels has shape \(3,\), expected \(2,\)"):
        F.cross_entropy(logits, bg.tensor([0, 1, 2]))
    with pytest.raises(TypeError, match=r"labels has dtype float32"):
        F.cross_entropy(logits, bg.tensor([0.0, 1.0]))
    with pytest.raises(TypeError, match=r"labels is a list, expected a Tensor"):
        F.cross_entropy(logits, [0, 1])
