"""A training that stops early, is interrupted, goes on, and says what went wrong."""

from __future__ import annotations

import json
import signal
import threading

import baregrad as bg
import numpy as np
import pytest
from baregrad import nn, optim, random
from baregrad.train import History, evaluate, fit
from baregrad.utils.data import DataLoader, TensorDataset


def problem(n: int = 60, seed: int = 0) -> TensorDataset:
    """Points whose class is the larger of their two coordinates, one in ten mislabelled."""
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(n, 2)).astype(np.float32)
    return TensorDataset(points, points.argmax(axis=1) ^ (rng.random(n) < 0.1))


class Halving:
    """A scheduler: the learning rate halves after every second epoch."""

    def __init__(self, optimizer) -> None:
        self.optimizer, self.epoch = optimizer, 0

    def step(self) -> None:
        self.epoch += 1
        rate = 0.05 * 0.5 ** (self.epoch // 2)
        for group in getattr(self.optimizer, "param_groups", ()):
            group["lr"] = rate
        if not hasattr(self.optimizer, "param_groups"):
            self.optimizer.lr = rate

    def state_dict(self):
        return {"epoch": self.epoch}

    def load_state_dict(self, state) -> None:
        self.epoch = state["epoch"]


def run(epochs: int, generator: int | None = None, seed: int = 0, **arguments):
    """A training made anew, as a new process would: its model and history."""
    bg.manual_seed(seed)
    model = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 2))
    model = arguments.pop("wrap", lambda model: model)(model)
    optimizer = optim.Adam(model.parameters(), lr=0.05)
    scheduler = Halving(optimizer) if arguments.pop("halving", True) else None
    own = None if generator is None else np.random.default_rng(generator)
    loader = DataLoader(problem(), 7, shuffle=True, generator=own)
    history = fit(
        model, loader, DataLoader(problem(20, 1), 20), epochs=epochs, optimizer=optimizer,
        scheduler=scheduler, progress=False, **arguments,
    )  # fmt: skip
    return model, history


def same(first, second) -> None:
    for (model, history), (other, others) in [(first, second)]:
        for name, array in model.state_dict().items():
            np.testing.assert_array_equal(array, other.state_dict()[name])
        for name in ("train_loss", "train_accuracy", "valid_loss", "valid_accuracy"):
            assert getattr(history, name) == getattr(others, name)


class Interrupting(nn.Module):
    """Presses Ctrl-C in its n-th batch of training, `times` times."""

    def __init__(self, model: nn.Module, n: int, times: int = 1) -> None:
        self.model, self.left, self.times = model, n, times

    def forward(self, input):
        self.left -= self.training
        if self.left == 0:
            for _ in range(self.times):
                signal.raise_signal(signal.SIGINT)
        return self.model(input)


# Checkpoints


@pytest.mark.parametrize("generator", [None, 3])
@pytest.mark.parametrize("patience", [None, 4])
def test_a_resumed_training_has_the_bits_of_one_never_interrupted(tmp_path, generator, patience):
    whole = run(9, generator, patience=patience)
    path = tmp_path / "run.ckpt"
    run(4, generator, patience=patience, checkpoint=path)
    # the seeds are others: all that matters is in the checkpoint
    rest = run(9, generator and 8, seed=5, patience=patience, checkpoint=path, resume=True)
    same(whole, rest)
    assert list(tmp_path.iterdir()) == [path]


def test_a_finished_training_resumes_to_itself(tmp_path):
    whole = run(5, patience=2, checkpoint=tmp_path / "c")
    same(whole, run(5, patience=2, checkpoint=tmp_path / "c", resume=True))


def test_the_optimizer_goes_on_with_the_moments_and_the_rate_it_had(tmp_path):
    run(3, checkpoint=tmp_path / "c", log=tmp_path / "log")
    run(4, checkpoint=tmp_path / "c", log=tmp_path / "log", resume=True)
    rates = [json.loads(line)["lr"] for line in (tmp_path / "log").read_text().splitlines()]
    assert rates == [0.05, 0.05, 0.025, 0.025]


