"""Optimizers against their formulas in float64, and what they do with odd parameters."""

from __future__ import annotations

import baregrad as bg
import numpy as np
import pytest
from baregrad import nn, optim


def parameter(*values: float) -> nn.Parameter:
    return nn.Parameter(np.array(values, np.float32))


def give_grad(param: bg.Tensor, grad) -> None:
    param.grad = bg.tensor(np.asarray(grad), param.dtype, device=param.device)


def adam_by_the_formula(x, grads, lr, betas, eps, weight_decay, decoupled=False):
    """Kingma and Ba, algorithm 1, in float64; decoupled as Loshchilov and Hutter, algorithm 2."""
    x, m, v = x.astype(np.float64), 0.0, 0.0
    for t, grad in enumerate(grads, start=1):
        g = grad.astype(np.float64) + (0 if decoupled else weight_decay * x)
        x = x - lr * weight_decay * x if decoupled else x
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g * g
        x = x - lr * (m / (1 - betas[0] ** t)) / (np.sqrt(v / (1 - betas[1] ** t)) + eps)
    return x


@pytest.mark.parametrize(
    "arguments",
    [
        {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0},
        {"lr": 0.1, "betas": (0.5, 0.8), "eps": 1e-2, "weight_decay": 0.3},
    ],
)
@pytest.mark.parametrize("kind", [optim.Adam, optim.AdamW])
def test_ten_steps_of_adam_agree_with_the_formula(kind, arguments, device, rng):
    start = rng.normal(size=(3, 5)).astype(np.float32)
    grads = rng.normal(size=(10, 3, 5)).astype(np.float32)
    param = nn.Parameter(bg.tensor(start, device=device))
    optimizer = kind([param], **arguments)
    for grad in grads:
        give_grad(param, grad)
        optimizer.step()
    expected = adam_by_the_formula(start, grads, **arguments, decoupled=kind is optim.AdamW)
    # each step moves by about lr and rounds m, v and param, numbers below 4, some ten times
    tolerance = 10 * (4 + 10 * arguments["lr"]) * 2**-24
    np.testing.assert_allclose(param.detach().cpu().numpy(), expected, atol=tolerance, rtol=0)


def sgd_by_the_formula(x, grads, lr, momentum, weight_decay, nesterov):
    """Lecture 000, slide 10, and Sutskever et al. (2013), in float64."""
    x, v = x.astype(np.float64), 0.0
    for grad in grads:
        g = grad.astype(np.float64) + weight_decay * x
        v = momentum * v + g
        x = x - lr * (g + momentum * v if nesterov else v)
    return x


@pytest.mark.parametrize(
    "arguments",
    [
        {"lr": 0.1, "momentum": 0.0, "weight_decay": 0.0, "nesterov": False},
        {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.0, "nesterov": False},
        {"lr": 0.1, "momentum": 0.5, "weight_decay": 0.3, "nesterov": True},
    ],
)
def test_ten_steps_of_sgd_agree_with_the_formula(arguments, device, rng):
    start = rng.normal(size=(3, 5)).astype(np.float32)
    grads = rng.normal(size=(10, 3, 5)).astype(np.float32)
    param = nn.Parameter(bg.tensor(start, device=device))
    optimizer = optim.SGD([param], **arguments)
    for grad in grads:
        give_grad(param, grad)
        optimizer.step()
    expected = sgd_by_the_formula(start, grads, **arguments)
    # v and param, numbers below 8, are rounded ten times; a rounded v is used up to ten times more
    np.testing.assert_allclose(param.detach().cpu().numpy(), expected, atol=8 * 30 * 2**-24, rtol=0)


def test_momentum_of_a_constant_gradient_gains_one_over_one_minus_mu():
    param = parameter(0)
    optimizer = optim.SGD([param], lr=1.0, momentum=0.5)
    give_grad(param, [1])
    for _ in range(40):
        before = param.item()
        optimizer.step()
    assert before - param.item() == pytest.approx(2, rel=1e-5)


def test_sgd_without_momentum_remembers_nothing():
    param = parameter(1)
    optimizer = optim.SGD([param], lr=0.5)
    give_grad(param, [1])
    optimizer.step()
    assert param.item() == 0.5
    assert optimizer.state_dict()["state"] == {}


