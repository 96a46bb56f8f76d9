"""Schedules of the learning rate: against their formulas, and against PyTorch where it is."""

from __future__ import annotations

import math

import numpy as np
import pytest
from baregrad import nn, optim
from baregrad.optim import lr_scheduler

BASE = 0.8


def optimizer(*rates: float) -> optim.SGD:
    groups = [{"params": nn.Parameter(np.ones(1)), "lr": rate} for rate in rates or (BASE,)]
    return optim.SGD(groups)


def followed(scheduler, steps: int) -> list[float]:
    rates = []
    for _ in range(steps):
        rates.append(scheduler.optimizer.param_groups[0]["lr"])
        assert scheduler.get_last_lr()[0] == rates[-1]
        scheduler.step()
    return rates


def test_a_schedule_of_your_own_says_the_rate_of_each_group():
    class Halved(lr_scheduler.LRScheduler):
        def _rate(self, base, t, group):
            return base / (1 + t + group)

    own = Halved(optimizer(0.8, 0.6))
    assert own.get_last_lr() == [0.8, 0.3]
    own.step()
    assert own.get_last_lr() == [0.4, pytest.approx(0.2)]


SCHEDULES = pytest.mark.parametrize(
    ("name", "arguments", "formula"),
    [
        ("LambdaLR", {"lr_lambda": lambda t: 1 / (2 + t)}, lambda t: BASE / (2 + t)),
        ("StepLR", {"step_size": 3, "gamma": 0.5}, lambda t: BASE * 0.5 ** (t // 3)),
        (
            "MultiStepLR",
            {"milestones": [5, 2], "gamma": 0.1},
            lambda t: BASE * 0.1 ** sum(t >= m for m in (2, 5)),
        ),
        ("ExponentialLR", {"gamma": 0.9}, lambda t: BASE * 0.9**t),
        (
            "CosineAnnealingLR",
            {"T_max": 4, "eta_min": 0.1},
            lambda t: 0.1 + 0.7 * (1 + math.cos(math.pi * t / 4)) / 2,
        ),
        ("InverseTimeLR", {"gamma": 0.5}, lambda t: BASE / (1 + 0.5 * t)),
        ("InverseSqrtLR", {}, lambda t: BASE / math.sqrt(t + 1)),
    ],
)


@SCHEDULES
def test_the_rates_follow_the_formula(name, arguments, formula):
    scheduler = getattr(lr_scheduler, name)(optimizer(), **arguments)
    assert followed(scheduler, 9) == pytest.approx([formula(t) for t in range(9)], rel=1e-12)


@SCHEDULES
def test_the_rates_are_those_of_torch(name, arguments, formula):
    torch = pytest.importorskip("torch")
    if not hasattr(torch.optim.lr_scheduler, name):
        pytest.skip("a schedule of the lectures, not of torch")
    theirs = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=BASE)
    reference = getattr(torch.optim.lr_scheduler, name)(theirs, **arguments)
    rates = []
    for _ in range(9):
        rates.append(reference.get_last_lr()[0])
        theirs.step()
        reference.step()
    # PyTorch multiplies from step to step and so rounds at each
    ours = followed(getattr(lr_scheduler, name)(optimizer(), **arguments), 9)
    assert ours == pytest.approx(rates, rel=1e-12, abs=1e-15)


def test_the_two_schedules_named_one_over_t_differ():
    """Lecture 004 calls eta / sqrt(t + 1) the 1/t decay; both are here, under names of their own."""
    by_time = lr_scheduler.InverseTimeLR(optimizer())
    by_root = lr_scheduler.InverseSqrtLR(optimizer())
    assert followed(by_time, 4)[3] == BASE / 4
    assert followed(by_root, 4)[3] == BASE / 2


def test_every_group_starts_from_its_own_rate():
    halved = optimizer(0.8, 0.2)
    scheduler = lr_scheduler.LambdaLR(halved, [lambda t: 0.5**t, lambda t: 1.0])
    scheduler.step()
    assert scheduler.get_last_lr() == [0.4, 0.2]
    assert [group["lr"] for group in halved.param_groups] == [0.4, 0.2]


def test_a_loaded_schedule_goes_on_where_the_other_stopped():
    first = lr_scheduler.StepLR(optimizer(), step_size=2, gamma=0.5)
    followed(first, 5)
    again = optimizer()
    again.load_state_dict(first.optimizer.state_dict())
    second = lr_scheduler.StepLR(again, step_size=7)
    second.load_state_dict(first.state_dict())
    assert second.get_last_lr() == first.get_last_lr()
    assert followed(second, 5)[1:] == followed(first, 5)[1:]


def test_a_schedule_of_functions_leaves_them_out_of_its_state():
    scheduler = lr_scheduler.LambdaLR(optimizer(), lambda t: 1 / (t + 1))
    scheduler.step()
    state = scheduler.state_dict()
    assert state == {"last_epoch": 1, "base_lrs": [BASE], "_last_lr": [BASE / 2]}


def test_impossible_schedules_are_refused():
    with pytest.raises(TypeError, match=r"\[StepLR\] optimizer is a list, expected an Optimizer"):
        lr_scheduler.StepLR([], step_size=1)
    with pytest.raises(ValueError, match=r"\[StepLR\] step_size is 0, expected at least 1"):
        lr_scheduler.StepLR(optimizer(), step_size=0)
    with pytest.raises(ValueError, match=r"\[CosineAnnealingLR\] T_max is 0, expected at least 1"):
        lr_scheduler.CosineAnnealingLR(optimizer(), T_max=0)
    with pytest.raises(ValueError, match=r"lr_lambda has 2 functions, expected 1"):
        lr_scheduler.LambdaLR(optimizer(), [lambda t: t, lambda t: t])
