"""Losses: against the formula in NumPy, on every device, and what they refuse."""

from __future__ import annotations

import functools
import math
from typing import Any

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
    with pytest.raises(TypeError, match="target has dtype float32, expected int64 labels, or"):
        F.cross_entropy(logits, bg.tensor([0.0, 1.0]))
    with pytest.raises(IndexError, match=r"target has a label 3, expected 0 <= label < 3"):
        F.cross_entropy(logits, bg.tensor([0, 3]), label_smoothing=0.1)
    with pytest.raises(ValueError, match=r"target has shape \(3,\), expected \(2,\) for input"):
        F.cross_entropy(logits, bg.tensor([0, 1, 2]))
    with pytest.raises(ValueError, match=r"target has shape \(3,\), expected \(2, 3\) like input"):
        F.cross_entropy(logits, bg.tensor([0.0, 1.0, 2.0]))
    with pytest.raises(TypeError, match=r"target is a list, expected a Tensor"):
        F.cross_entropy(logits, [0, 1])
    with pytest.raises(TypeError, match=r"target has dtype bool, expected int64"):
        F.cross_entropy(logits, bg.tensor([True, False]))
    with pytest.raises(ValueError, match=r"input has shape \(3,\), expected \(n, c\)"):
        F.cross_entropy(bg.tensor([0.0, 1.0, 2.0]), bg.tensor([1]))
    with pytest.raises(ValueError, match=r"label_smoothing is 2, expected 0 <= label_smoothing"):
        F.cross_entropy(logits, bg.tensor([0, 1]), label_smoothing=2)
    with pytest.raises(ValueError, match=r"weight has shape \(2,\), expected \(3,\)"):
        F.cross_entropy(logits, bg.tensor([0, 1]), bg.tensor([1.0, 2.0]))


SMOOTHED = functools.partial(F.cross_entropy, label_smoothing=0.1)


@pytest.mark.parametrize("loss", [F.cross_entropy, SMOOTHED, F.nll_loss])
@pytest.mark.parametrize("label", [-1, 3])
def test_a_label_outside_is_found_on_every_device(loss, label, device):
    logits = bg.tensor(np.zeros((2, 3), np.float32), device=device)
    with pytest.raises(IndexError, match=r"expected 0 <= label < 3"):
        loss(logits, bg.tensor([0, label], device=device)).item()


# Every loss, against its formula


def softmax(x):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def labels_loss(log, target, weight, ignore, reduction, smooth=0.0):
    """The textbook: a loop over the samples."""
    n, c = log.shape
    weight = np.ones(c) if weight is None else weight
    each, total = np.zeros(n), 0.0
    for i, label in enumerate(target):
        if label == ignore:
            continue
        each[i] = -(1 - smooth) * weight[label] * log[i, label] - smooth / c * (weight @ log[i])
        total += weight[label]
    return {"none": each, "sum": each.sum(), "mean": each.sum() / total}[reduction]


REDUCTIONS = pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
LABELS = np.array([1, 0, 3, 1, -100, 2, 3])
WEIGHT = np.array([0.5, 2.0, 1.0, 3.0], np.float32)


def on(device, *arrays):
    return [None if a is None else bg.tensor(a, device=device) for a in arrays]


@REDUCTIONS
@pytest.mark.parametrize("weight", [None, WEIGHT])
@pytest.mark.parametrize("smooth", [0.0, 0.3])
@pytest.mark.parametrize("ignore", [-100, 3])
def test_cross_entropy_of_labels_follows_the_formula(
    reduction, weight, smooth, ignore, device, rng
):
    logits = rng.normal(size=(7, 4)).astype(np.float32)
    target = np.where(LABELS == -100, ignore, LABELS)
    x, labels, w = on(device, logits, target, weight)
    options = {"ignore_index": ignore, "reduction": reduction, "label_smoothing": smooth}
    found = nn.CrossEntropyLoss(w, **options)(x, labels)
    log = np.log(softmax(logits.astype(np.float64)))
    expected = labels_loss(log, target, weight, ignore, reduction, smooth)
    # sums of at most 7 x 4 terms below 30 with some ten roundings each
    np.testing.assert_allclose(found.cpu().numpy(), expected, atol=7 * 30 * 10 * 2**-24, rtol=0)


@REDUCTIONS
@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_nll_loss_follows_the_formula(reduction, weight, device, rng):
    log = rng.normal(size=(7, 4)).astype(np.float32)
    x, labels, w = on(device, log, LABELS, weight)
    found = nn.NLLLoss(w, reduction=reduction)(x, labels)
    expected = labels_loss(log.astype(np.float64), LABELS, weight, -100, reduction)
    np.testing.assert_allclose(found.cpu().numpy(), expected, atol=7 * 15 * 4 * 2**-24, rtol=0)


