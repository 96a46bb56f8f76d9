"""Files that lie: each is refused in one sentence, takes no more memory than its size and 64 MB, runs nothing."""

from __future__ import annotations

import ast
import gzip
import json
import os
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import baregrad as bg
import formats
import numpy as np
import pytest
from baregrad.cli import main
from corpus import make

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="needs Linux's count of memory"
)
MEGABYTE = 1 << 20
ROOM = 64 * MEGABYTE
PACKAGE = Path(bg.__file__).parent
TESTS = Path(__file__).parent


def costs(kind: str, files: list[Path]) -> dict[Path, dict[str, object]]:
    """What reading each file costs, in a process of its own where every warning is an error."""
    words = [sys.executable, "-W", "error", "-m", "formats", kind, *map(str, files)]
    done = subprocess.run(
        words, cwd=TESTS, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return dict(zip(files, map(json.loads, done.stdout.splitlines()), strict=True))


def check(path: Path, found: dict[str, object], refused: bool | None) -> None:
    """As declared: a sentence that names the file, no more memory than it is due."""
    assert found["rose"] <= path.stat().st_size + ROOM, (path, found)
    if refused is False:
        assert found["error"] is None, (path, found)
    if refused:
        assert found["error"] is not None, path
    if found["error"] is not None:
        assert found["error"] in [kind.__name__ for kind in formats.DECLARED], (path, found)
        said = str(found["says"])
        assert said.startswith("["), (path, found)
        assert str(path) in said, (path, found)
        assert said.count("\n") == (2 if "torch.load" in said else 0), (path, found)


# The corpus


@pytest.mark.parametrize("kind", formats.READERS)
def test_every_file_of_the_corpus_is_read_or_refused_as_its_name_says(kind):
    files = sorted((formats.CORPUS / kind).iterdir())
    assert len(files) > 10
    for path, found in costs(kind, files).items():
        first = path.name.partition("-")[0].partition(".")[0]
        check(path, found, {"whole": False, "either": None, "found": None}.get(first, True))


def test_the_corpus_is_small_and_complete():
    sizes = [p.stat().st_size for p in formats.CORPUS.rglob("*") if p.parent != formats.CORPUS]
    assert max(sizes) < 4096
    assert sum(sizes) < 300_000
    for kind, files in make.KINDS.items():
        for name, _ in files():
            assert (formats.CORPUS / kind / name).is_file(), name


# What is too large for a corpus


def bombs(kind: str) -> Iterator[tuple[str, bytes, bool | None]]:
    """Name, content, and whether it is refused."""
    megabyte = gzip.compress(bytes(MEGABYTE))
    if kind == "idx":
        yield "bomb.idx.gz", gzip.compress(make.idx((500, 1024, 1024), b"")) + 500 * megabyte, True
        whole = gzip.compress(make.idx((40, 1024, 1024), b"")) + 40 * megabyte
        yield "packed.idx.gz", whole, False
        yield "large.idx", make.idx((90, 1024, 1024), bytes(90 * MEGABYTE)), False
        yield "large-cut.idx", make.idx((90, 1024, 1024), bytes(89 * MEGABYTE)), True
    if kind == "cifar":
        name = gzip.compress(make.member(b"L", 40 * MEGABYTE))
        yield "long-name.tar.gz", name + 40 * gzip.compress(b"x" * MEGABYTE), True
        yield "members.tar.gz", gzip.compress(make.tar([("x", b"")] * 60_000)), True
        yield "skip.tar.gz", gzip.compress(make.member(b"0", 2**30)) + 1024 * megabyte, True
    if kind == "npz":
        pixels = make.npy(make.declared("'|u1'", "(10, 20000000)"), bytes(200_000_000))
        labels = make.whole_npy(np.arange(10) % 2)
        members = [("x.npy", pixels), ("y.npy", labels)]
        yield "bomb.npz", make.archive(members, zipfile.ZIP_DEFLATED), True
        yield "directory.npz", make.directory(400_000), True
        yield "large.npy", make.whole_npy(np.zeros(12_000_000)), False
    if kind == "png":
        yield "bomb.png", make.png(5000, 5000, 8, 6, bytes(5000 * 20001)), True
        yield "large.png", make.png(3500, 3500, 8, 2, bytes(3500 * 10501)), None
        yield "large-transparent.png", make.png(2400, 2400, 8, 6, bytes(2400 * 9601)), None
        yield "large-palette.png", make.png(2400, 2400, 8, 3, bytes(2400 * 2401)), None
        yield "large-16-bit.png", make.png(2400, 2400, 16, 0, bytes(2400 * 4801)), None
        text = make.chunk(b"zTXt", b"k\0\0" + zlib.compress(b"x" * MEGABYTE))
        yield "texts.png", make.png(8, 8, 8, 0, make.drawing(), *[text] * 60), True
        profile = make.chunk(b"iCCP", b"k\0\0" + zlib.compress(bytes(50 * MEGABYTE)))
        yield "profile.png", make.png(8, 8, 8, 0, make.drawing(), profile), None
    if kind == "csv":
        columns = ",".join(map(str, range(10**6)))
        yield "columns.csv", f"{columns}\n{columns}\n".encode(), True
        yield "line.csv", b"n,y\n" + "\U0001f600".encode() * 5_000_000, True
        rows = "1,2\n" * 200_000
        yield "long-cell.csv", f"n,y\n{'a' * 100_000},1\n{rows}".encode(), None
        texts = "".join(f"t{n % 1000},u{n % 999},1\n" for n in range(40_000))
        yield "texts.csv", f"n,m,y\n{texts}".encode(), True
    if kind == "safetensors":
        relus = make.layer("Sequential", *[make.layer("ReLU")] * 30_000)
        lists = "[" + "[]," * 600_000 + "1]"
        names = {str(n): make.f32(0) for n in range(30_000)}
        yield (
            "layers.safetensors",
            make.tensors({"__metadata__": {"baregrad": json.dumps(relus)}}),
            None,
        )
        yield "lists.safetensors", make.tensors({"__metadata__": {"baregrad": lists}}), True
        yield "names.safetensors", make.tensors(names), False
        yield "header.safetensors", make.tensors(json.dumps(names).encode() + b" " * MEGABYTE), True
        tensors = make.tensors({"a": make.f32(24 * MEGABYTE)}, bytes(96 * MEGABYTE))
        yield "large.safetensors", tensors, False
        linear = {"baregrad": json.dumps(make.layer("Linear", 4096, 6144, bias=False))}
        header = {"__metadata__": linear, "weight": make.f32(6144, 4096)}
        yield "large-model.safetensors", make.tensors(header, bytes(96 * MEGABYTE)), False


@pytest.mark.parametrize("kind", ["cifar", "csv", "idx", "npz", "png", "safetensors"])
def test_a_large_file_or_a_bomb_takes_no_more_memory_than_its_size_and_64_mb(kind, tmp_path):
    expected = {}
    for name, content, refused in bombs(kind):
        (tmp_path / name).write_bytes(content)
        expected[tmp_path / name] = refused
    for path, found in costs(kind, list(expected)).items():
        check(path, found, expected[path])


def test_a_table_takes_at_most_40_times_its_size(tmp_path):
    short, long = tmp_path / "short.csv", tmp_path / "long.csv"
    short.write_text("a,b,c,d,e,f,y\n" + "1,2,3,4,5,6,0.5\n" * 200_000)
    cells = ",".join(str(10 + n % 90) for n in range(500))
    long.write_text(",".join(f"c{n}" for n in range(500)) + f",y\n{f'{cells},0.5{chr(10)}' * 2000}")
    for path, found in costs("csv", [short, long]).items():
        assert found["error"] is None
        assert found["rose"] <= 40 * path.stat().st_size


def test_a_network_may_have_no_more_numbers_than_its_file():
    for name in ("large", "large-embedding", "large-norm", "large-layer-norm", "large-window"):
        with pytest.raises(ValueError, match="more numbers than there are to load"):
            bg.load(formats.CORPUS / "safetensors" / f"model-{name}.safetensors")


# Nothing that a file says is run


def test_nothing_in_the_package_could_run_what_a_file_says():
    by_name = {"__init__.py", "backend.py"}  # of an extension, of the room of Keras
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            where = f"{path.name}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                names = {alias.name for alias in node.names} | {getattr(node, "module", "")}
                assert not names & {"pickle", "marshal", "shelve", "dill", "yaml", "runpy"}, where
            if isinstance(node, ast.Name):
                assert node.id not in ("eval", "exec", "compile", "__import__"), where
            if isinstance(node, ast.Attribute):
                assert node.attr not in ("literal_eval", "loadtxt", "genfromtxt") or (
                    path.name == "digits.py"
                ), where
                assert node.attr != "import_module" or path.name in by_name, where
            if isinstance(node, ast.keyword):
                assert node.arg != "allow_pickle", where


# The command line


@pytest.fixture(scope="module")
def network(tmp_path_factory) -> Path:
    """A network that takes pictures of 8x8 pixels."""
    path = tmp_path_factory.mktemp("network") / "m.safetensors"
    assert main(["train", "--data", "digits", "--epochs", "1", "--output", str(path)]) == 0
    return path


def refused(kind: str) -> list[Path]:
    return [
        path
        for path in sorted((formats.CORPUS / kind).iterdir())
        if not path.name.startswith(("whole", "either", "found"))
    ]


def commands(kind: str, network: Path, folder: Path) -> Iterator[list[object]]:
    """Every command that would read such a file, with each of those that are refused."""
    output = folder / "out.safetensors"
    for path in refused(kind):
        if kind == "safetensors":
            if not path.name.startswith("keras"):
                yield ["predict", path, path]
                yield ["evaluate", path, "--data", "digits"]
        elif kind in ("csv", "npz") and path.suffix != ".npy":
            more = ["--target", "y"] if kind == "csv" else []
            yield ["train", "--data", path, *more, "--output", output]
            yield ["evaluate", network, "--data", path, *more]
        elif kind == "checkpoint":
            words = ["--checkpoint", path, "--resume", "--model", "linear", "--output", output]
            yield ["train", "--data", "digits", *words]
        else:
            yield ["predict", network, path]


@pytest.mark.parametrize("kind", ["checkpoint", "csv", "npz", "png", "safetensors"])
@pytest.mark.filterwarnings(r"ignore:\[from_csv\]")
def test_every_command_leaves_with_2_and_one_sentence(kind, network, tmp_path, capsys):
    count = 0
    for words in commands(kind, network, tmp_path):
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            main([str(word) for word in words])
        said = capsys.readouterr().err
        assert stop.value.code == 2, words
        assert said.startswith("baregrad: ["), (words, said)
        assert said.count("\n") == (3 if "torch.load" in said else 1), (words, said)
        assert list(tmp_path.iterdir()) == [], words
        count += 1
    assert count > 10


# The files of a data set are looked for among the regular ones alone.
@pytest.mark.parametrize("kind", sorted({*formats.READERS} - {"cifar", "idx"}))
def test_a_pipe_is_refused_at_once(kind, tmp_path):
    suffix = {"npz": (".npy", ".npz")}.get(kind, (f".{kind}",))
    for path in [tmp_path / f"pipe{end}" for end in suffix]:
        os.mkfifo(path)
        with pytest.raises(ValueError, match=r"pipe.\w+ is a device or a pipe, expected a file$"):
            formats.READERS[kind](path)


def test_a_damaged_data_set_is_one_sentence(tmp_path, capsys):
    for name in bg.data.mnist.__globals__["_SHA256"]:
        path = tmp_path / name.removesuffix(".gz")
        path.write_bytes((formats.CORPUS / "idx" / "huge.idx").read_bytes())
    with pytest.raises(SystemExit) as stop:
        main(["train", "--data", "mnist", "--data-dir", os.fspath(tmp_path)])
    assert stop.value.code == 2
    assert "ends after 24 of" in capsys.readouterr().err


def test_a_network_that_does_not_fit_its_inputs_is_one_sentence(tmp_path, capsys):
    said = {"shape": [4], "flat": True, "columns": []}
    metadata = {"preprocess": json.dumps({**said, "mean": [0] * 4, "deviation": [1] * 4})}
    np.save(tmp_path / "x.npy", np.zeros(4))
    for network, classes in (
        (bg.nn.Linear(5, 2), '["a", "b"]'),
        (bg.nn.Conv2d(1, 1, 1), '["a", "b"]'),
        (bg.nn.Linear(4, 3), '["a", "b"]'),
        (bg.nn.Identity(), "[]"),
        (bg.nn.Softmax(7), '["a"]'),
        (bg.nn.CrossEntropyLoss(), '["a"]'),
    ):
        path = tmp_path / "m.safetensors"
        bg.save(network, path, {**metadata, "classes": classes})
        with pytest.raises(SystemExit) as stop:
            main(["predict", str(path), str(tmp_path / "x.npy")])
        assert stop.value.code == 2
        said = capsys.readouterr().err
        assert said.startswith(
            f"baregrad: [predict] {'the network of ' * ('fails' in said)}{path} "
        )
        assert said.count("\n") == 1
