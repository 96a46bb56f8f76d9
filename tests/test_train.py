"""The training loop, its metrics, and what it leaves behind."""

from __future__ import annotations

import io
import math
import sys

import baregrad as bg
import numpy as np
import pytest
from baregrad import nn, optim
from baregrad.train import History, Metrics, evaluate, fit
from baregrad.utils.data import DataLoader, TensorDataset


def problem(n: int = 60) -> TensorDataset:
    """Points whose class is the larger of their two coordinates."""
    points = np.random.default_rng(0).normal(size=(n, 2)).astype(np.float32)
    return TensorDataset(points, points.argmax(axis=1))


def classifier() -> nn.Sequential:
    bg.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 2))


def quiet(model, loader, *args, **kwargs) -> History:
    return fit(model, loader, *args, progress=False, **kwargs)


class Fixed(nn.Module):
    """Gives the same logits for every batch, and notes in which mode."""

    def __init__(self, *logits: list[float]) -> None:
        self.logits = bg.tensor(logits)
        self.modes: list[bool] = []
        self.recorded: list[bool] = []

    def forward(self, inputs):
        self.modes.append(self.training)
        self.recorded.append(bg.is_grad_enabled())
        return self.logits


# fit


def test_fit_learns_and_returns_one_number_per_epoch():
    model, data = classifier(), problem()
    loader = DataLoader(data, 10, shuffle=True)
    before = evaluate(model, loader)
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    valid = DataLoader(problem(20), 20)
    history = quiet(model, loader, valid, epochs=30, optimizer=optimizer)
    for numbers in vars(history).values():
        assert len(numbers) == 30
    assert history.train_loss[-1] < 0.5 * before.loss
    assert history.train_accuracy[-1] > 0.9
    assert all(seconds > 0 for seconds in history.seconds)
    assert model.training


def test_fit_is_the_loop_that_one_would_write(device):
    data = problem(20)
    by_hand, fitted = classifier().to(device), classifier().to(device)
    optimizer = optim.Adam(by_hand.parameters(), lr=1e-3)
    losses = []
    for _ in range(2):
        for inputs, labels in DataLoader(data, 10):
            optimizer.zero_grad()
            loss = nn.CrossEntropyLoss()(by_hand(inputs.to(device)), labels.to(device))
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    history = quiet(fitted, DataLoader(data, 10), epochs=2)
    for name, array in by_hand.state_dict().items():
        np.testing.assert_array_equal(fitted.state_dict()[name], array)
    assert history.train_loss == [(losses[0] + losses[1]) / 2, (losses[2] + losses[3]) / 2]


def test_fit_trains_in_training_mode_and_validates_in_eval_mode():
    model = nn.Sequential(nn.Linear(2, 2), Fixed([1.0, 0.0]))
    notes = model[1]
    notes.forward = lambda inputs: notes.modes.append(notes.training) or inputs
    loader = DataLoader(problem(10), 10)
    quiet(model.eval(), loader, loader, epochs=2)
    assert notes.modes == [True, False, True, False]


def test_the_same_seed_gives_the_same_training():
    first, second = (
        quiet(classifier(), DataLoader(problem(), 16, shuffle=True), epochs=3) for _ in "ab"
    )
    assert first.train_loss == second.train_loss


def test_fit_uses_the_given_optimizer_and_loss():
    model = classifier()
    before = model.state_dict()
    loader = DataLoader(problem(), 10)
    twice = quiet(
        model,
        loader,
        epochs=1,
        optimizer=optim.Adam(model.parameters(), lr=0.0),
        loss=nn.CrossEntropyLoss(reduction="sum"),
    )
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
    assert twice.train_loss[0] == pytest.approx(10 * evaluate(model, loader).loss, rel=1e-5)


def test_the_loss_of_an_epoch_weighs_every_sample_equally():
    model, data = classifier(), problem(25)
    frozen = optim.Adam(model.parameters(), lr=0.0)
    uneven = quiet(model, DataLoader(data, 10), epochs=1, optimizer=frozen).train_loss[0]
    whole = evaluate(model, DataLoader(data, 25)).loss
    assert uneven == pytest.approx(whole, rel=1e-6)


