"""Hashes of all that is computed: of kernels, of ops and their gradients, of whole trainings.

Two that are equal mean the same bits, so a hash is what two processes compare.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, TypeAlias

import baregrad as bg
import numpy as np
from baregrad import nn, optim
from baregrad.cases import OPS
from baregrad.utils.data import DataLoader, TensorDataset
from test_autograd import OPS as GRADIENTS, values_and_gradients

Part: TypeAlias = Callable[[], Iterable[Any]]  # computes arrays, anew at each call

_MOST_FLOPS = 1e9  # of a case: a second on the slowest instruction set


def hashes(parts: Iterable[Part], threads: Sequence[int]) -> list[str]:
    """For each number of threads the hash of all parts: of the types, shapes and bytes of arrays."""
    found = [hashlib.sha256() for _ in threads]
    before = bg.get_num_threads()
    try:
        for part in parts:
            for count, one in zip(threads, found, strict=True):
                bg.set_num_threads(count)
                for value in part():
                    array = np.ascontiguousarray(value)
                    one.update(f"{array.dtype} {array.shape} ".encode() + array.tobytes())
    finally:
        bg.set_num_threads(before)
    return [one.hexdigest()[:16] for one in found]


def kernels(table: Any) -> Iterator[Part]:
    """The results of every case of every kernel, tests and benchmarks."""
    for op in OPS.values():
        for case in [*op.tests, *op.benchmarks]:
            if case.flops < _MOST_FLOPS:
                arguments = case.arguments(np.random.default_rng(0))
                yield lambda c=case, a=arguments: c.run(table, copy.deepcopy(a))


def gradients(device: str = "cpu") -> Iterator[Part]:
    """The results and gradients of every op."""
    for f, shapes in GRADIENTS.values():
        rng = np.random.default_rng(0)
        inputs = [rng.standard_normal(shape, np.float32) for shape in shapes]
        yield partial(values_and_gradients, f, device, inputs)


def trainings(steps: int, **options: Any) -> Iterator[Part]:
    """A network without and one with convolutions."""
    for make in (mlp, cnn):
        yield partial(training, make, steps, **options)


def mlp(side: int, width: int) -> tuple[nn.Module, optim.Optimizer]:
    """Dropout and Adam."""
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(side * side, 8 * width), nn.ReLU(), nn.Dropout(0.3),
        nn.Linear(8 * width, 10),
    )  # fmt: skip
    return model, optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-4)


def cnn(side: int, width: int) -> tuple[nn.Module, optim.Optimizer]:
    """Convolutions, batch norm, pools, and SGD with momentum."""
    model = nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(width, width, 3, stride=2, padding=1), nn.BatchNorm2d(width), nn.GELU(), nn.AvgPool2d(2),
        nn.Flatten(), nn.Linear(width * (side // 8) ** 2, 10),
    )  # fmt: skip
    return model, optim.SGD(model.parameters(), lr=0.01, momentum=0.9, nesterov=True)


def training(
    make: Any, steps: int, seed: int = 0, device: str = "cpu", side: int = 28, batch: int = 64
) -> Iterator[Any]:
    """The losses of a training on shuffled images, and in the end all that it has learned."""
    rng = np.random.default_rng(0)
    images = rng.standard_normal((3 * batch + 5, 1, side, side), np.float32)
    data = TensorDataset(images, rng.integers(0, 10, len(images)))
    bg.manual_seed(seed)
    model, optimizer = make(side, side // 2)
    model.to(device)
    loader = DataLoader(data, batch, shuffle=True)
    done = 0
    while done < steps:
        for inputs, labels in loader:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(inputs.to(device)), labels.to(device))
            loss.backward()
            optimizer.step()
            yield loss.detach().cpu().numpy()
            done += 1
            if done == steps:
                break
    yield from model.state_dict().values()
    for state in optimizer.state_dict()["state"].values():
        yield from state.values()
