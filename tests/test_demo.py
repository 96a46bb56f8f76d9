"""The command line and its demo, run in this process."""

from __future__ import annotations

import re
import subprocess
import sys

import baregrad as bg
import numpy as np
import pytest
from baregrad.cli import demo, main
from safetensors import safe_open


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A short demo: its exit code, and the folder it wrote to."""
    folder = tmp_path_factory.mktemp("demo") / "made" / "by the demo"
    return main(["demo", "--epochs", "2", "--seed", "3", "--output-dir", str(folder)]), folder


def refused(capsys, *argv: str) -> str:
    """The one line with which `baregrad argv` leaves, exit code 2."""
    with pytest.raises(SystemExit) as caught:
        main(argv)
    assert caught.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err.strip()


def test_five_seeds_find_97_percent_of_the_test_digits_on_average():
    accuracies = [demo.train(seed).test.accuracy for seed in range(5)]
    assert np.mean(accuracies) >= 0.97, accuracies


def test_the_demo_writes_a_picture_and_the_weights(ran):
    code, folder = ran
    assert code == 0
    assert (folder / "model.safetensors").exists()
    pytest.importorskip("matplotlib")
    assert (folder / "learning_curve.png").read_bytes().startswith(b"\x89PNG")


def test_the_weights_load_into_the_same_network_and_predict(ran):
    with safe_open(ran[1] / "model.safetensors", "numpy") as file:
        assert file.metadata()["format"] == "pt"
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  no mapping
    assert list(state) == ["0.bias", "0.weight", "2.bias", "2.weight"]
    result = demo.train(3, epochs=2)
    for name, array in result.model.state_dict().items():
        np.testing.assert_array_equal(state[name], array)


def test_the_report_shares_the_whole_time_out(capsys, tmp_path):
    main(["demo", "--epochs", "1", "--output-dir", str(tmp_path)])
    out, err = capsys.readouterr()
    assert re.search(r"test accuracy +\d\d\.\d\d%", out)
    assert re.search(r"training +\d+\.\d\d s, [\d,]+ images/s", out)
    rows = re.findall(r"^(\w[\w ]*?)  .* (\d+\.\d)%$", out, re.MULTILINE)
    assert {"gemm", "adam_step", "bias_activation_forward"} < {name for name, _ in rows}
    assert rows[-1][0] == "Python and the rest"
    assert sum(float(share) for _, share in rows) == pytest.approx(100, abs=0.05 * len(rows))
    assert f"wrote {tmp_path / 'model.safetensors'}" in out
    assert err.startswith("epoch 1/1: loss")


def test_without_matplotlib_the_curve_comes_as_text(capsys, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert main(["demo", "--epochs", "2", "--output-dir", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "loss: * training, o validation" in out
    assert "pip install matplotlib" in out
    assert not (tmp_path / "learning_curve.png").exists()
    assert (tmp_path / "model.safetensors").exists()


def test_the_seed_decides_the_run_and_not_the_split():
    first, again, other = (demo.train(seed, epochs=1).history.train_loss for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_the_kernels_in_use_are_those_before_after_the_demo(tmp_path):
    before = bg.kernels.active
    used = ["--use", "reference", "--epochs", "1", "--output-dir", str(tmp_path)]
    assert main(["demo", *used]) == 0
    assert bg.kernels.active is before


def test_the_demo_trains_with_the_threads_it_was_given(tmp_path):
    before = bg.get_num_threads()
    try:
        main(["demo", "--threads", "1", "--epochs", "1", "--output-dir", str(tmp_path)])
        assert bg.get_num_threads() == 1
    finally:
        bg.set_num_threads(before)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["demo", "--epochs", "0"], "--epochs: '0', expected an integer of at least 1"),
        (["demo", "--epochs", "many"], "--epochs: 'many', expected an integer of at least 1"),
        (["demo", "--seed", "-1"], "--seed: '-1', expected an integer of at least 0"),
        (["demo", "--threads", "0"], "--threads: '0', expected an integer of at least 1"),
        (["demo", "--device", "tpu"], "device is 'tpu', expected one of"),
        (["demo", "--use", "nonsense"], "is 'nonsense', expected"),
        (["demo", "--fast"], "unrecognized arguments: --fast"),
        (["demo", "--output-dir", __file__], "cannot be written to (File exists)"),
        (["dmeo"], "invalid choice: 'dmeo'"),
        ([], "required: command"),
    ],
)
def test_a_bad_command_line_is_refused_in_one_sentence(
    argv, message, capsys, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    line = refused(capsys, *argv)
    assert line.startswith("baregrad")
    assert message in line
    assert list(tmp_path.iterdir()) == []


def test_the_version_is_that_of_the_package(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"baregrad {bg.__version__}\n"


def test_an_interrupted_demo_leaves_with_130(monkeypatch, capsys, tmp_path):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "fit", interrupted)
    assert main(["demo", "--output-dir", str(tmp_path)]) == 130
    assert capsys.readouterr().err == "interrupted\n"
    assert list(tmp_path.iterdir()) == []


def test_the_package_runs_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "baregrad", "demo", "--epochs", "-1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == (
        "baregrad demo: argument --epochs: '-1', expected an integer of at least 1\n"
    )