@REDUCTIONS
def test_cross_entropy_of_probabilities_follows_the_formula(reduction, device, rng):
    logits, target = rng.normal(size=(2, 5, 4)).astype(np.float32)
    target = softmax(target)
    x, t, w = on(device, logits, target, WEIGHT)
    found = F.cross_entropy(x, t, w, reduction=reduction, label_smoothing=0.2)
    smoothed = 0.8 * target.astype(np.float64) + 0.2 / 4
    each = -(smoothed * WEIGHT * np.log(softmax(logits.astype(np.float64)))).sum(axis=1)
    expected = {"none": each, "sum": each.sum(), "mean": each.mean()}[reduction]
    np.testing.assert_allclose(found.cpu().numpy(), expected, atol=5 * 15 * 10 * 2**-24, rtol=0)


def test_labels_are_the_probabilities_that_are_one(rng):
    logits = bg.tensor(rng.normal(size=(5, 4)))
    labels = np.array([0, 3, 1, 1, 2])
    by_label = F.cross_entropy(logits, bg.tensor(labels), label_smoothing=0.1)
    by_share = F.cross_entropy(logits, bg.tensor(np.eye(4)[labels]), label_smoothing=0.1)
    assert by_label.item() == pytest.approx(by_share.item(), rel=1e-14)


def huber(d, delta):
    return np.where(np.abs(d) <= delta, d * d / 2, delta * (np.abs(d) - delta / 2))


def bce(p, t):
    with np.errstate(divide="ignore"):
        return -(t * np.maximum(np.log(p), -100) + (1 - t) * np.maximum(np.log(1 - p), -100))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


ELEMENTWISE = {
    "mse_loss": (nn.MSELoss, {}, lambda x, t: (x - t) ** 2),
    "l1_loss": (nn.L1Loss, {}, lambda x, t: np.abs(x - t)),
    "huber_loss": (nn.HuberLoss, {"delta": 0.5}, lambda x, t: huber(x - t, 0.5)),
    "smooth_l1_loss": (nn.SmoothL1Loss, {"beta": 0.5}, lambda x, t: huber(x - t, 0.5) / 0.5),
    "binary_cross_entropy": (nn.BCELoss, {}, bce),
    "binary_cross_entropy_with_logits": (
        nn.BCEWithLogitsLoss,
        {},
        lambda x, t: bce(sigmoid(x), t),
    ),
}


def batch(name, rng):
    """input and target (6, 3); for losses of probabilities both within [0, 1]."""
    x, t = rng.normal(size=(2, 6, 3))
    return (sigmoid(x) if name == "binary_cross_entropy" else x), (
        rng.uniform(size=(6, 3)) if "binary" in name else t
    )


@REDUCTIONS
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_an_elementwise_loss_follows_its_formula(name, reduction, device, rng):
    layer, options, formula = ELEMENTWISE[name]
    x, t = (array.astype(np.float32) for array in batch(name, rng))
    each = formula(x.astype(np.float64), t.astype(np.float64))
    expected = {"none": each, "sum": each.sum(), "mean": each.mean()}[reduction]
    for loss in (
        layer(reduction=reduction, **options),
        lambda x, t: getattr(F, name)(x, t, reduction=reduction, **options),
    ):
        found = loss(*on(device, x, t)).cpu().numpy()
        # sums of at most 18 terms below 25 with some ten roundings each
        np.testing.assert_allclose(found, expected, atol=18 * 25 * 10 * 2**-24, rtol=0)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_the_gradient_of_an_elementwise_loss_agrees_with_differences(name, rng):
    _, options, _ = ELEMENTWISE[name]
    x, t = map(bg.tensor, batch(name, rng))
    loss = getattr(F, name)
    assert bg.autograd.gradcheck(
        lambda x: loss(x, t, reduction="none", **options), x.requires_grad_()
    )


@pytest.mark.parametrize("smooth", [0.0, 0.3])
@pytest.mark.parametrize("loss", [F.cross_entropy, F.nll_loss])
def test_the_gradient_of_a_loss_of_labels_agrees_with_differences(loss, smooth, rng):
    x = bg.tensor(rng.normal(size=(7, 4)), requires_grad=True)
    weight, options = bg.tensor(WEIGHT.astype(np.float64)), {"label_smoothing": smooth}
    options = {} if loss is F.nll_loss else options
    assert bg.autograd.gradcheck(lambda x: loss(x, bg.tensor(LABELS), weight, **options), x)


def test_the_gradient_of_soft_labels_agrees_with_differences(rng):
    x = bg.tensor(rng.normal(size=(5, 4)), requires_grad=True)
    target = bg.tensor(softmax(rng.normal(size=(5, 4))))
    assert bg.autograd.gradcheck(lambda x: F.cross_entropy(x, target), x)


def test_binary_cross_entropy_is_finite_at_zero_and_one():
    p = bg.tensor([0.0, 0.0, 1.0, 1.0], requires_grad=True)
    each = F.binary_cross_entropy(p, bg.tensor([0.0, 1.0, 0.0, 1.0]), reduction="none")
    assert each.tolist() == [0, 100, 100, 0]
    each.sum().backward()
    # (p - t) / max(p (1 - p), 1e-12), as in PyTorch
    np.testing.assert_allclose(p.grad.tolist(), [0, -1e12, 1e12, 0], rtol=1e-6)