def test_groups_have_options_of_their_own():
    first, second, third = parameter(1), parameter(1), parameter(1)
    optimizer = optim.SGD([{"params": first}, {"params": [second], "lr": 0.25}], lr=0.5)
    optimizer.add_param_group({"params": [third], "weight_decay": 1.0})
    for param in (first, second, third):
        give_grad(param, [1])
    optimizer.step()
    assert [first.item(), second.item(), third.item()] == [0.5, 0.75, 0]
    assert [group["lr"] for group in optimizer.param_groups] == [0.5, 0.25, 0.5]


@pytest.mark.parametrize(("kind", "kernel"), [(optim.SGD, "sgd_step"), (optim.Adam, "adam_step")])
def test_parameters_that_are_alike_move_in_one_kernel_call(kind, kernel, monkeypatch):
    calls = []
    table = bg.kernels.active
    monkeypatch.setattr(table, kernel, lambda params, *_, **__: calls.append(len(params)), False)
    late, *others = params = [parameter(1, 2), parameter(1), parameter(1)]
    optimizer = kind(params, lr=0.1)
    for param in others:
        give_grad(param, np.ones(param.shape))
    optimizer.step()
    give_grad(late, [1, 2])
    optimizer.step()
    # Adam needs the number of steps, and so a call for each number
    assert calls == ([2, 3] if kind is optim.SGD else [2, 1, 2])


def test_a_step_calls_its_closure_and_returns_the_loss():
    param = parameter(1)

    def closure():
        give_grad(param, [1])
        return 7

    assert optim.SGD([param], lr=0.5).step(closure) == 7
    assert param.item() == 0.5


def test_a_parameter_of_odd_strides_is_moved_in_place():
    whole = np.ones((3, 4), np.float32)
    param = bg.from_numpy(whole.T[::2]).requires_grad_()
    give_grad(param, np.full((2, 3), 2))
    optim.SGD([param], lr=0.25).step()
    np.testing.assert_array_equal(whole[:, ::2], np.full((3, 2), 0.5))
    np.testing.assert_array_equal(whole[:, 1::2], np.ones((3, 2)))


def test_the_defaults_are_those_of_torch():
    group = optim.Adam([parameter(1)]).state_dict()["param_groups"][0]
    assert group == {
        "lr": 1e-3,
        "betas": (0.9, 0.999),
        "eps": 1e-8,
        "weight_decay": 0.0,
        "params": [0],
    }


def test_the_first_step_moves_every_element_by_the_learning_rate():
    param = parameter(1, 2, 3)
    optimizer = optim.Adam([param], lr=0.5)
    give_grad(param, [1e-3, -10, 4])
    optimizer.step()
    # eps makes the step smaller by 1e-8 / 1e-3
    np.testing.assert_allclose(param.detach().numpy(), [0.5, 2.5, 2.5], rtol=2e-5)


def test_epsilon_stands_outside_the_root():
    """Lecture 000, slide 12, has it inside: a first step of 7.07e-4 for this gradient."""
    param = nn.Parameter(np.zeros(1))
    give_grad(param, [1e-4])
    optim.Adam([param], lr=1e-3, eps=1e-8).step()
    assert -param.item() == pytest.approx(1e-3 * 1e-4 / (1e-4 + 1e-8), rel=1e-12)
    inside = 1e-3 * 1e-4 / np.sqrt(1e-8 + 1e-8)
    assert inside == pytest.approx(7.07e-4, rel=1e-3)


def test_a_parameter_without_gradient_stays_and_counts_its_own_steps():
    late, other = parameter(1), parameter(1)
    optimizer = optim.Adam([late, other], lr=0.5)
    for _ in range(3):
        give_grad(other, [1])
        optimizer.step()
    assert late.item() == 1
    give_grad(late, [1])
    optimizer.step()
    assert late.item() == pytest.approx(0.5, rel=1e-6)


def test_a_new_learning_rate_holds_from_the_next_step_on():
    param = parameter(1)
    optimizer = optim.Adam([param], lr=0.5)
    (group,) = optimizer.param_groups
    group["lr"] = 0
    give_grad(param, [1])
    optimizer.step()
    assert param.item() == 1
    group["lr"] = 0.25
    optimizer.step()
    assert param.item() == pytest.approx(0.75, rel=1e-6)


