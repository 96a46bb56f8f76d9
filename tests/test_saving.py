"""Files: whole or not at all, never pickle, and a model comes back as what it was."""

from __future__ import annotations

import errno
import json
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import baregrad as bg
import numpy as np
import pytest
from baregrad import nn, tensorfile
from safetensors import safe_open
from safetensors.numpy import save_file

fcntl = pytest.importorskip("fcntl")


def network() -> nn.Sequential:
    bg.manual_seed(0)
    head = nn.Sequential(nn.Linear(8, 3, bias=False), nn.Tanh())
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), head)


class Mine(nn.Module):
    """A class that no file may name."""

    def __init__(self) -> None:
        self.inner = nn.Linear(4, 2)

    def forward(self, input):
        return self.inner(input)


# Models and tensors


def test_a_model_comes_back_in_eval_mode_and_computes_the_same(tmp_path, rng):
    model, path = network(), tmp_path / "model.safetensors"
    bg.save(model, path)
    loaded = bg.load(path)
    assert repr(loaded) == repr(model)
    assert not any(module.training for module in loaded.modules())
    x = bg.tensor(rng.standard_normal((5, 4), np.float32))
    np.testing.assert_array_equal(loaded(x).detach().numpy(), model(x).detach().numpy())


def test_the_header_is_json_and_the_tensors_are_those_of_the_state_dict(tmp_path):
    bg.save(network(), tmp_path / "m.safetensors", {"note": "mine"})
    with safe_open(tmp_path / "m.safetensors", "numpy") as file:
        header = file.metadata()
        assert sorted(file.keys()) == sorted(network().state_dict())
    assert header["format"] == "pt"
    assert header["note"] == "mine"
    assert json.loads(header["baregrad"])["layer"] == "Sequential"


def test_the_same_model_gives_the_same_bytes(tmp_path):
    metadata = {name: "é" + name for name in "gbcafed"}
    files = [tmp_path / f"{n}.safetensors" for n in range(5)]
    for file in files:
        bg.save(network(), file, metadata)
    assert len({file.read_bytes() for file in files}) == 1
    assert tensorfile.metadata(files[0]).items() > metadata.items()


def test_neither_saving_nor_loading_uses_up_random_numbers(tmp_path):
    model = network()
    bg.manual_seed(5)
    expected = nn.Linear(3, 3).state_dict()["weight"]
    bg.manual_seed(5)
    bg.save(model, tmp_path / "m.safetensors")
    bg.load(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(nn.Linear(3, 3).state_dict()["weight"], expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_model_keeps_its_float_type(tmp_path, dtype):
    bg.save(network().to(dtype), tmp_path / "m.safetensors")
    assert next(bg.load(tmp_path / "m.safetensors").parameters()).dtype == dtype


def changed() -> dict[str, nn.Module]:
    """Models that building their layers anew would not give."""
    shared = nn.Linear(4, 4)
    pruned, replaced, renamed, patched = network(), network(), network(), network()
    pruned[0].bias = None
    replaced[0].weight = nn.Parameter(np.zeros((8, 5), np.float32))
    renamed.extra = nn.Linear(2, 2)
    patched[1].forward = lambda input: input
    return {
        "a class of one's own": Mine(),
        "one inside": nn.Sequential(Mine()),
        "a layer twice": nn.Sequential(shared, shared),
        "without a bias": pruned,
        "with another weight": replaced,
        "with another name": renamed,
        "with another forward": patched,
    }


@pytest.mark.parametrize("case", changed())
def test_of_a_model_that_is_not_its_layers_alone_the_tensors_are_saved(tmp_path, case):
    model = changed()[case]
    bg.save(model, tmp_path / "m.safetensors")
    loaded = bg.load(tmp_path / "m.safetensors")
    assert isinstance(loaded, dict)
    assert set(loaded) == set(model.state_dict())
    model.load_state_dict(loaded)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.uint8, np.bool_])
@pytest.mark.parametrize("shape", [(), (0, 3), (2, 3)])
def test_tensors_of_every_type_and_shape_come_back(tmp_path, dtype, shape):
    array = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
    bg.save({"array": array, "tensor": bg.tensor(array)}, tmp_path / "t.safetensors")
    for tensor in bg.load(tmp_path / "t.safetensors").values():
        assert tensor.dtype == dtype
        assert tensor.shape == shape
        np.testing.assert_array_equal(tensor.numpy(), array)