@pytest.mark.parametrize("p", [[-0.5, 0.5], [0.5, 2.0]])
def test_binary_cross_entropy_refuses_what_is_no_probability(p):
    sentence = f"input has values from {p[0]:g} to {p[1]:g}, expected 0 to 1: .*_with_logits takes"
    with pytest.raises(ValueError, match=sentence):
        nn.BCELoss()(bg.tensor(p), bg.ones(2))
    assert np.isnan(F.binary_cross_entropy(bg.tensor([float("nan"), 1.0]), bg.ones(2)).item())


def test_binary_cross_entropy_with_logits_does_not_overflow():
    x = bg.tensor([-1e4, 1e4, -1e4, 1e4], requires_grad=True)
    each = F.binary_cross_entropy_with_logits(x, bg.tensor([0.0, 1.0, 1.0, 0.0]), reduction="none")
    assert each.tolist() == [0, 0, 1e4, 1e4]
    each.sum().backward()
    assert x.grad.tolist() == [0, 0, -1, 1]


def test_pos_weight_multiplies_what_the_positives_cost(rng):
    x, t = rng.normal(size=(6, 3)), rng.integers(0, 2, (6, 3)).astype(np.float64)
    weight = np.array([1.0, 2.0, 5.0])
    loss = nn.BCEWithLogitsLoss(reduction="none", pos_weight=bg.tensor(weight))
    found = loss(bg.tensor(x), bg.tensor(t)).numpy()
    np.testing.assert_allclose(found, bce(sigmoid(x), t) * np.where(t == 1, weight, 1), rtol=1e-12)
    assert list(loss.state_dict()) == ["pos_weight"]


def test_smooth_l1_with_beta_zero_is_l1(rng):
    x, t = bg.tensor(rng.normal(size=(2, 5)))
    assert F.smooth_l1_loss(x, t, beta=0).item() == F.l1_loss(x, t).item()


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_shapes_that_would_broadcast_are_refused_with_both_named(name):
    """Lecture 004's listing: MSELoss on log_softmax (B, 10) with labels (B,)."""
    input, labels = bg.tensor(np.zeros((4, 10), np.float32)), bg.tensor(np.zeros(4, np.int64))
    with pytest.raises(
        ValueError, match=rf"\[{name}\] target has shape \(4,\), expected \(4, 10\)"
    ):
        getattr(F, name)(input, labels)
    with pytest.raises(
        ValueError, match=r"target has shape \(10,\), expected \(4, 10\) like input"
    ):
        getattr(F, name)(input, bg.tensor(np.zeros(10, np.float32)))


def test_two_float_types_are_refused_with_the_remedy():
    x, t = bg.tensor([0.5]), bg.tensor(np.array([0.5]))
    with pytest.raises(TypeError, match=r"target has dtype float64, expected float32: use target"):
        F.mse_loss(x, t)
    with pytest.raises(ValueError, match="delta is 0, expected more than 0"):
        F.huber_loss(x, x, delta=0)


@REDUCTIONS
@pytest.mark.parametrize("name", [*ELEMENTWISE, "cross_entropy", "nll_loss"])
def test_losses_and_gradients_are_those_of_torch(name, reduction, rng):
    torch = pytest.importorskip("torch")
    theirs = getattr(torch.nn.functional, name)
    if name in ELEMENTWISE:
        options = {"reduction": reduction, **ELEMENTWISE[name][1]}
        x, t = batch(name, rng)
    else:
        options = {"reduction": reduction, "weight": WEIGHT.astype(np.float64)}
        x, t = rng.normal(size=(7, 4)), LABELS
    a, b = bg.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)

    def of(kind):
        return {k: kind(v) if isinstance(v, np.ndarray) else v for k, v in options.items()}

    ours, their = (
        getattr(F, name)(a, bg.tensor(t), **of(bg.tensor)),
        theirs(b, torch.tensor(t), **of(torch.tensor)),
    )
    np.testing.assert_allclose(ours.detach().numpy(), their.detach().numpy(), rtol=1e-12)
    ours.sum().backward()
    their.sum().backward()
    np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-11, atol=1e-15)


@pytest.mark.parametrize(
    ("action", "sentence"),
    [
        (lambda: F.cross_entropy(bg.ones(3, 5), bg.ones(3, 5), bg.ones(5, 1)), r"weight has shape \(5, 1\), expected \(5,\)"),
        (lambda: F.cross_entropy(bg.ones(3, 5), bg.ones(3, 5), bg.ones(1)), r"weight has shape \(1,\), expected \(5,\)"),
        (lambda: F.cross_entropy(bg.ones(3), bg.ones(3), label_smoothing=0.1), r"input has shape \(3,\), expected \(n, c\)"),
        (lambda: F.binary_cross_entropy_with_logits(bg.ones(3, 5), bg.ones(3, 5), pos_weight=bg.ones(2, 3, 5)), r"pos_weight has shape \(2, 3, 5\), expected \(\) or \(5,\)"),
    ],
)  # fmt: skip
def test_a_weight_is_broadcast_as_it_says_and_no_other_way(action: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        action()
