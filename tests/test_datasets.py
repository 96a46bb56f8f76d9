"""Data sets by name and from files: what they give, where they are looked for, what is refused."""

from __future__ import annotations

import gzip
import json
import lzma
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from baregrad import data
from baregrad.data.mnist import read_idx


def arrays(split) -> tuple[np.ndarray, np.ndarray]:
    inputs, targets = (tensor.numpy() for tensor in split.tensors)
    return inputs, targets


@pytest.fixture
def nowhere(monkeypatch, tmp_path) -> Path:
    """No data sets on this machine, and no pooch to fetch them."""
    monkeypatch.delenv("BAREGRAD_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setitem(sys.modules, "pooch", None)
    return tmp_path


# MNIST


def idx(array: np.ndarray) -> bytes:
    header = bytes((0, 0, 8, array.ndim)) + np.array(array.shape, ">u4").tobytes()
    return header + array.astype(np.uint8).tobytes()


def write_mnist(folder: Path, packed: bool, train: int = 30, test: int = 10) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for name, n in (("train", train), ("t10k", test)):
        for kind, array in (
            ("images-idx3", rng.integers(256, size=(n, 28, 28))),
            ("labels-idx1", np.arange(n) % 10),
        ):
            content, path = idx(array), folder / f"{name}-{kind}-ubyte"
            if packed:
                path, content = path.with_name(path.name + ".gz"), gzip.compress(content)
            path.write_bytes(content)


def test_mnist_is_the_published_data_and_its_split_belongs_to_the_seed(data_dir):
    splits = data.mnist(data_dir)
    (train, labels), (valid, _), (test, test_labels) = map(
        arrays, (splits.train, splits.valid, splits.test)
    )
    assert train.shape == (55_000, 1, 28, 28)
    assert len(valid) == 5_000
    assert test.shape == (10_000, 1, 28, 28)
    assert train.dtype == np.float32
    assert labels.dtype == np.int64
    assert test_labels[:5].tolist() == [7, 2, 1, 0, 4]
    assert np.bincount(test_labels).tolist() == [
        980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009
    ]  # fmt: skip
    assert train.min() == 0
    assert train.max() == 1
    # the published mean of all 60,000
    assert (55 * train.mean() + 5 * valid.mean()) / 60 == pytest.approx(0.1307, abs=5e-5)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("place", ["given", "environment", "subfolder", "cache"])
def test_mnist_is_looked_for_in_the_folder_the_environment_and_the_cache(
    nowhere, monkeypatch, packed, place
):
    folder = {"subfolder": nowhere / "d" / "mnist", "cache": nowhere / "cache/baregrad/mnist"}
    write_mnist(folder.get(place, nowhere / "d"), packed)
    if place in ("environment", "subfolder"):
        monkeypatch.setenv("BAREGRAD_DATA", str(nowhere / "d"))
    splits = data.mnist(nowhere / "d" if place == "given" else None, valid=10)
    assert [len(part) for part in (splits.train, splits.valid, splits.test)] == [20, 10, 10]
    assert splits.classes == tuple("0123456789")


def test_the_images_held_back_are_drawn_by_the_seed_and_missing_in_training(nowhere):
    write_mnist(nowhere, packed=False)
    first, again, other = (data.mnist(nowhere, valid=10, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(arrays(first.valid)[0], arrays(again.valid)[0])
    assert not np.array_equal(arrays(first.valid)[0], arrays(other.valid)[0])
    together = np.concatenate([arrays(first.train)[0], arrays(first.valid)[0]])
    assert len(np.unique(together.reshape(30, -1), axis=0)) == 30


@pytest.mark.parametrize(
    ("valid", "error", "message"),
    [
        (0, ValueError, "valid is 0, expected 0 < valid < 30"),
        (30, ValueError, "valid is 30, expected 0 < valid < 30"),
        (0.1, TypeError, "valid is a float, expected an integer"),
    ],
)
def test_an_impossible_number_to_hold_back_is_refused(nowhere, valid, error, message):
    write_mnist(nowhere, packed=False)
    with pytest.raises(error, match=rf"\[mnist\] {message}"):
        data.mnist(nowhere, valid=valid)


@pytest.mark.parametrize("load", [data.mnist, data.cifar100])
def test_without_files_it_says_where_it_looked_and_what_to_do(nowhere, load, monkeypatch):
    monkeypatch.setenv("BAREGRAD_DATA", str(nowhere / "d"))
    with pytest.raises(FileNotFoundError) as caught:
        load()
    for word in (
        str(nowhere / "d"),
        str(nowhere / "cache" / "baregrad"),
        'pip install "baregrad[data]"',
    ):
        assert word in str(caught.value)


@pytest.mark.parametrize("load", [data.mnist, data.cifar100])
def test_a_folder_that_is_named_is_the_only_one_it_looks_into(nowhere, load, monkeypatch):
    write_mnist(nowhere, packed=False)
    monkeypatch.setenv("BAREGRAD_DATA", str(nowhere))
    with pytest.raises(FileNotFoundError, match=r"/d, .*, expected them there") as caught:
        load(nowhere / "d")
    assert "cache" not in str(caught.value)


def test_what_pooch_cannot_fetch_is_one_sentence(nowhere, monkeypatch):
    class Store:
        def fetch(self, name: str) -> str:
            raise OSError("no network")

    class Pooch:
        @staticmethod
        def create(*_, **__) -> Store:
            return Store()

    monkeypatch.setitem(sys.modules, "pooch", Pooch)
    with pytest.raises(FileNotFoundError, match="did not give them: no network"):
        data.mnist()


WHOLE = idx(np.zeros((3, 28, 28)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "ends after 0 of 4 bytes"),
        (b"\x00\x00\x08", "ends after 3 of 4 bytes"),
        (idx(np.zeros(3)), "begins with 00 00 08 01, expected 00 00 08 03"),
        (WHOLE[:9], "ends after 5 of 12 bytes"),
        (WHOLE[:-1], "ends after 2351 of 2352 bytes"),
        (WHOLE + b"x", "goes on after its last record"),
        (b"\x00\x00\x08\x03" + b"\xff" * 12 + b"few", "ends after 3 of 7922816245"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_a_damaged_idx_file_is_named(tmp_path, content, message, packed):
    path = tmp_path / ("images.gz" if packed else "images")
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(ValueError, match=rf"\[mnist\] {path} {message}"):
        read_idx(path, 3)


@pytest.mark.parametrize("cut", [1, 8, -4, slice(None)])
def test_a_damaged_archive_is_named(tmp_path, cut):
    packed = gzip.compress(WHOLE)
    path = tmp_path / "images.gz"
    path.write_bytes(b"garbage" * 9 if isinstance(cut, slice) else packed[:cut])
    with pytest.raises(ValueError, match=rf"\[mnist\] {path} (is damaged|ends after)"):
        read_idx(path, 3)


def test_files_that_do_not_belong_together_are_refused(nowhere):
    write_mnist(nowhere, packed=False)
    labels = nowhere / "t10k-labels-idx1-ubyte"
    labels.write_bytes(idx(np.zeros(9)))
    with pytest.raises(ValueError, match="t10k-labels-idx1-ubyte has 9 labels, expected 10"):
        data.mnist(nowhere, valid=10)
    labels.write_bytes(idx(np.full(10, 10)))
    with pytest.raises(ValueError, match="has a label 10, expected 0 to 9"):
        data.mnist(nowhere, valid=10)
    (nowhere / "t10k-images-idx3-ubyte").write_bytes(idx(np.zeros((10, 8, 8))))
    with pytest.raises(ValueError, match=r"has images \(8, 8\), expected \(28, 28\)"):
        data.mnist(nowhere, valid=10)


# CIFAR-100


def test_cifar100_is_the_published_data(data_dir):
    if not (data_dir / "cifar100").is_dir():
        pytest.skip("needs cifar100")
    splits = data.cifar100(data_dir)
    images, labels = arrays(splits.train)
    assert images.shape == (45_000, 3, 32, 32)
    assert [len(splits.valid), len(splits.test)] == [5_000, 10_000]
    assert np.bincount(arrays(splits.test)[1]).tolist() == [100] * 100
    assert labels.dtype == np.int64
    assert splits.classes[0] == "apple"
    # the published means of the channels
    assert images.mean((0, 2, 3)) == pytest.approx([0.5071, 0.4865, 0.4409], abs=2e-3)


def test_cifar100_is_the_same_in_every_layout(nowhere, monkeypatch):
    monkeypatch.setattr("baregrad.data.cifar._PART", 4)
    records = np.random.default_rng(0).integers(100, size=(24, 3074)).astype(np.uint8)
    names = "\n".join(f"class_{n}" for n in range(100))
    plain, packed, tar = (nowhere / name for name in ("plain", "packed", "tar"))
    for folder in (plain, packed, tar):
        folder.mkdir()
        (folder / "fine_label_names.txt").write_text(names)
    (plain / "train.bin").write_bytes(records[:20].tobytes())
    (plain / "test.bin").write_bytes(records[20:].tobytes())
    rows = records[:, 2:].reshape(24, 3, 32, 32).transpose(0, 2, 1, 3).reshape(24, -1)
    by_row = np.concatenate([records[:, :2], rows], axis=1)
    for index, name in enumerate(["train-1", "train-2", "train-3", "train-4", "train-5", "test"]):
        part = by_row[4 * index : 4 * index + 4].tobytes()
        (packed / f"{name}.bin.xz").write_bytes(lzma.compress(part))
    with tarfile.open(tar / "cifar-100-binary.tar.gz", "w:gz") as archive:
        for path in plain.iterdir():
            archive.add(path, f"cifar-100-binary/{path.name}")
    (tar / "fine_label_names.txt").unlink()
    first, *others = (data.cifar100(folder, valid=5) for folder in (plain, packed, tar))
    images, labels = arrays(first.test)
    np.testing.assert_array_equal(labels, records[20:, 1])
    np.testing.assert_allclose(images.reshape(4, -1) * 255, records[20:, 2:], rtol=1e-6)
    for other in others:
        for part in ("train", "valid", "test"):
            for one, two in zip(arrays(getattr(first, part)), arrays(getattr(other, part)),
                                strict=True):  # fmt: skip
                np.testing.assert_array_equal(one, two)
    (plain / "test.bin").write_bytes(records[20:].tobytes()[:-1])
    with pytest.raises(ValueError, match=r"\[cifar100\] .*test.bin ends after 12295 of 12296"):
        data.cifar100(plain)
    (tar / "cifar-100-binary.tar.gz").write_bytes(b"garbage")
    with pytest.raises(ValueError, match=r"cifar-100-binary\.tar\.gz is damaged"):
        data.cifar100(tar)


# .npz


def test_an_npz_of_x_and_y_is_split_by_the_seed(tmp_path):
    x, y = np.arange(20.0).reshape(10, 2), np.array(list("aabbccabca"))
    np.savez(tmp_path / "d.npz", x=x, y=y)
    splits = data.from_npz(tmp_path / "d.npz")
    assert [len(part) for part in (splits.train, splits.valid, splits.test)] == [7, 1, 2]
    assert splits.classes == ("a", "b", "c")
    for part in (splits.train, splits.valid, splits.test):
        inputs, labels = arrays(part)
        assert inputs.dtype == np.float32
        assert [splits.classes[label] for label in labels] == y[
            (inputs[:, 0] / 2).astype(int)
        ].tolist()


def test_an_npz_of_keras_keeps_its_test_data_and_bytes_become_0_to_1(tmp_path):
    pixels = np.arange(120, dtype=np.uint8).reshape(30, 2, 2)
    np.savez(tmp_path / "d.npz", x_train=pixels[:20], y_train=np.arange(20) % 2,
             x_test=pixels[20:], y_test=np.arange(10) % 2)  # fmt: skip
    splits = data.from_npz(tmp_path / "d.npz")
    inputs, labels = arrays(splits.test)
    np.testing.assert_allclose(inputs * 255, pixels[20:], rtol=1e-6)
    assert labels.tolist() == [0, 1] * 5
    assert len(splits.valid) == 2


def test_targets_of_floats_make_a_regression(tmp_path):
    np.savez(tmp_path / "d.npz", x=np.zeros((10, 2)), y=np.linspace(0, 1, 10))
    splits = data.from_npz(tmp_path / "d.npz")
    assert splits.classes == ()
    assert arrays(splits.train)[1].shape == (7, 1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"a": np.zeros(3)}, "has a, expected x and y"),
        (
            {"x": np.zeros((10, 2)), "y": np.zeros(9)},
            r"x and y have shapes \(10, 2\) and \(9,\), expected",
        ),
        ({"x": np.full((10, 2), np.nan), "y": np.zeros(10)}, "x, float64, is not all finite"),
        ({"x": np.array([{}] * 10), "y": np.zeros(10)}, "is not a whole .npz of arrays"),
        ({"x": np.zeros((2, 2)), "y": np.zeros(2)}, "of 2 rows, expected some in each part"),
        (b"garbage", "is not a whole .npz of arrays"),
    ],
)
def test_an_npz_that_is_no_data_set_is_refused(tmp_path, content, message):
    path = tmp_path / "d.npz"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.savez(path, **content)
    with pytest.raises(ValueError, match=message):
        data.from_npz(path)


# .csv


def table(path: Path, rows: int = 40, **changes: str) -> Path:
    """Size, colour, price, kind: the price is 10 times the size, and red costs 1 more."""
    lines = ["size,colour,price,kind"]
    for n in range(rows):
        colour = ("red", "blue", "green")[n % 3]
        lines.append(f"{n},{colour},{10.0 * n + (colour == 'red')},{n % 2}")
    path.write_text("\n".join(lines) + "\n")
    return path


def test_numbers_are_standardised_by_the_training_rows_and_text_is_one_hot(tmp_path):
    splits = data.from_csv(table(tmp_path / "t.csv"), "price")
    inputs, targets = arrays(splits.train)
    assert inputs.shape == (28, 1 + 3 + 1)
    assert targets.shape == (28, 1)
    assert inputs[:, 0].mean() == pytest.approx(0, abs=1e-6)
    assert inputs[:, 0].std() == pytest.approx(1, rel=1e-6)
    assert (inputs[:, 1:4].sum(axis=1) == 1).all()
    assert targets.std() == pytest.approx(1, rel=1e-6)
    assert splits.classes == ()
    assert json.loads(json.dumps(splits.encoding)) == splits.encoding


@pytest.mark.parametrize(
    ("target", "classes"), [("kind", ("0", "1")), ("colour", ("blue", "green", "red"))]
)
def test_a_target_of_integers_or_text_gives_classes(tmp_path, target, classes):
    splits = data.from_csv(table(tmp_path / "t.csv"), target)
    assert splits.classes == classes
    labels = arrays(splits.train)[1]
    assert labels.dtype == np.int64
    assert set(labels) == set(range(len(classes)))


def test_an_encoding_is_taken_as_it_is_and_unknown_text_is_refused(tmp_path):
    encoding = data.from_csv(table(tmp_path / "t.csv"), "kind").encoding
    other = table(tmp_path / "other.csv", rows=100)
    splits = data.from_csv(other, "kind", encoding=encoding)
    inputs = np.concatenate([arrays(p)[0] for p in (splits.train, splits.valid, splits.test)])
    assert inputs[:, 0].std() > 2
    assert set(inputs[:, 1:4].sum(axis=1)) == {1}
    other.write_text(other.read_text().replace("green", "violet"))
    with pytest.raises(ValueError, match="a colour 'violet', expected one of blue, green, red"):
        data.from_csv(other, "kind", encoding=encoding)
    with pytest.raises(
        ValueError, match=r"\[from_csv\] ignore has 'kind', expected columns beside"
    ):
        data.from_csv(other, "kind", ignore=["kind"])
    with pytest.raises(ValueError, match=r"\[from_csv\] encoding has no columns, expected that of"):
        data.from_csv(other, "kind", encoding={"target": {}})


def test_rows_with_missing_values_are_left_out_with_a_warning(tmp_path):
    path = table(tmp_path / "t.csv")
    path.write_text(path.read_text() + "NA,red,3.5,1\n4,,3.5,1\n")
    with pytest.warns(UserWarning, match="2 of 42 rows of .* have a missing value"):
        splits = data.from_csv(path, "price")
    assert sum(len(p) for p in (splits.train, splits.valid, splits.test)) == 40


def test_a_column_to_ignore_is_no_input(tmp_path):
    splits = data.from_csv(table(tmp_path / "t.csv"), "price", ignore=["colour"])
    assert arrays(splits.train)[0].shape == (28, 2)


def test_hitters_has_263_complete_rows(data_dir):
    with pytest.warns(UserWarning, match="59 of 322 rows"):
        splits = data.from_csv(data_dir / "islr" / "Hitters.csv", "Salary")
    assert sum(len(p) for p in (splits.train, splits.valid, splits.test)) == 263


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "has no rows, expected a line of names, then rows"),
        ("a,b\n", "has no rows, expected a line of names, then rows"),
        ("a,a\n1,2\n", "has two columns 'a', expected different names"),
        ("a,y\n1,2\n3\n", "row 2 has 1 cells, expected 2"),
        ("a;y\n1;2\n", "has no column 'y', only a;y"),
        ("a,y\n1,2\n", "of 1 rows, expected some in each part"),
        ('a,y\n"1,2\n', "is not a table of text"),
        (b"a,y\n\xff\xfe,2\n", "is not a table of text"),
        ("a,y\n" + "inf,2\n" * 20, "a, float64, is not all finite numbers"),
        ("a,y\n" + "".join(f"t{n},2\n" for n in range(1001)), "1,001 different values"),
    ],
)
def test_a_csv_that_is_no_table_is_refused(tmp_path, content, message):
    path = tmp_path / "t.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=message):
        data.from_csv(path, "y")