def test_a_transposed_array_is_saved_as_it_reads(tmp_path):
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    bg.save({"t": array.T}, tmp_path / "t.safetensors")
    np.testing.assert_array_equal(bg.load(tmp_path / "t.safetensors")["t"].numpy(), array.T)


def test_a_model_on_a_device_is_saved_as_on_the_cpu(tmp_path, device):
    bg.save(network().to(device), tmp_path / "m.safetensors")
    for name, array in network().state_dict().items():
        np.testing.assert_array_equal(bg.load(tmp_path / "m.safetensors").state_dict()[name], array)


# What it refuses


@pytest.mark.parametrize(
    ("obj", "metadata", "error", "message"),
    [
        ([1, 2], None, TypeError, "obj is a list, expected a Module or a mapping"),
        ({3: np.zeros(2)}, None, TypeError, "obj has the name 3, expected text"),
        ({"w": "text"}, None, TypeError, "w: .* dtype <U4, expected float32"),
        ({"w": np.zeros(2, np.float16)}, None, TypeError, "w: .* dtype float16, expected"),
        ({}, {"a": 1}, TypeError, "metadata has 'a': 1, expected text by name"),
        ({}, {"format": "x"}, ValueError, "metadata has 'format', a name of the format"),
    ],
)
def test_saving_refuses_what_is_no_tensors_by_name(tmp_path, obj, metadata, error, message):
    with pytest.raises(error, match=rf"\[save\] {message}"):
        bg.save(obj, tmp_path / "x.safetensors", metadata)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["m.pt", "m.pth", "m.pkl"])
def test_a_path_that_means_pickle_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match=r"expected one that ends in \.safetensors"):
        bg.save({}, tmp_path / name)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("model.pt", b"whatever"),
        ("model.bin", b"PK\x03\x04\x00\x00model/data.pkl"),
        ("model", b"\x80\x02}q\x00."),
    ],
)
def test_a_pickle_is_refused_with_the_two_lines_that_convert_it(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match="is a pickle, which can run any code") as caught:
        bg.load(tmp_path / name)
    _, first, second = str(caught.value).splitlines()
    assert first.strip() == "import torch, safetensors.torch"
    compile(second.strip(), name, "exec")
    assert "weights_only=True" in second


def test_a_damaged_file_is_refused_in_one_sentence(tmp_path):
    path = tmp_path / "m.safetensors"
    bg.save(network(), path)
    whole = path.read_bytes()
    for content in (b"", whole[:5], whole[:100], whole[:-1], b"\xff" * 50, whole + b"more"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"\[load\] .* is not a whole safetensors file: .*"):
            bg.load(path)
    with pytest.raises(FileNotFoundError):
        bg.load(tmp_path / "nothing.safetensors")


def test_a_file_of_other_types_is_refused(tmp_path):
    save_file({"h": np.zeros(2, np.float16)}, tmp_path / "h.safetensors")
    with pytest.raises(ValueError, match="h has dtype F16, expected one of F32, F64"):
        bg.load(tmp_path / "h.safetensors")


@pytest.mark.parametrize(
    "made",
    [
        "no json",
        "[]",
        '"Linear"',
        '{"layer": "Mine", "args": [], "kwargs": {}}',
        '{"layer": "Module", "args": [], "kwargs": {}}',
        '{"layer": "__import__", "args": ["os"], "kwargs": {}}',
        '{"layer": "Linear", "args": [0, 0], "kwargs": {}}',
        '{"layer": "Linear", "args": [4, 3], "kwargs": {}}',
        '{"layer": "Linear", "args": [4, 2], "kwargs": []}',
        '{"layer": "Linear", "args": [1152921504606846976, 1152921504606846976], "kwargs": {}}',
    ],
)
def test_a_header_can_name_nothing_but_layers_that_fit_its_tensors(tmp_path, made):
    tensors = nn.Linear(4, 2).state_dict()
    save_file(tensors, tmp_path / "m.safetensors", {"baregrad": made})
    with pytest.raises(ValueError, match=r"\[load\] .* does not hold the model it names: "):
        bg.load(tmp_path / "m.safetensors")


# Whole or not at all