def test_a_checkpoint_is_a_safetensors_file_without_pickle(tmp_path):
    model, _ = run(2, checkpoint=tmp_path / "c")
    tensors = bg.load(tmp_path / "c")
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(tensors[f"model.{name}"].numpy(), array)


def test_what_cannot_be_resumed_is_refused_in_one_sentence(tmp_path):
    with pytest.raises(ValueError, match="resume is True without checkpoint"):
        run(2, resume=True)
    with pytest.raises(FileNotFoundError, match=r"\[fit\] checkpoint .*nothing is not there"):
        run(2, checkpoint=tmp_path / "nothing", resume=True)
    bg.save({}, tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match="is no checkpoint, expected a file that fit wrote"):
        run(2, checkpoint=tmp_path / "model.safetensors", resume=True)
    run(1, checkpoint=tmp_path / "c")
    with pytest.raises(ValueError, match=r"\[fit\] .*/c is of another network: .*weight"):
        run(2, checkpoint=tmp_path / "c", resume=True, wrap=lambda m: m[2:])
    (tmp_path / "c").write_bytes((tmp_path / "c").read_bytes()[:-9])
    with pytest.raises(ValueError, match="is not a whole safetensors file"):
        run(2, checkpoint=tmp_path / "c", resume=True)


def test_a_scheduler_without_state_cannot_be_resumed(tmp_path):
    class Plain:
        steps = 0

        def step(self) -> None:
            self.steps += 1

    model, scheduler = nn.Linear(2, 2), Plain()
    loader = DataLoader(problem(), 10)
    arguments = {"scheduler": scheduler, "checkpoint": tmp_path / "c", "progress": False}
    fit(model, loader, epochs=3, **arguments)
    assert scheduler.steps == 3
    with pytest.raises(ValueError, match="no state for the scheduler, a Plain, expected one with"):
        fit(model, loader, epochs=4, resume=True, **arguments)


def test_the_random_state_goes_through_json():
    bg.manual_seed(3)
    nn.Linear(3, 3)
    state = json.loads(json.dumps(random.state()))
    expected = nn.Linear(5, 5).state_dict()["weight"]
    bg.manual_seed(4)
    random.set_state(state)
    np.testing.assert_array_equal(nn.Linear(5, 5).state_dict()["weight"], expected)
    with pytest.raises(ValueError, match=r"\[set_state\] the state is not one of a Philox"):
        random.set_state({"generator": {"bit_generator": "PCG64"}})


# Early stopping


def test_patience_stops_the_training_and_brings_the_best_parameters_back():
    model, history = run(200, patience=3, halving=False)
    best = int(np.argmin(history.valid_loss))
    assert history.valid_loss[-1] > history.valid_loss[best]
    assert len(history.valid_loss) == best + 1 + 3 < 200
    assert evaluate(model, DataLoader(problem(20, 1), 20)).loss == history.valid_loss[best]


def test_without_patience_the_last_parameters_stay():
    model, history = run(3)
    assert evaluate(model, DataLoader(problem(20, 1), 20)).loss == history.valid_loss[-1]


# Ctrl-C


def test_the_first_ctrl_c_lets_the_batch_end_and_resume_goes_on_from_the_last_epoch(tmp_path):
    path = tmp_path / "run.ckpt"
    before = signal.getsignal(signal.SIGINT)
    model = []

    def wrap(inner):
        model.append(Interrupting(inner, 2 * 9 + 4))  # 60 samples by 7: 9 batches an epoch
        return model[0]

    with pytest.raises(KeyboardInterrupt) as caught:
        run(6, checkpoint=path, wrap=wrap)
    assert str(caught.value) == (
        f"[fit] interrupted after epoch 2 of 6; resume=True goes on from {str(path)!r}"
    )
    assert signal.getsignal(signal.SIGINT) is before
    assert list(tmp_path.iterdir()) == [path]
    again = run(6, checkpoint=path, resume=True, wrap=lambda m: Interrupting(m, 0))
    same(run(6, wrap=lambda m: Interrupting(m, 0)), again)


