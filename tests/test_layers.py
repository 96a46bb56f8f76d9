"""Layers and what they compute: by NumPy, by finite differences, and by PyTorch where it is."""

from __future__ import annotations

import itertools
import math
import warnings

import baregrad as bg
import numpy as np
import pytest
from baregrad import nn
from baregrad.nn import functional as F  # noqa: N812


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


ACTIVATIONS = {
    "relu": (nn.ReLU, {}, lambda x: np.maximum(x, 0)),
    "leaky_relu": (nn.LeakyReLU, {"negative_slope": 0.2}, lambda x: np.where(x > 0, x, 0.2 * x)),
    "elu": (nn.ELU, {"alpha": 0.5}, lambda x: np.where(x > 0, x, 0.5 * np.expm1(x))),
    "gelu": (nn.GELU, {}, lambda x: x * (1 + np.vectorize(math.erf)(x / math.sqrt(2))) / 2),
    "silu": (nn.SiLU, {}, lambda x: x * sigmoid(x)),
    "sigmoid": (nn.Sigmoid, {}, sigmoid),
    "tanh": (nn.Tanh, {}, np.tanh),
    "softplus": (nn.Softplus, {}, lambda x: np.log1p(np.exp(x))),
    "softmax": (nn.Softmax, {"dim": 1}, lambda x: np.exp(x) / np.exp(x).sum(1, keepdims=True)),
    "log_softmax": (
        nn.LogSoftmax,
        {"dim": 0},
        lambda x: x - np.log(np.exp(x).sum(0, keepdims=True)),
    ),
    "flatten": (nn.Flatten, {"start_dim": 0}, lambda x: x.reshape(-1)),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_function_and_its_layer_follow_the_formula(name, device, rng):
    layer, options, formula = ACTIVATIONS[name]
    x = rng.normal(size=(4, 6)).astype(np.float32) * 3
    expected = formula(x.astype(np.float64))
    for function in (layer(**options), lambda x: getattr(F, name)(x, **options)):
        found = function(bg.tensor(x, device=device))
        assert found.device == device
        # some ten roundings of numbers below 16
        np.testing.assert_allclose(found.cpu().numpy(), expected, atol=10 * 16 * 2**-24, rtol=0)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_function_refuses_what_is_no_tensor(name):
    with pytest.raises(TypeError, match=rf"\[{name}\] \w+ is an ndarray, expected a Tensor"):
        getattr(F, name)(np.zeros((2, 3)), **ACTIVATIONS[name][1])


def test_the_derivative_of_relu_at_zero_is_zero():
    """Lecture 002 has 1 there; PyTorch and this library have 0."""
    x = bg.tensor([-1.0, 0.0, 1.0], requires_grad=True)
    nn.ReLU()(x).backward(bg.tensor([1.0, 1.0, 1.0]))
    assert x.grad.tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("shape", "dim"), [((3,), 0), ((2, 3), 1), ((2, 3, 4), 0), ((2, 3, 4, 5), 1)]
)
@pytest.mark.parametrize("function", [F.softmax, F.log_softmax])
def test_without_dim_the_choice_is_that_of_torch_with_a_warning(function, shape, dim, rng):
    x = bg.tensor(rng.normal(size=shape))
    layer = nn.Softmax() if function is F.softmax else nn.LogSoftmax()
    with pytest.warns(UserWarning, match=rf"there is no dim, taken as {dim}: say dim={dim}") as log:
        found = function(x) + 0 * layer(x)
    assert [warning.filename for warning in log] == [__file__] * 2
    np.testing.assert_array_equal(found.numpy(), function(x, dim=dim).numpy())


def test_identity_returns_its_input():
    x = bg.tensor([1.0])
    assert nn.Identity()(x) is x


# Convolutions and pools


