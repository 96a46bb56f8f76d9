"""Indexing and assignment: what NumPy gives, as views where NumPy's are, with gradients."""

from __future__ import annotations

from typing import Any

import baregrad as bg
import numpy as np
import pytest

SHAPE = (4, 3, 5)
ROWS, PLACES = np.array([2, 0, -1, 2]), np.array([0, 4, 4, 1])
SQUARE = np.array([[0, 1], [-1, 3]])
MASK = np.arange(60).reshape(SHAPE) % 3 == 0

BASIC: list[Any] = [
    0,
    -1,
    np.int64(2),
    (1, 2, 3),
    slice(None),
    slice(1, 3),
    slice(None, None, -1),
    slice(3, 0, -2),
    slice(10, 20),
    slice(-2, None),
    ...,
    None,
    (..., 0),
    (0, ...),
    (slice(None), None, 1, ..., slice(None, None, 2)),
    (None, 2, None, slice(1), slice(4, 1, -1), None),
    (slice(2, 2), 1),
    (),
]
ARRAYS: list[Any] = [
    ROWS,
    [0, 3],
    SQUARE,
    (ROWS, slice(None), 2),
    (slice(None), np.array([2, 0])),
    (..., PLACES),
    (ROWS, np.array([0, 1, 2, 0])),
    (ROWS, np.array([0, 1, 2, 0]), PLACES),
    (slice(None), np.array([0, 2, 1, 1]), PLACES),
    (ROWS, slice(None), PLACES),
    (ROWS, slice(1, None), PLACES),
    (ROWS[:, None], np.array([0, 2])),
    (SQUARE, ..., SQUARE),
    (slice(None, None, 2), [0, 1, 1]),
    MASK,
    MASK[:, 0, 0],
    (slice(None), MASK[0]),
    (MASK[:, :, 0], slice(1, 3)),
    (..., MASK[0, 0]),
    np.zeros(4, bool),
    np.array([], np.int64),
    (None, ROWS),
]


def ids(index: Any) -> str:
    return " ".join(repr(index).split()).replace("slice", "")[:60]


def tensors_of(index: Any, device: str) -> Any:
    """The same index, with tensors for its arrays."""
    if isinstance(index, tuple):
        return tuple(tensors_of(part, device) for part in index)
    return bg.tensor(index, device=device) if isinstance(index, np.ndarray) else index


@pytest.mark.parametrize("index", BASIC, ids=ids)
def test_integers_slices_and_none_give_numpys_view(index: Any, rng: np.random.Generator) -> None:
    array = rng.standard_normal(SHAPE, np.float32)
    x = bg.from_numpy(array)
    np.testing.assert_array_equal(x[index].numpy(), array[index])
    assert x[index].numel() == 0 or np.shares_memory(x[index].array, array)


@pytest.mark.parametrize("index", ARRAYS, ids=ids)
def test_arrays_give_what_numpy_gives(index: Any, device: str, rng: np.random.Generator) -> None:
    array = rng.standard_normal(SHAPE, np.float32)
    x = bg.tensor(array, device=device)
    for some in (index, tensors_of(index, device)):
        np.testing.assert_array_equal(x[some].cpu().numpy(), array[index])


@pytest.mark.parametrize("index", [*BASIC, *ARRAYS], ids=ids)
def test_the_gradient_goes_where_the_elements_came_from(
    index: Any, device: str, rng: np.random.Generator
) -> None:
    array = rng.standard_normal(SHAPE, np.float32)
    dout = rng.integers(-9, 9, array[index].shape).astype(np.float32)
    x = bg.tensor(array, device=device, requires_grad=True)
    x[index].backward(bg.tensor(dout, device=device))
    want = np.zeros(SHAPE, np.float32)
    np.add.at(want, index, dout)
    assert x.grad is not None
    np.testing.assert_array_equal(x.grad.cpu().numpy(), want)