def test_zero_grad_sets_the_gradients_to_none():
    param = parameter(1)
    give_grad(param, [1])
    optimizer = optim.Adam([param])
    optimizer.zero_grad(set_to_none=False)
    assert param.grad.tolist() == [0]
    optimizer.zero_grad()
    assert param.grad is None


def test_parameters_on_two_devices_take_part_in_one_optimizer(device):
    here, there = parameter(1), nn.Parameter(bg.tensor([1.0], device=device))
    optimizer = optim.Adam([here, there], lr=0.5)
    give_grad(here, [1])
    give_grad(there, [1])
    optimizer.step()
    assert there.device == device
    assert here.item() == there.item() == pytest.approx(0.5, rel=1e-6)


def test_parameters_of_two_types_take_part_in_one_optimizer():
    single, double = parameter(1), nn.Parameter(np.ones(1))
    optimizer = optim.Adam([single, double], lr=0.5)
    give_grad(single, [1])
    give_grad(double, [1])
    optimizer.step()
    assert double.dtype == bg.float64
    assert single.item() == pytest.approx(0.5, rel=1e-6)
    assert double.item() == pytest.approx(0.5, rel=1e-7)


@pytest.mark.parametrize("there", [bg.float64, "device"])
def test_moments_follow_a_model_that_moves(there, device):
    there = device if there == "device" else there

    def train(change: bool) -> float:
        layer = nn.Linear(1, 1, bias=False)
        layer.load_state_dict({"weight": np.ones((1, 1))})
        optimizer = optim.Adam(layer.parameters(), lr=0.1)
        for grad in (1.0, 3.0):
            give_grad(layer.weight, [[grad]])
            optimizer.step()
            if change:
                layer.to(there)
        return layer.weight.item()

    assert train(change=True) == pytest.approx(train(change=False), rel=1e-6)


def test_a_step_between_forward_and_backward_is_noticed():
    layer = nn.Linear(2, 2)
    x = bg.tensor(np.ones((1, 2), np.float32), requires_grad=True)
    loss = nn.CrossEntropyLoss()(layer(x), bg.tensor([0]))
    give_grad(layer.weight, np.ones((2, 2)))
    optim.Adam([layer.weight]).step()
    with pytest.raises(RuntimeError, match="changed in place"):
        loss.backward()


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (optim.Adam, {"betas": (0.8, 0.9), "weight_decay": 0.1}),
        (optim.SGD, {"momentum": 0.9, "nesterov": True}),
    ],
)
def test_a_loaded_state_goes_on_where_the_other_stopped(kind, options, rng):
    grads = rng.normal(size=(4, 3)).astype(np.float32)
    one, two = parameter(1, 2, 3), parameter(1, 2, 3)
    first = kind([one], lr=0.1, **options)
    for grad in grads[:2]:
        give_grad(one, grad)
        first.step()
    two.detach().numpy()[...] = one.detach().numpy()
    second = kind([two])
    second.load_state_dict(first.state_dict())
    for grad in grads[2:]:
        for param, optimizer in ((one, first), (two, second)):
            give_grad(param, grad)
            optimizer.step()
    np.testing.assert_array_equal(one.detach().numpy(), two.detach().numpy())


def test_the_state_is_laid_out_as_in_torch_and_is_a_copy():
    used, idle = parameter(1, 2), parameter(3)
    optimizer = optim.Adam([used, idle])
    give_grad(used, [1, 2])
    optimizer.step()
    state = optimizer.state_dict()["state"]
    assert list(state) == [0]
    assert state[0]["step"] == 1
    kept = state[0]["exp_avg"].copy()
    optimizer.step()
    np.testing.assert_array_equal(state[0]["exp_avg"], kept)