def test_a_second_ctrl_c_raises_at_once():
    seen = []

    class Twice(Interrupting):
        def forward(self, input):
            output = super().forward(input)
            seen.append(self.left)
            return output

    with pytest.raises(KeyboardInterrupt, match="after epoch 0 of 6; with checkpoint= a later"):
        run(6, wrap=lambda m: Twice(m, 3, times=2))
    assert seen == [2, 1]


def test_the_batch_in_progress_makes_its_step():
    steps = []

    class Counting(optim.Adam):
        def step(self) -> None:
            super().step()
            steps.append(1)

    model = Interrupting(nn.Linear(2, 2), 3)
    with pytest.raises(KeyboardInterrupt):
        fit(model, DataLoader(problem(), 10), epochs=2, optimizer=Counting(model.parameters()),
            progress=False)  # fmt: skip
    assert len(steps) == 3


def test_a_handler_of_your_own_stays_in_charge():
    asked = []
    before = signal.signal(signal.SIGINT, lambda *_: asked.append(1))
    try:
        _, history = run(2, wrap=lambda m: Interrupting(m, 3))
    finally:
        signal.signal(signal.SIGINT, before)
    assert asked == [1]
    assert len(history.seconds) == 2


def test_fit_works_outside_the_main_thread():
    done: list[History] = []
    thread = threading.Thread(target=lambda: done.append(run(2)[1]))
    thread.start()
    thread.join()
    assert len(done[0].seconds) == 2


# What it says


def test_the_log_has_a_line_of_json_per_epoch_and_is_appended_to(tmp_path):
    log = tmp_path / "log.jsonl"
    _, history = run(2, log=log)
    run(1, log=log)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2, 1]
    assert lines[1] == {
        "epoch": 2,
        "train_loss": history.train_loss[1],
        "train_accuracy": history.train_accuracy[1],
        "valid_loss": history.valid_loss[1],
        "valid_accuracy": history.valid_accuracy[1],
        "seconds": history.seconds[1],
        "lr": 0.05,
    }


def test_the_log_has_null_where_there_is_no_number(tmp_path):
    def loss(outputs, targets):
        return (outputs.reshape(-1) @ targets.reshape(-1)).reshape(())

    batch = (np.ones((3, 2), np.float32), np.ones((3, 2), np.float32))
    fit(nn.Linear(2, 2), [batch], epochs=1, loss=loss, log=tmp_path / "log", progress=False)
    assert json.loads((tmp_path / "log").read_text())["train_accuracy"] is None


def test_a_loss_that_is_not_finite_names_the_first_op_that_made_it_so():
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2))
    model[2].weight.array[...] = 3e38
    points = np.full((4, 2), 1e5, np.float32)
    model[0].weight.array[...] = 1
    batch = (points, np.zeros(4, np.int64))
    with pytest.raises(FloatingPointError, match=r"first op with such an output is .*, \(4, 2\)$"):
        fit(model, [batch], epochs=1, progress=False)


def test_a_loss_that_is_not_finite_because_of_the_data_or_a_parameter_says_so():
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 2))
    batch = (np.full((4, 2), np.inf, np.float32), np.zeros(4, np.int64))
    with pytest.raises(FloatingPointError, match=r"the data that went into \w+ is not finite"):
        fit(model, [batch], epochs=1, progress=False)
    model[1].bias.array[0] = np.nan
    batch = (np.zeros((4, 2), np.float32), np.zeros(4, np.int64))
    with pytest.raises(
        FloatingPointError, match=r"the parameter 1\.bias that went into \w+ is not"
    ):
        fit(model, [batch], epochs=1, progress=False)


# What it takes


def test_a_pair_of_arrays_is_cut_into_batches_and_float64_becomes_float32_with_one_warning():
    points, labels = (tensor.numpy() for tensor in problem().tensors)
    with pytest.warns(UserWarning, match=r"\[fit\] the data is float64 and becomes float32") as w:
        history = fit(
            nn.Linear(2, 2), (points.astype(np.float64), labels), epochs=30, progress=False,
            optimizer=None,
        )  # fmt: skip
    assert len(w) == 1
    assert history.train_loss[-1] < history.train_loss[0]