@pytest.mark.parametrize("index", [*BASIC, *ARRAYS], ids=ids)
@pytest.mark.parametrize("recorded", [False, True])
def test_assigns_as_numpy_does(
    index: Any, recorded: bool, device: str, rng: np.random.Generator
) -> None:
    array = rng.standard_normal(SHAPE, np.float32)
    values = rng.standard_normal(array[index].shape, np.float32)
    x, value = bg.tensor(array, device=device), bg.tensor(values, device=device)
    if recorded:
        value.requires_grad_()
    x[index] = value
    array[index] = values
    np.testing.assert_array_equal(x.detach().cpu().numpy(), array)
    x[index] = 7
    array[index] = 7
    np.testing.assert_array_equal(x.detach().cpu().numpy(), array)
    assert x.requires_grad == (recorded and values.size > 0)


@pytest.mark.parametrize("index", [1, (slice(1, 3), 0), ROWS, MASK, (ROWS, slice(None), PLACES)], ids=ids)  # fmt: skip
def test_the_gradient_of_an_assignment(index: Any, rng: np.random.Generator) -> None:
    # Of equal rows the last counts, so the others get no gradient: as finite differences say.
    array = rng.standard_normal(SHAPE)
    x = bg.tensor(array, requires_grad=True)
    value = bg.tensor(rng.standard_normal(array[index].shape), requires_grad=True)

    def f(x: bg.Tensor, value: bg.Tensor) -> bg.Tensor:
        y = x * 2
        y[index] = value * 3
        return (y * y).sum()

    assert bg.autograd.gradcheck(f, (x, value))


def test_broadcasts_and_converts_what_is_assigned() -> None:
    x = bg.zeros(2, 3)
    x[0] = bg.tensor([1, 2, 3])
    x[:, 1] = bg.tensor([[[9.0]]])
    x[1, 2] = True
    assert x.tolist() == [[1, 9, 3], [0, 9, 1]]
    counts = bg.zeros(3, dtype=bg.int64)
    counts[bg.tensor([0, 2])] = 2.9
    assert counts.tolist() == [2, 0, 2]


def test_assigns_parts_of_a_tensor_to_itself() -> None:
    x = bg.arange(5)
    x[1:] = x[:-1]
    assert x.tolist() == [0, 0, 1, 2, 3]


@pytest.mark.parametrize(
    ("index", "error", "sentence"),
    [
        (4, IndexError, r"\[index\] 4 is outside axis 0, which has 4 elements"),
        ((0, 0, -6), IndexError, "-6 is outside axis 2, which has 5 elements"),
        ((0, 0, 0, 0), IndexError, "there are 4 indices, expected at most 3"),
        ((..., ...), IndexError, "there are two"),
        (np.array([0, 4]), IndexError, "4 is outside axis 0"),
        (np.array([True, False]), IndexError, r"a mask has shape \(2,\), expected \(4,\)"),
        ((ROWS, np.array([0, 1])), IndexError, "the arrays have shapes"),
        (np.array([0.5, 1.5]), TypeError, "an index has dtype float64, expected int64 or bool"),
        ("a", TypeError, "an index is a str, expected integers, slices, None"),
        (1.0, TypeError, "an index is a float"),
        (True, TypeError, "an index is a bool"),
    ],
)
def test_refuses_with_a_sentence(index: Any, error: type[Exception], sentence: str) -> None:
    x = bg.zeros(SHAPE)
    with pytest.raises(error, match=sentence):
        x[index]
    with pytest.raises(error, match=sentence):
        x[index] = 1


def test_says_that_a_value_does_not_fit() -> None:
    with pytest.raises(ValueError, match=r"\[setitem\] value has shape \(2,\), expected \(3, 5\)"):
        bg.zeros(SHAPE)[0] = bg.zeros(2)
    with pytest.raises(TypeError, match=r"\[setitem\] value is a list, expected a Tensor"):
        bg.zeros(SHAPE)[0] = [1.0]
