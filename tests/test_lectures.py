"""The listings of the lectures run, and their faults get clear answers."""

from __future__ import annotations

import os
import re
import runpy
from pathlib import Path

import pytest

LECTURES = Path(__file__).parent.parent / "examples" / "lectures"
MNIST = Path(os.environ.get("BAREGRAD_DATA", LECTURES.parents[2] / "shared" / "data"))
needs_mnist = pytest.mark.skipif(not (MNIST / "mnist").is_dir(), reason="needs MNIST")


def run(name: str) -> None:
    runpy.run_path(str(LECTURES / name), run_name="__main__")


def test_numpy_and_pytorch_spell_fourteen_operations(capsys: pytest.CaptureFixture[str]) -> None:
    run("000_numpy_and_torch.py")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 14
    assert all(line.endswith("the same") for line in lines)


def test_the_classifier_of_003_prints_ten_falling_losses(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run("003_classifier.py")
    printed = capsys.readouterr().out
    losses = [
        float(x)
        for x in re.findall(r"^Epoch \[\d+/1000\], Loss: (\d\.\d{4})$", printed, re.MULTILINE)
    ]
    assert len(losses) == 10
    assert losses == sorted(losses, reverse=True)
    assert len(re.findall(r"0\.\d+", printed.split("Predictions:")[1])) == 5


@needs_mnist
def test_the_keras_listing_of_004_trains(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from baregrad.keras import Sequential

    whole = Sequential.fit
    monkeypatch.setenv("BAREGRAD_DATA", str(MNIST))
    monkeypatch.setattr(  # the listing's 20 epochs give 94.1 %; two of them are enough here
        Sequential, "fit", lambda *args, nb_epoch, **words: whole(*args, nb_epoch=2, **words)
    )
    run("004_keras.py")
    accuracy = re.search(r"Accuracy of Testing Set: (0\.\d+)", capsys.readouterr().out)
    assert accuracy
    assert float(accuracy[1]) > 0.6


@needs_mnist
@pytest.mark.filterwarnings("default")
def test_the_pytorch_listing_of_004_names_its_faults_and_then_trains(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BAREGRAD_DATA", str(MNIST))
    with pytest.warns(UserWarning, match="dim"):
        run("004_pytorch.py")
    printed = capsys.readouterr().out
    fault, data, *lines = printed.splitlines()
    assert fault.startswith("as printed: [mse_loss]")
    assert "(64, 10)" in fault
    assert "(64,)" in fault
    assert data.startswith("and then:")
    assert "item()" in data
    rows = [
        re.fullmatch(r"Train Epoch: 0 \[\d+/55000 \(\d+%\)\]\tLoss: (\d\.\d{6})", x) for x in lines
    ]
    assert len(rows) == 5
    assert all(rows)
    assert float(rows[-1][1]) < float(rows[0][1])  # type: ignore[index]