def test_fit_takes_batches_of_arrays_and_leaves_empty_ones_out():
    empty = (np.zeros((0, 2), np.float32), np.zeros(0, np.int64))
    batch = tuple(tensor.numpy() for tensor in problem(10).tensors)
    history = quiet(classifier(), [empty, batch], epochs=1)
    assert history.train_loss == quiet(classifier(), [batch], epochs=1).train_loss


def test_a_loss_that_is_not_finite_stops_the_training_before_it_reaches_the_parameters():
    good = tuple(tensor.numpy() for tensor in problem(10).tensors)
    bad = (np.full((10, 2), np.nan, np.float32), good[1])
    model = classifier()
    optimizer = optim.Adam(model.parameters(), lr=0.25)
    with pytest.raises(FloatingPointError) as caught:
        quiet(model, [good, bad], epochs=3, optimizer=optimizer)
    assert str(caught.value).startswith(
        "[fit] the loss is nan in epoch 1, batch 2, at learning rate 0.25, expected a finite number"
    )
    assert all(np.isfinite(array).all() for array in model.state_dict().values())


def test_an_interrupt_goes_through_and_the_model_can_go_on():
    model, data = classifier(), problem()

    def interrupted():
        yield data[:10]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        quiet(model, interrupted(), epochs=1)
    history = quiet(model, DataLoader(data, 10), epochs=1)
    assert math.isfinite(history.train_loss[0])


@pytest.mark.parametrize(
    ("loader", "epochs", "error", "message"),
    [
        ([], 1, ValueError, "train_loader gave no sample in epoch 1"),
        (iter([problem(5)[:]]), 2, ValueError, "train_loader gave no sample in epoch 2"),
        ([problem(5)[:]], 0, ValueError, "epochs is 0, expected at least 1"),
        ([problem(5)[:]], 1.5, TypeError, "epochs is a float, expected an integer"),
        ([(1, 2, 3)], 1, ValueError, r"a batch has 3 parts, expected \(inputs, labels\)"),
        ([np.zeros((2, 2))], 1, TypeError, "a batch is an ndarray, expected a pair"),
    ],
)
def test_fit_refuses_what_it_cannot_train_on(loader, epochs, error, message):
    with pytest.raises(error, match=rf"\[fit\] {message}"):
        quiet(classifier(), loader, epochs=epochs)


def test_fit_refuses_a_model_without_parameters():
    with pytest.raises(ValueError, match="params is empty"):
        quiet(nn.ReLU(), [problem(5)[:]], epochs=1)


# What it shows


def test_without_progress_nothing_is_shown(capsys):
    quiet(classifier(), DataLoader(problem(), 10), epochs=1)
    assert capsys.readouterr() == ("", "")


def test_away_from_a_terminal_a_line_comes_every_few_epochs(capsys):
    loader = DataLoader(problem(), 30)
    history = fit(classifier(), loader, loader, epochs=25)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        f"epoch {epoch}/25" for epoch in (*range(2, 25, 2), 25)
    ]
    assert lines[-1] == (
        f"epoch 25/25: loss {history.train_loss[-1]:.4f} accuracy "
        f"{history.train_accuracy[-1]:.1%}, valid loss {history.valid_loss[-1]:.4f} "
        f"accuracy {history.valid_accuracy[-1]:.1%}"
    )


