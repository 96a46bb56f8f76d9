"""Ops as wholes: broadcasting, types, empty arrays, and the adjoint identity."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import baregrad as bg
import numpy as np
import pytest
from baregrad import Tensor, nn, ops
from baregrad.ops.arguments import result_type
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes
from test_autograd import OPS

BINARY: dict[str, Any] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "maximum": np.maximum,
    "minimum": np.minimum,
}
SHAPES = mutually_broadcastable_shapes(num_shapes=2, min_side=0, max_side=4, max_dims=4)


@pytest.mark.parametrize("name", BINARY)
@settings(derandomize=True, deadline=None, max_examples=60)
@given(shapes=SHAPES)
def test_broadcasts_as_numpy_and_sums_the_gradient_back(name: str, shapes: Any) -> None:
    rng = np.random.default_rng(0)
    a, b = (rng.integers(1, 9, shape).astype(np.float64) for shape in shapes.input_shapes)
    x, y = bg.tensor(a, requires_grad=True), bg.tensor(b, requires_grad=True)
    out = getattr(bg, name)(x, y)
    np.testing.assert_array_equal(out.detach().numpy(), BINARY[name](a, b))
    dout = rng.standard_normal(out.shape)
    out.backward(bg.tensor(dout))
    assert x.grad is not None
    assert y.grad is not None
    assert (x.grad.shape, y.grad.shape) == (x.shape, y.shape)
    # What a repeated element gets is the sum of what its copies would have got.
    wide = bg.tensor(np.broadcast_to(a, out.shape).copy(), requires_grad=True)
    getattr(bg, name)(wide, y.detach()).backward(bg.tensor(dout))
    assert wide.grad is not None
    summed = wide.grad.numpy()
    summed = summed.sum(tuple(range(summed.ndim - a.ndim)))
    axes = tuple(i for i, n in enumerate(a.shape) if n == 1)
    np.testing.assert_allclose(x.grad.numpy(), summed.sum(axes, keepdims=True), atol=1e-12)


@settings(derandomize=True, deadline=None, max_examples=100)
@given(
    shape=st.lists(st.integers(0, 4), max_size=4).map(tuple), data=st.data(), keepdim=st.booleans()
)
def test_reduces_over_any_dimensions_as_numpy(shape: Any, data: Any, keepdim: bool) -> None:
    x = np.random.default_rng(0).standard_normal(shape)
    axes = data.draw(st.lists(st.sampled_from(range(len(shape))), unique=True)) if shape else []
    dims = [data.draw(st.sampled_from([axis, axis - len(shape)])) for axis in axes]
    over = tuple(axes) or None
    got = bg.sum(bg.tensor(x), dims, keepdim).numpy()
    np.testing.assert_allclose(got, x.sum(over, keepdims=keepdim), atol=1e-12)
    if x.size:
        np.testing.assert_array_equal(
            bg.amax(bg.tensor(x), dims, keepdim).numpy(), x.max(over, keepdims=keepdim)
        )


LINEAR: dict[str, tuple[Callable[[Tensor], Tensor], tuple[int, ...]]] = {
    "sum": (lambda x: x.sum((0, 2)), (3, 4, 5)),
    "mean": (lambda x: x.mean(1, keepdim=True), (3, 4, 5)),
    "permute": (lambda x: x.permute(2, 0, 1), (3, 4, 5)),
    "expand": (lambda x: x.expand(6, 3, 4), (3, 1)),
    "reshape": (lambda x: x.T.reshape(2, -1), (3, 4)),
    "cat": (lambda x: bg.cat([x, 2 * x, -x], 1), (3, 4)),
    "stack": (lambda x: bg.stack([x, 3 * x], -1), (3, 4)),
    "pad": (lambda x: ops.pad(x, (1, -1, 2, 0)), (3, 4)),
    "flip": (lambda x: x.flip((0, 1)), (3, 4)),
    "rows": (lambda x: x[np.array([1, 1, 0])], (3, 4)),
    "slices": (lambda x: x[::-2, 1:], (3, 4)),
    "matmul": (lambda x: x @ bg.arange(20).to(x.dtype).reshape(4, 5), (2, 3, 4)),
    "conv2d": (
        lambda x: ops.conv2d(
            x, bg.arange(54).to(x.dtype).reshape(3, 2, 3, 3), stride=2, padding=1, dilation=(1, 2)
        ),
        (2, 2, 6, 7),
    ),
    "avgpool2d": (lambda x: ops.avgpool2d(x, (3, 2), 1, 1), (2, 3, 4, 5)),
    "cumulative": (lambda x: x + x[:, :1] - 2 * x.sum(1, keepdim=True), (3, 4)),
}


def test_equals_share_the_gradient(device: str) -> None:
    a = bg.tensor([1.0, 2.0, 4.0], device=device, requires_grad=True)
    b = bg.tensor([1.0, 3.0, 0.0], device=device, requires_grad=True)
    a.maximum(b).backward(bg.tensor([2.0, 4.0, 8.0], device=device))
    assert (gradient(a), gradient(b)) == ([1, 0, 8], [1, 4, 0])
    a.minimum(b).sum().backward()
    assert (gradient(a), gradient(b)) == ([1.5, 1, 8], [1.5, 4, 1])
    x = bg.tensor([[3.0, 1.0, 3.0], [2.0, 2.0, 2.0]], device=device, requires_grad=True)
    (x.amax(1) * bg.tensor([4.0, 6.0], device=device)).sum().backward()
    assert gradient(x) == [[2, 0, 2], [2, 2, 2]]
    x.amin().backward()
    assert gradient(x) == [[2, 1, 2], [2, 2, 2]]


def gradient(x: Tensor) -> Any:
    assert x.grad is not None
    return x.grad.tolist()


@pytest.mark.parametrize("name", LINEAR)
def test_backward_is_the_adjoint_of_a_linear_op(name: str, rng: np.random.Generator) -> None:
    # <J v, u> = <v, J' u>, in float64 to rounding.
    f, shape = LINEAR[name]
    v = bg.tensor(rng.standard_normal(shape), requires_grad=True)
    out = f(v)
    u = bg.tensor(rng.standard_normal(out.shape))
    (dv,) = bg.autograd.grad(out, v, u)
    assert dv is not None
    left, right = (out * u).sum().item(), (v * dv).sum().item()
    assert left == pytest.approx(right, rel=1e-10)


@pytest.mark.parametrize("name", OPS)
def test_gives_empty_results_of_empty_batches(name: str) -> None:
    # The first axis of what is a batch is empty; ops that cannot take that say so.
    f, shapes = OPS[name]
    inputs = [bg.tensor(np.zeros((0, *shape[1:]), np.float32), requires_grad=True) for shape in shapes[:1]]  # fmt: skip
    inputs += [bg.tensor(np.ones(shape, np.float32), requires_grad=True) for shape in shapes[1:]]
    try:
        out = f(*inputs)
    except (ValueError, IndexError) as refusal:
        assert str(refusal).startswith(("[", "reshape", "cannot reshape", "tuple index"))  # noqa: PT017
        return
    out.backward(bg.ones(out.shape, dtype=out.dtype))
    for x in inputs:
        assert x.grad is None or x.grad.shape == x.shape


TYPES = [bg.bool, bg.uint8, bg.int64, bg.float32, bg.float64]


@pytest.mark.parametrize("a", TYPES, ids=str)
@pytest.mark.parametrize("b", TYPES, ids=str)
def test_the_type_of_a_result_depends_on_kinds_first(a: np.dtype, b: np.dtype) -> None:
    order = ["bool", "uint8", "int64", "float32", "float64"]
    wider = np.dtype(max(str(a), str(b), key=order.index))
    vectors = bg.zeros(2, dtype=a), bg.zeros(2, dtype=b)
    assert result_type(*vectors) == (vectors[0] * vectors[1]).dtype == wider
    scalar = bg.zeros((), dtype=b)
    kept = a if {a.kind, b.kind} <= {"u", "i"} or a.kind == b.kind else wider
    assert (vectors[0] * scalar).dtype == kept
    assert (scalar * vectors[0]).dtype == kept


@pytest.mark.parametrize(
    ("value", "types"),
    [
        (True, [bg.bool, bg.uint8, bg.int64, bg.float32, bg.float64]),
        (2, [bg.int64, bg.uint8, bg.int64, bg.float32, bg.float64]),
        (2.5, [bg.float32, bg.float32, bg.float32, bg.float32, bg.float64]),
        (np.float64(2.5), [bg.float32, bg.float32, bg.float32, bg.float32, bg.float64]),
        (np.int64(2), [bg.int64, bg.uint8, bg.int64, bg.float32, bg.float64]),
    ],
)
def test_a_number_does_not_widen_a_tensor_of_its_kind(value: Any, types: list[np.dtype]) -> None:
    for dtype, want in zip(TYPES, types, strict=True):
        assert (bg.ones(2, dtype=dtype) * value).dtype == want
        assert (value * bg.ones(2, dtype=dtype)).dtype == want


WRONG: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: bg.ones(2) + bg.ones(3), ValueError, r"\[add\] shapes \(2,\) and \(3,\) do not broadcast"),
    (lambda: bg.ones(2) * [1, 2], TypeError, r"\[mul\] b is a list, expected a Tensor: use bg.tensor"),
    (lambda: bg.ones(2) + np.ones(2), TypeError, r"\[add\] b is an ndarray, expected a Tensor"),
    (lambda: bg.ones(2) == np.ones(2), TypeError, r"\[eq\] b is an ndarray"),
    (lambda: bg.where(bg.ones(2), 1, 2), TypeError, "condition has dtype float32, expected bool: use condition != 0"),
    (lambda: bg.ones(2).sum(1), IndexError, r"\[sum\] dim is 1, expected -1 <= dim < 1"),
    (lambda: bg.ones(2).sum((0, -1)), ValueError, r"\[sum\] dim is \(0, -1\), expected different"),
    (lambda: bg.ones(2).sum("a"), TypeError, r"\[sum\] dim is a str, expected an integer"),
    (lambda: bg.ones(2).sum(dim=0, axis=0), TypeError, "there are both dim and axis"),
    (lambda: bg.ones(2).max(bg.ones(2)), TypeError, r"\[max\] dim is a Tensor"),
    (lambda: bg.arange(2).mean(), TypeError, r"\[mean\] x has dtype int64, expected float32: use x.float\(\)"),
    (lambda: bg.arange(2).softmax(1), IndexError, r"\[softmax\] dim is 1"),
    (lambda: bg.zeros(0).argmax(), ValueError, r"\[argmax\] x has no element"),
    (lambda: bg.ones(2, 3) @ bg.ones(2, 3), ValueError, r"b has shape \(2, 3\), expected \(3, n\)"),
    (lambda: bg.ones(2, 3) @ bg.ones(4), ValueError, r"\[matmul\] b has shape \(4,\), expected \(3,\)"),
    (lambda: bg.ones(2, 3, 2, 3) @ bg.ones(3, 2, 3), ValueError, r"b has shape \(3, 2, 3\), expected \(..., 3, n\)"),
    (lambda: bg.ones(2, 2, 3) @ bg.ones(3, 3, 2), ValueError, "whose batches do not broadcast"),
    (lambda: bg.ones(2, 3).mm(bg.ones(3)), ValueError, r"\[mm\] operands have shapes .* expected two matrices"),
    (lambda: bg.ones(2, 2) @ bg.ones(2, 2).double(), TypeError, r"b has dtype float64, expected float32: use b.float\(\)"),
    (lambda: ops.conv2d(bg.ones(1, 1, 3, 3), bg.ones(1, 1, 2, 2).double()), TypeError, r"\[conv2d\] x has dtype float32, expected float64: use x.double\(\)"),
    (lambda: ops.conv2d(bg.ones(1, 1, 3, 3), bg.ones(1, 1, 2, 2), padding="full"), ValueError, r"\[conv2d\] padding is 'full', expected an integer or two, 'same' or"),
    (lambda: nn.Conv2d(1, 1, 2, padding="full"), ValueError, r"\[Conv2d\] padding is 'full', expected an integer or two, 'same' or"),
    (lambda: nn.Conv2d(1, 1, 2, padding=1.5), TypeError, r"\[Conv2d\] padding is 1.5, expected an integer or two"),
    (lambda: ops.conv2d(bg.ones(1, 1, 3, 3), bg.ones(1, 1, 3, 3), dilation=2**62), ValueError, "reaches over 2.63 or more pixels of 3, padding"),
    (lambda: ops.conv2d(bg.ones(1, 1, 3, 3), bg.ones(1, 1, 2, 2), stride=2, padding="same"), ValueError, "expected 1 with padding 'same'"),
    (lambda: ops.conv2d(bg.ones(1, 1, 3, 3), bg.ones(1, 1, 2, 2), bg.ones(1), activation="swish"), ValueError, "activation is 'swish', expected one of relu"),
    (lambda: ops.maxpool2d(bg.ones(1, 1, 3, 3), (1, 2, 3)), ValueError, "kernel_size is .1, 2, 3., expected an integer or two"),
    (lambda: ops.dropout(bg.ones(2), 1.5), ValueError, "p is 1.5, expected 0 <= p <= 1"),
    (lambda: ops.layer_norm(bg.ones(2, 3), 2), ValueError, r"x has shape \(2, 3\), expected \(..., 2\)"),
    (lambda: ops.embedding(bg.ones(2), bg.ones(3, 2)), TypeError, "indices has dtype float32, expected int64"),
    (lambda: ops.embedding(bg.tensor([3]), bg.ones(3, 2)), IndexError, "is 3, expected 0 <= rows < 3"),
    (lambda: bg.cat([]), ValueError, r"\[cat\] there are no tensors"),
    (lambda: bg.cat([bg.ones(2, 3), bg.ones(2, 2)]), ValueError, r"tensors\[1\] has shape \(2, 2\), expected \(2, 3\) but for dimension 0"),
    (lambda: bg.cat([bg.tensor(1.0)]), ValueError, r"tensors\[0\] has shape \(\), expected an axis: use bg.stack"),
    (lambda: bg.stack([bg.ones(2), bg.ones(3)]), ValueError, r"\[stack\] tensors\[1\] has shape \(3,\), expected \(2,\)"),
    (lambda: bg.ones(5).split([2, 2]), ValueError, r"\[split\] the sizes are \(2, 2\), expected a sum of 5"),
    (lambda: bg.ones(5).split(0), ValueError, "split_size is 0, expected at least 1"),
    (lambda: bg.ones(2, 3).T.view(6), RuntimeError, "is not contiguous, expected x.reshape"),
    (lambda: bg.ones(2, 3).permute(0, 0), ValueError, "expected each of 2 dimensions once"),
    (lambda: bg.ones(2, 3).expand(3, 3), ValueError, r"shape \(2, 3\), which does not fit \(3, 3\)"),
    (lambda: bg.ones(2).clamp(), ValueError, "neither min nor max"),
    (lambda: ops.pad(bg.ones(2), (1,)), ValueError, "expected pairs for at most 1 dimensions"),
    (lambda: ~bg.ones(2), TypeError, "the tensor has dtype float32, expected bool"),
    (lambda: bg.ones(2) & True, TypeError, "an operand is float32, expected bool"),
]  # fmt: skip


@pytest.mark.parametrize(("action", "error", "sentence"), WRONG, ids=[w[2][:50] for w in WRONG])
def test_refuses_with_a_sentence(
    action: Callable[[], Any], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        action()


def test_operands_on_two_devices_are_refused(device: str) -> None:
    if device == "cpu":
        return
    sentence = rf"\[add\] b is on {device}, expected cpu like a: use b.to\('cpu'\)"
    with pytest.raises(ValueError, match=sentence):
        bg.ones(2) + bg.ones(2, device=device)


def test_dropout_keeps_the_mean_and_repeats_with_the_seed(device: str) -> None:
    masks = []
    for _ in range(2):
        bg.manual_seed(7)
        x = bg.ones(20, 50, device=device, requires_grad=True)
        out = ops.dropout(x, 0.25)
        out.sum().backward()
        assert x.grad is not None
        masks.append(x.grad.cpu().numpy())
        np.testing.assert_array_equal(out.detach().cpu().numpy(), masks[-1])
        assert not np.array_equal(ops.dropout(x.detach(), 0.25).cpu().numpy(), masks[-1])
    np.testing.assert_array_equal(*masks)
    assert set(np.unique(masks[0])) == {np.float32(0), np.float32(1 / 0.75)}
    # 1000 draws: the mean is 1 give or take 5 standard deviations of sqrt(p / (1 - p) / 1000).
    assert abs(masks[0].mean() - 1) < 5 * (0.25 / 0.75 / 1000) ** 0.5


def test_activations_fuse_into_the_same_values(rng: np.random.Generator) -> None:
    x, w, b = (bg.tensor(rng.standard_normal(s)) for s in ((3, 4), (5, 4), (5,)))
    for name in ("relu", "sigmoid", "tanh", "gelu", "silu", "elu", "leaky_relu", "softplus"):
        want = getattr(ops, name)(ops.linear(x, w, b)).numpy()
        np.testing.assert_allclose(ops.linear(x, w, b, activation=name).numpy(), want, rtol=1e-12)
        np.testing.assert_allclose(
            ops.linear(x, w, activation=name).numpy(),
            getattr(ops, name)(ops.linear(x, w)).numpy(),
            rtol=1e-12,
        )
