"""The typed stubs of the extensions: names, arguments, kinds and defaults are those of the binaries."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import baregrad
import pytest
from baregrad import reference

PACKAGE = Path(baregrad.__file__).parent
EXTENSIONS = pytest.mark.parametrize("name", ["_cpu", "_sim"])

# What mypy's stubtest may say: what no stub can express.
ALLOWED = r"""
# The kernels, by __getattr__: their arguments are those of _cpu.pyi, which the tests below hold.
baregrad\._sim\.(?!Array).*
# pybind11's metaclass, and its constructor that only says that there is none.
baregrad\._sim\.Array(\.__init__|\.__pybind11_.*)?
# Aliases of types, for the stub alone.
baregrad\._cpu\.(Floats|Bools)
"""


def stubbed(name: str) -> dict[str, ast.FunctionDef]:
    """The functions of a stub, and the methods of its classes as Class.method."""
    found = {}
    for node in ast.parse((PACKAGE / f"{name}.pyi").read_text()).body:
        if isinstance(node, ast.FunctionDef):
            found[node.name] = node
        if isinstance(node, ast.ClassDef):
            for method in node.body:
                if isinstance(method, ast.FunctionDef):
                    found[f"{node.name}.{method.name}"] = method
    return found


def compiled(extension: Any) -> Iterator[tuple[str, ast.FunctionDef]]:
    """The functions of an extension as pybind11 spells them in the first line of their texts."""
    functions = {n: f for n, f in vars(extension).items() if callable(f) and n != "Array"}
    functions |= {f"Array.{n}": f for n, f in vars(getattr(extension, "Array", object)).items()}
    for name, function in functions.items():
        if hasattr(object, name.rpartition(".")[2]):
            continue
        first = (getattr(function, "__doc__", None) or "").partition("\n")[0]
        if first.startswith(f"{name.rpartition('.')[2]}("):
            (node,) = ast.parse(f"def {first}: ...").body
            assert isinstance(node, ast.FunctionDef)
            yield name, node


def call(function: ast.FunctionDef) -> list[Any]:
    """How it may be called: each argument's name, kind and default."""
    a = function.args
    assert not a.vararg
    assert not a.kwarg
    none: list[ast.expr | None] = [None] * (len(a.args) - len(a.defaults))
    pairs = [
        *((arg.arg, "either", value) for arg, value in zip(a.args, none + a.defaults, strict=True)),
        *((arg.arg, "by name", v) for arg, v in zip(a.kwonlyargs, a.kw_defaults, strict=True)),
    ]
    return [
        (name, kind, ast.literal_eval(value) if value else "needed") for name, kind, value in pairs
    ]


@EXTENSIONS
def test_names_what_is_in_the_extension(name: str) -> None:
    extension = pytest.importorskip(f"baregrad.{name}")
    tree = ast.parse((PACKAGE / f"{name}.pyi").read_text())
    nodes = (n for n in tree.body if isinstance(n, (ast.FunctionDef, ast.ClassDef)))
    names = {node.name for node in nodes} - {"__getattr__"}
    there = {n for n in vars(extension) if not n.startswith("_") and not n.isupper()}
    kernels = set(reference.__all__) if name == "_sim" else set()
    assert names == there - kernels


@EXTENSIONS
def test_arguments_have_the_names_kinds_and_defaults_of_the_extension(name: str) -> None:
    extension = pytest.importorskip(f"baregrad.{name}")
    stub = stubbed("_cpu") | stubbed(name)
    seen = dict(compiled(extension))
    assert len(seen) >= len(reference.__all__)
    assert {n: call(f) for n, f in seen.items()} == {n: call(stub[n]) for n in seen}


def test_mypy_finds_no_difference(tmp_path: Path) -> None:
    if importlib.util.find_spec("mypy") is None:
        pytest.skip("needs mypy")
    pytest.importorskip("baregrad._sim")
    allowed = tmp_path / "allowed"
    allowed.write_text(ALLOWED)
    done = subprocess.run(
        [sys.executable, "-m", "mypy.stubtest", "baregrad._cpu", "baregrad._sim", "--concise",
         f"--allowlist={allowed}"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
