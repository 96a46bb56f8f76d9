"""Datasets, loaders and the embedded digits."""

from __future__ import annotations

import dataclasses

import baregrad as bg
import numpy as np
import opaque
import pytest
from baregrad.utils.data import DataLoader, Dataset, TensorDataset


class Squares:
    """Samples (i, i * i) made one at a time, the first a Python float."""

    def __init__(self, n: int) -> None:
        self.n = n

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int):
        return float(index), bg.tensor([index * index, 1])


def numbers(n: int) -> TensorDataset:
    return TensorDataset(np.arange(n), np.arange(n, dtype=np.float32)[:, None] * 10)


def seen(loader: DataLoader) -> list[int]:
    return [number for batch in loader for number in batch[0].tolist()]


# TensorDataset


def test_a_dataset_is_what_has_a_length_and_items():
    dataset: Dataset = Squares(3)
    assert [batch[1].tolist() for batch in DataLoader(dataset)] == [[[0, 1]], [[1, 1]], [[4, 1]]]


def test_splits_are_made_of_pairs_of_arrays():
    parts = [(np.ones((n, 2), np.float32), np.arange(n)) for n in (3, 2, 1)]
    splits = bg.data.Splits.of(parts, "abc")
    assert [len(part) for part in (splits.train, splits.valid, splits.test)] == [3, 2, 1]
    assert splits.classes == ("a", "b", "c")
    assert splits.encoding == {}


def test_a_tensor_dataset_gives_samples_and_batches():
    dataset = numbers(5)
    assert len(dataset) == 5
    number, row = dataset[3]
    assert number.shape == ()
    assert number.item() == 3
    assert row.tolist() == [30]
    numbers_of_batch, rows = dataset[np.array([4, 0])]
    assert numbers_of_batch.tolist() == [4, 0]
    assert rows.tolist() == [[40], [0]]
    assert dataset[1:3][0].tolist() == [1, 2]
    assert len(list(dataset)) == 5


def test_a_tensor_dataset_shares_the_memory_of_its_tensors_but_not_of_its_batches():
    array = np.arange(4.0)
    dataset = TensorDataset(bg.from_numpy(array))
    assert np.shares_memory(dataset.tensors[0].numpy(), array)
    (batch,) = next(iter(DataLoader(dataset, batch_size=2)))
    batch.numpy()[...] = 9
    assert array.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ((), "there are no tensors, expected at least one"),
        (
            (np.zeros(3), np.zeros((2, 3))),
            r"tensors\[1\] has shape \(2, 3\), expected \(3, \.\.\.\)",
        ),
        ((np.float32(1),), r"tensors\[0\] has shape \(\), expected \(n, \.\.\.\)"),
    ],
)
def test_a_tensor_dataset_refuses_tensors_of_unequal_length(tensors, message):
    with pytest.raises(ValueError, match=message):
        TensorDataset(*tensors)


def test_a_tensor_dataset_refuses_tensors_of_another_device():
    opaque.install()
    with pytest.raises(ValueError, match=r"tensors\[0\] is on opaque, expected cpu"):
        TensorDataset(bg.tensor([1.0], device="opaque"))


# DataLoader


