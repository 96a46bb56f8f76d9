"""The face of Keras: both vocabularies, the shapes of Keras, what is saved comes back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import baregrad as bg
import numpy as np
import pytest
from baregrad import keras
from baregrad.keras import (
    SGD,
    Activation,
    Conv2D,
    Convolution2D,
    Dense,
    Dropout,
    Flatten,
    MaxPooling2D,
    Sequential,
    load_model,
    to_categorical,
)


def digits() -> tuple[np.ndarray, np.ndarray]:
    x, y = (t.numpy() for t in bg.data.digits().train.tensors)
    return x, to_categorical(y, 10)


def dense() -> Sequential:
    bg.manual_seed(0)
    model = Sequential([Dense(32, activation="relu"), Dense(10, activation="softmax")])
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    return model


def test_the_network_of_lecture_004_has_648010_parameters(
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = Sequential()
    model.add(Dense(input_dim=28 * 28, output_dim=500))
    model.add(Activation("sigmoid"))
    model.add(Dense(output_dim=500))
    model.add(Activation("sigmoid"))
    model.add(Dense(output_dim=10))
    model.add(Activation("softmax"))
    model.summary()
    assert model.count_params() == 648_010
    printed = capsys.readouterr().out
    assert "(None, 500)" in printed
    assert "648,010" in printed


def test_fit_goes_on_where_it_stopped_and_keeps_a_history() -> None:
    x, y = digits()
    model = dense()
    first = model.fit(x, y, epochs=2, verbose=0, validation_split=0.2)
    again = model.fit(x, y, nb_epoch=1, verbose=0)
    assert {*first.history} == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert [len(column) for column in first.history.values()] == [2, 2, 2, 2]
    assert {*again.history} == {"loss", "accuracy"}
    assert again.history["loss"][0] < first.history["loss"][1] < first.history["loss"][0]


def test_evaluate_and_predict_agree() -> None:
    x, y = digits()
    model = dense()
    model.fit(x, y, epochs=3, verbose=0)
    loss, accuracy = model.evaluate(x, y, verbose=0)  # type: ignore[misc]
    probabilities = model.predict(x)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    assert accuracy == (probabilities.argmax(axis=1) == y.argmax(axis=1)).mean()
    want = -np.log(probabilities[y == 1].astype(np.float64)).mean()
    assert loss == pytest.approx(want, rel=1e-5)


def test_the_loss_is_the_same_with_class_numbers() -> None:
    x, y = digits()
    one_hot, numbers = dense(), dense()
    numbers.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    bg.manual_seed(1)
    a = one_hot.fit(x, y, epochs=1, verbose=0, shuffle=False)
    bg.manual_seed(1)
    b = numbers.fit(x, y.argmax(axis=1), epochs=1, verbose=0, shuffle=False)
    assert a.history["loss"][0] == pytest.approx(b.history["loss"][0], rel=1e-5)
    assert a.history["accuracy"] == b.history["accuracy"]


@pytest.mark.parametrize("loss", ["mse", "mean_absolute_error"])
def test_a_squared_error_of_one_hot_rows_has_an_accuracy(loss: str) -> None:
    x, y = digits()
    model = dense()
    model.compile("adam", loss, metrics=["accuracy"])
    history = model.fit(x, y, epochs=5, verbose=0).history
    assert history["accuracy"][-1] > 0.2


def test_two_classes_with_one_sigmoid() -> None:
    bg.manual_seed(0)
    x = np.random.default_rng(0).standard_normal((200, 2)).astype(np.float32)
    y = (x[:, 0] > 0).astype(np.int64)
    model = Sequential([Dense(1, activation="sigmoid", input_dim=2)])
    model.compile(SGD(lr=1.0), "binary_crossentropy", metrics=["accuracy"])
    history = model.fit(x, y, epochs=20, verbose=0).history
    assert history["accuracy"][-1] > 0.95
    assert model.evaluate(x, y, verbose=0)[1] > 0.95  # type: ignore[index]
    assert model.predict(x).shape == (200, 1)


def convolutional(**words: Any) -> Sequential:
    bg.manual_seed(0)
    model = Sequential(
        [
            Conv2D(4, 3, activation="relu", padding="same", input_shape=(8, 8, 1)),
            MaxPooling2D(),
            Dropout(0.1),
            Flatten(),
            Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    return model


def test_images_have_their_channels_last() -> None:
    x, y = digits()
    model = convolutional()
    assert model.fit(x.reshape(-1, 8, 8, 1), y, epochs=2, verbose=0).history["loss"][-1] < 2.3
    assert model.predict(x[:3].reshape(-1, 8, 8, 1)).shape == (3, 10)
    with pytest.raises(ValueError, match=r"x has shape \(3, 1, 8, 8\), expected \(n, 8, 8, 1\)"):
        model.predict(x[:3].reshape(-1, 1, 8, 8))


def test_keras_1_says_convolution2d() -> None:
    old = Convolution2D(4, 3, 5, border_mode="same", subsample=(1, 1))
    assert old.config() == Conv2D(4, (3, 5), strides=(1, 1), padding="same").config()
    modules, shape = old.build((8, 9, 2))
    assert shape == (8, 9, 4)
    assert len(modules) == 1


@pytest.mark.parametrize("make", [dense, convolutional])
def test_a_saved_model_comes_back(make: Callable[[], Sequential], tmp_path: Path) -> None:
    x, y = digits()
    if make is convolutional:
        x = x.reshape(-1, 8, 8, 1)
    model = make()
    model.fit(x, y, epochs=1, verbose=0)
    model.save(tmp_path / "model.safetensors")
    again = load_model(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(again.predict(x), model.predict(x))
    assert again.evaluate(x, y, verbose=0) == model.evaluate(x, y, verbose=0)
    again.fit(x, y, epochs=1, verbose=0)  # compiled as it was


def test_says_once_that_it_converts(capsys: pytest.CaptureFixture[str]) -> None:
    x, y = digits()
    dense().fit(x.astype(np.float64), y, epochs=2, verbose=1)
    assert capsys.readouterr().out.count("x is float64: converted to float32, once") == 1


WRONG: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: Dense(3, activation="rleu"), ValueError, "activation is 'rleu', expected one of elu"),
    (lambda: Dense(units=3, output_dim=3), TypeError, "output_dim and units are two names"),
    (lambda: Sequential().add(bg.nn.ReLU()), TypeError, "layer is a ReLU, expected a Keras layer"),
    (lambda: Sequential([Dense(3)]).summary(), RuntimeError, "the shape of the input is not known"),
    (lambda: Sequential([Dense(3)]).fit([[1.0]], [[1.0]]), RuntimeError, "there is no loss, expected compile"),
    (lambda: dense().compile(loss="crossentropy"), ValueError, "loss is 'crossentropy', expected one of"),
    (lambda: dense().compile(optimizer="rms"), ValueError, "optimizer is 'rms', expected sgd or adam"),
    (lambda: dense().compile(metrics=["auc"]), ValueError, "metrics has 'auc', expected 'accuracy'"),
    (lambda: dense().fit(np.ones((3, 4)), np.ones(3, int), verbose=0), ValueError, r"y has shape \(3,\), expected \(3, 10\)"),
    (lambda: dense().fit(np.ones((3, 4)), np.ones((3, 9)), verbose=0), ValueError, r"y has shape \(3, 9\)"),
    (lambda: dense().fit(np.ones(3), np.ones((3, 10)), verbose=0), ValueError, r"x has shape \(3,\), expected \(n, ...\)"),
    (lambda: Conv2D(2, 3).build((5,)), ValueError, r"shape \(5,\), expected \(height, width, channels\)"),
    (lambda: Dense(2).build((2, 2)), ValueError, r"add a Flatten"),
    (lambda: to_categorical([0.5]), TypeError, "expected integers"),
    (lambda: to_categorical([0, 3], 3), ValueError, "outside"),
]  # fmt: skip


@pytest.mark.parametrize(("action", "error", "sentence"), WRONG, ids=[w[2] for w in WRONG])
def test_refuses_with_a_sentence(
    action: Callable[[], Any], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        action()


def test_a_cross_entropy_wants_a_softmax() -> None:
    model = Sequential([Dense(10, input_dim=64)])
    model.compile("sgd", "categorical_crossentropy")
    with pytest.raises(ValueError, match="without softmax at its end"):
        model.fit(*digits(), verbose=0)


def test_another_file_is_no_keras_model(tmp_path: Path) -> None:
    bg.save({"x": bg.tensor([1.0])}, tmp_path / "x.safetensors")
    with pytest.raises(ValueError, match="holds no Keras model"):
        load_model(tmp_path / "x.safetensors")


def test_says_what_it_offers() -> None:
    assert [name for name in keras.__all__ if not getattr(keras, name).__doc__] == []


@pytest.mark.parametrize(
    ("words", "error", "sentence"),
    [
        ({"loss": None}, ValueError, "loss is None, expected one of"),
        ({"optimizer": bg.optim.SGD}, TypeError, "expected 'sgd', 'adam', SGD"),
    ],
)
def test_compile_refuses_what_fit_could_not_use(
    words: dict[str, Any], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        Sequential([Dense(2)]).compile(**words)
    model = dense()
    model.compile("adam", "mse", metrics="accuracy")
    assert model.metrics == ["accuracy"]
    with pytest.raises(ValueError, match="batch_size is 0, expected at least 1"):
        model.predict(np.ones((2, 64), np.float32), batch_size=0)