def test_batches_of_float64_arrays_are_converted_too_and_the_labels_may_be_small_integers():
    points, labels = (tensor.numpy() for tensor in problem().tensors)
    batches = [(points.astype(np.float64), labels.astype(np.uint8))] * 3
    with pytest.warns(UserWarning, match="becomes float32") as caught:
        fit(nn.Linear(2, 2), batches, epochs=2, progress=False)
    assert len(caught) == 1
    with pytest.warns(UserWarning, match=r"\[evaluate\] the data is float64"):
        evaluate(nn.Linear(2, 2), batches)


def test_a_model_of_float64_gets_float64():
    points, labels = (tensor.numpy() for tensor in problem().tensors)
    model = nn.Linear(2, 2).to(np.float64)
    fit(model, (points.astype(np.float64), labels), epochs=1, progress=False)


def test_clip_grad_norm_bounds_the_gradients_of_a_step():
    sizes = []

    class Measuring(optim.Adam):
        def step(self) -> None:
            gradients = [p.grad.numpy() for p in model.parameters()]
            sizes.append(np.sqrt(sum(np.sum(np.square(g)) for g in gradients)))
            super().step()

    model = nn.Linear(2, 2)
    fit(model, DataLoader(problem(), 10), epochs=1, optimizer=Measuring(model.parameters()),
        clip_grad_norm=0.01, progress=False)  # fmt: skip
    assert max(sizes) <= 0.01 * (1 + 1e-5)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"patience": 0}, ValueError, "patience is 0, expected at least 1"),
        ({"patience": 1.5}, TypeError, "patience is a float, expected an integer"),
        ({"patience": 2}, ValueError, "patience is 2 without valid_loader, expected both"),
        ({"clip_grad_norm": -1}, ValueError, "clip_grad_norm is -1, expected more than 0"),
        ({"log": "/nowhere/log"}, FileNotFoundError, None),
    ],
)
def test_fit_refuses_impossible_arguments_before_it_trains(arguments, error, message):
    with pytest.raises(error, match=message and rf"\[fit\] {message}"):
        fit(nn.Linear(2, 2), [problem(5)[:]], epochs=1, progress=False, **arguments)


def test_another_rate_schedule_or_batch_is_not_the_same_training(tmp_path):
    def go(epochs: int = 2, lr: float = 0.1, batch: int = 10, **more: object) -> None:
        model = nn.Linear(2, 2)
        optimizer = bg.optim.SGD(model.parameters(), lr=lr)
        scheduler = bg.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
        loader = DataLoader(problem(), batch)
        fit(model, loader, epochs=epochs, optimizer=optimizer, scheduler=scheduler,
            checkpoint=tmp_path / "c", progress=False, **more)  # fmt: skip

    go()
    with pytest.raises(FileExistsError, match=r"\[fit\] checkpoint .* is there already"):
        go()
    for changed, sentence in (
        ({"lr": 0.2}, "the learning rate at the start is 0.2, expected 0.1 as in"),
        ({"epochs": 4}, "T_max of CosineAnnealingLR is 4, expected 2 as in"),
        ({"batch": 5}, "the number of batches in an epoch is"),
    ):
        with pytest.raises(ValueError, match=sentence):
            go(resume=True, **changed)


def test_what_is_given_to_fit_has_to_fit(tmp_path):
    model, other = nn.Linear(2, 2), nn.Linear(2, 2)
    loader = DataLoader(problem(), 10)
    for arguments, error, sentence in (
        ({"optimizer": bg.optim.SGD(other.parameters(), lr=1.0)}, ValueError, "no parameter of the model"),
        ({"optimizer": "adam"}, TypeError, "optimizer is a str, expected one of baregrad.optim"),
        ({"loss": "mse"}, TypeError, "loss is a str, expected a function"),
    ):  # fmt: skip
        with pytest.raises(error, match=sentence):
            fit(model, loader, epochs=1, progress=False, **arguments)
    with pytest.raises(TypeError, match="a loader is a SGD, expected batches"):
        fit(model, bg.optim.SGD(model.parameters(), lr=1.0), epochs=1, progress=False)
