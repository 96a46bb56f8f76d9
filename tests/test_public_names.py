"""Every public name has a test, a docstring with shapes and errors, and answers bad input in one sentence."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import pytest
from bad_calls import CALLS, EXEMPT, Bad
from baregrad import cli
from public_names import everything, parameters

NAMES = everything()
TESTS = Path(__file__).parent
HERE = {Path(__file__).name, "bad_calls.py", "public_names.py"}
COMMON = (TypeError, ValueError, IndexError, OSError)  # docs/api.md says once, for all, of what
TENSORS = re.compile(r"Tensor|Operand|ArrayLike|NDArray")
# A shape in letters, or the words that stand for one: what happens to each element, a dimension, ...
SHAPES = re.compile(
    r"\((\.\.\.|[a-z]+)(, ?(\.\.\.|[a-z*_]+( / [a-z]+)?|[\d]+))*,?\)"
    r"|elements?\b|broadcast|dim\b|dims|dimensions?|axis|axes|shapes?\b|length|matrix|vectors?|everywhere"
)


@pytest.mark.parametrize("name", NAMES)
def test_says_what_it_does(name: str) -> None:
    text = inspect.getdoc(NAMES[name]) or ""
    own = NAMES[name].__doc__ or ""
    assert len(own.split()) >= 2, "no docstring of its own"
    assert text.split("\n\n")[0].rstrip().endswith((".", ":", "...", "!")), text


def described(name: str) -> str:
    """The docstring; of a method forward, which its class describes, that of the class too."""
    owner = NAMES.get(name.removesuffix(".forward"))
    return f"{inspect.getdoc(NAMES[name])}\n{inspect.getdoc(owner) if owner else ''}"


def takes_tensors(thing: Any) -> bool:
    return any(TENSORS.search(str(parameter.annotation)) for parameter in parameters(thing))


@pytest.mark.parametrize("name", [name for name, thing in NAMES.items() if takes_tensors(thing)])
def test_says_which_shapes_it_takes(name: str) -> None:
    text = described(name)
    assert SHAPES.search(text), text


def test_a_docstring_without_shapes_is_seen() -> None:
    assert not SHAPES.search("The product of a and b (of two tensors).")
    for text in ("x (n, c) -> (n,)", "of every element", "along dim", "weight (o, c / groups, kh)"):
        assert SHAPES.search(text)


# What a lecture or a paper defines: its docstring says which.
SOURCED = (
    "bg.relu", "bg.sigmoid", "bg.softmax", "bg.tanh", "nn.BCELoss", "nn.BatchNorm1d",
    "nn.BatchNorm2d", "nn.Conv2d", "nn.CrossEntropyLoss", "nn.Dropout", "nn.ELU", "nn.Embedding",
    "nn.GELU", "nn.HuberLoss", "nn.LayerNorm", "nn.LeakyReLU", "nn.LogSoftmax", "nn.MSELoss",
    "nn.MaxPool2d", "nn.ReLU", "nn.SiLU", "nn.Sigmoid", "nn.SmoothL1Loss", "nn.Softmax", "nn.Tanh",
    "nn.functional.batch_norm", "nn.functional.binary_cross_entropy", "nn.functional.conv2d",
    "nn.functional.dropout", "nn.functional.elu", "nn.functional.gelu", "nn.functional.layer_norm",
    "nn.functional.leaky_relu", "nn.functional.max_pool2d", "nn.functional.mse_loss",
    "nn.functional.silu", "nn.functional.softmax", "nn.init.kaiming_normal_",
    "nn.init.kaiming_uniform_", "nn.init.xavier_normal_", "nn.init.xavier_uniform_", "optim.Adam",
    "optim.AdamW", "optim.SGD", "optim.lr_scheduler.CosineAnnealingLR",
    "optim.lr_scheduler.InverseSqrtLR", "optim.lr_scheduler.StepLR", "train.fit", "data.cifar100",
    "data.digits", "data.mnist",
)  # fmt: skip
SOURCE = re.compile(r"lecture 00[0234]|slide \d+|(?:al\.|[A-Z][a-z]+),? (?:19|20)\d\d\b|Source: ")


@pytest.mark.parametrize("name", SOURCED)
def test_says_where_its_formula_is_from(name: str) -> None:
    assert SOURCE.search(inspect.getdoc(NAMES[name]) or "")


@pytest.mark.parametrize("name", NAMES)
def test_a_test_uses_it(name: str) -> None:
    word = re.compile(rf"\b{re.escape(name.rpartition('.')[2])}\b")
    files = [path for path in TESTS.glob("*.py") if path.name not in HERE]
    assert any(word.search(path.read_text()) for path in files)


def test_every_name_that_takes_something_gets_bad_input() -> None:
    asked = {name for name, thing in NAMES.items() if parameters(thing)}
    called = {bad.name for bad in CALLS}
    assert called & set(EXEMPT) == set()
    assert called | set(EXEMPT) == asked


@pytest.mark.parametrize("bad", CALLS, ids=[f"{bad.name}-{bad.sentence}" for bad in CALLS])
def test_answers_bad_input_with_one_sentence(bad: Bad) -> None:
    with pytest.raises(bad.error, match=re.escape(bad.sentence)) as raised:
        bad.call()
    assert type(raised.value) is bad.error
    if not isinstance(raised.value, OSError):  # whose sentence is the system's, with the path
        assert re.match(r"\[[\w.]+\] \S", str(raised.value))


@pytest.mark.parametrize("name", sorted({bad.name for bad in CALLS}))
def test_names_its_particular_errors(name: str) -> None:
    errors = {bad.error for bad in CALLS if bad.name == name}
    for error in errors:
        assert issubclass(error, COMMON) or error.__name__ in described(name), error


COMMANDS = [cli._name(command) for group in cli._GROUPS.values() for command in group]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_explains_itself_and_refuses_what_it_does_not_know(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="0"):
        cli.main([command, "--help"])
    assert f"usage: baregrad {command}" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="2"):
        cli.main([command, "--no-such-option"])
    said = capsys.readouterr().err
    assert said.startswith("baregrad")
    assert said.count("\n") == 1
