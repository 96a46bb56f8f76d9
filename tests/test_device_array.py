"""The array of a device: views of it, and how it says no."""

from __future__ import annotations

from typing import Any

import baregrad as bg
import numpy as np
import pytest
from baregrad import backend

if why := backend.why_absent("sim"):
    pytest.skip(f"sim is not here: {why}", allow_module_level=True)

Array: Any = backend.device("sim").array
X = np.arange(2 * 3 * 4, dtype=np.float32).reshape(2, 3, 4)


@pytest.mark.parametrize(
    "key",
    [
        np.s_[1],
        np.s_[-1, 2],
        np.s_[0, 1, 2],
        np.s_[1:],
        np.s_[::-1, :, ::2],
        np.s_[:, 5:1:-1, 3:0:-2],
        np.s_[..., 1],
        np.s_[1, ...],
        np.s_[...],
        np.s_[()],
        np.s_[None],
        np.s_[:, None, 1, ..., None],
        np.s_[5:],
        np.s_[1, 2:2],
        (np.int64(1), slice(np.int32(1), None)),
    ],
    ids=str,
)
def test_is_indexed_as_numpy_indexes(key: Any) -> None:
    got = Array.from_numpy(X)[key]
    np.testing.assert_array_equal(got.numpy(), X[key])
    assert got.shape == X[key].shape


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        (2, r"index 2 is out of bounds for axis 0 with size 2"),
        ((0, -4), r"index -4 is out of bounds for axis 1 with size 3"),
        ((0, 0, 0, 0), r"array has shape \(2, 3, 4\), but 4 axes were indexed"),
        ((..., ...), r"a single ellipsis"),
        (1.0, r"key is a float, expected integers, slices, \.\.\. and None"),
        (True, r"key is a bool, expected integers"),
        ([0, 1], r"key is a list, expected integers"),
    ],
)
def test_a_wrong_index_is_an_index_error(key: Any, sentence: str) -> None:
    with pytest.raises(IndexError, match=rf"\[index\] .*{sentence}"):
        Array.from_numpy(X)[key]


def test_a_view_shares_its_memory() -> None:
    array = Array.from_numpy(X)
    backend.device("sim").table.fill(array[1, ::2], 7)
    want = X.copy()
    want[1, ::2] = 7
    np.testing.assert_array_equal(array.numpy(), want)
    kept = array[0, 1:]
    del array
    np.testing.assert_array_equal(kept.numpy(), want[0, 1:])


def test_transposes() -> None:
    array = Array.from_numpy(X)
    for axes in ((0, 1, 2), (2, 0, 1), (-1, 0, -2)):
        np.testing.assert_array_equal(array.transpose(axes).numpy(), X.transpose(axes))
    np.testing.assert_array_equal(array.transpose().numpy(), X.T)
    np.testing.assert_array_equal(array.mT.numpy(), np.swapaxes(X, 1, 2))
    for wrong in ((0, 1), (0, 0, 1), (0, 1, 3), (0, 1, 2, 0)):
        with pytest.raises(ValueError, match=r"\[transpose\] axes are .*, expected each of 3 axes"):
            array.transpose(wrong)


def test_broadcasts_without_a_copy() -> None:
    array = Array.from_numpy(X[:, :1])
    wide = array.broadcast_to((5, 2, 3, 4))
    assert wide.strides == (0, 16, 0, 4)
    np.testing.assert_array_equal(wide.numpy(), np.broadcast_to(X[:, :1], (5, 2, 3, 4)))
    np.testing.assert_array_equal(
        Array.from_numpy(np.array(3.0)).broadcast_to((2,)).numpy(), [3, 3]
    )
    for wrong in ((2, 3), (3, 3, 4), (2, 0, 5), (2, -1, 4)):
        with pytest.raises(ValueError, match=r"\[broadcast_to\] array has shape \(2, 1, 4\), exp"):
            array.broadcast_to(wrong)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "uint8", "bool"])
def test_an_empty_one_has_the_shape_and_type_asked_for(dtype: str) -> None:
    array = Array.empty((2, 0, 3), dtype)
    assert (array.shape, array.dtype) == ((2, 0, 3), np.dtype(dtype))
    assert Array.empty((), np.dtype(dtype)).numpy().shape == ()


def test_an_empty_one_says_what_it_cannot_be() -> None:
    with pytest.raises(TypeError, match=r"\[empty\] dtype is int32, expected one of float32, f"):
        Array.empty((2,), "int32")
    with pytest.raises(ValueError, match=r"\[empty\] shape is \(2, -1\), expected no length"):
        Array.empty((2, -1))


def test_says_that_a_view_has_too_many_axes_to_copy() -> None:
    many = np.arange(2**10, dtype=np.float32).reshape((2,) * 10)
    array = Array.from_numpy(many).transpose()
    with pytest.raises(ValueError, match=r"\[copy\] arrays have more than 8 axes"):
        array.numpy()
    np.testing.assert_array_equal(array[0, 1].numpy(), many.T[0, 1])


def test_memory_that_is_not_there_is_one_error_and_no_other() -> None:
    if why := backend.why_absent("sim"):
        pytest.skip(f"sim is not here: {why}")
    with pytest.raises(MemoryError):
        bg.zeros(2**36, 8, device="sim")
    assert bg.ones(3, device="sim").relu().tolist() == [1, 1, 1]


def test_a_table_of_no_columns_is_nothing_to_launch_for(any_table: Any) -> None:
    table, none = np.zeros((2**33, 0), np.float32), np.zeros((1, 0), np.float32)
    assert any_table.scatter_add_rows(none, np.zeros(1, np.int64), table).shape == table.shape
