"""What Python, NumPy and other libraries ask of a tensor."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import baregrad as bg
import numpy as np
import pytest
from baregrad import nn


def test_is_a_sequence_of_its_rows() -> None:
    x = bg.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert [row.tolist() for row in x] == [[1, 2], [3, 4]]
    assert [[float(v) for v in row] for row in reversed(list(x))] == [[3, 4], [1, 2]]
    a, b = x
    assert (a.tolist(), b.tolist(), len(x)) == ([1, 2], [3, 4], 2)
    assert 3 in x
    assert 5.0 not in x
    assert bg.tensor(2.0) in x


def test_is_a_number_where_it_has_one_element() -> None:
    x = bg.tensor([[2]])
    assert (int(x), float(x), bool(x), complex(x.item()), f"{x:03d}") == (2, 2.0, True, 2, "002")
    assert list(range(5))[bg.tensor(3)] == 3
    with pytest.raises(TypeError, match=r"the tensor has dtype float32, expected int64"):
        range(bg.tensor(2.0))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"\[item\] the tensor has shape \(2,\)"):
        bool(bg.ones(2))


def test_compares_element_by_element_and_hashes_by_identity() -> None:
    x, y = bg.tensor([1.0, 2.0]), bg.tensor([1.0, 3.0])
    assert (x == y).tolist() == [True, False]
    assert (x != 1).tolist() == [False, True]
    assert (x < 2).tolist() == [True, False]
    assert len({x, y, x}) == 2
    assert (x is None, x == None, x != "a") == (False, False, True)


def test_masks_have_the_operators_of_bools() -> None:
    a, b = bg.tensor([True, True, False, False]), bg.tensor([True, False, True, False])
    assert (a & b).tolist() == [True, False, False, False]
    assert (a | b).tolist() == [True, True, True, False]
    assert (a ^ b).tolist() == [False, True, True, False]
    assert (~a).tolist() == (True ^ a).tolist() == [False, False, True, True]


def test_numbers_stand_on_either_side() -> None:
    x = bg.tensor([1.0, 2.0])
    assert (3 - x).tolist() == [2, 1]
    assert (2 / x).tolist() == [2, 1]
    assert (2**x).tolist() == [2, 4]
    assert (np.float32(2) * x).tolist() == [2, 4]  # type: ignore[operator]
    assert (-x + 1 * x).tolist() == [0, 0]
    assert abs(-x).tolist() == [1, 2]


def test_prints_large_tensors_in_part_and_empty_ones_with_their_size() -> None:
    assert len(repr(bg.zeros(1000, 1000))) < 500
    assert repr(bg.zeros(0, 3)) == "tensor([], size=(0, 3))"
    assert repr(bg.zeros(0)) == "tensor([])"
    assert repr(bg.tensor(True)) == "tensor(True)"
    assert repr(bg.zeros(1, requires_grad=True) + 1) == "tensor([1.], grad_fn=<Add>)"


def test_prints_where_it_is(device: str) -> None:
    where = "" if device == "cpu" else f", device='{device}'"
    assert repr(bg.tensor([1.5], device=device)) == f"tensor([1.5]{where})"


def test_is_pickled_by_way_of_numpy(device: str) -> None:
    x = bg.tensor([[1.0, 2.0]], device=device, requires_grad=True)
    twin = pickle.loads(pickle.dumps(x))
    assert (twin.device, twin.requires_grad, twin.tolist()) == (device, True, [[1, 2]])
    with pytest.raises(RuntimeError, match=r"\[pickle\] an op made this tensor, expected x.detach"):
        pickle.dumps(x * 2)


@pytest.mark.parametrize("how", ["deepcopy", "pickle"])
def test_modules_are_copied_wherever_they_are(how: str, device: str) -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.ReLU()).to(device)
    model[0].tied = model[0].weight
    x = bg.ones(1, 3, device=device)
    model(x).sum().backward()
    twin: Any = copy.deepcopy(model) if how == "deepcopy" else pickle.loads(pickle.dumps(model))
    assert twin(x).tolist() == model(x).tolist()
    assert twin[0].tied is twin[0].weight
    assert isinstance(twin[0].weight, nn.Parameter)
    assert twin[0].weight.device == device
    with bg.no_grad():
        twin[0].weight.add_(1)
    assert twin[0].weight.tolist() != model[0].weight.tolist()
    if how == "deepcopy":
        assert twin[0].weight.grad.tolist() == model[0].weight.grad.tolist()
        assert twin[0].weight.grad is not model[0].weight.grad


def test_a_device_is_text_that_knows_its_type(device: str) -> None:
    where = bg.ones(2, device=device).device
    assert (str(where), f"{where}", where == device, where.type) == (device, device, True, device)
    assert isinstance(where, bg.device)
    assert bg.device("cpu") == "cpu"
    assert bg.zeros(1, device=where).device == where
    assert {where: 1}[device] == 1  # type: ignore[index]


def test_arrays_travel_by_dlpack_and_array(device: str) -> None:
    x = bg.tensor([1.0, 2.0], device=device)
    if device == "cpu":
        assert np.shares_memory(np.from_dlpack(x), x.array)
        assert np.shares_memory(np.asarray(x), x.array)
    elif device == "sim":
        with pytest.raises(BufferError, match=r"expected x.cpu\(\)"):
            np.from_dlpack(x)
    assert np.asarray(x, np.float64).tolist() == [1, 2]
    assert np.array(x).tolist() == [1, 2]


def test_an_unknown_name_says_what_to_write() -> None:
    x = bg.ones(2, requires_grad=True)
    for name, instead in {
        "cuda": 'x.to("cuda"), where bg.cuda.is_available',
        "new_zeros": "bg.zeros(shape, dtype=x.dtype",
        "nonzero": "x.numpy().nonzero()",
    }.items():
        with pytest.raises(AttributeError) as error:
            getattr(x, name)
        assert instead in str(error.value)
    with pytest.raises(AttributeError, match=r"Mul has no 'next_functions'; write \.parents, "):
        (x * 2).grad_fn.next_functions  # type: ignore[union-attr]  # noqa: B018
    assert not hasattr(x, "__cuda_array_interface__")
    assert not {"cuda", "nonzero"} & {*dir(x)}


def test_numpys_spelling_is_understood() -> None:
    # The operations of lecture 000, slide 33, in both spellings.
    x = bg.tensor([[1.0, 2.0], [3.0, 5.0]])
    a = x.numpy()
    assert (x.dim(), x.ndim, x.size(), x.shape, x.size(1)) == (2, a.ndim, a.shape, a.shape, 2)
    for name in ("sum", "mean", "std"):
        options = {"correction": 0} if name == "std" else {}
        got = getattr(bg, name)(x, axis=0, keepdims=True, **options).numpy()
        np.testing.assert_allclose(got, getattr(np, name)(a, axis=0, keepdims=True))
    assert x.std().item() == pytest.approx(a.std(ddof=1))
    np.testing.assert_array_equal((x + x).numpy(), a + a)
    np.testing.assert_array_equal((x * x).numpy(), a * a)
    for product in (x @ x, x.matmul(x), x.mm(x), x.dot(x), bg.dot(x, x)):
        np.testing.assert_array_equal(product.numpy(), a @ a)
    for shape in (x.view(4), x.reshape(4), x.view(-1), x.reshape((4,)), x.flatten()):
        np.testing.assert_array_equal(shape.numpy(), a.reshape(4))
    for turned in (x.t(), x.T, bg.transpose(x, 0, 1)):
        np.testing.assert_array_equal(turned.numpy(), a.T)
    assert (x.max().item(), x.min().item(), x.amax(axis=0).tolist()) == (5, 1, [3, 5])
    for joined in (bg.cat([x, x], dim=1), bg.cat([x, x], axis=1), bg.concatenate([x, x], axis=1)):
        np.testing.assert_array_equal(joined.numpy(), np.concatenate([a, a], axis=1))
