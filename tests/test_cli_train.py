"""The command line that trains: train, evaluate, predict and bench, run in this process."""

from __future__ import annotations

import json
import os
import re
import signal
import struct
import zlib
from pathlib import Path

import baregrad as bg
import numpy as np
import pytest
from baregrad import _cpu, racing, tensorfile
from baregrad.cases import OPS
from baregrad.cli import bench, main, models
from baregrad.cli.pictures import read_picture
from PIL import Image


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A network that knows the digits."""
    path = tmp_path_factory.mktemp("trained") / "new folder" / "model.safetensors"
    words = ["--data", "digits", "--epochs", "10", "--batch-size", "32", "--output", str(path)]
    assert main(["train", *words]) == 0
    return path


def refused(capsys, *argv: object) -> str:
    """The one line with which `baregrad argv` leaves, exit code 2."""
    with pytest.raises(SystemExit) as caught:
        main([str(word) for word in argv])
    assert caught.value.code == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1, err
    return err.strip()


def digit(index: int) -> np.ndarray:
    """One of the test digits, (8, 8) in [0, 1]."""
    return bg.data.digits().test.tensors[0].numpy()[index].reshape(8, 8)


# train and evaluate


def test_a_trained_network_is_evaluated_on_digits_it_has_not_seen(trained, capsys):
    assert main(["evaluate", str(trained), "--data", "digits"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("test  359 samples  loss 0.")
    assert float(re.search(r"accuracy ([\d.]+)%", out)[1]) > 95


def test_the_report_says_what_evaluate_says(tmp_path, capsys):
    path = str(tmp_path / "m.safetensors")
    words = ["--data", "digits", "--epochs", "2", "--patience", "1", "--output", path]
    assert main(["train", *words]) == 0
    out, err = capsys.readouterr()
    assert err.startswith("epoch 1/2: loss")
    assert re.search(r"^validation +loss \d\.\d{4} accuracy \d\d\.\d\d%$", out, re.MULTILINE)
    tested = re.search(r"^test +(loss .*)$", out, re.MULTILINE)[1]
    main(["evaluate", path, "--data", "digits"])
    assert tested in capsys.readouterr().out


def test_the_model_carries_how_its_inputs_are_made(trained):
    header = tensorfile.metadata(trained)
    said = json.loads(header["preprocess"])
    assert said["image"] == [1, 8, 8]
    assert said["flat"]
    assert said["mean"] == pytest.approx([0.305], abs=0.01)
    assert json.loads(header["classes"]) == list("0123456789")
    assert isinstance(bg.load(trained), bg.nn.Sequential)


def test_the_seed_decides_the_run(tmp_path):
    states = []
    for seed in ("0", "0", "1"):
        words = ["--data", "digits", "--model", "linear", "--epochs", "1", "--seed", seed]
        main(["train", *words, "--output", str(tmp_path / "m.safetensors")])
        states.append(bg.load(tmp_path / "m.safetensors").state_dict()["0.weight"])
    np.testing.assert_array_equal(states[0], states[1])
    assert not np.array_equal(states[0], states[2])


def test_an_interrupted_run_leaves_with_130_and_resumes_to_the_same_bits(
    tmp_path, capsys, monkeypatch
):
    def train(name: str, *more: str) -> int:
        words = ["--data", "digits", "--epochs", "4", "--output", str(tmp_path / name)]
        return main(["train", *words, *more])

    left = [100]

    def build(*arguments):
        model = models_build(*arguments)
        forward = model.forward

        def counting(input):
            left[0] -= 1
            if left[0] == 0:
                signal.raise_signal(signal.SIGINT)
            return forward(input)

        model.forward = counting
        return model

    models_build = models.build
    assert train("whole.safetensors") == 0
    checkpoint = str(tmp_path / "run.ckpt")
    monkeypatch.setattr(models, "build", build)
    capsys.readouterr()
    assert train("part.safetensors", "--checkpoint", checkpoint) == 130
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"interrupted after epoch 2 of 4; the same command with --resume goes on from {checkpoint}"
    )
    assert not (tmp_path / "part.safetensors").exists()
    monkeypatch.setattr(models, "build", models_build)
    assert train("part.safetensors", "--checkpoint", checkpoint, "--resume") == 0
    whole, part = (bg.load(tmp_path / f"{n}.safetensors").state_dict() for n in ("whole", "part"))
    for name, array in whole.items():
        np.testing.assert_array_equal(part[name], array)


def test_a_table_of_ones_own_is_trained_on_evaluated_and_predicted(tmp_path, capsys):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(300, 2))
    lines = [f"{a:.3f},{b:.3f},{'above' if a > b else 'below'}" for a, b in rows]
    table, path = tmp_path / "points.csv", tmp_path / "m.safetensors"
    table.write_text("a,b,side\n" + "\n".join(lines))
    words = ["--data", str(table), "--target", "side"]
    more = ["--model", "linear", "--lr", "0.05", "--output", str(path)]
    assert main(["train", *words, *more]) == 0
    assert main(["evaluate", str(path), *words]) == 0
    assert float(re.findall(r"accuracy ([\d.]+)%", capsys.readouterr().out)[-1]) > 90
    new = tmp_path / "new.csv"
    new.write_text("b,a\n0,3\n3,0\n")
    assert main(["predict", str(path), str(new)]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{new}:0  above  ")
    assert second.startswith(f"{new}:1  below  ")


def test_an_npz_of_ones_own_is_trained_on(tmp_path, capsys):
    x = np.random.default_rng(0).normal(size=(200, 3))
    np.savez(tmp_path / "d.npz", x=x, y=(x[:, 0] > 0).astype(int))
    words = ["--data", str(tmp_path / "d.npz"), "--output", str(tmp_path / "m.safetensors")]
    assert main(["train", *words]) == 0
    np.save(tmp_path / "one.npy", np.array([2.0, 0.0, 0.0]))
    np.save(tmp_path / "two.npy", np.array([[2.0, 0, 0], [-2, 0, 0]]))
    capsys.readouterr()
    files = [str(tmp_path / name) for name in ("one.npy", "two.npy")]
    assert main(["predict", str(tmp_path / "m.safetensors"), *files]) == 0
    said = [line.split()[1] for line in capsys.readouterr().out.splitlines()]
    assert said == ["1", "1", "0"]


def test_a_table_of_one_class_is_refused(tmp_path, capsys):
    path = tmp_path / "t.csv"
    path.write_text("a,y\n" + "".join(f"{row},no\n" for row in range(20)))
    line = refused(capsys, "train", "--data", path, "--target", "y")
    assert line.endswith("t.csv' is of class 'no', expected two classes or more")


def test_a_run_is_resumed_for_as_many_epochs_as_it_was_begun(tmp_path, capsys):
    files = ["--checkpoint", str(tmp_path / "c"), "--output", str(tmp_path / "m.safetensors")]
    words = ["train", "--data", "digits", "--model", "linear", *files, "--epochs"]
    assert main([*words, "1"]) == 0
    capsys.readouterr()
    assert "[fit] --epochs is 2, expected 1 as in" in refused(capsys, *words, "2", "--resume")


def test_a_table_with_a_target_of_floats_is_a_regression(tmp_path, capsys):
    x = np.random.default_rng(0).normal(size=200)
    table, path = tmp_path / "line.csv", str(tmp_path / "m.safetensors")
    table.write_text("x,y\n" + "\n".join(f"{a:.4f},{100 + 10 * a:.4f}" for a in x))
    words = ["--data", str(table), "--target", "y", "--model", "linear", "--lr", "0.05"]
    assert main(["train", *words, "--output", path]) == 0
    assert "accuracy" not in capsys.readouterr().out.splitlines()[-2]
    (tmp_path / "new.csv").write_text("x\n2\n")
    assert main(["predict", path, str(tmp_path / "new.csv")]) == 0
    assert float(capsys.readouterr().out.split()[-1]) == pytest.approx(120, abs=2)


def test_the_convolutional_network_learns_the_digits(tmp_path, capsys):
    path = str(tmp_path / "m.safetensors")
    words = ["--data", "digits", "--model", "cnn", "--epochs", "5", "--output", path]
    assert main(["train", *words]) == 0
    assert float(re.findall(r"accuracy ([\d.]+)%", capsys.readouterr().out)[-1]) > 90
    Image.fromarray((255 * digit(0)).astype(np.uint8)).save(tmp_path / "d.png")
    assert main(["predict", path, str(tmp_path / "d.png")]) == 0


def test_mnist_is_learned_to_98_percent_by_the_defaults(data_dir, tmp_path, capsys):
    words = ["--data", "mnist", "--model", "mlp", "--data-dir", str(data_dir)]
    assert main(["train", *words, "--output", str(tmp_path / "m.safetensors")]) == 0
    tested = re.search(r"^test .*accuracy ([\d.]+)%", capsys.readouterr().out, re.MULTILINE)
    assert float(tested[1]) >= 98


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["train"], "the following arguments are required: --data"),
        (["train", "--data", "imagenet"], "'imagenet', expected digits, mnist, cifar100, an .npz"),
        (["train", "--data", "t.csv"], "argument --target: none for 't.csv', expected a column"),
        (["train", "--data", "digits", "--target", "y"], "'digits' has no columns, only a .csv"),
        (["train", "--data", "t.csv", "--target", "y"], "No such file or directory: 't.csv'"),
        (["train", "--data", "t.npz"], "No such file or directory: 't.npz'"),
        (["train", "--data", "digits", "--lr", "0"], "--lr: '0', expected a number above 0"),
        (["train", "--data", "digits", "--epochs", "0"], "expected an integer of at least 1"),
        (["train", "--data", "digits", "--resume"], "argument --resume: no --checkpoint"),
        (
            ["train", "--data", "digits", "--checkpoint", "c", "--resume"],
            "checkpoint c is not there",
        ),
        (["train", "--data", "digits", "--output", f"{__file__}/m"], "cannot be written to"),
        (["train", "--data", "digits", "--output", "."], "'.' is a folder, expected a file"),
        (["train", "--data", "digits", "--device", "tpu"], "device is 'tpu', expected one of"),
        (["evaluate", "m.safetensors", "--data", "digits"], "No such file or directory"),
        (["predict", "m.safetensors"], "the following arguments are required: file"),
        (["predict", "m.safetensors", "d.png"], "No such file or directory: 'm.safetensors'"),
        (["bench", "conv"], "argument op: 'conv', expected one of gemm, conv2d"),
        (["bench", "relu"], "; relu is a kind of unary"),
        (
            ["bench", "gemm", "--use", "conv2d=ladder/0"],
            "argument --use: conv2d=ladder/0 changes nothing of gemm",
        ),
        (
            ["bench", "gemm", "--use", "a.cu"],
            "a.cu is for devices, and this times the CPU; `baregrad sim gemm --use a.cu`",
        ),
        (["show", "gemm", "--asm", "avx2", "--use", "a.cu"], "a.cu is no C++ for the CPU"),
        (
            ["bench", "gemm", "--device", "sim"],
            "the time of sim says nothing of a device, expected",
        ),
    ],
)
def test_what_cannot_be_done_is_one_sentence(words, sentence, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    line = refused(capsys, *words)
    assert line.startswith("baregrad")
    assert sentence in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("option", ["--output", "--log", "--checkpoint"])
def test_a_pipe_to_write_to_is_refused_before_the_training(option, tmp_path, capsys):
    os.mkfifo(tmp_path / "pipe")
    line = refused(capsys, "train", "--data", "digits", option, tmp_path / "pipe")
    assert line.endswith("pipe' is a pipe, expected a file")


def test_every_command_is_in_a_group_of_the_help_and_has_one_of_its_own(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    places = [text.index(f"\n{word}:") for word in ("use", "measure", "learn", "write")]
    assert places == sorted(places)
    commands = re.findall(r"^  (\w+)  +\w", text[places[0] :], re.MULTILINE)
    assert commands == [
        *("demo", "train", "evaluate", "predict", "info", "selftest"),
        *("bench", "sim", "show", "ladder", "new", "check"),
    ]
    for command in commands:
        with pytest.raises(SystemExit) as stop:
            main([command, "--help"])
        assert stop.value.code == 0
        assert capsys.readouterr().out.startswith(f"usage: baregrad {command}")


# predict


def page(grey: np.ndarray, size: int = 120) -> Image.Image:
    """A drawing in [0, 1] as dark ink somewhere on a light page."""
    ink = Image.fromarray((255 - 215 * grey).astype(np.uint8)).resize((size, size), Image.BICUBIC)
    sheet = Image.new("L", (3 * size, 2 * size), 255)
    sheet.paste(ink, (size + 20, 30))
    return sheet


def test_pictures_are_recognised_however_they_are_drawn(trained, capsys, tmp_path):
    labels = bg.data.digits().test.tensors[1].tolist()[:20]
    for index in range(20):
        grey = digit(index)
        exact = Image.fromarray((255 * grey).astype(np.uint8))
        exact.save(tmp_path / f"{index:02}_exact.png")
        page(grey).save(tmp_path / f"{index:02}_page.png")
        ink = Image.fromarray((255 * grey).astype(np.uint8)).resize((64, 64), Image.BICUBIC)
        black = Image.new("L", (64, 64), 0)
        Image.merge("RGBA", (black, black, black, ink)).save(tmp_path / f"{index:02}_rgba.png")
    files = sorted(map(str, tmp_path.iterdir()))
    assert main(["predict", str(trained), *files]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == files
    assert all(re.fullmatch(r"\S+  \d  \d+\.\d%", line) for line in lines)
    found = [int(line.split()[1]) for line in lines]
    for kind, least in ((0, 18), (1, 16), (2, 16)):
        right = sum(f == label for f, label in zip(found[kind::3], labels, strict=True))
        assert right >= least, (kind, right)


def test_a_drawing_is_fitted_into_20_pixels_and_centred_by_its_mass(tmp_path):
    sheet = np.full((100, 200), 255, np.uint8)
    sheet[10:70, 20:50] = 0  # 60 high, 30 wide, all of one darkness
    Image.fromarray(sheet).save(tmp_path / "bar.png")
    image = read_picture(tmp_path / "bar.png", (1, 28, 28), 20)[0]
    rows, columns = (np.flatnonzero(image.any(axis)) for axis in (1, 0))
    assert (rows[0], rows[-1], columns[0], columns[-1]) == (4, 23, 9, 18)
    assert image.max() == 1


def test_a_picture_of_the_right_size_is_taken_as_it_is_and_dark_ink_is_inverted(tmp_path):
    grey = np.zeros((28, 28), np.uint8)
    grey[3:9, 20:25] = 200
    Image.fromarray(grey).save(tmp_path / "light.png")
    Image.fromarray(255 - grey).save(tmp_path / "dark.png")
    Image.fromarray((255 - grey).astype(np.uint16) * 257).save(tmp_path / "sixteen.png")
    for name in ("light", "dark", "sixteen"):
        image = read_picture(tmp_path / f"{name}.png", (1, 28, 28), 20)
        np.testing.assert_allclose(image[0], grey / 255, atol=1e-6)


def test_a_colour_picture_is_cut_to_the_middle_and_scaled(tmp_path):
    picture = np.zeros((40, 80, 3), np.uint8)
    picture[:, 20:60] = (255, 0, 0)
    Image.fromarray(picture).save(tmp_path / "red.png")
    image = read_picture(tmp_path / "red.png", (3, 32, 32), None)
    assert image.shape == (3, 32, 32)
    np.testing.assert_allclose(image[:, 16, 16], [1, 0, 0])


def bomb(width: int, height: int) -> bytes:
    """The beginning of a PNG that claims to be large."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + header
        + struct.pack(">I", zlib.crc32(header))
    )


