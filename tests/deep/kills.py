"""Kills a process while it saves, 200 times: cd tests; python -m deep.kills [times].

Half of the times it saves a model over and over, half it trains with a checkpoint; each of 2 MB or
more. It is killed at a random moment, or as it is about to rename the file that it has written. The
file must then be the last one that was saved, or the next, and whole; a training must go on from
it, in the end with the bits of one that was never killed.
"""

from __future__ import annotations

import os
import random
import signal
import struct
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import baregrad as bg
import numpy as np
from baregrad.train import fit

_SHAPE = (700, 700)
_PATIENCE = 60  # seconds without a save


def save_for_ever(path: Path, first: int, saved: Callable[[int], None]) -> None:
    """The n-th file has n everywhere."""
    for n in range(first, 10**9):
        bg.save({"w": np.full(_SHAPE, n, np.float32), "b": np.full(3, n, np.float32)}, path)
        saved(n)


def last_saved(path: Path) -> int:
    """Which one is there, if it is whole."""
    loaded = bg.load(path)
    values = {float(v) for name in ("w", "b") for v in np.unique(loaded[name].numpy())}
    assert len(values) == 1, f"a mixture of {values}"
    return int(values.pop())


def train(path: Path | None, epochs: int, saved: Callable[[int], None] = lambda n: None) -> object:
    """A training up to so many epochs, going on from `path` if it is there."""
    bg.manual_seed(0)
    model = bg.nn.Linear(*_SHAPE)
    optimizer = bg.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    class Telling:
        """A scheduler, which is asked after each epoch, before the checkpoint."""

        done = 0

        def step(self) -> None:
            self.done += 1
            saved(self.done - 1)

        def state_dict(self) -> dict[str, int]:
            return {"done": self.done}

        def load_state_dict(self, state: dict[str, int]) -> None:
            self.done = state["done"]

    batch = (np.eye(8, _SHAPE[0], dtype=np.float32), np.arange(8))
    fit(
        model, [batch], epochs=epochs, optimizer=optimizer, scheduler=Telling(), checkpoint=path,
        resume=path is not None and path.exists(), progress=False,
    )  # fmt: skip
    return model


def epochs_done(path: Path) -> int:
    """Of the checkpoint that is there, if it is whole."""
    tree = bg.tensorfile.read_tree("fit", path, "baregrad.fit")
    assert len(tree["course"]["history"]["train_loss"]) == tree["scheduler"]["done"]
    return tree["scheduler"]["done"]


def kill_one(work: Callable[[Callable[[int], None]], None], at_rename: bool) -> int:
    """Run `work` in a child, kill it while it saves; the number that it last said was saved, or -1."""
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(told)
            rename = os.replace

            def slow(source: Path, target: Path) -> None:
                os.write(tell, struct.pack("<q", -2))
                time.sleep(0.003)
                rename(source, target)

            if at_rename:
                os.replace = slow
            work(lambda n: os.write(tell, struct.pack("<q", n)))
        finally:
            os._exit(1)  # it ends by SIGKILL alone
    os.close(tell)
    last, wanted = -1, random.randrange(1, 4)
    try:
        while wanted:
            said = os.read(told, 8)
            assert len(said) == 8, "the child has stopped by itself"
            number = struct.unpack("<q", said)[0]
            last = max(last, number)
            wanted -= number == -2 if at_rename else 1
        time.sleep(random.uniform(0, 0.006 if at_rename else 0.03))
    finally:
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)
    while said := os.read(told, 8):
        last = max(last, struct.unpack("<q", said)[0])
    os.close(told)
    return last


def main(times: int) -> int:
    random.seed(0)
    lost = swept = 0
    with tempfile.TemporaryDirectory() as name:
        model, checkpoint = Path(name) / "m" / "m.safetensors", Path(name) / "c" / "c"
        for path in (model, checkpoint):
            path.parent.mkdir()
        for n in range(times):
            if n % 2:
                before = epochs_done(checkpoint) if checkpoint.exists() else 0
                said = kill_one(lambda s: train(checkpoint, 10**9, s), n % 4 == 1)
                found, path = epochs_done(checkpoint) if checkpoint.exists() else 0, checkpoint
            else:
                before = last_saved(model) if model.exists() else 0
                said = kill_one(lambda s, b=before: save_for_ever(model, b + 1, s), n % 4 == 0)
                found, path = last_saved(model) if model.exists() else 0, model
            if not max(before, said) <= found <= max(before, said) + 2:
                lost += 1
                print(f"kill {n}: {said} was saved, {before} before, found {found}")
            stale = set(path.parent.iterdir()) - {path}
            swept += len(stale)
            if len(stale) > 1:
                print(
                    f"kill {n}: {len(stale)} files are left: those of the kill before were not swept"
                )
                lost += 1
        epochs = epochs_done(checkpoint) + 1
        resumed, whole = train(checkpoint, epochs), train(None, epochs)
        bg.save({}, model)
        for (key, one), other in zip(
            resumed.state_dict().items(), whole.state_dict().values(), strict=True
        ):
            if not np.array_equal(one, other):
                lost += 1
                print(f"{key} differs from that of a training that was never killed")
        left = [p for path in (model, checkpoint) for p in path.parent.iterdir() if p != path]
    print(
        f"{times} kills, {lost} files or trainings lost, {swept} unfinished files swept, "
        f"{len(left)} left; {epochs} epochs to the same bits"
    )
    return int(bool(lost or left))


if __name__ == "__main__":
    if not hasattr(os, "fork"):
        print("there is no fork here")
        sys.exit(77)
    sys.exit(main(int(sys.argv[1]) if sys.argv[1:] else 200))
