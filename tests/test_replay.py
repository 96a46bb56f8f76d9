"""A step recorded once and replayed: the bits of one that is not, and the rules of recording."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import baregrad as bg
import numpy as np
import pytest
from baregrad import backend, nn, optim
from baregrad.replay import Recording
from baregrad.train import History, fit
from baregrad.utils.data import DataLoader, TensorDataset
from conftest import DEVICES
from simulated import LAUNCH_FAILURE, SUCCESS, Simulator, address

ON_EACH = pytest.mark.parametrize("there", DEVICES)
FULL = 14  # samples of a batch; the last of an epoch has fewer


@pytest.fixture(params=["forward", "random:3"])
def schedule(request: pytest.FixtureRequest) -> Any:
    """An order of turns, where there is a simulator."""
    if "sim" not in DEVICES:
        yield
        return
    own = backend.device("sim").table.own
    before = own.schedule()
    own.set_schedule(request.param)
    yield
    own.set_schedule(before)


def data(samples: int = 34) -> TensorDataset:
    rng = np.random.default_rng(1)
    images = rng.standard_normal((samples, 1, 6, 6)).astype(np.float32)
    return TensorDataset(images, rng.integers(0, 5, samples))


class Counted(nn.Module):
    """Counts how often Python comes by."""

    calls = 0

    def forward(self, x: bg.Tensor) -> bg.Tensor:
        self.calls += 1
        return x


def network(*more: nn.Module) -> nn.Sequential:
    """All that a recording could get wrong: random numbers, running means, an activation kept."""
    bg.manual_seed(5)
    return nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1),
        nn.BatchNorm2d(3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(27, 5),
        *more,
    )


def adam(model: nn.Module) -> optim.Optimizer:
    return optim.Adam(model.parameters(), lr=0.01)


def momentum(model: nn.Module) -> optim.Optimizer:
    return optim.SGD(model.parameters(), lr=0.1, momentum=0.9)


def trained(
    model: nn.Module, optimizer: optim.Optimizer, epochs: int = 3, **options: Any
) -> History:
    loader = DataLoader(data(), FULL, shuffle=True)
    scheduler = optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
    return fit(
        model,
        loader,
        epochs=epochs,
        optimizer=optimizer,
        scheduler=scheduler,
        progress=False,
        **options,
    )


def same_state(one: Any, other: Any) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        if isinstance(value, dict):
            same_state(value, other[name])
        else:
            np.testing.assert_array_equal(value, other[name], err_msg=str(name))


@ON_EACH
@pytest.mark.usefixtures("schedule")
@pytest.mark.parametrize("make", [adam, momentum])
@pytest.mark.parametrize("clip", [None, 0.5])
def test_a_replayed_training_has_the_bits_of_an_eager_one(
    there: str, make: Any, clip: float | None
) -> None:
    def run(graph: bool) -> tuple[Any, ...]:
        model = network().to(there)
        optimizer = make(model)
        history = trained(model, optimizer, clip_grad_norm=clip, graph=graph)
        state = optimizer.state_dict()["state"]
        return history.train_loss, history.train_accuracy, model.state_dict(), state

    eager, replayed = run(False), run(True)
    assert eager[:2] == replayed[:2]
    same_state(eager[2], replayed[2])
    same_state(eager[3], replayed[3])


@ON_EACH
def test_python_comes_by_twice_for_each_shape_of_batches(there: str) -> None:
    counted = Counted()
    model = network(counted).to(there)
    trained(model, adam(model), epochs=4, graph=True)
    assert counted.calls == 2 * 2  # once as it comes, once recorded; of a full batch and of a last


@ON_EACH
def test_another_option_of_the_optimizer_is_another_recording(there: str) -> None:
    class Rising:
        """A scheduler of momentum."""

        def __init__(self, optimizer: optim.Optimizer) -> None:
            self.optimizer = optimizer

        def step(self) -> None:
            self.optimizer.param_groups[0]["momentum"] += 0.04

    def run(graph: bool) -> Any:
        model = network().to(there)
        optimizer = momentum(model)
        loader = DataLoader(data(42), FULL)
        rising = Rising(optimizer)
        options = {"optimizer": optimizer, "scheduler": rising, "progress": False}
        fit(model, loader, epochs=2, graph=graph, **options)
        return model.state_dict()

    same_state(run(False), run(True))


@ON_EACH
def test_a_resumed_training_has_the_same_bits(there: str, tmp_path: Path) -> None:
    whole = network().to(there)
    trained(whole, adam(whole), epochs=4, graph=True)
    file = tmp_path / "half.ckpt"
    first = network().to(there)
    trained(first, adam(first), epochs=2, graph=True, checkpoint=file)
    second = network().to(there)
    trained(second, adam(second), epochs=4, graph=True, checkpoint=file, resume=True)
    same_state(whole.state_dict(), second.state_dict())


@ON_EACH
def test_a_loss_that_is_not_finite_does_not_reach_the_parameters(there: str) -> None:
    images, labels = (tensor.numpy().copy() for tensor in data(2 * FULL).tensors)
    images[FULL:] = np.nan  # the second batch, which is a replay
    model = nn.Sequential(nn.Flatten(), nn.Linear(36, 5)).to(there)
    loader = DataLoader(TensorDataset(images, labels), FULL)
    with pytest.raises(FloatingPointError, match=r"in epoch 1, batch 2, .* the data that went"):
        fit(model, loader, epochs=1, progress=False, graph=True)
    assert all(np.isfinite(values).all() for values in model.state_dict().values())


@ON_EACH
def test_a_wrong_label_is_found_in_a_replay(there: str) -> None:
    images, labels = (tensor.numpy().copy() for tensor in data(3 * FULL).tensors)
    labels[2 * FULL + 1] = 7
    model = nn.Sequential(nn.Flatten(), nn.Linear(36, 5)).to(there)
    loader = DataLoader(TensorDataset(images, labels), FULL)
    with pytest.raises(IndexError, match=r"labels\[1\] is outside, expected 0 <= label < 5"):
        fit(model, loader, epochs=1, progress=False, graph=True)


class Reading(nn.Module):
    """Reads a value in the middle."""

    def forward(self, x: bg.Tensor) -> bg.Tensor:
        return x / float(x.detach().abs().max().item())


class FromHost(nn.Module):
    """Adds what the host throws."""

    def forward(self, x: bg.Tensor) -> bg.Tensor:
        return x + bg.ones(1).to(x.device) * np.float32(2)


@ON_EACH
@pytest.mark.parametrize(
    ("module", "sentence"),
    [(Reading(), r"\[numpy\] an array is read"), (FromHost(), r"\[from_numpy\] an array comes")],
)
def test_a_model_that_asks_the_host_cannot_be_recorded(
    there: str, module: nn.Module, sentence: str
) -> None:
    model = network(module).to(there)
    with pytest.raises(RuntimeError, match=rf"^\[fit\] graph is True, but .* {sentence}"):
        trained(model, adam(model), graph=True)
    assert bg.ones(2, device=there).sum().item() == 2  # and the device goes on


def test_the_cpu_has_no_graphs() -> None:
    model = network()
    with pytest.raises(ValueError, match=r"^\[fit\] graph is True and the model on cpu, expected"):
        trained(model, adam(model), graph=True)
    with pytest.raises(TypeError, match=r"^\[fit\] graph is an int, expected a bool"):
        trained(model, adam(model), graph=1)


# Recordings


@ON_EACH
def test_a_recording_does_nothing_until_it_is_replayed(there: str) -> None:
    device = backend.device(there)
    x = device.from_numpy(np.arange(3, dtype=np.float32))
    recording = Recording(device)
    with recording:
        y = device.table.add(x, x)
        z = device.table.mul(y, y)
    for scale in (1, 3):
        x.write(np.full(3, scale, np.float32))
        recording.replay()
        np.testing.assert_array_equal(z.numpy(), np.full(3, 4 * scale**2))


@ON_EACH
def test_an_asked_number_is_not_overwritten_by_what_was_there_before(there: str) -> None:
    """Memory that is free again is used again, but not for what is written before the replay."""
    device = backend.device(there)
    x = device.from_numpy(np.ones(2, np.float32))
    recording = Recording(device)
    asked: list[float] = []

    def ask() -> Any:
        asked.append(len(asked))
        return np.full(2, asked[-1], np.float32)

    with recording:
        device.table.add(x, x)  # whose memory is free at once
        y = device.table.add(x, recording.expect((2,), np.float32, ask))
    assert asked == []
    for turn in range(3):
        recording.replay()
        np.testing.assert_array_equal(y.numpy(), [1 + turn, 1 + turn])


@ON_EACH
def test_a_recording_that_fails_is_over(there: str) -> None:
    device = backend.device(there)
    x, recording = device.from_numpy(np.ones(2, np.float32)), Recording(device)
    with pytest.raises(RuntimeError, match=r"^\[numpy\] an array is read while"), recording:
        device.table.add(x, x).numpy()
    with pytest.raises(RuntimeError, match=r"^\[replay\] the graph is not recorded"):
        recording.replay()
    with recording, pytest.raises(RuntimeError, match=r"^\[begin\] another graph is being"):
        Recording(device).__enter__()
    recording.replay()
    with pytest.raises(RuntimeError, match=r"^\[begin\] the graph is recorded already"), recording:
        pass
    np.testing.assert_array_equal(device.table.add(x, x).numpy(), [2, 2])


@ON_EACH
@pytest.mark.parametrize(
    ("value", "kind", "sentence"),
    [
        (np.ones(3, np.float32), ValueError, r"has shape \(3,\) .*, expected \(2,\) and float32"),
        (np.ones(2, np.int64), ValueError, r"dtype int64, expected \(2,\) and float32"),
        ([1.0, 2.0], TypeError, r"is a list, expected a NumPy array"),
    ],
)
def test_write_takes_what_fits(there: str, value: Any, kind: Any, sentence: str) -> None:
    x = backend.device(there).from_numpy(np.ones(2, np.float32))
    with pytest.raises(kind, match=rf"^\[write\] array .*{sentence}"):
        x.write(value)


@ON_EACH
def test_arrays_of_any_size_travel(there: str) -> None:
    for n in (0, 1, (1 << 18) - 1, (1 << 18) + 1, 3_000_001):  # a piece has 2^18 floats
        x = np.arange(n, dtype=np.float32)
        np.testing.assert_array_equal(backend.device(there).from_numpy(x).numpy(), x)


# The simulator's rules


def test_a_graph_does_what_was_recorded_as_often_as_asked(simulator: Simulator) -> None:
    x, during = np.zeros(32, np.float32), np.full(1, 7, np.float32)
    error = simulator.graphs.replayed(address(x), ctypes.c_float(2), 3, address(during))
    assert error == SUCCESS
    assert during[0] == 0
    np.testing.assert_array_equal(x, 9)


@pytest.mark.parametrize(
    ("how", "relaxed", "said", "end"),
    [
        ("memcpy", 1, 906, 901),
        ("memset", 1, 906, 901),
        ("device synchronize", 1, 900, 901),
        ("stream synchronize", 1, 900, 901),
        ("launch on the default stream", 1, 906, 901),
        ("malloc", 1, 0, 0),
        ("malloc", 0, 900, 901),
        ("malloc async", 1, 801, 901),
        ("begin again", 1, 401, 0),
        ("nothing", 0, 0, 0),
    ],
)
def test_what_ends_a_recording(
    simulator: Simulator, how: str, relaxed: int, said: int, end: int
) -> None:
    ways = ("memcpy", "memset", "device synchronize", "stream synchronize")
    ways += ("launch on the default stream", "malloc", "malloc async", "begin again", "nothing")
    x = np.zeros(32, np.float32)
    assert simulator.graphs.disturbed(ways.index(how), relaxed, address(x)) == said + 1000 * end
    np.testing.assert_array_equal(x, 0)


def test_what_goes_wrong_in_a_replay_is_reported(simulator: Simulator) -> None:
    assert simulator.graphs.failing() == LAUNCH_FAILURE
    assert "trapping_kernel" in simulator.report()
