"""Sequential, from `add` to `save`, and how to load it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence as SequenceOf
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from .. import nn, optim, tensorfile, train
from ..autograd import no_grad
from ..blank import to_be_loaded
from ..hints import an
from ..nn import functional as F  # noqa: N812
from ..ops.arguments import integer, number, several
from ..saving import FAULTS, save
from ..tensor import Tensor, from_numpy
from ..typing import ArrayLike, NDArray, Shape
from ..utils.data import DataLoader, TensorDataset
from .layers import LAYERS, Layer
from .optimizers import SGD, Adam, Optimizer
from .words import words

_CROSS_ENTROPIES = ("categorical_crossentropy", "sparse_categorical_crossentropy")
_LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    # These two are given logits: a softmax at the end of the model is left to them.
    "categorical_crossentropy": F.cross_entropy,
    "sparse_categorical_crossentropy": F.cross_entropy,
    "binary_crossentropy": F.binary_cross_entropy,
    "mean_squared_error": F.mse_loss,
    "mse": F.mse_loss,
    "mean_absolute_error": F.l1_loss,
    "mae": F.l1_loss,
}


@dataclass
class History:
    """What `fit` returns: `history["loss"][epoch]`, and accuracy, val_loss, val_accuracy."""

    history: dict[str, list[float]]


class Sequential:
    """Layers one after another: `add` them, `compile`, `fit`, `evaluate`, `predict`."""

    def __init__(self, layers: SequenceOf[Layer] = ()) -> None:
        self.layers: list[Layer] = []
        self.network: nn.Sequential | None = None  # made when the shape of the input is known
        self.loss: str | None = None
        self._optimizer: optim.Optimizer | None = None
        for layer in several("Sequential", "layers", layers):
            self.add(layer)

    def add(self, layer: Layer) -> None:
        """Put a layer at the end. The first may be told its `input_dim` or `input_shape`."""
        if not isinstance(layer, Layer):
            raise TypeError(
                f"[Sequential.add] layer is {an(layer)}, expected a Keras layer, such as Dense"
            )
        if self.network is not None:
            raise RuntimeError("[Sequential.add] the model is built, expected all layers before")
        self.layers.append(layer)

    def build(self, input_shape: SequenceOf[int]) -> None:
        """Make the modules for samples of this shape, without the axis of the samples."""
        told = self.layers[0].input_shape if self.layers else None
        given = several("Sequential.build", "input_shape", input_shape)
        shape = tuple(integer("Sequential.build", "input_shape", n, 1) for n in given)
        self.input_shape = shape
        if told is not None and told != shape:
            raise ValueError(f"[Sequential] a sample has shape {shape}, expected {told} as told")
        modules: list[nn.Module] = []
        self._made: list[tuple[Layer, Shape, int]] = []
        for layer in self.layers:
            made, shape = layer.build(shape)
            modules += made
            count = sum(p.numel() for module in made for p in module.parameters())
            self._made.append((layer, shape, count))
        self.output_shape, self.network = shape, nn.Sequential(*modules)

    def compile(
        self,
        optimizer: str | Optimizer = "sgd",
        loss: str = "categorical_crossentropy",
        metrics: str | SequenceOf[str] = (),
    ) -> None:
        """Choose a loss by name, an optimizer, and whether to report the accuracy."""
        loss = loss.replace(" ", "_") if isinstance(loss, str) else loss
        if not isinstance(loss, str) or loss not in _LOSSES:
            names = ", ".join(_LOSSES)
            raise ValueError(f"[Sequential.compile] loss is {loss!r}, expected one of {names}")
        if isinstance(optimizer, str):
            makers = {"sgd": SGD, "adam": Adam}
            if optimizer.lower() not in makers:
                raise ValueError(
                    f"[Sequential.compile] optimizer is {optimizer!r}, expected sgd or adam"
                )
            choice: Optimizer = makers[optimizer.lower()]()
        elif isinstance(optimizer, Optimizer):
            choice = optimizer
        else:
            raise TypeError(
                f"[Sequential.compile] optimizer is {optimizer!r}, expected 'sgd', 'adam', SGD() or "
                "Adam() of baregrad.keras"
            )
        if isinstance(metrics, str):
            metrics = [metrics]
        for metric in several("Sequential.compile", "metrics", metrics):
            if metric not in ("accuracy", "acc"):
                raise ValueError(
                    f"[Sequential.compile] metrics has {metric!r}, expected 'accuracy'"
                )
        self.loss, self.metrics = loss, list(metrics)
        self._choice, self._optimizer = choice, None

    @words(nb_epoch="epochs")
    def fit(
        self,
        x: ArrayLike,
        y: ArrayLike,
        batch_size: int = 32,
        epochs: int = 1,
        verbose: int = 1,
        *,
        validation_split: float = 0.0,
        validation_data: tuple[ArrayLike, ArrayLike] | None = None,
        shuffle: bool = True,
    ) -> History:
        """Train on x (n, ...) and y. Calling it again goes on from here.

        `validation_split` holds back the last fraction of the samples.
        """
        loss = self._compiled("fit")
        inputs, targets = self._pair("fit", x, y, verbose)
        if validation_data is None and validation_split:
            if not 0 < number("Sequential.fit", "validation_split", validation_split) < 1:
                raise ValueError(
                    f"[Sequential.fit] validation_split is {validation_split}, "
                    "expected 0 <= fraction < 1"
                )
            cut = len(inputs) - round(len(inputs) * validation_split)
            validation_data = inputs[cut:], targets[cut:]
            inputs, targets = inputs[:cut], targets[:cut]
        elif validation_data is not None:
            parts = several("Sequential.fit", "validation_data", validation_data)
            if len(parts) != 2:
                raise ValueError(
                    f"[Sequential.fit] validation_data has {len(parts)} parts, expected (x, y)"
                )
            validation_data = self._pair("fit", parts[0], parts[1], verbose)
        body = self._body()
        if self._optimizer is None:
            self._optimizer = self._choice.make(body.parameters())
        trained = train.fit(
            body,
            DataLoader(TensorDataset(inputs, targets), batch_size, shuffle),
            None
            if validation_data is None
            else DataLoader(TensorDataset(*validation_data), batch_size),
            epochs=epochs,
            optimizer=self._optimizer,
            loss=loss,
            progress=bool(verbose),
        )
        columns = {"loss": trained.train_loss, "val_loss": trained.valid_loss}
        if self.metrics:
            columns.update(accuracy=trained.train_accuracy, val_accuracy=trained.valid_accuracy)
        return History({name: column for name, column in columns.items() if column})

    def evaluate(
        self, x: ArrayLike, y: ArrayLike, batch_size: int = 32, verbose: int = 1
    ) -> float | list[float]:
        """The loss over x (n, ...) and y (n, ...); with metrics a list [loss, accuracy]."""
        loss = self._compiled("evaluate")
        data = TensorDataset(*self._pair("evaluate", x, y, verbose))
        metrics = train.evaluate(self._body(), DataLoader(data, batch_size), loss)
        return [metrics.loss, metrics.accuracy] if self.metrics else metrics.loss

    def predict(self, x: ArrayLike, batch_size: int = 32, verbose: int = 0) -> NDArray:
        """x (n, ...) -> the outputs (n, ...) as a NumPy array."""
        integer("Sequential.predict", "batch_size", batch_size, 1)
        inputs = self._inputs("predict", x, verbose)
        assert self.network is not None
        self.network.eval()
        with no_grad():
            parts = [
                self.network(from_numpy(inputs[i : i + batch_size])).numpy()
                for i in range(0, len(inputs), batch_size)
            ]
        return np.concatenate(parts) if parts else np.zeros((0, *self.output_shape), np.float32)

    def count_params(self) -> int:
        """How many numbers it learns."""
        self._built("count_params")
        return sum(count for _, _, count in self._made)

    def summary(self) -> None:
        """Print each layer with its output's shape and its number of parameters."""
        self._built("summary")
        line = "-" * 58
        print(f"{'Layer':<20}{'Output shape':<24}{'Parameters':>14}\n{line}")
        for layer, shape, count in self._made:
            text = str((None, *shape))
            print(f"{type(layer).__name__:<20}{text:<24}{count:>14,}")
        print(f"{line}\n{'Total':<44}{self.count_params():>14,}")

    def save(self, path: str | PathLike[str]) -> None:
        """Layers, weights, loss and optimizer as one safetensors file: `load_model` reads it."""
        if Path(path).suffix in (".h5", ".hdf5", ".keras"):
            raise ValueError(
                f"[Sequential.save] path is {str(path)!r}, expected one that ends in .safetensors"
            )
        network = self._built("save")
        layers = [{"class": type(layer).__name__, **layer.config()} for layer in self.layers]
        compiled = None
        if self.loss is not None:
            choice = {"name": self._choice.name, "options": dict(self._choice.options)}
            compiled = {"loss": self.loss, "metrics": self.metrics, "optimizer": choice}
        told = {"layers": layers, "input_shape": self.input_shape, "compile": compiled}
        save(network.state_dict(), path, metadata={"keras": json.dumps(told)})

    # What is done before the work

    def _built(self, op: str) -> nn.Sequential:
        if self.network is None:
            told = self.layers[0].input_shape if self.layers else None
            if told is None:
                raise RuntimeError(
                    f"[Sequential.{op}] the shape of the input is not known, expected input_dim= or "
                    "input_shape= in the first layer, or fit before"
                )
            self.build(told)
        assert self.network is not None
        return self.network

    def _compiled(self, op: str) -> Callable[[Tensor, Tensor], Tensor]:
        if self.loss is None:
            raise RuntimeError(f"[Sequential.{op}] there is no loss, expected compile() before")
        return _LOSSES[self.loss]

    def _body(self) -> nn.Sequential:
        """What the loss is given: for a cross entropy the network up to its softmax."""
        network = self._built("fit")
        softmax = len(network) > 0 and isinstance(network[-1], nn.Softmax)
        if self.loss in _CROSS_ENTROPIES and not softmax:
            raise ValueError(
                f"[Sequential] loss is {self.loss!r} of a model without softmax at its end, "
                "expected Activation('softmax') as the last layer"
            )
        return network[:-1] if self.loss in _CROSS_ENTROPIES else network

    def _inputs(self, op: str, x: ArrayLike, verbose: int) -> NDArray:
        """x as float32, images with their channels first; the model is built for it."""
        inputs = np.asarray(x)
        if inputs.dtype.kind not in "biuf":
            raise TypeError(f"[Sequential.{op}] x has dtype {inputs.dtype}, expected numbers")
        if inputs.dtype != np.float32:
            if verbose:
                print(f"[Sequential.{op}] x is {inputs.dtype}: converted to float32, once")
            inputs = inputs.astype(np.float32)
        if inputs.ndim < 2:
            raise ValueError(f"[Sequential.{op}] x has shape {inputs.shape}, expected (n, ...)")
        if self.network is None:
            self.build(inputs.shape[1:])
        elif inputs.shape[1:] != self.input_shape:
            expected = ", ".join(map(str, self.input_shape))
            raise ValueError(
                f"[Sequential.{op}] x has shape {inputs.shape}, expected (n, {expected})"
            )
        return np.ascontiguousarray(inputs.transpose(0, 3, 1, 2)) if inputs.ndim == 4 else inputs

    def _pair(self, op: str, x: ArrayLike, y: ArrayLike, verbose: int) -> tuple[NDArray, NDArray]:
        inputs, targets = self._inputs(op, x, verbose), np.asarray(y)
        n = len(inputs)
        if self.loss == "sparse_categorical_crossentropy":
            shapes: tuple[Shape, ...] = ((n,), (n, 1))
            if targets.dtype.kind not in "iu":
                raise TypeError(f"[Sequential.{op}] y has dtype {targets.dtype}, expected integers")
        else:
            shapes = ((n, *self.output_shape),)
            if self.output_shape == (1,):
                shapes += ((n,),)
        if targets.shape not in shapes:
            numbers = self.loss == "categorical_crossentropy" and targets.shape == (n,)
            raise ValueError(
                f"[Sequential.{op}] y has shape {targets.shape}, expected {shapes[0]} for "
                f"{self.loss}" + ("; to_categorical(y) makes such rows" if numbers else "")
            )
        if self.loss == "sparse_categorical_crossentropy":
            return inputs, targets.reshape(n).astype(np.int64)
        return inputs, targets.reshape(shapes[0]).astype(np.float32)


