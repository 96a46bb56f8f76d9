"""Tensor: what it shares and copies, how it prints, what it refuses."""

from __future__ import annotations

import copy
import inspect
import pickle
import runpy
from collections.abc import Callable
from typing import Any

import baregrad as bg
import numpy as np
import pytest
from baregrad import backend


def test_tensor_copies_and_from_numpy_shares() -> None:
    array = np.array([1.0, 2.0], np.float32)
    copied, shared, also = bg.tensor(array), bg.from_numpy(array), bg.as_tensor(array)
    array[0] = 9
    assert copied.tolist() == [1, 2]
    assert shared.tolist() == also.tolist() == [9, 2]
    assert shared.numpy() is array
    assert bg.as_tensor(shared) is shared


@pytest.mark.parametrize(
    ("data", "dtype"),
    [
        ([1.0, 2.0], bg.float32),
        ([1, 2], bg.int64),
        (3, bg.int64),
        ([True], bg.bool),
        (np.zeros(2), bg.float64),
        (np.float64(1.5), bg.float64),
        (np.zeros(2, np.uint8), bg.uint8),
        ([], bg.float32),
        (np.zeros(2, ">f4"), bg.float32),
    ],
)
def test_numbers_become_what_pytorch_users_expect(data: Any, dtype: np.dtype) -> None:
    made = bg.tensor(data)
    assert made.dtype == dtype
    assert made.dtype.isnative


def test_prints_like_an_array_with_what_is_special() -> None:
    x = bg.tensor([[1.0, 2.0]], requires_grad=True)
    assert repr(bg.tensor([1, 2])) == "tensor([1, 2])"
    assert repr(x) == "tensor([[1., 2.]], requires_grad=True)"
    assert repr(x.relu()) == "tensor([[1., 2.]], grad_fn=<Relu>)"
    assert repr(bg.tensor([1.5], bg.float64)) == "tensor([1.5], dtype=float64)"
    assert f"{bg.tensor(0.123456):.3f}" == "0.123"
    assert f"{bg.tensor([1])}" == "tensor([1])"


def test_knows_its_shape() -> None:
    x = bg.tensor(np.zeros((2, 3, 4), np.float32))
    assert (x.shape, x.ndim, x.numel(), len(x), x.device) == ((2, 3, 4), 3, 24, 2, "cpu")
    assert x.mT.shape == (2, 4, 3)
    assert x.reshape(6, -1).shape == x.reshape((6, 4)).shape == (6, 4)
    assert x.is_leaf
    assert not x.requires_grad_().relu().is_leaf


def test_is_an_array_for_numpy() -> None:
    np.testing.assert_array_equal(np.asarray(bg.tensor([1.0, 2.0])), [1, 2])
    assert float(bg.tensor([[2.5]])) == 2.5
    assert bool(bg.tensor(1))


def test_an_array_on_the_left_does_not_swallow_the_tensor() -> None:
    with pytest.raises(TypeError):
        np.ones((2, 2), np.float32) @ bg.tensor([[1.0], [2.0]])  # type: ignore[operator]


def test_detach_leaves_the_graph_and_shares_memory() -> None:
    x = bg.tensor([1.0], requires_grad=True)
    assert not x.detach().requires_grad
    assert x.detach().numpy() is x.array


def test_travels_between_devices_and_types_with_its_gradient(device: str) -> None:
    x = bg.tensor([1.0, -2.0], requires_grad=True)
    there = x.to(device)
    assert there.device == device
    (there.relu() @ bg.tensor([3.0, 4.0]).to(device)).cpu().double().backward()
    assert x.grad is not None
    assert x.grad.device == "cpu"
    assert x.grad.dtype == bg.float32
    np.testing.assert_array_equal(x.grad.numpy(), [3, 0])
    assert x.to("cpu") is x
    assert x.float() is x


