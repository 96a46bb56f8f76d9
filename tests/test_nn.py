"""Modules, layers and losses: what they compute by NumPy, what they are called by PyTorch."""

from __future__ import annotations

import copy
import math
import pickle
from collections import OrderedDict

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
    data = layer.weight.array
    assert layer.to("cpu").weight.array is data


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


# Buffers, hooks, and walks over the modules


class Counter(nn.Module):
    """A buffer that is saved and one that is not."""

    def __init__(self):
        self.scale = nn.Parameter([2.0])
        self.register_buffer("seen", bg.tensor(0))
        self.register_buffer("mean", bg.tensor([0.5]), persistent=False)
        self.register_buffer("unset", None)
        self.constant = bg.tensor([3.0])

    def forward(self, x):
        return x


def test_a_module_says_what_stands_between_its_parentheses():
    class Scaled(nn.Module):
        def extra_repr(self):
            return "by 2"

    assert repr(nn.Sequential(Scaled())) == "Sequential(\n  (0): Scaled(by 2)\n)"


def test_buffers_are_listed_saved_and_moved_but_not_learned(device):
    model = nn.Sequential(Counter(), nn.ReLU())
    assert [name for name, _ in model.named_parameters()] == ["0.scale"]
    assert [name for name, _ in model.named_buffers()] == ["0.seen", "0.mean"]
    assert len(list(model.buffers())) == 2
    assert list(model.state_dict()) == ["0.scale", "0.seen"]
    model.to(device).double()
    counter = model[0]
    assert {t.device for t in (counter.scale, counter.seen, counter.mean)} == {device}
    assert [t.dtype for t in (counter.scale, counter.seen, counter.mean)] == [
        bg.float64,
        bg.int64,
        bg.float64,
    ]
    assert counter.constant.device == "cpu"
    assert model.float()[0].mean.dtype == bg.float32


def test_a_loaded_buffer_keeps_its_type():
    model = Counter()
    model.load_state_dict({"scale": [1.0], "seen": np.array(7, np.int32)})
    assert model.seen.item() == 7
    assert model.seen.dtype == bg.int64
    with pytest.raises(RuntimeError, match="missing seen"):
        model.load_state_dict({"scale": [1.0]})


def test_a_buffer_that_is_no_tensor_is_refused():
    with pytest.raises(TypeError, match=r"\[register_buffer\] mean is a list, expected a Tensor"):
        nn.ReLU().register_buffer("mean", [1.0])


def test_hooks_see_what_went_in_and_out_and_may_replace_it():
    layer, seen = nn.ReLU(), []
    x = bg.tensor([-1.0, 2.0])
    first = layer.register_forward_hook(lambda *call: seen.append(call))
    second = layer.register_forward_hook(lambda module, args, out: out * 10)
    assert layer(x).tolist() == [0, 20]
    module, args, out = seen[0]
    assert module is layer
    assert args == (x,)
    assert out.tolist() == [0, 2]
    first.remove()
    second.remove()
    second.remove()  # again is no error
    assert layer(x).tolist() == [0, 2]
    assert len(seen) == 1


def test_named_modules_have_paths_and_come_once():
    model = nn.Sequential(mlp(), nn.ModuleList([nn.ReLU()]))
    assert [name for name, _ in model.named_modules()] == ["", "0", "0.0", "0.1", "0.2", "1", "1.0"]
    assert [name for name, _ in Tied().named_modules()] == ["", "first", "other"]


def test_apply_reaches_every_module_children_first():
    model, kinds = mlp(), []
    assert model.apply(lambda module: kinds.append(type(module))) is model
    assert kinds == [nn.Linear, nn.ReLU, nn.Linear, nn.Sequential]

    def zero(module):
        if isinstance(module, nn.Linear):
            nn.init.zeros_(module.weight)

    model.apply(zero)
    assert not model[0].weight.detach().numpy().any()