def test_on_a_terminal_a_bar_counts_the_batches_of_all_epochs(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    fit(classifier(), DataLoader(problem(), 30), epochs=2)
    last = terminal.getvalue().split("\r")[-1]
    assert "epoch 2/2" in last
    assert "4/4" in last
    assert "accuracy" in last


# evaluate


def test_evaluate_is_the_mean_loss_and_the_share_of_found_classes():
    model = Fixed([2.0, 0.0], [2.0, 0.0], [2.0, 0.0], [0.0, 2.0])
    inputs, labels = np.zeros((4, 2), np.float32), np.array([0, 0, 1, 1])
    metrics = evaluate(model, [(inputs, labels)])
    right, wrong = math.log1p(math.exp(-2)), math.log1p(math.exp(2))
    assert metrics.accuracy == 0.75
    assert metrics.loss == pytest.approx((3 * right + wrong) / 4, rel=1e-6)


def test_evaluate_runs_in_eval_mode_without_grad_and_puts_the_modes_back():
    model, part = Fixed([1.0, 0.0]), nn.ReLU()
    model.part = part.eval()
    evaluate(model, [(np.zeros((1, 2), np.float32), np.array([0]))])
    assert model.modes == [False]
    assert model.recorded == [False]
    assert model.training
    assert not part.training
    assert bg.is_grad_enabled()


def test_evaluate_puts_the_modes_back_after_an_error():
    model = Fixed([1.0, 0.0])
    with pytest.raises(IndexError):
        evaluate(model, [(np.zeros((1, 2), np.float32), np.array([2]))])
    assert model.training
    assert bg.is_grad_enabled()


def test_evaluate_takes_the_model_where_it_is(device):
    loader = DataLoader(problem(), 13)
    expected = evaluate(classifier(), loader)
    metrics = evaluate(classifier().to(device), loader)
    assert metrics.accuracy == expected.accuracy
    assert metrics.loss == pytest.approx(expected.loss, rel=1e-5)


def test_without_samples_metrics_are_nan():
    metrics = evaluate(classifier(), DataLoader(problem(0), 5))
    assert math.isnan(metrics.loss)
    assert math.isnan(metrics.accuracy)


def test_without_classes_accuracy_is_nan():
    def loss(outputs, targets):
        return (outputs.reshape(-1) @ targets.reshape(-1)).reshape(())

    targets = np.ones((4, 2), np.float32)
    metrics = evaluate(classifier(), [(targets, targets)], loss)
    assert math.isfinite(metrics.loss)
    assert math.isnan(metrics.accuracy)


# History


def history(epochs: int, valid: bool = True) -> History:
    made = History()
    for epoch in range(epochs):
        metrics = Metrics(2.0**-epoch, 1 - 2.0 ** -(epoch + 1))
        made.append(metrics, Metrics(1.5 * metrics.loss, 0.5) if valid else None, 0.1)
    return made


@pytest.mark.parametrize(("epochs", "valid"), [(0, True), (1, True), (3, False), (50, True)])
def test_plot_writes_a_png(epochs, valid, tmp_path):
    pytest.importorskip("matplotlib")
    history(epochs, valid).plot(tmp_path / "curve.png")
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_plot_draws_what_is_not_finite_as_a_gap(tmp_path, caplog):
    pytest.importorskip("matplotlib")
    made = history(3)
    made.valid_loss[1], made.train_loss[2] = math.nan, 0.0
    made.plot(str(tmp_path / "curve.png"))
    assert caplog.records == []
    assert (tmp_path / "curve.png").stat().st_size > 0


def test_without_matplotlib_plot_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match="pip install matplotlib"):
        history(2).plot(tmp_path / "curve.png")


def test_the_text_plot_falls_with_the_loss():
    lines = history(5).text_plot(width=60, height=9).splitlines()
    drawn = [line[11:] for line in lines[1:10]]
    # two rows for each halving; validation, 1.5 times training, is a row above
    assert [line.index("*") for line in drawn if "*" in line] == [0, 1, 2, 3, 4]
    assert [line.index("o") for line in drawn if "o" in line] == [0, 1, 2, 3, 4]
    assert lines[1].split("|")[0].strip() == "1.5"
    assert lines[9].split("|")[0].strip() == "0.0625"
    assert lines[-1].strip() == "epoch 1 to 5"


def test_the_text_plot_is_as_wide_as_asked_and_keeps_first_and_last():
    lines = history(100, valid=False).text_plot(width=20, height=5).splitlines()
    assert max(len(line) for line in lines[1:-1]) == 11 + 20
    assert lines[1][11] == "*"
    assert lines[5][11 + 19] == "*"


def test_the_text_plot_of_nothing_says_so_and_bad_sizes_are_refused():
    assert history(0).text_plot() == "(no finite loss to draw)"
    with pytest.raises(ValueError, match="width and height are 0 and 5, expected at least 1 and 2"):
        history(2).text_plot(width=0, height=5)