def conv_by_the_formula(x, w, b, stride, padding, dilation, groups):
    """A loop over every output; padding is four widths, above, below, left and right."""
    above, below, left, right = padding
    x = np.pad(x, ((0, 0), (0, 0), (above, below), (left, right)))
    n, _, height, width = x.shape
    o, per_group, kh, kw = w.shape
    oh = (height - dilation[0] * (kh - 1) - 1) // stride[0] + 1
    ow = (width - dilation[1] * (kw - 1) - 1) // stride[1] + 1
    out = np.zeros((n, o, oh, ow))
    for k, i, j in itertools.product(range(o), range(oh), range(ow)):
        first = k // (o // groups) * per_group
        rows = slice(i * stride[0], i * stride[0] + dilation[0] * (kh - 1) + 1, dilation[0])
        columns = slice(j * stride[1], j * stride[1] + dilation[1] * (kw - 1) + 1, dilation[1])
        seen = x[:, first : first + per_group, rows, columns]
        out[:, k, i, j] = (seen * w[k]).sum(axis=(1, 2, 3)) + (0 if b is None else b[k])
    return out


@pytest.mark.parametrize(
    ("options", "padding"),
    [
        ({"kernel_size": 3}, (0, 0, 0, 0)),
        ({"kernel_size": 3, "padding": "valid", "bias": False}, (0, 0, 0, 0)),
        ({"kernel_size": (3, 2), "stride": (2, 1), "padding": (1, 0)}, (1, 1, 0, 0)),
        ({"kernel_size": 3, "padding": "same", "dilation": 2}, (2, 2, 2, 2)),
        ({"kernel_size": (2, 4), "padding": "same"}, (0, 1, 1, 2)),
        ({"kernel_size": 2, "groups": 2, "padding": 1, "stride": 3}, (1, 1, 1, 1)),
        ({"kernel_size": 1, "groups": 4}, (0, 0, 0, 0)),
    ],
)
def test_conv2d_is_a_product_with_every_window(options, padding, device, rng):
    layer = nn.Conv2d(4, 8, **options)
    x = rng.normal(size=(2, 4, 7, 6)).astype(np.float32)
    w, b = (
        layer.weight.detach().numpy(),
        None if layer.bias is None else layer.bias.detach().numpy(),
    )

    def both(value):
        return value if isinstance(value, tuple) else (value, value)

    stride, dilation = both(options.get("stride", 1)), both(options.get("dilation", 1))
    groups = options.get("groups", 1)
    expected = conv_by_the_formula(x.astype(np.float64), w, b, stride, padding, dilation, groups)
    found = layer.to(device)(bg.tensor(x, device=device)).detach().cpu().numpy()
    # at most 4 x 9 products and as many sums of numbers below 4
    np.testing.assert_allclose(found, expected, atol=2 * 36 * 4 * 2**-24, rtol=0)


@pytest.mark.parametrize("activation", [None, "relu", "tanh", "gelu"])
@pytest.mark.parametrize("bias", [True, False])
def test_the_gradients_of_conv2d_agree_with_differences(activation, bias, rng):
    x, w, b = (bg.tensor(rng.normal(size=shape)) for shape in ((2, 4, 5, 4), (4, 2, 3, 2), (4,)))
    inputs = [t.requires_grad_() for t in ([x, w, b] if bias else [x, w])]

    def conv(*inputs):
        options = {"stride": 2, "padding": 1, "groups": 2, "activation": activation}
        return F.conv2d(*inputs, **options)

    assert bg.autograd.gradcheck(conv, inputs)


@pytest.mark.parametrize("activation", ["relu", "sigmoid", "tanh", "silu", None])
def test_an_activation_in_the_same_pass_gives_the_same(activation, device, rng):
    x, w, b = rng.normal(size=(5, 3)), rng.normal(size=(4, 3)), rng.normal(size=4)
    grads, outs = [], []
    for fused in (True, False):
        inputs = [
            bg.tensor(t.astype(np.float32), device=device, requires_grad=True) for t in (x, w, b)
        ]
        if fused:
            out = F.linear(*inputs, activation=activation)
        else:
            out = F.linear(*inputs)
            out = out if activation is None else getattr(F, activation)(out)
        out.backward(bg.tensor(np.ones((5, 4), np.float32), device=device))
        outs.append(out.detach().cpu().numpy())
        grads.append([t.grad.cpu().numpy() for t in inputs])
    # one rounding more or less of numbers below 8, carried through sums of 5
    np.testing.assert_allclose(*outs, atol=8 * 2**-23, rtol=0)
    for fused, apart in zip(*grads, strict=True):
        np.testing.assert_allclose(fused, apart, atol=5 * 8 * 4 * 2**-23, rtol=0)