def test_frozen_parameters_get_no_gradient(rng):
    model = mlp()
    assert model[0].requires_grad_(False) is model[0]
    model(bg.tensor(rng.normal(size=(5, 3)), bg.float32)).sum().backward()
    assert model[0].weight.grad is None
    assert model[2].weight.grad is not None


def test_a_pickled_model_computes_the_same(rng):
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.3)).eval()
    again = pickle.loads(pickle.dumps(model))
    x = bg.tensor(rng.normal(size=(5, 3)), bg.float32)
    np.testing.assert_array_equal(model(x).detach().numpy(), again(x).detach().numpy())
    assert [n for n, _ in again.named_buffers()] == [n for n, _ in model.named_buffers()]
    assert not again.training


def test_repr_shows_the_arguments_as_they_are():
    layer = nn.Conv2d(3, 4, (3, 2), padding="same", bias=False)
    layer.stride = 2
    assert repr(layer) == (
        "Conv2d(in_channels=3, out_channels=4, kernel_size=(3, 2), stride=2, padding='same', "
        "dilation=1, groups=1, bias=False)"
    )
    assert repr(nn.LeakyReLU()) == "LeakyReLU(negative_slope=0.01)"
    assert repr(nn.CrossEntropyLoss(bg.tensor([1.0, 2.0]))).startswith("CrossEntropyLoss(ignore")


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


def test_loading_what_is_no_numbers_changes_nothing():
    layer, state = nn.Linear(2, 2), nn.Linear(2, 2).state_dict()
    before = layer.state_dict()
    with pytest.raises(
        TypeError, match=r"\[load_state_dict\] data has dtype <U1, expected float32"
    ):
        layer.load_state_dict({**state, "bias": ["a", "b"]})
    assert all((before[name] == value).all() for name, value in layer.state_dict().items())


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
    with pytest.raises(TypeError, match=r"input is an ndarray, expected a Tensor"):
        layer(np.zeros((5, 3), np.float32))
    with pytest.raises(
        TypeError, match=r"input has dtype float64, expected float32: use input.float\(\)"
    ):
        layer(bg.tensor(np.zeros((5, 3))))
    with pytest.raises(ValueError, match=r"weight has shape \(3,\), expected \(o, k\)"):
        F.linear(bg.tensor([1.0, 2.0, 3.0]), bg.tensor([1.0, 2.0, 3.0]))


def test_relu_is_the_maximum_with_zero_and_refuses_arrays():
    out = nn.ReLU()(bg.tensor([-1.0, 0.0, 2.0]))
    assert out.tolist() == [0, 0, 2]
    with pytest.raises(TypeError, match=r"\[relu\] input is an ndarray, expected a Tensor"):
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


def test_sequential_takes_names_and_grows():
    model = nn.Sequential(OrderedDict(hidden=nn.Linear(3, 4), act=nn.ReLU()))
    assert [name for name, _ in model.named_parameters()] == ["hidden.weight", "hidden.bias"]
    assert model.hidden is model[0]
    assert model.append(nn.Linear(4, 2)) is model
    assert [name for name, _ in model.named_children()] == ["hidden", "act", "2"]
    model[-1] = nn.Linear(4, 5)
    assert model(bg.tensor(np.zeros((1, 3), np.float32))).shape == (1, 5)


def test_a_slice_keeps_the_names_and_grows_beside_them():
    tail = mlp()[1:]
    assert [name for name, _ in tail.named_children()] == ["1", "2"]
    tail.append(nn.ReLU())
    assert [name for name, _ in tail.named_children()] == ["1", "2", "3"]


def test_a_module_list_holds_modules_and_has_no_forward():
    layers = nn.ModuleList(nn.Linear(2, 2) for _ in range(3))
    assert len(layers) == 3
    assert layers[-1] is list(layers)[2]
    assert isinstance(layers[:2], nn.ModuleList)
    assert layers.extend([nn.ReLU()]) is layers
    assert [name for name, _ in layers.named_children()] == ["0", "1", "2", "3"]
    with pytest.raises(NotImplementedError, match=r"\[ModuleList\] the class defines no forward"):
        layers(1)
    with pytest.raises(TypeError, match=r"\[ModuleList\] modules\[4\] is an int"):
        layers.append(1)


