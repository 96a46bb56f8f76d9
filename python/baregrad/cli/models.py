"""The networks that `baregrad train` offers, and how their inputs are prepared."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import nn
from ..data import Splits
from ..typing import NDArray, Shape
from ..utils.data import TensorDataset

_MOST_NUMBERS = 10_000_000  # of an input
NAMES = ("mlp", "cnn", "linear")


@dataclass(frozen=True)
class Recipe:
    """How a network is trained unless the command line says otherwise; chosen on validation data."""

    epochs: int = 30
    batch_size: int = 32
    lr: float = 1e-3


_RECIPES = {
    ("digits", "mlp"): Recipe(lr=3e-3),
    ("digits", "linear"): Recipe(lr=1e-2),
    ("mnist", "mlp"): Recipe(epochs=15, batch_size=128, lr=3e-3),
    ("mnist", "cnn"): Recipe(epochs=5, batch_size=128, lr=1e-3),
    ("mnist", "linear"): Recipe(epochs=10, batch_size=128, lr=1e-3),
    ("cifar100", "mlp"): Recipe(epochs=20, batch_size=128, lr=3e-4),
    ("cifar100", "cnn"): Recipe(epochs=15, batch_size=128, lr=1e-3),
    ("cifar100", "linear"): Recipe(epochs=10, batch_size=128, lr=3e-4),
}


def recipe(data: str, model: str) -> Recipe:
    """That of a data set and a network."""
    return _RECIPES.get((data, model), Recipe())


def build(name: str, shape: Shape, outputs: int) -> nn.Sequential:
    """The network for inputs (n, *shape): cnn takes images (c, h, w), the others vectors (k,)."""
    if name == "linear":
        return nn.Sequential(nn.Linear(shape[0], outputs))
    if name == "mlp":
        return nn.Sequential(
            nn.Linear(shape[0], 256),
            nn.ReLU(),
            nn.Linear(256, 128),
            nn.ReLU(),
            nn.Linear(128, outputs),
        )
    if len(shape) != 3:
        raise ValueError(f"[cnn] an input has shape {shape}, expected an image (c, h, w)")
    channels, height, width = shape
    return nn.Sequential(
        nn.Conv2d(channels, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.25),
        nn.Linear(64 * (height // 4) * (width // 4), 128),
        nn.ReLU(),
        nn.Linear(128, outputs),
    )


def preprocessing(splits: Splits, flat: bool) -> dict[str, Any]:
    """What is done to the inputs, as JSON has it: images and vectors are standardised.

    By mean and deviation of the training inputs along their second axis: channels, features.
    """
    x = splits.train.tensors[0].numpy()
    said = {**splits.encoding, "shape": splits.encoding.get("image", x.shape[1:])}
    if "columns" not in said:  # those are standardised already
        x = x.reshape(len(x), *said["shape"])
        axes = tuple(axis for axis in range(x.ndim) if axis != 1)
        said["mean"] = x.mean(axes, np.float64).tolist()
        said["deviation"] = [float(d) or 1.0 for d in x.std(axes, dtype=np.float64)]
    return {**said, "flat": flat}


def check(said: Any, classes: Any) -> None:
    """ValueError, or what Python raises, unless a file says what `preprocessing` may have said."""
    shape, columns = said["shape"], said.get("columns", [])
    faults = {
        "flat": said["flat"] not in (True, False),
        "shape": not _sizes(shape, said.get("ink", 1)),
        "image": "image" in said and not (_sizes(said["image"]) and len(said["image"]) == 3),
        "mean": "mean" in said and not len(said["mean"]) == len(said["deviation"]) == shape[0],
        "classes": not isinstance(classes, list) or not all(isinstance(c, str) for c in classes),
        "deviation": not all(d > 0 for d in said.get("deviation", ())),
    }
    "".join(classes).encode()  # a UnicodeEncodeError for what cannot be printed
    numbers = [*said.get("mean", ()), *said.get("deviation", ())]
    for column in [*columns, *([said["target"]] if "target" in said else [])]:
        if "texts" in column:
            faults["texts"] = not all(isinstance(text, str) for text in column["texts"])
        else:
            numbers += [column["mean"], column["deviation"]]
    faults["numbers"] = not np.isfinite(np.array(numbers, np.float64)).all()
    if any(faults.values()):
        raise ValueError(f"wrong: {', '.join(name for name in faults if faults[name])}")


def _sizes(*found: Any) -> bool:
    """Whether all are sizes, or lists of them, that an input may have."""
    every = [n for some in found for n in (some if isinstance(some, list) else [some])]
    whole = all(type(n) is int and n > 0 for n in every)
    return whole and math.prod(every) <= _MOST_NUMBERS


def prepared(inputs: NDArray, said: Mapping[str, Any]) -> NDArray:
    """inputs (n, ...) as the network takes them. ValueError if they are of another size."""
    if inputs[0].size != np.prod(said["shape"], dtype=int):
        raise ValueError(
            f"[inputs] an input has shape {inputs.shape[1:]}, expected {tuple(said['shape'])} as in training"
        )
    if not np.isfinite(inputs).all():
        raise ValueError("[inputs] an input has values that are no finite numbers")
    x = inputs.reshape(len(inputs), *said["shape"])
    if "mean" in said:
        along = (-1, *[1] * (x.ndim - 2))
        mean, deviation = (np.float32(said[name]).reshape(along) for name in ("mean", "deviation"))
        x = (x - mean) / deviation
    return x.reshape(len(x), -1) if said["flat"] else x


def prepared_set(dataset: TensorDataset, said: Mapping[str, Any]) -> TensorDataset:
    """A data set with its inputs prepared."""
    inputs, targets = dataset.tensors
    return TensorDataset(prepared(inputs.numpy(), said), targets)