@pytest.mark.parametrize("size", [(8_000, 8_000), (10_000, 10_000), (60_000, 60_000)])
def test_a_picture_too_large_to_open_is_refused(trained, capsys, tmp_path, size):
    (tmp_path / "bomb.png").write_bytes(bomb(*size) + bytes(100))
    line = refused(capsys, "predict", trained, tmp_path / "bomb.png")
    assert f"[predict] {tmp_path / 'bomb.png'} cannot be read as a picture:" in line


def test_a_broken_or_blank_picture_is_one_sentence_and_no_other_is_predicted(
    trained, capsys, tmp_path
):
    good = tmp_path / "good.png"
    page(digit(0)).save(good)
    whole = good.read_bytes()
    bad = tmp_path / "bad.png"
    for content in (b"", b"garbage", whole[:20], whole[: len(whole) // 2], whole[:33] + b"x" * 99):
        bad.write_bytes(content)
        assert "bad.png cannot be read as a picture" in refused(
            capsys, "predict", trained, good, bad
        )
    Image.new("L", (50, 50), 255).save(bad)
    assert "bad.png is blank" in refused(capsys, "predict", trained, bad)
    assert "No such file" in refused(capsys, "predict", trained, tmp_path / "nothing.png")


def test_predict_refuses_files_of_another_shape_and_models_that_say_nothing(
    trained, capsys, tmp_path
):
    np.save(tmp_path / "a.npy", np.zeros((2, 3)))
    assert "an input has shape (3,), expected (1, 8, 8)" in refused(
        capsys, "predict", trained, tmp_path / "a.npy"
    )
    (tmp_path / "t.csv").write_text("a\n1\n")
    assert "is a table, expected inputs" in refused(capsys, "predict", trained, tmp_path / "t.csv")
    bare, tensors = tmp_path / "bare.safetensors", tmp_path / "tensors.safetensors"
    bg.save(bg.nn.Linear(2, 2), bare)
    bg.save({"w": np.zeros(2)}, tensors)
    assert "does not say how its inputs are made" in refused(capsys, "predict", bare, "d.png")
    assert "has tensors only" in refused(capsys, "predict", tensors, "d.png")


def test_the_demo_s_model_predicts_too(capsys, tmp_path):
    main(["demo", "--epochs", "10", "--output-dir", str(tmp_path)])
    page(digit(3)).save(tmp_path / "d.png")
    capsys.readouterr()
    assert main(["predict", str(tmp_path / "model.safetensors"), str(tmp_path / "d.png")]) == 0
    assert capsys.readouterr().out.startswith(str(tmp_path / "d.png"))


# bench


def test_bench_checks_times_and_compares_with_the_ceilings(capsys, monkeypatch):
    monkeypatch.setattr(bench, "_SECONDS", 0.01)
    assert main(["bench", "unary", "--use", "isa=baseline"]) == 0
    head, _, columns, *rows = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"cpu baseline, \d+ threads?, multiply-add peak \d+ GFLOP/s", head)
    assert columns.split() == ["case", "us", "GFLOP/s", "GB/s", "share", "of"]
    cases, races = rows[: rows.index("")], rows[rows.index("") + 2 :]
    names = [str(case) for case in OPS["unary"].benchmarks]
    assert [row.split()[0] for row in cases] == [row.split()[0] for row in races] == names
    times = r"[\d.]+x \([\d.]+ to [\d.]+\) +"
    line = rf"\S+ +the one in use +{times}{times}(faster|equal|slower)"
    assert all(re.fullmatch(line, race) for race in races)


@pytest.mark.parametrize("use", [[], ["--use", "gemm=ladder/naive"]])
def test_bench_races_gemm_against_numpy_and_against_the_kernel_in_use(use, capsys, monkeypatch):
    monkeypatch.setattr(bench, "_SECONDS", 0.01)
    monkeypatch.setattr(bench, "PAUSE", 0)
    monkeypatch.setattr(OPS["gemm"], "benchmarks", [OPS["gemm"].case(60, 70, 80)])
    assert main(["bench", "gemm", *use]) == 0
    races = capsys.readouterr().out.splitlines()[5:]
    rivals = [*(["the one in use"] if use else []), "NumPy"]
    assert [race.split("  ")[1].strip() for race in races[1:]] == rivals
    assert _cpu.in_use() == _cpu.available()[0]


def test_a_ratio_is_beside_the_control_equal_faster_or_slower():
    found = racing.ratio([1.0, 2.0, 4.0], [2.0, 3.0, 8.0])
    assert (found.value, found.low, found.high) == (1.5, 1.5, 2.0)
    assert str(found) == "1.50x (1.50 to 2.00)"
    near, far = racing.Ratio(1.0, 0.9, 1.05), racing.Ratio(1.0, 0.6, 1.1)
    assert found.beside(near) == "faster"
    assert found.beside(far) == "equal"
    assert racing.ratio([3.0], [2.0]).beside(near) == "slower"
    assert racing.ratio([1.05], [1.0]).beside(near) == "equal"


def test_bench_refuses_to_time_a_wrong_kernel(capsys, monkeypatch):
    class Wrong:
        @staticmethod
        def gemm(**arguments):
            return np.full_like(arguments["out"], np.nan)

    with pytest.raises(ValueError, match=r"\[bench\] gemm-.* is off its definition"):
        bench.check(OPS["gemm"].benchmarks[0], Wrong)