@pytest.mark.parametrize("name", ["forward", "training", "a.b"])
def test_names_that_mean_something_else_are_refused(name):
    with pytest.raises(ValueError, match=rf"a module is named '{name}', expected another name"):
        nn.Sequential({name: nn.ReLU()})


# One pass for a layer and its activation


class Shy(nn.ReLU):
    """Not the ReLU itself, so it must be called."""

    def forward(self, input):
        return input * 0


def functions(out: bg.Tensor) -> list[str]:
    names, function = [], out.grad_fn
    while function is not None:
        names.append(type(function).__name__)
        function = next((p for p in function.parents if isinstance(p, bg.autograd.Function)), None)
    return names


@pytest.mark.parametrize("activation", [nn.ReLU, nn.Sigmoid, nn.Tanh])
@pytest.mark.parametrize("kind", ["linear", "conv"])
def test_sequential_runs_a_layer_and_its_activation_as_one(kind, activation, rng):
    layer = nn.Linear(4, 3) if kind == "linear" else nn.Conv2d(2, 3, 3)
    x = bg.tensor(rng.normal(size=(5, 4) if kind == "linear" else (2, 2, 5, 5)), bg.float32)
    model = nn.Sequential(layer, activation())
    fused = model(x)
    apart = model[1](model[0](x))
    assert functions(fused) == functions(apart)[1:]
    # one rounding more of a number below 8
    np.testing.assert_allclose(
        fused.detach().numpy(), apart.detach().numpy(), atol=8 * 2**-23, rtol=0
    )


def test_sequential_does_not_fuse_where_somebody_looks_between(rng):
    x = bg.tensor(rng.normal(size=(5, 3)), bg.float32)
    for place in (0, 1):
        model, seen = nn.Sequential(nn.Linear(3, 4), nn.ReLU()), []
        handle = model[place].register_forward_hook(lambda *_: seen.append(1))  # noqa: B023
        assert functions(model(x))[0] == "Relu"
        assert seen == [1]
        handle.remove()
        assert functions(model(x)) == ["Linear"]
    assert not nn.Sequential(nn.Linear(3, 4), Shy())(x).detach().numpy().any()


# Clipping


@pytest.mark.parametrize(("norm_type", "norm"), [(2.0, 5), (1.0, 7), (math.inf, 4)])
def test_clipping_scales_all_gradients_alike(norm_type, norm, device):
    first, second, idle = (nn.Parameter(bg.tensor([0.0], device=device)) for _ in range(3))
    first.grad, second.grad = bg.tensor([3.0], device=device), bg.tensor([-4.0], device=device)
    before = first.grad
    found = nn.utils.clip_grad_norm_([first, second, idle], norm / 2, norm_type)
    assert found.item() == pytest.approx(norm, rel=1e-6)
    # torch divides by the norm + 1e-6
    assert first.grad.item() == pytest.approx(1.5, rel=1e-6)
    assert second.grad.item() == pytest.approx(-2, rel=1e-6)
    assert first.grad is before
    assert idle.grad is None


def test_clipping_leaves_small_gradients_alone():
    param = nn.Parameter([0.0, 0.0])
    param.grad = bg.tensor([3.0, 4.0])
    assert nn.utils.clip_grad_norm_(param, 6).item() == 5
    assert param.grad.tolist() == [3, 4]
    assert nn.utils.clip_grad_norm_([nn.Parameter([1.0])], 1).item() == 0


def test_clipping_gradients_that_are_not_finite_is_refused_if_asked():
    param = nn.Parameter([0.0])
    param.grad = bg.tensor([math.inf])
    with pytest.raises(RuntimeError, match="the norm is inf, expected a finite one"):
        nn.utils.clip_grad_norm_([param], 1, error_if_nonfinite=True)