def test_float64_runs_in_the_reference_and_says_so_once_it_is_large(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(backend, "_warned_large", False)
    assert bg.tensor([1.0, -1.0], bg.float64).relu().dtype == bg.float64
    large = bg.tensor(np.zeros(1_000_000))
    with pytest.warns(UserWarning, match="float64 runs on the reference kernels"):
        large.relu()
    large.relu()  # the second is silent: a warning would fail this test


def test_knows_float64_by_value_not_by_identity() -> None:
    unpickled = pickle.loads(pickle.dumps(np.ones((1, 2))))
    assert (bg.from_numpy(unpickled) @ bg.tensor(np.ones((2, 1)))).item() == 2


def test_can_be_copied_deeply() -> None:
    x = bg.tensor([1.0, 2.0], requires_grad=True)
    twin = copy.deepcopy(x)
    assert twin.requires_grad
    assert not np.shares_memory(twin.array, x.array)


def test_the_list_of_names_is_the_one_in_the_documentation() -> None:
    from pathlib import Path

    script = Path(__file__).parent.parent / "docs" / "make_api.py"
    made = runpy.run_path(str(script))
    assert made["page"]() == made["PAGE"].read_text(), "run python docs/make_api.py"


def test_the_list_of_names_is_short_and_each_says_what_it_is() -> None:
    names = {name for name in dir(bg.ones(1)) if not name.startswith("_")}
    assert len(names) <= 90
    for name in names - {"array", "grad", "grad_fn", "requires_grad"}:
        assert inspect.getattr_static(bg.Tensor, name).__doc__, name


WRONG: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: bg.tensor("text"), TypeError, r"\[tensor\] data has dtype <U4, expected float32"),
    (lambda: bg.tensor([1j]), TypeError, "data has dtype complex128"),
    (lambda: bg.tensor([1], requires_grad=True), TypeError, "dtype is int64, expected float32"),
    (lambda: bg.tensor([1.0], device="tpu"), ValueError, "device is 'tpu', expected one of"),
    (lambda: bg.tensor([1.0]).to("cuda"), RuntimeError, "cuda is not available: "),
    (lambda: bg.tensor([1.0]).to(np.float16), TypeError, "dtype is float16, expected float32"),
    (lambda: bg.from_numpy([1.0]), TypeError, "array is a list, expected a NumPy array"),  # type: ignore[arg-type]
    (lambda: bg.tensor([1.0, 2.0]).item(), ValueError, r"shape \(2,\), expected one element"),
    (lambda: bg.tensor([1.0, 2.0]).T, ValueError, r"shape \(2,\), expected \(m, n\)"),
    (lambda: bg.tensor([1.0]).requires_grad_().numpy(), RuntimeError, r"expected x.detach\(\)"),
    (lambda: bg.tensor([1.0]).requires_grad_().relu().requires_grad_(False), RuntimeError, "an op"),
    (lambda: bg.tensor(1.0) @ bg.tensor([1.0]), ValueError, r"shapes \(\) and \(1,\)"),
    (lambda: bg.tensor([1.0]) @ bg.tensor([1, 2]), TypeError, "b has dtype int64, expected float32"),
    (lambda: bg.tensor([[1.0]]) @ bg.tensor([[1.0]], bg.float64), TypeError, "b has dtype float64, expected float32"),
    (lambda: bg.tensor([[1.0]], bg.float64) @ bg.tensor([[1.0]]), TypeError, "b has dtype float32, expected float64"),
    (lambda: bg.tensor([[1.0, 2.0]]) @ bg.tensor([[1.0]]), ValueError, r"b has shape \(1, 1\), expected \(2, n\)"),
    (lambda: bg.tensor([[1.0]]) @ 3, TypeError, "an operand is an int, expected a Tensor"),
    (lambda: np.ones((1, 1), np.float32) @ bg.tensor([[1.0]]), TypeError, "an operand is an ndarray"),
    (lambda: bg.tensor([[1.0]]).cuda(), AttributeError, r"docs/api.md lists what it has"),
    (lambda: len(bg.tensor(1.0)), TypeError, r"len\(\) of a tensor of shape \(\)"),
    (lambda: bg.tensor([1.0, 2.0]).reshape(3), ValueError, "reshape"),
]  # fmt: skip


@pytest.mark.parametrize(("action", "error", "sentence"), WRONG)
def test_refuses_with_a_sentence(
    action: Callable[[], Any], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        action()


@pytest.mark.parametrize("devices", [("cpu", "sim"), ("sim", "cpu")])
def test_an_operand_on_another_device_is_refused(devices: tuple[str, str]) -> None:
    if why := backend.why_absent("sim"):
        pytest.skip(f"sim is not here: {why}")
    here, there = (bg.tensor([[1.0]], device=device) for device in devices)
    sentence = rf"\[matmul\] b is on {devices[1]}, expected {devices[0]} like a: use b.to"
    with pytest.raises(ValueError, match=sentence):
        here @ there


def test_data_is_the_memory_outside_the_graph() -> None:
    w = bg.tensor([1.0, 2.0], requires_grad=True)
    w.data -= 0.5 * bg.ones(2)
    w.data[0] = 7
    assert w.tolist() == [7, 1.5]
    assert w.requires_grad
    assert not w.data.requires_grad
    y = w * w
    w.data.zero_()  # as in PyTorch, unseen: the answer is wrong, and nobody says so
    y.sum().backward()
    w.data = bg.tensor([3.0])
    assert w.shape == (1,)
    with pytest.raises(IndexError, match="item"):
        y.sum().data[0]