def load_model(path: str | PathLike[str]) -> Sequential:
    """The model that `Sequential.save` wrote, compiled as it was. ValueError for another file."""
    state, metadata = tensorfile.read("load_model", path)
    if "keras" not in metadata:
        raise ValueError(
            f"[load_model] {path} holds no Keras model, expected one of Sequential.save"
        )
    try:
        return _rebuilt(json.loads(metadata["keras"]), state)
    except FAULTS as error:
        raise ValueError(
            f"[load_model] {path} does not hold the model it names: {error}"
        ) from error


def _rebuilt(told: Any, state: dict[str, NDArray]) -> Sequential:
    model = Sequential()
    for config in told["layers"]:
        name = config.pop("class")
        if name not in LAYERS:
            raise ValueError(f"it has a layer {name!r}, expected one of {[*LAYERS]}")
        model.add(LAYERS[name](**{k: _plain(v) for k, v in config.items()}))
    with to_be_loaded(sum(array.size for array in state.values())):
        model.build(told["input_shape"])
    assert model.network is not None
    model.network.load_state_dict(state)
    if told["compile"] is not None:
        choice = told["compile"]["optimizer"]
        options = {name: _plain(value) for name, value in choice["options"].items()}
        model.compile(
            Optimizer(choice["name"], options), told["compile"]["loss"], told["compile"]["metrics"]
        )
    return model


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def to_categorical(y: ArrayLike, num_classes: int | None = None) -> NDArray:
    """y (n,) class numbers -> (n, num_classes) float32, a one in each row."""
    labels = np.asarray(y)
    if labels.dtype.kind not in "iu" or labels.ndim != 1:
        raise TypeError(
            f"[to_categorical] y is {labels.dtype} {labels.shape}, expected integers (n,)"
        )
    most = int(labels.max(initial=-1)) + 1
    classes = most if num_classes is None else integer("to_categorical", "num_classes", num_classes)
    if labels.size and not 0 <= labels.min() <= labels.max() < classes:
        raise ValueError(f"[to_categorical] y has labels outside [0, {classes})")
    return np.eye(classes, dtype=np.float32)[labels]