def pool_by_the_formula(x, kernel, stride, padding, reduce, fill):
    widths = ((0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2)
    x = np.pad(x, widths, constant_values=fill)
    oh, ow = ((x.shape[2 + a] - kernel[a]) // stride[a] + 1 for a in range(2))
    out = np.zeros((*x.shape[:2], oh, ow))
    for i, j in itertools.product(range(oh), range(ow)):
        y, z = i * stride[0], j * stride[1]
        out[:, :, i, j] = reduce(x[:, :, y : y + kernel[0], z : z + kernel[1]], axis=(2, 3))
    return out


@pytest.mark.parametrize(
    ("options", "kernel", "stride", "padding"),
    [
        ({"kernel_size": 2}, (2, 2), (2, 2), (0, 0)),
        ({"kernel_size": (3, 2), "stride": 1, "padding": (1, 0)}, (3, 2), (1, 1), (1, 0)),
        ({"kernel_size": 3, "stride": (2, 3), "padding": 1}, (3, 3), (2, 3), (1, 1)),
    ],
)
def test_pools_take_the_largest_or_the_mean_of_every_window(
    options, kernel, stride, padding, device, rng
):
    x = rng.normal(size=(2, 3, 7, 6)).astype(np.float32)
    for layer, reduce, fill in ((nn.MaxPool2d, np.max, -np.inf), (nn.AvgPool2d, np.mean, 0)):
        expected = pool_by_the_formula(x.astype(np.float64), kernel, stride, padding, reduce, fill)
        found = layer(**options)(bg.tensor(x, device=device)).cpu().numpy()
        np.testing.assert_allclose(found, expected, atol=9 * 4 * 2**-24, rtol=0)


@pytest.mark.parametrize("pool", [F.max_pool2d, F.avg_pool2d])
def test_the_gradients_of_pools_agree_with_differences(pool, rng):
    x = bg.tensor(rng.permutation(60).reshape(1, 2, 6, 5) / 10, requires_grad=True)
    assert bg.autograd.gradcheck(lambda x: pool(x, (3, 2), stride=2, padding=1), x)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: nn.Conv2d(0, 4, 3),
            ValueError,
            r"\[Conv2d\] in_channels is 0, expected at least 1",
        ),
        (
            lambda: nn.Conv2d(4, 4, 3, groups=3),
            ValueError,
            r"groups is 3, expected a divisor of in_",
        ),
        (
            lambda: nn.Conv2d(4, 2, 3, groups=4),
            ValueError,
            r"groups is 4, expected a divisor of out",
        ),
        (
            lambda: nn.Conv2d(4, 4, (3, 3, 3)),
            ValueError,
            r"kernel_size is \(3, 3, 3\), expected an integer or two",
        ),
        (
            lambda: nn.Embedding(3, 4, padding_idx=3),
            ValueError,
            r"padding_idx is 3, expected one of",
        ),
        (lambda: nn.Dropout(1.5), ValueError, r"\[Dropout\] p is 1\.5, expected 0 <= p <= 1"),
        (lambda: nn.MSELoss(reduction="avg"), ValueError, r"\[MSELoss\] reduction is 'avg'"),
    ],
)
def test_impossible_layers_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def images(*shape, dtype=np.float32):
    return bg.tensor(np.zeros(shape, dtype))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.Conv2d(3, 4, 3)(images(1, 2, 5, 5)), ValueError, r"expected"),
        (lambda: nn.Conv2d(3, 4, 3)(images(1, 3, 2, 5)), ValueError, r"expected"),
        (
            lambda: nn.Conv2d(3, 4, 2, 2, "same"),
            ValueError,
            r"stride .* 'same'",
        ),
        (lambda: nn.BatchNorm2d(3)(images(2, 3)), ValueError, r"expected \(n, 3, h, w\)"),
        (lambda: nn.BatchNorm1d(3)(images(2, 4)), ValueError, r"expected \(n, 3\) or \(n, 3, l\)"),
        (lambda: nn.BatchNorm1d(3)(images(1, 3)), ValueError, r"expected more than one value a"),
        (
            lambda: nn.LayerNorm(4)(images(2, 3)),
            ValueError,
            r"shape \(2, 3\), expected \(\.\.\., 4\)",
        ),
        (lambda: nn.Embedding(3, 2)(bg.tensor([3])), IndexError, r"3, expected 0 <= \w+ < 3"),
        (lambda: nn.Embedding(3, 2)(bg.tensor([1.0])), TypeError, r"dtype float32, expected int64"),
        (lambda: nn.MaxPool2d(2, padding=2)(images(1, 1, 4, 4)), ValueError, r"at most half"),
        (lambda: F.linear(images(2, 3), images(4, 3), activation="sin"), ValueError, r"'sin'"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Linear(3, 4), (2, 3)),
        (nn.Conv2d(3, 4, 3), (1, 3, 5, 5)),
        (nn.BatchNorm1d(3), (4, 3)),
        (nn.BatchNorm2d(3), (4, 3, 2, 2)),
        (nn.LayerNorm(3), (4, 3)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_float64_in_a_float32_layer_is_refused_with_the_remedy(layer, shape):
    with pytest.raises(TypeError, match=r"(\w+) has dtype float64, expected float32: use \1.float"):
        layer(images(*shape, dtype=np.float64))
    assert layer.double()(images(*shape, dtype=np.float64)).dtype == bg.float64


# Dropout and embedding


def test_dropout_keeps_the_mean_and_is_off_in_eval(device):
    bg.manual_seed(0)
    x = bg.tensor(np.ones((100, 100), np.float32), device=device, requires_grad=True)
    layer = nn.Dropout(0.4)
    out = layer(x)
    values = out.detach().cpu().numpy()
    assert set(np.unique(values)) == {np.float32(0), np.float32(1 / 0.6)}
    # 5 standard deviations of the mean of 10,000 coins, scaled
    assert abs(values.mean() - 1) < 5 * math.sqrt(0.4 / 0.6 / 10_000)
    out.backward(bg.tensor(np.ones((100, 100), np.float32), device=device))
    np.testing.assert_array_equal(x.grad.cpu().numpy(), values)
    assert not np.array_equal(layer(x).detach().cpu().numpy(), values)
    assert layer.eval()(x) is x


def test_the_same_seed_drops_the_same(device):
    x = bg.tensor(np.ones(50, np.float32), device=device)
    masks = []
    for _ in range(2):
        bg.manual_seed(3)
        masks.append(nn.Dropout()(x).cpu().numpy())
    np.testing.assert_array_equal(*masks)


def test_embedding_is_a_lookup_and_adds_up_gradients(device):
    layer = nn.Embedding(5, 3, padding_idx=-1).to(device)
    assert layer.padding_idx == 4
    weight = layer.weight.detach().cpu().numpy().copy()
    assert not weight[4].any()
    assert weight[:4].all()
    rows = np.array([[1, 4, 1], [0, 1, 4]])
    out = layer(bg.tensor(rows, device=device))
    np.testing.assert_array_equal(out.detach().cpu().numpy(), weight[rows])
    out.backward(bg.tensor(np.ones((2, 3, 3), np.float32), device=device))
    np.testing.assert_array_equal(layer.weight.grad.cpu().numpy()[:, 0], [1, 3, 0, 0, 0])


# Normalisation


def normalised(x, axes, weight, bias, eps=1e-5):
    mean, var = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    return (x - mean) / np.sqrt(var + eps) * weight + bias


@pytest.mark.parametrize(
    ("kind", "shape"),
    [(nn.BatchNorm1d, (8, 3)), (nn.BatchNorm1d, (4, 3, 5)), (nn.BatchNorm2d, (4, 3, 5, 2))],
)
def test_batch_norm_follows_the_formula_and_remembers(kind, shape, device, rng):
    layer = kind(3, momentum=0.3).to(device)
    weight, bias = rng.normal(size=(2, 3)).astype(np.float32)
    layer.load_state_dict({"weight": weight, "bias": bias}, strict=False)
    per_channel = (1, 3) + (1,) * (len(shape) - 2)
    axes = (0, *range(2, len(shape)))
    mean, var = np.zeros(3), np.ones(3)
    for step in range(1, 4):
        x = rng.normal(2, 3, size=shape).astype(np.float32)
        exact = x.astype(np.float64)
        found = layer(bg.tensor(x, device=device)).detach().cpu().numpy()
        expected = normalised(exact, axes, weight.reshape(per_channel), bias.reshape(per_channel))
        # a mean of at most 40 numbers below 16, divided by about 3, times a weight below 4
        np.testing.assert_allclose(found, expected, atol=40 * 16 * 4 * 2**-24, rtol=0)
        mean = 0.7 * mean + 0.3 * exact.mean(axes)
        var = 0.7 * var + 0.3 * exact.var(axes, ddof=1)
        state = layer.state_dict()
        assert state["num_batches_tracked"] == step
        np.testing.assert_allclose(state["running_mean"], mean, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(state["running_var"], var, rtol=1e-5)
    found = layer.eval()(bg.tensor(x, device=device)).detach().cpu().numpy()
    by = [a.reshape(per_channel) for a in (mean, var, weight, bias)]
    expected = (exact - by[0]) / np.sqrt(by[1] + 1e-5) * by[2] + by[3]
    np.testing.assert_allclose(found, expected, atol=40 * 16 * 4 * 2**-24, rtol=0)
    assert layer.state_dict()["num_batches_tracked"] == 3


def test_batch_norm_without_momentum_averages_all_batches(rng):
    layer, batches = nn.BatchNorm1d(2, momentum=None), rng.normal(size=(5, 6, 2))
    layer.double()
    for x in batches:
        layer(bg.tensor(x))
    state = layer.state_dict()
    np.testing.assert_allclose(state["running_mean"], batches.mean((0, 1)), rtol=1e-12)
    np.testing.assert_allclose(state["running_var"], batches.var(1, ddof=1).mean(0), rtol=1e-12)


def test_batch_norm_without_statistics_uses_the_batch_in_eval_too(rng):
    layer = nn.BatchNorm1d(2, affine=False, track_running_stats=False).eval()
    assert layer.state_dict() == {}
    x = rng.normal(3, 2, size=(50, 2))
    out = layer(bg.tensor(x, bg.float32)).numpy()
    # mean and variance of 50 numbers below 4, rounded
    np.testing.assert_allclose(out.mean(0), 0, atol=50 * 4 * 2**-24)
    np.testing.assert_allclose(out.var(0), 1, atol=1e-5 + 50 * 4 * 2**-24)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [5, (3, 5)])
def test_layer_norm_follows_the_formula(shape, bias, device, rng):
    layer = nn.LayerNorm(shape, bias=bias).to(device)
    assert (layer.bias is not None) == bias
    weight = rng.normal(size=layer.normalized_shape).astype(np.float32)
    layer.load_state_dict({"weight": weight}, strict=False)
    x = rng.normal(2, 3, size=(4, 3, 5)).astype(np.float32)
    axes = tuple(range(3 - weight.ndim, 3))
    expected = normalised(x.astype(np.float64), axes, weight, 0)
    found = layer(bg.tensor(x, device=device)).detach().cpu().numpy()
    np.testing.assert_allclose(found, expected, atol=15 * 16 * 4 * 2**-24, rtol=0)


@pytest.mark.parametrize("name", ["batch", "batch eval", "layer", "embedding"])
def test_the_gradients_of_normalisation_agree_with_differences(name, rng):
    x, w, b = (bg.tensor(rng.normal(size=s), requires_grad=True) for s in ((4, 3, 2), (3,), (3,)))
    if name == "layer":
        w, b = (bg.tensor(rng.normal(size=(3, 2)), requires_grad=True) for _ in "wb")
        assert bg.autograd.gradcheck(lambda x, w, b: F.layer_norm(x, (3, 2), w, b), [x, w, b])
        return
    if name == "embedding":
        rows = bg.tensor([[0, 2], [2, 2]])
        assert bg.autograd.gradcheck(
            lambda table: F.embedding(rows, table), x.detach().reshape(4, 6).requires_grad_()
        )
        return
    mean, var = bg.tensor(rng.normal(size=3)), bg.tensor(rng.uniform(1, 2, 3))
    training = name == "batch"
    assert bg.autograd.gradcheck(
        lambda x, w, b: F.batch_norm(x, mean.detach() * 1, var * 1, w, b, training), [x, w, b]
    )


def test_batch_norm_without_statistics_in_eval_is_refused():
    with pytest.raises(ValueError, match="training is False, expected running_mean"):
        F.batch_norm(bg.tensor([[1.0], [2.0]]), None, None)


# Against PyTorch

LAYERS = {
    "Linear": ((3, 4), {}, (5, 3)),
    "Conv2d": ((4, 6, 3), {"stride": 2, "padding": 1, "groups": 2}, (2, 4, 7, 6)),
    "Conv2d same": ((4, 6, (2, 3)), {"padding": "same", "dilation": (1, 2)}, (2, 4, 7, 6)),
    "MaxPool2d": ((3, 2), {"padding": 1}, (2, 3, 7, 6)),
    "AvgPool2d": ((3, 2), {"padding": 1}, (2, 3, 7, 6)),
    "BatchNorm1d": ((3,), {}, (6, 3)),
    "BatchNorm2d": ((3,), {"momentum": 0.2}, (2, 3, 4, 5)),
    "LayerNorm": (((3, 5),), {}, (2, 3, 5)),
    "Embedding": ((7, 3), {"padding_idx": 2}, None),
    "GELU": ((), {}, (4, 5)),
    "SiLU": ((), {}, (4, 5)),
    "ELU": ((), {}, (4, 5)),
    "LeakyReLU": ((), {}, (4, 5)),
    "Softplus": ((), {}, (4, 5)),
    "Sigmoid": ((), {}, (4, 5)),
    "Softmax": ((), {"dim": -1}, (4, 5)),
    "LogSoftmax": ((0,), {}, (4, 5)),
    "Flatten": ((), {}, (4, 5, 2)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_computes_what_that_of_torch_does(name, rng):
    torch = pytest.importorskip("torch")
    arguments, options, shape = LAYERS[name]
    kind = name.split()[0]
    ours, theirs = (
        getattr(nn, kind)(*arguments, **options),
        getattr(torch.nn, kind)(*arguments, **options),
    )
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.double().load_state_dict({k: v.numpy() for k, v in theirs.double().state_dict().items()})
    x = rng.integers(0, 7, (4, 2)) if shape is None else rng.normal(size=shape)
    a, b = bg.tensor(x), torch.tensor(x)
    if shape is not None:
        a.requires_grad_()
        b.requires_grad_()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's, that it copies the padded input
        out, expected = ours(a), theirs(b)
    np.testing.assert_allclose(
        out.detach().numpy(), expected.detach().numpy(), rtol=1e-10, atol=1e-12
    )
    upstream = rng.normal(size=out.shape)
    out.backward(bg.tensor(upstream))
    expected.backward(torch.tensor(upstream))
    if shape is not None:
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-9, atol=1e-11)
    for (label, mine), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(
            mine.grad.numpy(), other.grad.numpy(), rtol=1e-9, atol=1e-11, err_msg=label
        )
    for label, value in ours.eval().state_dict().items():
        np.testing.assert_allclose(
            value, theirs.state_dict()[label].numpy(), rtol=1e-10, atol=1e-12
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        evaluated = theirs.eval()(b).detach().numpy()
    np.testing.assert_allclose(ours(a).detach().numpy(), evaluated, rtol=1e-9, atol=1e-11)


# Training


def small_net(normalised: bool) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding="same"),
        *([nn.BatchNorm2d(8)] if normalised else []),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.1),
        nn.Linear(8 * 16, 10),
    )


@pytest.mark.parametrize("normalised", [False, True])
def test_a_convolutional_net_learns_digits(normalised):
    bg.manual_seed(0)
    images, labels = bg.data.digits().train[:128]
    images = images.reshape(-1, 1, 8, 8)
    model = small_net(normalised)
    optimizer = bg.optim.Adam(model.parameters(), lr=0.01)
    losses = []
    for _ in range(30):
        loss = nn.CrossEntropyLoss()(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    model.eval()
    again = nn.CrossEntropyLoss()(model(images), labels).item()
    assert again == nn.CrossEntropyLoss()(model(images), labels).item()