def test_when_the_disk_is_full_the_old_file_stays_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "m.safetensors"
    bg.save(network(), path)
    before = path.read_bytes()

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="was not written: No space left on device; the file that"):
        bg.save({"other": np.zeros(3)}, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_the_file_is_on_the_disk_before_it_has_its_name_and_then_the_name_too(
    tmp_path, monkeypatch
):
    done = []
    fsync, replace = os.fsync, os.replace

    def synced(descriptor):
        done.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def replaced(*names):
        done.append("name")
        replace(*names)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    bg.save(network(), tmp_path / "m.safetensors")
    assert done == ["file", "name", "folder"]


def test_a_folder_that_cannot_be_written_to_is_one_sentence(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"\[save\] .* No such file or directory; no file"):
        bg.save({}, tmp_path / "nowhere" / "m.safetensors")


def test_a_write_that_the_system_cuts_short_leaves_the_old_file(tmp_path):
    path = tmp_path / "m.safetensors"
    bg.save(network(), path)
    code = (
        "import resource, sys, numpy as np, baregrad as bg\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))\n"
        "try: bg.save({'w': np.zeros(100000)}, sys.argv[1])\n"
        "except OSError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=True
    )
    assert "was not written: File too large" in done.stdout
    assert list(tmp_path.iterdir()) == [path]
    assert isinstance(bg.load(path), nn.Sequential)


def test_a_process_killed_while_saving_leaves_a_whole_file_and_the_next_save_cleans_up(tmp_path):
    path = tmp_path / "m.safetensors"
    code = (
        "import sys, numpy as np, baregrad as bg\n"
        "for n in range(10 ** 9): bg.save({'w': np.full(200_000, n, np.float32)}, sys.argv[1])\n"
    )
    for _ in range(3):
        process = subprocess.Popen([sys.executable, "-c", code, str(path)])
        start = time.monotonic()
        seen = path.stat().st_mtime_ns if path.exists() else 0
        while not path.exists() or path.stat().st_mtime_ns == seen:
            assert time.monotonic() - start < 60
        process.kill()
        process.wait()
        values = bg.load(path)["w"].numpy()
        assert len(values) == 200_000
        assert (values == values[0]).all()
    bg.save({}, path)
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_left_is_swept_but_not_what_another_is_writing(tmp_path):
    path = tmp_path / "m[1].safetensors"
    stale, busy = (tmp_path / f".{path.name}.{name}.tmp" for name in ("dead", "live"))
    other = tmp_path / ".other.safetensors.dead.tmp"
    for file in (stale, busy, other):
        file.write_bytes(b"half")
    with busy.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        bg.save({}, path)
    assert set(tmp_path.iterdir()) == {path, busy, other}


def test_a_link_stays_a_link(tmp_path):
    target, link = tmp_path / "real.safetensors", tmp_path / "link.safetensors"
    link.symlink_to(target)
    bg.save({"w": np.zeros(2)}, link)
    assert link.is_symlink()
    assert list(bg.load(target)) == ["w"]


# Trees, for checkpoints


def test_a_tree_comes_back_with_its_types(tmp_path):
    tree = {
        "array": np.arange(3.0),
        1: [True, None, 1.5, "text", (1, float("inf"))],
        "state": {0: {"step": np.int64(3), "m": np.zeros((2, 2), np.float32)}, 7: {}},
    }
    tensorfile.write_tree("fit", tmp_path / "t", tree, "key")
    again = tensorfile.read_tree("fit", tmp_path / "t", "key")
    np.testing.assert_array_equal(again["array"], np.arange(3.0))
    assert again[1] == [True, None, 1.5, "text", (1, float("inf"))]
    assert again["state"][0]["step"] == 3
    assert again["state"][0]["m"].dtype == np.float32
    assert again["state"][7] == {}


def test_a_tree_of_other_things_is_refused(tmp_path):
    with pytest.raises(TypeError, match=r"\[fit\] a.0 is a Path|\[fit\] a.0 is a PosixPath"):
        tensorfile.write_tree("fit", tmp_path / "t", {"a": [Path()]}, "key")


@pytest.mark.parametrize("path", [3, None, b"m.safetensors"])
def test_a_path_is_text_or_a_path(path):
    for call in (lambda: bg.load(path), lambda: bg.save({"x": bg.ones(2)}, path)):
        with pytest.raises(TypeError, match=r"^\[(load|save)\] path is .*, expected a path$"):
            call()
