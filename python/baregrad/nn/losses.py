"""Losses as functions; `functional` has them under PyTorch's names."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

import numpy as np

from .. import ops
from ..ops.arguments import alike, integer, number, operand, same_device
from ..replay import fresh
from ..tensor import Tensor, float32, int64
from ..typing import Shape

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "huber_loss",
    "l1_loss",
    "mse_loss",
    "nll_loss",
    "smooth_l1_loss",
]

Reduction: TypeAlias = Literal["mean", "sum", "none"]
_REDUCTIONS = get_args(Reduction)
_EXACT = 2**24  # whole numbers up to here are float32


def checked_reduction(op: str, reduction: Reduction) -> Reduction:
    """`reduction`, if it is one."""
    if reduction not in _REDUCTIONS:
        raise ValueError(f"[{op}] reduction is {reduction!r}, expected 'mean', 'sum' or 'none'")
    return reduction


def _reduced(op: str, each: Tensor, reduction: Reduction, weight: Tensor | None = None) -> Tensor:
    """The losses, their sum, or that over the sum of their weights."""
    if checked_reduction(op, reduction) == "none":
        return each
    if reduction == "sum":
        return each.sum()
    # So written that weights of 1 change no bit.
    return each.mean() if weight is None else each.mean() * (len(each) / weight.sum())


def _alike(op: str, input: Tensor, target: Tensor) -> None:
    """Two tensors of one shape: nothing is broadcast silently."""
    operand(op, "input", input)
    if operand(op, "target", target).shape != input.shape:
        expected = f"{input.shape} like input"
        raise ValueError(f"[{op}] target has shape {target.shape}, expected {expected}")
    alike(op, input=input, target=target)


def mse_loss(input: Tensor, target: Tensor, *, reduction: Reduction = "mean") -> Tensor:
    """(input - target)^2 of every element (lecture 000, slide 3)."""
    _alike("mse_loss", input, target)
    return _reduced("mse_loss", (input - target) ** 2, reduction)


def l1_loss(input: Tensor, target: Tensor, *, reduction: Reduction = "mean") -> Tensor:
    """|input - target| of every element; its derivative at 0 is 0."""
    _alike("l1_loss", input, target)
    return _reduced("l1_loss", (input - target).abs(), reduction)


def huber_loss(
    input: Tensor, target: Tensor, *, reduction: Reduction = "mean", delta: float = 1.0
) -> Tensor:
    """Of every element d^2 / 2 where d = |input - target| is at most delta, else delta (d - delta / 2)."""
    if not number("huber_loss", "delta", delta) > 0:
        raise ValueError(f"[huber_loss] delta is {delta}, expected more than 0")
    _alike("huber_loss", input, target)
    d = (input - target).abs()
    near = d.clamp(max=delta)
    return _reduced("huber_loss", near * (d - near / 2), reduction)


def smooth_l1_loss(
    input: Tensor, target: Tensor, *, reduction: Reduction = "mean", beta: float = 1.0
) -> Tensor:
    """huber_loss with delta = beta, over beta, of every element; with beta 0 it is l1_loss."""
    _alike("smooth_l1_loss", input, target)
    if number("smooth_l1_loss", "beta", beta, 0) == 0:
        return l1_loss(input, target, reduction=reduction)
    return huber_loss(input, target, reduction=reduction, delta=beta) / beta


def binary_cross_entropy(input: Tensor, target: Tensor, *, reduction: Reduction = "mean") -> Tensor:
    """-t log p - (1 - t) log(1 - p) of every element (lecture 000, slide 3); a log is at least -100."""
    _alike("binary_cross_entropy", input, target)
    each = ops.binary_xent(input, target)
    return _reduced("binary_cross_entropy", each, reduction)


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    *,
    reduction: Reduction = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """binary_cross_entropy of sigmoid(input), without overflow.

    `pos_weight`, (c,) or (), multiplies what target 1 costs.
    """
    op = "binary_cross_entropy_with_logits"
    _alike(op, input, target)
    hit = target * ops.softplus(-input)
    if pos_weight is not None:
        if operand(op, "pos_weight", pos_weight).shape not in ((), input.shape[-1:]):
            raise ValueError(
                f"[{op}] pos_weight has shape {pos_weight.shape}, expected () or {input.shape[-1:]}"
            )
        hit = hit * pos_weight
    return _reduced(op, hit + (1 - target) * ops.softplus(input), reduction)


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
) -> Tensor:
    """As cross_entropy, of input (n, c) that has log probabilities already: -weight input[target]."""
    n, c = _classes("nll_loss", input, target)
    labels, _, each_weight = _weights("nll_loss", input, target, weight, ignore_index)
    first = fresh(input._backend, (n,), int64, lambda: np.arange(n) * c)
    rows = input._made(first, None) + labels
    picked = ops.embedding(rows, input.reshape(n * c, 1)).reshape(n)
    return _reduced("nll_loss", -picked * each_weight, reduction, each_weight)


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """input (n, c), target (n,) int64 or (n, c) probabilities -> -log softmax(input)[target].

    `weight` (c,) multiplies the loss of each class, and the mean is over the sum of weights. Labels
    ignore_index cost nothing. Smoothing gives that share of the target to all classes alike. The
    mean over an empty batch is NaN, as in PyTorch. IndexError for another label outside [0, c).
    """
    op, smooth = "cross_entropy", number("cross_entropy", "label_smoothing", label_smoothing, 0, 1)
    checked_reduction(op, reduction)
    if operand(op, "target", target).dtype.kind == "f":
        if target.shape == input.shape[:-1]:
            raise TypeError(
                f"[{op}] target has dtype {target.dtype.name}, expected int64 labels, or {input.shape} "
                "probabilities"
            )
        _alike(op, input, target)
        if input.ndim != 2:
            raise ValueError(f"[{op}] input has shape {input.shape}, expected (n, c)")
        _class_weight(op, input, weight)
        target = target * (1 - smooth) + smooth / input.shape[1] if smooth else target
        logarithms = ops.log_softmax(input, 1)
        logarithms = logarithms if weight is None else logarithms * weight
        return _reduced(op, -(target * logarithms).sum(1), reduction)
    _, c = _classes(op, input, target)
    plain = weight is None and not smooth and not 0 <= ignore_index < c
    if plain and input._backend.name == "cpu":
        mean = reduction == "mean"
        try:
            loss = ops.softmax_xent(input, target, mean=mean)
            return loss if mean else _reduced(op, loss, reduction)
        except IndexError:
            if not bool((target == ignore_index).any()):
                raise
    labels, kept, each_weight = _weights(op, input, target, weight, ignore_index)
    each = ops.softmax_xent(input, labels, each_weight)
    if smooth:
        logarithms = ops.log_softmax(input, 1)
        logarithms = logarithms if weight is None else logarithms * weight
        each = (1 - smooth) * each - smooth / c * (logarithms.sum(1) * kept)
    return _reduced(op, each, reduction, each_weight)


def _classes(op: str, input: Tensor, target: Tensor) -> Shape:
    """The shape (n, c) of input, if target is a label (n,) for each sample."""
    if operand(op, "input", input).ndim != 2:
        raise ValueError(f"[{op}] input has shape {input.shape}, expected (n, c)")
    if operand(op, "target", target).shape != input.shape[:1]:
        expected = f"{input.shape[:1]} for input {input.shape}"
        raise ValueError(f"[{op}] target has shape {target.shape}, expected {expected}")
    if target.dtype.kind not in "iu":
        raise TypeError(f"[{op}] target has dtype {target.dtype}, expected int64")
    same_device(op, input=input, target=target)
    return input.shape


def _class_weight(op: str, input: Tensor, weight: Tensor | None) -> None:
    """A weight (c,) for the classes of input (n, c), or none."""
    if weight is None:
        return
    if operand(op, "weight", weight).shape != input.shape[1:]:
        raise ValueError(f"[{op}] weight has shape {weight.shape}, expected {input.shape[1:]}")
    alike(op, input=input, weight=weight)


def _weights(
    op: str, input: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int
) -> tuple[Tensor, Tensor, Tensor]:
    """target (n,), weight (c,) -> labels, 0 where ignored, whether kept, as 0 or 1, weights (n,)."""
    c, there = input.shape[1], input.device != "cpu" and input.shape[1] <= _EXACT
    target = target.to(float32) if there else target  # devices compute with floats alone
    counts = target != integer(op, "ignore_index", ignore_index)
    labels, kept = ops.where(counts, target, 0).to(int64), counts.to(input.dtype)
    read = op == "nll_loss" or not there  # else the kernel of the loss finds them
    if read and bool(((labels < 0) | (labels >= c)).any()):
        wrong = next(label for label in labels.tolist() if not 0 <= label < c)
        raise IndexError(f"[{op}] target has a label {wrong}, expected 0 <= label < {c}")
    if weight is None:
        return labels, kept, kept
    _class_weight(op, input, weight)
    return labels, kept, kept * ops.embedding(labels, weight.detach().reshape(c, 1)).reshape(-1)
