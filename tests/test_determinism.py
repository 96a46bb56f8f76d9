"""The same bits for any number of threads, in every process, after a fork, in every schedule.

Of kernels test_cases.py says so; deep/determinism.py hashes all there is, and long trainings.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import baregrad as bg
import fingerprints
import numpy as np
import pytest
from baregrad import backend, nn
from baregrad.nn import functional, init
from baregrad.utils.data import DataLoader
from conftest import SCHEDULES

THREADS = (1, 2, 3, 4, 8)
STEPS = 6


def parts() -> Iterator[fingerprints.Part]:
    yield from fingerprints.gradients()
    yield from fingerprints.trainings(STEPS)


def serial() -> str:
    """The hash of gradients and trainings on one thread."""
    (one,) = fingerprints.hashes(parts(), [1])
    return one


def test_gradients_and_trainings_are_the_same_on_any_number_of_threads(isa: str) -> None:
    assert len(set(fingerprints.hashes(parts(), THREADS))) == 1


def test_another_process_told_by_its_environment_has_the_same_bits(isa: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import test_determinism as t; print(t.serial())"],
        env={**os.environ, "BAREGRAD_USE": f"isa={isa}"}, cwd=Path(__file__).parent,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == [serial()]


def _child(queue: Any) -> None:
    queue.put(fingerprints.hashes(parts(), [bg.get_num_threads()]))


def test_a_forked_child_has_the_same_bits(isa: str) -> None:
    want = fingerprints.hashes(parts(), [2])
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 on fork beside threads
        child = context.Process(target=_child, args=(queue,))
        child.start()
    got = queue.get(timeout=60)
    child.join(timeout=15)
    assert child.exitcode == 0
    assert got == want


def test_every_schedule_of_the_simulator_has_the_same_bits() -> None:
    if why := backend.why_absent("sim"):
        pytest.skip(f"sim is not here: {why}")
    extension = backend.device("sim").table.own
    before, found = extension.schedule(), []
    try:
        for schedule in SCHEDULES:
            extension.set_schedule(schedule)
            small = fingerprints.trainings(2, device="sim", side=8, batch=3)
            found += fingerprints.hashes([*fingerprints.gradients("sim"), *small], [1])
    finally:
        extension.set_schedule(before)
    assert len(set(found)) == 1


def shuffled() -> list[Any]:
    return [batch for (batch,) in DataLoader(np.arange(30, dtype=np.float32), 30, shuffle=True)]


def initialised(function: Callable[..., Any]) -> Callable[[], list[Any]]:
    return lambda: [function(bg.zeros(4, 5))]


RANDOM: dict[str, Callable[[], list[Any]]] = {
    **{
        name: initialised(getattr(init, name))
        for name in dir(init)
        if name.endswith(("uniform_", "normal_"))
    },
    "Linear": lambda: list(nn.Linear(3, 4).parameters()),
    "Conv2d": lambda: list(nn.Conv2d(2, 3, 3).parameters()),
    "Embedding": lambda: list(nn.Embedding(3, 4).parameters()),
    "shuffling": shuffled,
    "dropout": lambda: [functional.dropout(bg.ones(50))],
    "rand": lambda: [bg.rand(5), bg.rand_like(bg.zeros(3))],
    "randn": lambda: [bg.randn(5), bg.randn_like(bg.zeros(3))],
    "randint": lambda: [bg.randint(0, 1000, (9,))],
    "randperm": lambda: [bg.randperm(30)],
}


@pytest.mark.parametrize("name", RANDOM)
def test_a_seed_decides_every_random_number(name: str) -> None:
    def draw(seed: int) -> list[Any]:
        bg.manual_seed(seed)
        return [tensor.tolist() for tensor in RANDOM[name]()]

    first = draw(1)
    assert draw(1) == first
    assert draw(2) != first
    assert draw(2**40 + 1) != first


def test_a_seed_decides_a_whole_training() -> None:
    def learned(seed: int) -> list[str]:
        return fingerprints.hashes(fingerprints.trainings(STEPS, seed=seed), [1])

    assert learned(1) == learned(1) != learned(2)
