"""Data of your own: NumPy's .npz and tables of text, .csv."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..arrayfile import read_npz
from ..ops.arguments import instance, number, several
from ..random import seeded
from ..reading import most
from ..tablefile import Column, read_csv
from ..typing import NDArray
from .splits import Splits

_OF_KERAS = ("x_train", "y_train", "x_test", "y_test")
_MISSING = {"", "na", "n/a", "nan", "null", "none", "?"}
_MOST_TEXTS = 1_000  # different texts in a column: beyond it is a name or a date, not a category
_INTEGER = re.compile(r"[+-]?\d{1,18}")  # one of 64 bits


def from_npz(
    path: str | os.PathLike[str], valid: float = 0.1, test: float = 0.2, seed: int = 0
) -> Splits:
    """Arrays x (n, ...) and y (n,), or x_train, y_train, x_test and y_test as Keras has them.

    `valid` and, of x and y, `test` are the shares held back, drawn by `seed`. Bytes become floats
    in [0, 1]; integer or text targets are classes, floats stay what they are, (n, 1). ValueError,
    naming the file, for one without these arrays or with values that are not finite.
    """
    arrays, names = read_npz("from_npz", path, ("x", "y", *_OF_KERAS))
    if arrays.keys() >= {*_OF_KERAS}:
        held = len(arrays["x_test"]) if arrays["x_test"].ndim else 0
        try:
            for name in "xy":
                arrays[name] = np.concatenate([arrays[f"{name}_train"], arrays[f"{name}_test"]])
        except (TypeError, ValueError) as error:
            raise ValueError(f"[from_npz] {path}: train and test differ: {error}") from error
    elif arrays.keys() >= {"x", "y"}:
        held = 0
    else:
        raise ValueError(
            f"[from_npz] {path} has {', '.join(names[:10]) or 'nothing'}, expected x and y, "
            f"or {', '.join(_OF_KERAS)}"
        )
    x, y = arrays["x"], arrays["y"]
    if x.ndim < 2 or y.shape != x.shape[:1]:
        raise ValueError(
            f"[from_npz] {path}: x and y have shapes {x.shape} and {y.shape}, "
            "expected (n, ...) and (n,)"
        )
    if held:
        learn = len(x) - held
        parts = [*_shuffled("from_npz", path, learn, seed, valid), np.arange(learn, len(x))]
    else:
        parts = _shuffled("from_npz", path, len(x), seed, valid, test)
    x = x / np.float32(255) if x.dtype == np.uint8 else _finite(path, "x", x)
    names = []
    if y.dtype.kind == "f":
        y = _finite(path, "y", y)[:, None]
    else:
        texts, y = np.unique(y, return_inverse=True)
        names = [str(text) for text in texts]
    return Splits.of(((x[part], y[part]) for part in parts), names)


def from_csv(
    path: str | os.PathLike[str],
    target: str,
    *,
    ignore: Sequence[str] = (),
    valid: float = 0.1,
    test: float = 0.2,
    seed: int = 0,
    encoding: Mapping[str, Any] | None = None,
) -> Splits:
    """A table with a line of names; all columns but `target` and those to `ignore` are inputs.

    `valid` and `test` are the shares of rows held back, drawn by `seed`. Columns of numbers come as
    (value - mean) / deviation of the training rows, columns of text as one input per text. A
    target of text or integers gives classes; one of floats is standardised too, so a squared error
    of 1 is that of always saying the mean. Rows with a missing value are left out, with a warning.
    With the `encoding` of an earlier table no statistics are taken. ValueError, naming file and
    column, for a table that cannot be read so.
    """
    table, ignore = read_csv(path), several("from_csv", "ignore", ignore)
    instance("from_csv", "encoding", encoding, (Mapping, type(None)), "that of an earlier table")
    for name in (target, *ignore):
        if not isinstance(name, str) or name not in table:
            raise ValueError(f"[from_csv] {path} has no column {name!r}, only {', '.join(table)}")
    if target in ignore:
        raise ValueError(f"[from_csv] ignore has {target!r}, expected columns beside the target")
    table = {name: column for name, column in table.items() if name not in ignore}
    rows = list(zip(*table.values(), strict=True))
    whole = [row for row in rows if not any(cell.lower() in _MISSING for cell in row)]
    if len(whole) < len(rows):
        warnings.warn(
            f"[from_csv] {len(rows) - len(whole)} of {len(rows)} rows of {path} have a missing "
            "value and are left out",
            stacklevel=2,
        )
    table = dict(zip(table, zip(*whole, strict=True), strict=False))
    parts = _shuffled("from_csv", path, len(whole), seed, valid, test)
    goal = table.pop(target)
    if not table:
        raise ValueError(f"[from_csv] {path} has only {target!r}, expected columns of inputs")
    if encoding is None:
        kinds = [_kind(path, name, column, parts[0]) for name, column in table.items()]
        of_target = _kind(path, target, goal, parts[0], integers_are_text=True)
        encoding = {"columns": kinds, "target": of_target}
    if missing := {"columns", "target"} - set(encoding):
        raise ValueError(f"[from_csv] encoding has no {min(missing)}, expected that of a table")
    x = encode(path, table, encoding["columns"])
    y = encode(path, {target: goal}, [encoding["target"]])
    classes = encoding["target"].get("texts", ())
    if classes:
        y = y.argmax(axis=1)
    return Splits.of(((x[part], y[part]) for part in parts), classes, encoding)


def encode(
    path: str | os.PathLike[str], table: Mapping[str, Column], columns: Sequence[Mapping[str, Any]]
) -> NDArray:
    """float32 (n, k): each column as `columns` says. ValueError for a text that it does not name."""
    blocks = []
    width = sum(len(column.get("texts", "1")) for column in columns)
    rows = max(map(len, table.values()), default=0)
    if 4 * rows * width > most(path):
        raise ValueError(
            f"[from_csv] {path} makes {rows:,} rows of {width:,} inputs, one for each text: too many "
            "for its size, expected columns with fewer different texts, or those in ignore"
        )
    for column in columns:
        if column["name"] not in table:
            raise ValueError(
                f"[from_csv] {path} has no input {column['name']!r}, expected it as in training"
            )
        cells = table[column["name"]]
        for row, cell in enumerate(cells, start=1):
            if cell.lower() in _MISSING:
                raise ValueError(
                    f"[from_csv] {path}: {column['name']} is missing in row {row}, expected a value"
                )
        if "texts" in column:
            places = {text: place for place, text in enumerate(column["texts"])}
            if strange := next((cell for cell in cells if cell not in places), ""):
                raise ValueError(
                    f"[from_csv] {path} has a {column['name']} {strange!r}, expected one of "
                    f"{', '.join(column['texts'])}"
                )
            hits = np.zeros((len(cells), len(places)), np.float32)
            hits[np.arange(len(cells)), [places[cell] for cell in cells]] = 1
            blocks.append(hits)
        else:
            numbers = _numbers(cells)
            if numbers is None:
                raise ValueError(f"[from_csv] {path}: {column['name']} is text, expected numbers")
            numbers = _finite(path, column["name"], numbers)
            blocks.append((numbers[:, None] - column["mean"]) / column["deviation"])
    return np.concatenate(blocks, axis=1).astype(np.float32)


def _kind(
    path: Any, name: str, column: Column, train: NDArray, integers_are_text: bool = False
) -> dict[str, Any]:
    """How a column is encoded, by its training rows."""
    numbers = _numbers(column)
    integers = all(_INTEGER.fullmatch(cell) for cell in column)
    if numbers is not None and not (integers and integers_are_text):
        some = _finite(path, name, numbers)[train].astype(np.float64)
        return {"name": name, "mean": float(some.mean()), "deviation": float(some.std()) or 1.0}
    texts = sorted(set(column), key=int if integers else None)
    if len(texts) > _MOST_TEXTS:
        raise ValueError(
            f"[from_csv] {path}: {name} has {len(texts):,} different values, expected at most "
            f"{_MOST_TEXTS:,}: it may be one to ignore, or to be written as floats"
        )
    return {"name": name, "texts": texts}


def _numbers(column: Any) -> NDArray | None:
    try:
        return np.array(column, np.float64)
    except ValueError:
        return None


def _finite(path: Any, name: str, array: NDArray) -> NDArray:
    """As float32. ValueError unless all are numbers, and finite."""
    with np.errstate(over="ignore"):
        found = array.astype(np.float32) if array.dtype.kind in "biuf" else None
    if found is None or not np.isfinite(found).all():
        raise ValueError(f"[data] {path}: {name}, {array.dtype}, is not all finite numbers")
    return found


def _shuffled(op: str, path: Any, n: int, seed: int, *shares: float) -> list[NDArray]:
    """The indices to learn from, then those of each share that is held back, drawn by `seed`."""
    good = all(0 < number(op, "valid or test", share) < 1 for share in shares)
    counts = [round(share * n) for share in shares if good]
    if not good or min(*counts, n - sum(counts)) < 1:
        raise ValueError(
            f"[{op}] {path}: valid, test are {shares} of {n} rows, expected some in each part"
        )
    *held, train = np.split(seeded(op, seed).permutation(n), np.cumsum(counts))
    return [np.sort(part) for part in (train, *held)]
