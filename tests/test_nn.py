"""Modules, layers and losses: what they compute by NumPy, what they are called by PyTorch."""

from __future__ import annotations

import copy
import math

import baregrad as bg
import numpy as np
import opaque
import pytest
from baregrad import nn
from baregrad.nn import functional as F  # noqa: N812


def mlp() -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2, bias=False))


class Tied(nn.Module):
    """One Parameter under two names, a Module held twice, an own Parameter set last."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(2, 2)
        self.second = self.first
        self.other = nn.Linear(2, 2)
        self.other.weight = self.first.weight
        self.own = nn.Parameter([1.0, 2.0])


# Parameter and Module


def test_a_parameter_is_a_leaf_that_requires_grad_and_shares_the_memory_of_its_tensor():
    data = np.ones((2, 3), np.float32)
    parameter = nn.Parameter(bg.from_numpy(data))
    assert isinstance(parameter, bg.Tensor)
    assert parameter.requires_grad
    assert parameter.is_leaf
    assert np.shares_memory(parameter.detach().numpy(), data)
    assert not nn.Parameter(data, requires_grad=False).requires_grad
    assert nn.Parameter([1.0, 2.0]).dtype == bg.float32


def test_a_parameter_made_from_the_result_of_an_op_is_a_leaf():
    x = bg.tensor([[1.0]], requires_grad=True)
    assert nn.Parameter(x @ x).is_leaf


def test_a_parameter_of_integers_is_refused():
    with pytest.raises(TypeError, match="dtype is int64, expected float32 or float64"):
        nn.Parameter([1, 2])


def test_named_parameters_come_in_the_order_of_torch():
    names = [name for name, _ in mlp().named_parameters()]
    assert names == ["0.weight", "0.bias", "2.weight"]
    assert [name for name, _ in Tied().named_parameters()] == [
        "own",
        "first.weight",
        "first.bias",
        "other.bias",
    ]


def test_shared_parameters_and_modules_are_listed_once():
    model = Tied()
    assert len(list(model.parameters())) == 4
    assert list(model.modules()) == [model, model.first, model.other]
    assert list(model.children()) == [model.first, model.first, model.other]


def test_an_attribute_that_is_replaced_or_deleted_is_no_longer_a_parameter():
    layer = nn.Linear(2, 2)
    layer.bias = None
    assert [name for name, _ in layer.named_parameters()] == ["weight"]
    del layer.weight
    assert list(layer.parameters()) == []


def test_train_and_eval_reach_every_module_and_return_the_model():
    model = nn.Sequential(mlp(), nn.ReLU())
    assert all(module.training for module in model.modules())
    assert model.eval() is model
    assert not any(module.training for module in model.modules())
    assert model.train() is model
    assert all(module.training for module in model.modules())


def test_zero_grad_sets_every_gradient_to_none(rng):
    model = mlp()
    loss = F.cross_entropy(
        model(bg.tensor(rng.normal(size=(5, 3)), bg.float32)), bg.tensor([0, 1, 0, 1, 1])
    )
    loss.backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    model.zero_grad()
    assert all(parameter.grad is None for parameter in model.parameters())


def test_to_a_dtype_keeps_the_parameters_and_moves_their_gradients(rng):
    model = mlp()
    parameters = list(model.parameters())
    before = model.state_dict()
    parameters[0].grad = bg.tensor(np.ones((4, 3), np.float32))
    assert model.to(bg.float64) is model
    assert all(a is b for a, b in zip(parameters, model.parameters(), strict=True))
    assert all(parameter.dtype == bg.float64 for parameter in parameters)
    assert parameters[0].grad.dtype == bg.float64
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
    assert model(bg.tensor(rng.normal(size=(2, 3)))).dtype == bg.float64


def test_to_a_device_and_back_keeps_every_value(device):
    model = mlp()
    before = model.state_dict()
    model.to(device)
    assert {parameter.device for parameter in model.parameters()} == {device}
    for state in (model.state_dict(), model.to("cpu").state_dict()):
        for name, array in state.items():
            np.testing.assert_array_equal(array, before[name])


def test_tensors_on_two_devices_are_refused():
    opaque.install()
    layer = nn.Linear(3, 4).to("opaque")
    with pytest.raises(ValueError, match="input is on cpu, expected opaque like weight"):
        layer(bg.tensor(np.zeros((5, 3), np.float32)))


def test_to_the_device_where_it_is_changes_nothing():
    layer = nn.Linear(2, 2)
    data = layer.weight.data
    assert layer.to("cpu").weight.data is data


def test_to_an_unknown_device_or_an_integer_type_is_refused():
    with pytest.raises(ValueError, match="device is 'tpu'"):
        nn.ReLU().to("tpu")
    with pytest.raises(TypeError, match="dtype is int64, expected float32 or float64"):
        nn.Linear(2, 2).to(bg.int64)


def test_a_deep_copy_shares_nothing():
    model = mlp()
    twin = copy.deepcopy(model)
    twin[0].weight.detach().numpy()[...] = 0
    assert np.all(model[0].weight.detach().numpy() != 0)
    assert [n for n, _ in twin.named_parameters()] == [n for n, _ in model.named_parameters()]


def test_a_module_without_forward_says_so():
    class Empty(nn.Module):
        pass

    with pytest.raises(NotImplementedError, match=r"\[Empty\] the class defines no forward"):
        Empty()(1)


def test_repr_shows_the_tree():
    model = nn.Sequential(mlp(), nn.CrossEntropyLoss())
    assert repr(model) == (
        "Sequential(\n"
        "  (0): Sequential(\n"
        "    (0): Linear(in_features=3, out_features=4, bias=True)\n"
        "    (1): ReLU()\n"
        "    (2): Linear(in_features=4, out_features=2, bias=False)\n"
        "  )\n"
        "  (1): CrossEntropyLoss(ignore_index=-100, reduction='mean', label_smoothing=0.0)\n"
        ")"
    )


# State


def test_the_state_of_one_model_makes_another_compute_the_same(rng):
    x = bg.tensor(rng.normal(size=(5, 3)), bg.float32)
    first, second = mlp(), mlp()
    assert not np.array_equal(first(x).detach().numpy(), second(x).detach().numpy())
    missing, unexpected = second.load_state_dict(first.state_dict())
    assert missing == unexpected == []
    np.testing.assert_array_equal(first(x).detach().numpy(), second(x).detach().numpy())


def test_state_dict_copies_in_both_directions():
    layer = nn.Linear(2, 2)
    state = layer.state_dict()
    before = state["weight"].copy()
    state["weight"][...] = 7
    np.testing.assert_array_equal(layer.weight.detach().numpy(), before)
    layer.load_state_dict(state)
    state["weight"][...] = 8
    np.testing.assert_array_equal(layer.weight.detach().numpy(), np.full((2, 2), 7))


def test_state_dict_has_a_shared_parameter_under_each_name():
    assert {"first.weight", "second.weight", "other.weight"} <= Tied().state_dict().keys()


def test_loading_takes_tensors_and_converts_to_the_type_of_the_parameter():
    layer = nn.Linear(2, 1)
    layer.load_state_dict({"weight": bg.tensor([[1.0, 2.0]]), "bias": np.array([3.0])})
    assert layer.bias.dtype == bg.float32
    np.testing.assert_array_equal(layer.weight.detach().numpy(), [[1, 2]])


def test_loading_names_every_fault_and_changes_nothing():
    model = mlp()
    before, state = model.state_dict(), model.state_dict()
    state["3.weight"] = state.pop("0.weight") + 1
    state["0.bias"] = np.zeros(5)
    state["2.weight"] += 1
    with pytest.raises(RuntimeError) as caught:
        model.load_state_dict(state)
    assert str(caught.value) == (
        "[load_state_dict] missing 0.weight; unexpected 3.weight; "
        "0.bias has shape (5,), expected (4,)"
    )
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_loading_not_strictly_reports_names_but_still_refuses_shapes():
    layer = nn.Linear(2, 1)
    result = layer.load_state_dict({"weight": np.ones((1, 2)), "scale": np.ones(1)}, strict=False)
    assert result == (["bias"], ["scale"])
    assert result.missing_keys == ["bias"]
    np.testing.assert_array_equal(layer.weight.detach().numpy(), [[1, 1]])
    with pytest.raises(RuntimeError, match=r"weight has shape \(2,\), expected \(1, 2\)"):
        layer.load_state_dict({"weight": np.ones(2)}, strict=False)


def test_loading_something_else_than_a_mapping_is_refused():
    with pytest.raises(TypeError, match="state_dict is a list, expected a mapping"):
        nn.Linear(2, 1).load_state_dict([1])


# Layers


def test_linear_is_input_times_transposed_weight_plus_bias(device, rng):
    layer = nn.Linear(3, 4)
    weight, bias = layer.state_dict().values()
    layer.to(device)
    for shape in ((5, 3), (3,), (2, 5, 3), (0, 3)):
        x = rng.normal(size=shape).astype(np.float32)
        expected = x.astype(np.float64) @ weight.T + bias
        out = layer(bg.from_numpy(x).to(device))
        assert out.shape == expected.shape
        assert out.device == device
        # 3 products and 4 sums, each rounded to float32, of numbers below 5
        got = out.detach().cpu().numpy()
        np.testing.assert_allclose(got, expected, atol=8 * 5 * 2**-24, rtol=0)


def test_linear_starts_uniform_within_one_over_root_in_features():
    bg.manual_seed(3)
    layer = nn.Linear(100, 400)
    for values in (layer.weight.detach().numpy(), layer.bias.detach().numpy()):
        assert values.dtype == np.float32
        assert 0.095 < np.abs(values).max() <= 0.1
        # the variance of U(-b, b) is b^2 / 3; 5 standard deviations of 400 samples' variance
        assert abs(values.var() - 0.01 / 3) < 5 * 0.01 * math.sqrt(4 / 45 / 400)


def test_the_same_seed_gives_the_same_weights():
    bg.manual_seed(7)
    first = nn.Linear(5, 6).state_dict()
    again = nn.Linear(5, 6).state_dict()
    bg.manual_seed(7)
    second = nn.Linear(5, 6).state_dict()
    np.testing.assert_array_equal(first["weight"], second["weight"])
    np.testing.assert_array_equal(first["bias"], second["bias"])
    assert not np.array_equal(first["weight"], again["weight"])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((0, 4), ValueError, r"\[Linear\] in_features is 0, expected at least 1"),
        ((4, -1), ValueError, r"\[Linear\] out_features is -1, expected at least 1"),
        ((2.5, 4), TypeError, r"\[Linear\] in_features is a float, expected an integer"),
    ],
)
def test_linear_refuses_impossible_sizes(arguments, error, message):
    with pytest.raises(error, match=message):
        nn.Linear(*arguments)


def test_linear_refuses_what_does_not_fit():
    layer = nn.Linear(3, 4)
    with pytest.raises(ValueError, match=r"\[linear\] input has shape \(5, 2\), expected"):
        layer(bg.tensor(np.zeros((5, 2), np.float32)))
    with pytest.raises(ValueError, match=r"input has shape \(\), expected \(\.\.\., 3\)"):
        layer(bg.tensor(1.0))
    with pytest.raises(TypeError, match=r"input is a ndarray, expected a Tensor"):
        layer(np.zeros((5, 3), np.float32))
    with pytest.raises(TypeError, match=r"input has dtype float64, expected float32: use input.float\(\)"):
        layer(bg.tensor(np.zeros((5, 3))))
    with pytest.raises(ValueError, match=r"weight has shape \(3,\), expected \(o, k\)"):
        F.linear(bg.tensor([1.0, 2.0, 3.0]), bg.tensor([1.0, 2.0, 3.0]))


def test_relu_is_the_maximum_with_zero_and_refuses_arrays():
    out = nn.ReLU()(bg.tensor([-1.0, 0.0, 2.0]))
    assert out.tolist() == [0, 0, 2]
    with pytest.raises(TypeError, match=r"\[relu\] input is a ndarray, expected a Tensor"):
        F.relu(np.zeros(3))


def test_tanh_squashes_between_minus_one_and_one():
    out = nn.Tanh()(bg.tensor([-1.0, 0.0, 100.0]))
    np.testing.assert_allclose(out.numpy(), np.tanh([-1.0, 0.0, 100.0]), rtol=4e-7)
    assert bg.tensor([0.5]).tanh().item() == pytest.approx(np.tanh(0.5), rel=1e-6)


def test_sequential_is_a_sequence_of_modules():
    model = mlp()
    assert len(model) == 3
    assert [type(module) for module in model] == [nn.Linear, nn.ReLU, nn.Linear]
    assert model[-1] is model[2]
    head = model[:2]
    assert isinstance(head, nn.Sequential)
    assert head[0] is model[0]
    assert len(head) == 2
    with pytest.raises(IndexError):
        model[3]


def test_sequential_applies_its_modules_in_order(rng):
    model = mlp()
    x = bg.tensor(rng.normal(size=(5, 3)), bg.float32)
    by_hand = model[2](model[1](model[0](x)))
    # bias and ReLU in one pass round alike but for the last bit of a number below 4
    got, expected = model(x).detach().numpy(), by_hand.detach().numpy()
    np.testing.assert_allclose(got, expected, atol=4 * 2**-22, rtol=0)
    assert nn.Sequential()(x) is x


def test_sequential_refuses_what_is_no_module():
    with pytest.raises(
        TypeError, match=r"\[Sequential\] modules\[1\] is a type, expected a Module"
    ):
        nn.Sequential(nn.ReLU(), nn.ReLU)
