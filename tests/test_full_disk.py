"""Disks that are full, folders that are read-only, paths that lead nowhere, processes that are killed: what was there stays."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import baregrad as bg
import numpy as np
import pytest
from baregrad.cli import main
from baregrad.train import History, fit

TESTS = Path(__file__).parent


def mounted(folder: Path, options: str) -> Iterator[Path]:
    """A file system of its own: the only thing that is full, or read-only, for root too."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("needs root to mount a small file system")
    words = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("cannot mount a file system here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a megabyte."""
    (tmp_path / "disk").mkdir()
    yield from mounted(tmp_path / "disk", "size=1m")


def fill(disk: Path, left: int = 0) -> None:
    """Leave so many bytes."""
    rest = disk / "rest"
    with rest.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
    os.truncate(rest, rest.stat().st_size - left)


def read_only(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.name != "rest" and p.is_file()}


def train(**files: object) -> History:
    bg.manual_seed(0)
    batch = (np.eye(8, 64, dtype=np.float32), np.arange(8))
    return fit(bg.nn.Linear(64, 64), [batch], progress=False, **{"epochs": 2, **files})


def writers(folder: Path) -> dict[str, object]:
    """Each thing that is written, by the name of its file."""
    keras = bg.keras.Sequential([bg.keras.layers.Dense(64, input_dim=64)])
    history = train()
    return {
        "m.safetensors": lambda: bg.save(bg.nn.Linear(64, 64), folder / "m.safetensors"),
        "k.safetensors": lambda: keras.save(folder / "k.safetensors"),
        "curve.png": lambda: history.plot(folder / "curve.png"),
        "checkpoint": lambda: train(checkpoint=folder / "checkpoint"),
        "log": lambda: train(log=folder / "log"),
    }


AS_IT_WAS = bytes(4096)  # a page of the disk, so that there is no room at its end
NAMES = ["m.safetensors", "k.safetensors", "curve.png", "checkpoint", "log"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("left", [0, 4096])
def test_on_a_full_disk_what_was_there_stays_and_nothing_else(disk, name, left):
    write = writers(disk)[name]
    write()
    if name == "checkpoint":
        write = lambda: train(checkpoint=disk / name, resume=True, epochs=4)
    before = contents(disk)
    fill(disk, left if name != "log" else 0)
    if name == "log":  # room for a part of the next line, up to the end of its page
        os.truncate(disk / name, 4096 - 40)
        before = contents(disk)
    with pytest.raises(OSError, match="No space left on device") as caught:
        write()
    assert str(caught.value).startswith("[")
    assert str(disk / name) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert contents(disk) == before


@pytest.mark.parametrize("name", NAMES)
def test_in_a_read_only_folder_what_was_there_stays(disk, name):
    write = writers(disk)[name]
    write()
    if name == "checkpoint":
        write = lambda: train(checkpoint=disk / name, resume=True, epochs=4)
    before = contents(disk)
    read_only(disk)
    with pytest.raises(OSError, match="Read-only file system") as caught:
        write()
    assert "\n" not in str(caught.value)
    assert contents(disk) == before


@pytest.mark.parametrize("option", ["--output", "--checkpoint", "--log"])
@pytest.mark.parametrize("fault", ["full", "read-only"])
def test_baregrad_train_leaves_with_2_and_one_sentence(disk, tmp_path, capsys, option, fault):
    (disk / "file").write_bytes(AS_IT_WAS)
    if fault == "full":
        fill(disk)
    else:
        read_only(disk)
    output = ["--output", str(tmp_path / "m.safetensors")] if option != "--output" else []
    words = ["--data", "digits", "--epochs", "1", option, str(disk / "file"), *output]
    if option == "--checkpoint":
        words[words.index(str(disk / "file"))] = str(disk / "new")
    with pytest.raises(SystemExit) as stop:
        main(["train", *words])
    assert stop.value.code == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("baregrad: ")
    assert "No space left" in said or "Read-only" in said
    assert contents(disk) == {"file": AS_IT_WAS}


def test_the_log_of_a_disk_that_fills_up_has_whole_lines(disk):
    log = disk / "log"
    fill(disk, 8192)
    with pytest.raises(OSError, match="No space left on device; those before are there"):
        train(log=log, epochs=1000)
    lines = log.read_text().splitlines(keepends=True)
    assert len(lines) > 10
    assert [json.loads(line)["epoch"] for line in lines] == list(range(1, len(lines) + 1))
    assert lines[-1].endswith("\n")


@pytest.mark.parametrize("name", ["m.safetensors", "curve.png"])
def test_a_folder_in_the_place_of_the_file_stays(tmp_path, name):
    (tmp_path / name).mkdir()
    with pytest.raises(
        OSError, match=r"^\[\w+\] .* was not written: Is a directory; no file was left"
    ):
        writers(tmp_path)[name]()
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_a_pipe_is_no_place_for_a_file(tmp_path):  # and no device, which no test puts at risk
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match=rf"\[save\] {pipe} is a device or a pipe, expected a file"):
        bg.save({"x": bg.zeros(1)}, pipe)
    assert pipe.is_fifo()


@pytest.mark.parametrize("name", NAMES)
def test_a_link_to_a_folder_that_is_not_there_is_one_sentence(tmp_path, name):
    (tmp_path / name).symlink_to(tmp_path / "nowhere" / "file")
    with pytest.raises(FileNotFoundError, match="No such file or directory"):
        writers(tmp_path)[name]()
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_a_link_to_a_file_that_is_not_there_makes_it(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there" / "m.safetensors")
    bg.save({}, tmp_path / "link")
    assert [p.name for p in (tmp_path / "there").iterdir()] == ["m.safetensors"]


@pytest.mark.parametrize("option", ["--output", "--checkpoint", "--log"])
def test_baregrad_train_refuses_a_folder_and_a_link_to_nowhere_before_it_trains(
    tmp_path, capsys, option
):
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "file" / "m")
    (tmp_path / "folder").mkdir()
    for name in ("link", "folder"):
        words = ["--data", "digits", "--output", str(tmp_path / "m"), option, str(tmp_path / name)]
        with pytest.raises(SystemExit) as stop:
            main(["train", *words])
        assert stop.value.code == 2
        said = capsys.readouterr().err
        assert said.startswith(f"baregrad: argument {option}: ")
        assert said.count("\n") == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder", "link"]


@pytest.mark.skipif(sys.platform != "linux", reason="kills by fork and signal")
def test_ten_kills_while_saving_lose_nothing():
    words = [sys.executable, "-m", "deep.kills", "10"]
    done = subprocess.run(
        words, cwd=TESTS, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith("10 kills, 0 files or trainings lost")