@pytest.mark.parametrize("n", [0, 1, 3, 4, 5, 8])
@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("dataset", [numbers, Squares])
def test_batches_come_in_order_and_the_last_may_be_small_or_dropped(n, drop_last, dataset):
    loader = DataLoader(dataset(n), batch_size=4, drop_last=drop_last)
    lengths = [len(batch[0]) for batch in loader]
    assert lengths == [4] * (n // 4) + ([n % 4] if n % 4 and not drop_last else [])
    assert len(loader) == len(lengths)
    assert seen(loader) == list(range(sum(lengths)))


def test_samples_are_stacked_part_by_part():
    floats, rows = next(iter(DataLoader(Squares(3), batch_size=3)))
    assert floats.dtype == bg.float32
    assert floats.tolist() == [0, 1, 2]
    assert rows.dtype == bg.int64
    assert rows.tolist() == [[0, 1], [1, 1], [4, 1]]


def test_samples_that_are_no_tuples_make_batches_of_one_tensor():
    (batch,) = next(iter(DataLoader([np.ones(2), np.zeros(2)], batch_size=2)))
    assert batch.tolist() == [[1, 1], [0, 0]]


def test_every_epoch_is_shuffled_anew_and_misses_nothing():
    loader = DataLoader(numbers(50), batch_size=7, shuffle=True)
    first, second = seen(loader), seen(loader)
    assert sorted(first) == sorted(second) == list(range(50))
    assert first != second
    assert first != list(range(50))


def test_parts_of_a_sample_stay_together_when_shuffled():
    for count, row in DataLoader(numbers(20), batch_size=6, shuffle=True):
        np.testing.assert_array_equal(count.numpy()[:, None] * 10, row.numpy())


def test_the_seed_or_a_generator_of_your_own_decides_the_order():
    def order(**arguments) -> list[int]:
        return seen(DataLoader(numbers(30), batch_size=4, shuffle=True, **arguments))

    bg.manual_seed(1)
    first = order()
    assert order() != first
    bg.manual_seed(1)
    assert order() == first
    mine = order(generator=np.random.default_rng(5))
    assert order(generator=np.random.default_rng(5)) == mine
    assert mine != first


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"batch_size": 0}, ValueError, "batch_size is 0, expected at least 1"),
        ({"batch_size": 2.0}, TypeError, "batch_size is a float, expected an integer"),
        ({"generator": 7}, TypeError, "generator is an int, expected a numpy.random.Generator"),
        ({"dataset": iter([1])}, TypeError, "dataset is a list_iterator, expected something with"),
    ],
)
def test_a_loader_refuses_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=rf"\[DataLoader\] {message}"):
        DataLoader(**{"dataset": numbers(3), **arguments})


def test_a_loader_refuses_samples_that_do_not_stack():
    with pytest.raises(ValueError, match=r"part 0 of a sample has shape \(3,\), expected \(2,\)"):
        list(DataLoader([np.zeros(2), np.zeros(3)], batch_size=2))
    with pytest.raises(ValueError, match="a sample has 1 parts and another has 2"):
        list(DataLoader([(1,), (1, 2)], batch_size=2))


# Digits


def test_the_digits_are_1797_images_in_0_to_1_with_labels():
    data = bg.data.digits()
    parts = [
        [tensor.numpy() for tensor in split.tensors]
        for split in (data.train, data.valid, data.test)
    ]
    images, labels = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    assert images.shape == (1797, 64)
    assert images.dtype == np.float32
    assert labels.dtype == np.int64
    assert set(np.unique(images)) == set((np.arange(17) / 16).astype(np.float32))
    # the counts that scikit-learn's description of the data set states
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_the_digits_are_split_class_by_class():
    data = bg.data.digits(test_fraction=0.25)
    of_class, tests = (
        np.bincount(labels)
        for labels in (
            np.concatenate([s.tensors[1].numpy() for s in (data.train, data.valid, data.test)]),
            data.test.tensors[1].numpy(),
        )
    )
    assert np.all(np.abs(tests - 0.25 * of_class) <= 0.5)
    assert len(data.valid) == pytest.approx(0.1 * 1797, abs=5)


def test_the_split_of_the_digits_belongs_to_its_seed_alone():
    def test_images(seed: int) -> np.ndarray:
        return bg.data.digits(seed=seed).test.tensors[0].numpy()

    first = test_images(0)
    bg.manual_seed(99)
    np.testing.assert_array_equal(test_images(0), first)
    assert not np.array_equal(test_images(1), first)


def test_some_digits_are_left_for_training():
    with pytest.raises(ValueError, match=r"test_fraction \+ valid_fraction is 1.1, expected less"):
        bg.data.digits(test_fraction=0.7, valid_fraction=0.4)
    assert len(bg.data.digits(0.4, 0.4).train) == pytest.approx(0.2 * 1797, abs=10)


@pytest.mark.parametrize("fraction", [0, 1, -0.1, float("nan")])
def test_a_fraction_outside_0_to_1_is_refused(fraction):
    with pytest.raises(ValueError, match=rf"\[digits\] test_fraction is {fraction}, expected"):
        bg.data.digits(test_fraction=fraction)


def test_the_two_parts_of_the_digits_cannot_be_replaced():
    with pytest.raises(dataclasses.FrozenInstanceError):
        bg.data.digits().train = None