def test_a_state_of_other_parameters_is_refused():
    trained = parameter(1, 2)
    give_grad(trained, [1, 2])
    optimizer = optim.Adam([trained])
    optimizer.step()
    state = optimizer.state_dict()
    with pytest.raises(ValueError, match="the state is of 1 parameters, expected 2"):
        optim.Adam([parameter(1), parameter(2)]).load_state_dict(state)
    with pytest.raises(
        ValueError, match=r"exp_avg of parameter 0 has shape \(2,\), expected \(3,\)"
    ):
        optim.Adam([parameter(1, 2, 3)]).load_state_dict(state)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lr": -1.0}, r"lr is -1\.0, expected a finite number of at least 0"),
        ({"lr": float("nan")}, r"lr is nan, expected"),
        ({"eps": -1e-8}, r"eps is -1e-08, expected"),
        ({"betas": (1.0, 0.9)}, r"betas\[0\] is 1\.0, expected 0 <= betas\[0\] < 1"),
        ({"betas": (0.9, -0.1)}, r"betas\[1\] is -0\.1, expected"),
        ({"weight_decay": -1}, r"weight_decay is -1, expected"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        optim.Adam([parameter(1)], **arguments)


def test_a_learning_rate_out_of_range_is_refused_later_too():
    first, second = parameter(1), parameter(1)
    optimizer = optim.Adam([{"params": first}, {"params": [second]}])
    give_grad(first, [1])
    optimizer.param_groups[1]["lr"] = -1
    with pytest.raises(ValueError, match="lr is -1"):
        optimizer.step()
    assert first.item() == 1


def test_parameters_that_are_none_are_refused():
    with pytest.raises(ValueError, match="params is empty"):
        optim.Adam([])
    with pytest.raises(TypeError, match="params is a Tensor, expected an iterable"):
        optim.Adam(parameter(1))
    with pytest.raises(TypeError, match=r"params\[1\] is a str, expected a Tensor"):
        optim.Adam([parameter(1), "weight"])
    with pytest.raises(ValueError, match=r"an op made params\[0\], expected a leaf"):
        optim.Adam([parameter(1).relu()])
    twice = parameter(1)
    with pytest.raises(ValueError, match="the same parameter twice"):
        optim.Adam([twice, twice])
    with pytest.raises(ValueError, match="the same parameter twice"):
        optim.Adam([{"params": [twice]}, {"params": twice}])
    with pytest.raises(TypeError, match="a group is a list, expected a dict with 'params'"):
        optim.Adam([twice]).add_param_group([parameter(1)])


def test_nesterov_without_momentum_is_refused():
    with pytest.raises(ValueError, match="nesterov is True and momentum 0"):
        optim.SGD([parameter(1)], nesterov=True)


def test_a_state_with_options_that_are_not_offered_is_refused():
    state = optim.Adam([parameter(1)]).state_dict()
    state["param_groups"][0]["amsgrad"] = True
    with pytest.raises(ValueError, match="amsgrad is True, expected False"):
        optim.Adam([parameter(1)]).load_state_dict(state)
    state["param_groups"][0] |= {"amsgrad": False, "decoupled_weight_decay": False}
    with pytest.raises(ValueError, match="decoupled_weight_decay is False, expected True"):
        optim.AdamW([parameter(1)]).load_state_dict(state)


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        ("SGD", {"lr": 0.1}),
        ("SGD", {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1, "nesterov": True}),
        ("Adam", {"lr": 0.1, "weight_decay": 0.1}),
        ("AdamW", {"lr": 0.1, "weight_decay": 0.1}),
    ],
)
def test_a_state_of_torch_loads_and_goes_on_alike(kind, arguments, rng):
    torch = pytest.importorskip("torch")
    start, grads = rng.normal(size=(2, 3)), rng.normal(size=(6, 2, 3))
    theirs, ours = torch.nn.Parameter(torch.tensor(start)), nn.Parameter(start.copy())
    first = getattr(torch.optim, kind)([theirs], **arguments)
    second = getattr(optim, kind)([ours], lr=0.5)
    for grad in grads[:3]:
        theirs.grad = torch.tensor(grad)
        first.step()
    second.load_state_dict(first.state_dict())
    ours.detach().numpy()[...] = theirs.detach().numpy()
    for grad in grads[3:]:
        theirs.grad = torch.tensor(grad)
        first.step()
        give_grad(ours, grad)
        second.step()
    # float64 both, numbers below 10, some ten roundings a step
    np.testing.assert_allclose(
        ours.detach().numpy(), theirs.detach().numpy(), atol=1e-12 * 3, rtol=0
    )
